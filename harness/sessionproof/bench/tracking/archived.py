"""What is kept of a benchmark run, and its form as one line of JSON."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from typing import Any

from sessionproof.contract.causes import Causes, causes_from_json
from sessionproof.contract.measurements import Speed, measured_from_json

SCHEMA = 1
LINE_FACTS = ("cpu", "cores", "python", "sqlite", "file system")
"""The machine's facts that ratios hang on: where one changes, a new line begins."""


@dataclass(frozen=True, kw_only=True)
class Commit:
    """A commit of the store's project: its id, its subject, and when it was made, in UTC.

    ``at`` is RFC 3339 with seconds and a Z.
    """

    id: str
    subject: str = ""
    at: str = ""


@dataclass(frozen=True, kw_only=True)
class ArchivedRun:
    """One benchmark run of one store.

    ``commit`` is what the store's project stood at, None where it is not known. ``between`` are
    the commits since the run before in the same archive, the oldest first and ``commit`` last;
    empty where that is not known. ``machine`` has facts by name, ``facts`` of engine.machine.
    ``speeds`` carry their raw samples. ``causes`` are those of the operations that were looked at.
    """

    store: str
    version: str | None
    commit: Commit | None
    started_at: str
    sessionproof: str
    profile: str
    seed: int
    machine: Mapping[str, str]
    speeds: tuple[Speed, ...]
    causes: tuple[Causes, ...] = ()
    between: tuple[Commit, ...] = field(default=())

    @property
    def line(self) -> str:
        """What ratios of this run may be compared with: runs of the same line."""
        said = [self.store, *(_brief(name, self.machine.get(name, "")) for name in LINE_FACTS)]
        return hashlib.sha256(json.dumps(said).encode()).hexdigest()[:16]

    @property
    def id(self) -> str:
        """The digest of all that the run says: the same run twice is one."""
        return hashlib.sha256(to_line(self).encode()).hexdigest()[:32]

    @property
    def when(self) -> tuple[str, str]:
        """What runs are ordered by: the commit's time, and the run's own."""
        committed = self.commit.at if self.commit else ""
        return (committed or self.started_at, self.started_at)


def to_line(run: ArchivedRun) -> str:
    """The run as JSON on one line, without a line's end; the same run gives the same text."""
    return json.dumps(
        {"schema": SCHEMA, **asdict(run)}, sort_keys=True, ensure_ascii=False, allow_nan=False,
        separators=(",", ":"),
    )  # fmt: skip


def from_line(text: str) -> ArchivedRun:
    """The inverse of ``to_line``. Raises ValueError, with what is wrong in one line."""
    try:
        value = json.loads(text)
        schema = value.pop("schema")
        if schema != SCHEMA:
            raise ValueError(f"schema {schema!r}, and this version reads {SCHEMA}")
        return _run(value)
    except (KeyError, TypeError, AttributeError, RecursionError) as error:
        raise ValueError(f"not a benchmark run: {type(error).__name__} {error}") from None


def _run(value: dict[str, Any]) -> ArchivedRun:
    commit = value["commit"]
    speeds = tuple(measured_from_json(one) for one in value["speeds"])
    return ArchivedRun(
        **{
            **value,
            "commit": None if commit is None else Commit(**commit),
            "between": tuple(Commit(**one) for one in value["between"]),
            "speeds": tuple(one for one in speeds if isinstance(one, Speed)),
            "causes": tuple(causes_from_json(one) for one in value["causes"]),
        }
    )


def _brief(name: str, fact: str) -> str:
    """The part of a fact that counts: of Python and SQLite not the last number."""
    words = fact.split()
    if name == "python" and len(words) > 1:
        return ".".join(words[1].split(".")[:2])
    return words[0] if name == "sqlite" and words else fact
