"""Rows that contradict each other, by two statements. ``verify`` looks at much more."""

from __future__ import annotations

import sqlite3

from sessionproof.reference.vitals.report import Number, Vital, number_in
from sessionproof.reference.vitals.thresholds import Thresholds

# NOT EXISTS: NOT IN finds nothing any more once a key is NULL. An index alone answers for messages.
_ORPHANS = {
    "messages": "FROM messages AS c WHERE NOT EXISTS "
    "(SELECT 1 FROM sessions AS p WHERE p.id = c.sid)",
    "state": "FROM state AS c WHERE NOT EXISTS (SELECT 1 FROM sessions AS p WHERE p.id = c.sid)",
    "sessions": "FROM sessions AS c WHERE c.llm_model IS NOT NULL AND NOT EXISTS "
    "(SELECT 1 FROM llm_models AS p WHERE p.name = c.llm_model)",
}
_MISMATCHES = (
    "SELECT count(*) FROM sessions AS s LEFT JOIN (SELECT sid, count(*) AS messages, "
    "sum(coalesce(tokens, 0)) AS tokens, sum(coalesce(duration_us, 0)) AS duration "
    "FROM messages GROUP BY sid) AS r ON r.sid = s.id "
    "WHERE s.message_count IS NOT coalesce(r.messages, 0) "
    "OR s.total_tokens IS NOT coalesce(r.tokens, 0) "
    "OR s.total_duration_us IS NOT coalesce(r.duration, 0)"
)


def orphans(db: sqlite3.Connection, thresholds: Thresholds) -> Vital:
    """Rows whose session, or whose model, is gone."""
    found = {name: number_in(db, f"SELECT count(*) {rows}") for name, rows in _ORPHANS.items()}
    number = sum(found.values())
    some = ", ".join(f"{count} of {name}" for name, count in found.items() if count)
    text = f"rows whose parent is gone: {some}; sessionproof repair sets them aside"
    return Vital(
        "orphans",
        thresholds.orphans.of(number),
        text if number else "every row has what it belongs to",
        (Number("orphans", number),),
    )


def mismatches(db: sqlite3.Connection, thresholds: Thresholds) -> Vital:
    """Sessions whose counters are not what their messages give."""
    number = number_in(db, _MISMATCHES)
    who = (
        "1 session does not count what its"
        if number == 1
        else f"{number} sessions do not count what their"
    )
    text = f"{who} messages give; sessionproof repair computes it"
    return Vital(
        "counters",
        thresholds.mismatches.of(number),
        text if number else "every session counts what it has",
        (Number("wrong_counters", number),),
    )
