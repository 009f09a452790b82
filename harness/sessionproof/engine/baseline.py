"""The file of known breaks: which broken guarantees do not fail a run, and why they may be broken.

A TOML file with one table::

    [broken]
    CORE-06 = "lone surrogates are replaced, https://example.com/issues/12"

What is listed and broken is known, and does not fail the run. What is listed and holds is mended:
it is told, and does not fail, because a run that found nothing this time is no proof. What is
listed and can be no break of this store is stale, and fails: nobody would ever strike it.
"""

from __future__ import annotations

import difflib
import tomllib
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from sessionproof.contract.guarantees import GUARANTEES
from sessionproof.contract.verdicts import Verdict
from sessionproof.report.plain import cut
from sessionproof.report.result import Baseline, GuaranteeResult

_TABLE = "broken"


@dataclass(frozen=True, kw_only=True)
class KnownBreaks:
    """What a baseline says: the reason of each known break by its guarantee's id."""

    file: str
    reasons: Mapping[str, str]


def read_baseline(file: Path) -> KnownBreaks:
    """The known breaks in a file; raises ValueError in one line that names the mistake."""
    try:
        value = tomllib.loads(file.read_text("utf-8"))
    except OSError as error:
        raise ValueError(f"the baseline {file} cannot be read: {error.strerror}") from None
    except (UnicodeDecodeError, tomllib.TOMLDecodeError) as error:
        text = " ".join(str(error).split())
        raise ValueError(f"the baseline {file} is not TOML: {text}") from None
    for name in value:
        if name != _TABLE:
            raise ValueError(
                f"the baseline {file} has {_shown(name)} at its top: "
                f'its one table is [{_TABLE}], with a line ID = "reason" a known break'
            )
    table = value.get(_TABLE, {})
    if not isinstance(table, dict):
        raise ValueError(f"{_TABLE} in the baseline {file} must be a table: write [{_TABLE}]")
    return KnownBreaks(
        file=str(file), reasons={name: _reason(file, name, table[name]) for name in table}
    )


def _reason(file: Path, name: str, reason: Any) -> str:
    if name not in GUARANTEES:
        near = difflib.get_close_matches(name.upper(), GUARANTEES, n=1)
        hint = f": did you mean {near[0]}?" if near else ": strike it"
        raise ValueError(
            f"the baseline {file} lists {_shown(name)}, no guarantee has this id{hint}"
        )
    if not isinstance(reason, str) or not reason.strip():
        raise ValueError(
            f"{name} in the baseline {file} has no reason: "
            f'write {name} = "why it is broken, and where that is tracked"'
        )
    return " ".join(reason.split())


def _shown(name: str) -> str:
    return cut(repr(name), 60)


def compared(
    guarantees: Iterable[GuaranteeResult], known: KnownBreaks
) -> tuple[tuple[GuaranteeResult, ...], Baseline]:
    """The guarantees with the reasons of their known breaks, and what the baseline came to."""
    rows = tuple(guarantees)
    listed = [row for row in rows if row.id in known.reasons]
    stale = tuple(row.id for row in listed if _never_decides(row))
    marked = tuple(
        replace(row, known=known.reasons[row.id])
        if row in listed and row.verdict is Verdict.BROKEN and row.id not in stale
        else row
        for row in rows
    )
    baseline = Baseline(
        file=known.file,
        mended=tuple(
            row.id for row in listed if row.verdict is Verdict.HOLDS and row.id not in stale
        ),
        stale=stale,
        problems=tuple(
            f"{known.file} lists {name}, which the store does not claim: strike it."
            for name in stale
        ),
    )
    return marked, baseline


def _never_decides(row: GuaranteeResult) -> bool:
    """Whether the guarantee cannot fail a run of this store, whatever comes."""
    return row.verdict is Verdict.NOT_CLAIMED or not row.gated
