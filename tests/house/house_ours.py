"""``reports/ours.json``: what real runs said of the stores that come with the project.

Runs are folders of reports, one a store, named as in ``STORES``.
``python -m tests.house.house_ours --write FOLDER`` takes the data from them, and ``--check FOLDER``
compares them with it: what is broken, and what is claimed otherwise, is a problem (exit code 1).
What could not be told is printed alone, as a busy machine may be why.
"""

from __future__ import annotations

import json
import re
import sys
from collections.abc import Iterator, Mapping
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

from sessionproof.contract.guarantees import GUARANTEES
from sessionproof.contract.verdicts import Verdict

DATA = Path(__file__).parents[2] / "reports" / "ours.json"


@dataclass(frozen=True)
class Ours:
    """A store: the head of its column, what it is, and the form of its name in a result."""

    head: str
    what: str
    named: str


STORES: Mapping[str, Ours] = {
    "reference": Ours("ref", "the reference on SQLite", "reference"),
    "reference-postgres": Ours("ref PG", "the reference on PostgreSQL", "postgresql:.*"),
    "portal": Ours("portal", "the portal on SQLite", "portal"),
    "portal-postgres": Ours("portal PG", "the portal on PostgreSQL", "portal:postgresql:.*"),
    "session-manager": Ours("manager", "the session manager", "session-manager"),
    "node-session-manager": Ours(
        "Node", "the session manager in JavaScript", "cmd:.*node-session-manager.*"
    ),
}

MARKS = {
    Verdict.HOLDS: "✓",
    Verdict.NOT_CLAIMED: "–",
    Verdict.UNKNOWN: "?",
    Verdict.BROKEN: "✗",
}


@dataclass(frozen=True)
class Judged:
    """What a run said: a verdict for each guarantee, and why for those that do not hold."""

    version: str | None
    profile: str
    date: str
    verdicts: Mapping[str, str]
    reasons: Mapping[str, str] = field(default_factory=dict)


def of_result(name: str, result: Mapping[str, Any]) -> Judged:
    """The run of a ``result.json``; raises ValueError for any other."""
    if not re.fullmatch(STORES[name].named, result["store"]):
        raise ValueError(f"{name}: the result is of {result['store']}")
    rows = {row["id"]: row for row in result["guarantees"]}
    left_out = [one for one in GUARANTEES if rows.get(one, {}).get("verdict") in (None, "not run")]
    if not result["complete"] or left_out:
        raise ValueError(f"{name}: the run left out {', '.join(left_out) or 'its end'}")
    return Judged(
        version=result["store_version"],
        profile=result["profile"],
        date=result["started_at"][:10],
        verdicts={one: rows[one]["verdict"] for one in GUARANTEES},
        reasons={
            one: rows[one]["reason"]
            for one in GUARANTEES
            if rows[one]["verdict"] in (Verdict.BROKEN, Verdict.UNKNOWN)
        },
    )


def stored() -> dict[str, Judged]:
    """The data as it is committed; nothing where there is none yet."""
    if not DATA.exists():
        return {}
    return {name: Judged(**one) for name, one in json.loads(DATA.read_text("utf-8")).items()}


def runs(folder: Path) -> Iterator[tuple[str, Judged]]:
    """The runs that are there, by their stores."""
    for name in STORES:
        path = folder / name / "result.json"
        if path.exists():
            yield name, of_result(name, json.loads(path.read_text("utf-8")))


def problems(name: str, known: Judged, seen: Judged) -> list[str]:
    """What a run found that the data does not say: breaks, and other claims."""
    out = []
    for row, verdict in seen.verdicts.items():
        was = known.verdicts.get(row)
        if verdict == Verdict.BROKEN and was != Verdict.BROKEN:
            out.append(f"{name} {row}: broken: {seen.reasons[row]}")
        elif Verdict.UNKNOWN in (verdict, was) or verdict == was:
            continue
        elif verdict == Verdict.HOLDS and was == Verdict.BROKEN:
            out.append(f"{name} {row}: holds, and {DATA.name} says that it is broken")
        elif verdict != Verdict.BROKEN:
            out.append(f"{name} {row}: {verdict}, and {DATA.name} says {was or 'nothing'}")
    return out


def doubts(name: str, seen: Judged) -> list[str]:
    """What a run could not tell."""
    return [
        f"{name} {row}: could not tell: {seen.reasons[row]}"
        for row, verdict in seen.verdicts.items()
        if verdict == Verdict.UNKNOWN
    ]


def marks(known: Mapping[str, Judged], row: str) -> list[str]:
    """A guarantee's cells of the table, in the order of ``STORES``; empty where no run is known."""
    found = (known[name].verdicts.get(row) if name in known else None for name in STORES)
    return [" " if verdict is None else MARKS[Verdict(verdict)] for verdict in found]


def legend(known: Mapping[str, Judged]) -> list[str]:
    """What the columns and the marks are, and an explanation of what does not hold."""
    columns = "; ".join(f"*{one.head}*: {one.what}" for one in STORES.values())
    profiles = ", ".join(sorted({one.profile for one in known.values()}))
    dates = sorted({one.date for one in known.values()})
    when = " to ".join(dict.fromkeys((*dates[:1], *dates[-1:])))
    return [
        f"{columns}.",
        "",
        f"✓ holds, – not claimed, ? could not tell, ✗ broken, in runs with profile {profiles} "
        f"({when}). With profile gate the first column is judged again with each change, all of "
        "them by `.ci/deep`; either fails where a verdict is another.",
        *(["", *remarks(known)] if any(one.reasons for one in known.values()) else []),
    ]


def remarks(known: Mapping[str, Judged]) -> list[str]:
    """A line for each mark that needs an explanation."""
    return [
        f"- {STORES[name].what}, {row}: {Verdict(judged.verdicts[row]).shown}: "
        f"{' '.join(why.split())}"
        for name, judged in known.items()
        for row, why in judged.reasons.items()
    ]


def write(folder: Path) -> None:
    """Take the data from the runs; those of other stores stay as they are."""
    known = stored() | dict(runs(folder))
    text = {name: asdict(known[name]) for name in STORES if name in known}
    DATA.write_text(json.dumps(text, indent=1, ensure_ascii=False) + "\n", "utf-8")


def check(folder: Path) -> int:
    """Compare the runs with the data, and say what is otherwise; answers the exit code."""
    known, seen = stored(), dict(runs(folder))
    nothing = Judged(None, "", "", {})
    wrong = [
        line for name, one in seen.items() for line in problems(name, known.get(name, nothing), one)
    ]
    lines = wrong + [line for name, one in seen.items() for line in doubts(name, one)]
    lines += [f"{name}: no run" for name in STORES if name not in seen]
    lines.append(
        f"{len(seen)} stores were judged, {len(wrong)} verdicts are not as {DATA.name} has"
    )
    sys.stdout.write("\n".join(lines) + "\n")
    return 1 if wrong or not seen else 0


if __name__ == "__main__":
    what, where = sys.argv[1:]
    if what == "--write":
        write(Path(where))
    else:
        sys.exit(check(Path(where)))
