"""What is kept of a benchmark run, and its form as one line of JSON."""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field, replace
from functools import cached_property

from sessionproof.contract.causes import Causes
from sessionproof.contract.decoding import decoded, parsed
from sessionproof.contract.measurements import Speed

SCHEMA = 1
LINE_FACTS = ("cpu", "cores", "python", "sqlite", "file system")
"""The machine's facts that ratios hang on: where one changes, a new line begins."""
_TIME = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(Z|\+00:00)")
_SHOWN_CHARACTERS = 80


@dataclass(frozen=True, kw_only=True)
class Commit:
    """A commit of the store's project: its id, its subject, and when it was made, in UTC.

    ``at`` is RFC 3339 with seconds and a Z, empty where it is not known.
    """

    id: str
    subject: str = ""
    at: str = ""


@dataclass(frozen=True, kw_only=True)
class ArchivedRun:
    """One benchmark run of one store.

    ``commit`` is what the store's project stood at, None where it is not known. ``between`` are
    the commits since the run before in the same line, the oldest first and ``commit`` last; empty
    where that is not known. ``machine`` has facts by name, ``facts`` of engine.machine.
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

    @cached_property
    def line(self) -> str:
        """What ratios of this run may be compared with: runs of the same line."""
        said = [self.store, self.profile, *_briefly(self.machine)]
        return hashlib.sha256(json.dumps(said).encode()).hexdigest()[:16]

    @cached_property
    def id(self) -> str:
        """The digest of all that the run says: the same run twice is one."""
        return digest(body(self))

    @property
    def when(self) -> tuple[str, str]:
        """What runs are ordered by: the commit's time, and the run's own."""
        committed = self.commit.at if self.commit else ""
        return (committed or self.started_at, self.started_at)


def to_line(run: ArchivedRun) -> str:
    """The run and its id as JSON on one line, without a line's end: ASCII, the same each time."""
    text = body(run)
    return f'{{"id":"{digest(text)}",{text[1:]}'


def body(run: ArchivedRun) -> str:
    """What the id is made of: the run as JSON, its fields sorted, without blanks."""
    without = replace(run, speeds=tuple(replace(speed, samples={}) for speed in run.speeds))
    value = {"schema": SCHEMA, **asdict(without)}
    for row, speed in zip(value["speeds"], run.speeds, strict=True):
        row["samples"] = dict(speed.samples)  # thousands of numbers: asdict would copy each
    return json.dumps(value, sort_keys=True, allow_nan=False, separators=(",", ":"))


def digest(text: str) -> str:
    """The id of the run whose ``body`` this is."""
    return hashlib.sha256(text.encode("ascii")).hexdigest()[:32]


def from_line(text: str | bytes) -> ArchivedRun:
    """The inverse of ``to_line``. Raises ValueError, with what is wrong in one line.

    That is also a run that does not fit its id: it was changed, or cut, after it was written.
    """
    try:
        value = parsed(text)
    except ValueError as error:
        raise ValueError(f"it is not JSON: {error}") from None
    if not isinstance(value, dict) or "schema" not in value:
        raise ValueError("it is not a benchmark run: it has no field schema")
    if type(value["schema"]) is not int or value["schema"] != SCHEMA:
        has = json.dumps(value["schema"])[:_SHOWN_CHARACTERS]
        raise ValueError(
            f"it has schema {has}, and this sessionproof reads {SCHEMA}: use the one that wrote it"
        )
    try:
        run = decoded(ArchivedRun, value)
    except ValueError as error:
        raise ValueError(f"it is not a benchmark run: {error}") from None
    if value.get("id") != run.id:
        raise ValueError("its id does not fit: it was changed after it was written")
    check_times(run)
    return run


def check_times(run: ArchivedRun) -> None:
    """Raise ValueError unless all times are in the form that runs are ordered by."""
    commits = [one for one in (run.commit, *run.between) if one is not None and one.at]
    for time in (run.started_at, *(one.at for one in commits)):
        if not _TIME.fullmatch(time):
            raise ValueError(f"{time[:_SHOWN_CHARACTERS]!a} is no UTC time in whole seconds")


def changed_facts(before: ArchivedRun, now: ArchivedRun) -> tuple[str, ...]:
    """Why two runs of one store are not of one line, a part of a sentence for each fact."""
    pairs = [("profile", before.profile, now.profile)]
    facts = zip(LINE_FACTS, _briefly(before.machine), _briefly(now.machine), strict=True)
    return tuple(
        f"{name} was {was or 'not known'}, and is {is_now or 'not known'}"
        for name, was, is_now in (*pairs, *facts)
        if was != is_now
    )


def _briefly(machine: Mapping[str, str]) -> tuple[str, ...]:
    return tuple(_brief(name, machine.get(name, "")) for name in LINE_FACTS)


def _brief(name: str, fact: str) -> str:
    """The part of a fact that counts: of Python not the last number, of SQLite the version."""
    words = fact.split()
    if name == "python" and len(words) > 1:
        return f"{words[0]} {'.'.join(words[1].split('.')[:2])}"
    return words[0] if name == "sqlite" and words else fact
