"""What a store shows of itself as a whole: enough to tell the old state from the new one."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from contextlib import closing
from dataclasses import dataclass, field, replace
from typing import Any

from sessionproof.audit.tables import opened, quoted
from sessionproof.checks.flaws import told_of
from sessionproof.contract.claims import Claims
from sessionproof.contract.errors import NotFound
from sessionproof.contract.message import Message
from sessionproof.contract.operations import CRASH, HANG, Get, List, Outcome, Read
from sessionproof.contract.store import SqliteTables
from sessionproof.trials.crashes.survival_recorded import label
from sessionproof.workload import lifetime, upkeep
from sessionproof.workload.guard import Handle

Counted = tuple[int | None, int | None]


@dataclass(frozen=True, kw_only=True)
class Appearance:
    """``reads``: by session what tells its messages from others; only sessions with some.

    ``counted``: what the store keeps of each, messages and tokens. ``sound``: whether its own check
    finds nothing, None without one. ``rows`` tells its tables of sessions and messages from others.
    ``lives`` is by session whether a sweep ends it now, and its status then; ``kept`` is what its
    snapshots restore to.
    """

    reads: Mapping[str, tuple[str, ...]]
    counted: Mapping[str, Counted] = field(default_factory=dict)
    sound: bool | None = None
    rows: str = ""
    lives: Mapping[str, tuple[bool, str | None]] = field(default_factory=dict)
    kept: Mapping[str, tuple[tuple[str, ...], ...]] = field(default_factory=dict)

    @property
    def lasting(self) -> Appearance:
        """What is the same whenever it was done: rows may have times of their own."""
        return replace(self, rows="")

    def __str__(self) -> str:
        """How many messages each session has, for people."""
        if not self.reads:
            return "no messages"
        has = [f"{name} has {len(told)}" for name, told in sorted(self.reads.items())]
        more = f", and {len(has) - 5} sessions more" if len(has) > 5 else ""
        unsound = "; its own check finds problems" if self.sound is False else ""
        due = sorted(name for name, (told, _) in self.lives.items() if told)
        swept = f"; a sweep ends {', '.join(due) or 'none'}" if self.lives else ""
        snapshots = [f"{name} {[*map(len, each)]}" for name, each in sorted(self.kept.items())]
        kept = f"; snapshots have so many messages: {', '.join(snapshots)}" if snapshots else ""
        return f"{', '.join(has[:5])}{more}{unsound}{swept}{kept}"


class Unanswered(Exception):
    """A call did not answer as it owes; ``outcome`` is how, ``ended`` that nothing more can be."""

    def __init__(self, call: str, outcome: Outcome) -> None:
        super().__init__(f"{call}: {told_of(outcome)}")
        self.outcome = outcome
        self.ended = outcome.failure is not None and outcome.failure.type in (HANG, CRASH)


def appearance(
    handle: Handle, sessions: Sequence[str], claims: Claims, *, rows: bool
) -> Appearance:
    """What an open store shows of these sessions, and of those that it lists.

    ``rows`` says whether its tables are looked at, too. Raises Unanswered.
    """
    listed = _answer("list()", handle.invoke(List())) if "list" in handle.capabilities else ()
    names = sorted({*sessions, *(listed or ())})
    reads, counted = {}, {}
    for name in names:
        messages: Sequence[Message] = _answer("read", handle.invoke(Read(""), name)) or ()
        if messages:
            reads[name] = tuple(label(one, claims.keeps) for one in messages)
        if "get" in handle.capabilities:
            facts = _answer("get", handle.invoke(Get(""), name))
            if facts is not None:
                counted[name] = (facts.message_count, facts.total_tokens)
    sound = None
    if "verify" in handle.capabilities:
        sound = bool(_answer("verify()", upkeep.verify(handle)).ok)
    return Appearance(reads=reads, counted=counted, sound=sound, rows=_rows(handle) if rows else "")


def life_of(handle: Handle, sessions: Sequence[str]) -> Mapping[str, tuple[bool, str | None]]:
    """What a sweep tells of each session, and its status behind it. Raises Unanswered."""
    told = _answer("sweep()", lifetime.sweep(handle)).expired
    if "get" not in handle.capabilities:
        return {name: (name in told, None) for name in sessions}
    facts = {name: _answer("get", handle.invoke(Get(""), name)) for name in sessions}
    return {name: (name in told, one and one.status) for name, one in facts.items()}


def kept_of(
    handle: Handle, sessions: Sequence[str], claims: Claims
) -> Mapping[str, tuple[tuple[str, ...], ...]]:
    """What the snapshots of each session restore to, the oldest first. Raises Unanswered.

    They are restored under new ids, which stay.
    """
    kept: dict[str, tuple[tuple[str, ...], ...]] = {}
    for name in sessions:
        found = _answer("snapshots", lifetime.snapshots(handle, name)) or ()
        restored = [
            _answer(
                "restore_snapshot",
                lifetime.restore_snapshot(
                    handle, one.snapshot_id, session_id=f"restored {at} {name}"
                ),
            )
            for at, one in enumerate(reversed(found))
        ]
        reads = [_answer("read", handle.invoke(Read(""), one)) or () for one in restored]
        if reads:
            kept[name] = tuple(tuple(label(one, claims.keeps) for one in each) for each in reads)
    return kept


def _answer(call: str, outcome: Outcome) -> Any:
    """The value; None for a session that is not known."""
    if outcome.type == "ok":
        return outcome.value
    if outcome.failure is not None and outcome.failure.type == NotFound.__name__:
        return None
    raise Unanswered(call, outcome)


def _rows(handle: Handle) -> str:
    """A digest of the tables behind the store; empty where it shows none, or they are not read."""
    if "tables" not in handle.capabilities:
        return ""
    outcome = handle.perform("tables()", lambda call: _digest(call("tables")))
    return outcome.value if outcome.type == "ok" else ""


def _digest(tables: object) -> str:
    if not isinstance(tables, SqliteTables):
        return ""
    found = hashlib.sha256()
    with closing(opened(tables.path)) as connection:
        for table in filter(None, (tables.messages, tables.sessions)):
            rows = connection.execute(f"SELECT * FROM {quoted(table)}")
            for row in sorted(map(repr, rows)):
                found.update(row.encode("utf-8", "surrogatepass"))
    return found.hexdigest()
