"""What SQLite does when a lock is taken: which calls it lets wait, and which it refuses at once.

Pure. SQLite asks its busy handler only while the connection holds no lock of its own: who holds
one and wants more is refused at once, as two of these would wait for each other for ever. A commit
keeps what it has and waits. ``tests/schedule/test_schedule_busy.py`` holds this against SQLite.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from functools import lru_cache

BUSY = 5
BUSY_SNAPSHOT = 517
"""What was read is no longer the newest: no waiting helps."""

_SHOWN = 60  # characters of a statement
_REMEMBERED = 4_096
_READS = ("SELECT", "VALUES", "EXPLAIN", "BEGIN", "SAVEPOINT")
_ENDS = ("COMMIT", "END", "RELEASE")
_FREES = ("COMMIT", "END", "ROLLBACK")
_OF_THE_CONNECTION = {
    "busy_timeout", "cache_size", "cache_spill", "case_sensitive_like", "defer_foreign_keys",
    "foreign_keys", "mmap_size", "query_only", "recursive_triggers", "synchronous", "temp_store",
    "trusted_schema", "wal_autocheckpoint",
}  # fmt: skip
_REMARKS = re.compile(r"(?:\s+|--[^\n]*(?:\n|$)|/\*.*?(?:\*/|$))*", re.DOTALL)
_WORD = re.compile(r"\w+")
_PRAGMA = re.compile(
    r"PRAGMA\s+(?:\w+\s*\.\s*)?(\w+)\s*(?:[=(]\s*(['\"]?[-+\w.]+))?", re.IGNORECASE
)
_CHANGES = re.compile(r"\b(?:INSERT|UPDATE|DELETE|REPLACE)\b", re.IGNORECASE)
_FROM = re.compile(r"\bFROM\s+[\w\"`\[]", re.IGNORECASE)
_ELSEWHERE = re.compile(r"\bTEMP(?:ORARY)?\b", re.IGNORECASE)
_RETURNING = re.compile(r"\bRETURNING\b", re.IGNORECASE)


@dataclass(frozen=True, eq=False)  # one object for each text: quick to look up
class Statement:
    """A statement, as far as schedules care.

    ``what`` is its first words. ``holds``: once it was carried out within a transaction, the
    connection has a lock. ``ends`` a transaction by committing; ``frees`` all locks; ``aside``
    from what others see, it sets something of the connection alone. ``returns`` rows of what it
    changes. ``wait_ms`` is the timeout that it sets, and ``asks_wait`` says that it asks for it.
    """

    text: str
    what: str
    writes: bool
    holds: bool
    ends: bool = False
    frees: bool = False
    aside: bool = False
    returns: bool = False
    asks_wait: bool = False
    wait_ms: int | None = None


@lru_cache(maxsize=_REMEMBERED)
def statement_of(text: str) -> Statement:
    """What this SQL is; of several statements, the first.

    Where it is not sure that the file is touched, no lock is held: who asks for one later then
    waits where SQLite may refuse, and a delay is always possible, a refusal is not.
    """
    bare = text[_REMARKS.match(text).end() :]  # type: ignore[union-attr]
    first = _WORD.match(bare)
    verb = first[0].upper() if first else ""
    folded = " ".join(bare.split())
    what = folded if len(folded) <= _SHOWN else folded[: _SHOWN - 1] + "…"
    if verb == "PRAGMA":
        return _pragma(text, bare, what)
    if verb == "BEGIN":
        takes = any(word in folded.upper().split() for word in ("IMMEDIATE", "EXCLUSIVE"))
        return Statement(text, what, takes, takes)
    if verb == "WITH":
        changes = bool(_CHANGES.search(bare))
        return Statement(text, what, changes, changes, returns=bool(_RETURNING.search(bare)))
    turns = verb in _ENDS or verb in _FREES
    takes = verb not in (*_READS, "") or (verb == "SELECT" and bool(_FROM.search(bare)))
    return Statement(
        text,
        what,
        verb not in _READS,
        takes and not turns and not _ELSEWHERE.search(bare),
        ends=verb in _ENDS,
        frees=verb in _FREES and "TO" not in folded.upper().split()[:3],
        returns=bool(_CHANGES.match(bare) and _RETURNING.search(bare)),
    )


def _pragma(text: str, bare: str, what: str) -> Statement:
    """Whether it takes a lock is not known, so it takes none."""
    made = _PRAGMA.match(bare)
    name, value = (made[1].lower(), made[2]) if made else ("", None)
    if name == "busy_timeout":
        wait_ms = None if value is None else max(_integer(value.strip("'\"")), 0)
        return Statement(
            text, what, writes=False, holds=False, aside=True, asks_wait=True, wait_ms=wait_ms
        )
    return Statement(text, what, writes="=" in bare, holds=False, aside=name in _OF_THE_CONNECTION)


def _integer(text: str) -> int:
    """As SQLite reads one: the digits at the beginning."""
    digits = re.match(r"[-+]?\d+", text)
    return int(digits[0]) if digits else 0


def waits(code: int, statement: Statement, *, wait_ms: int, holding: bool) -> bool:
    """Whether SQLite would wait, not refuse at once, where it could not go on.

    ``code`` is the extended result code, ``wait_ms`` the connection's timeout, ``holding`` says
    that its transaction has a lock already. Tables of a shared cache are never waited for.
    """
    if code & 0xFF != BUSY or code == BUSY_SNAPSHOT or wait_ms <= 0:
        return False
    return statement.ends or not holding
