"""A portal with a bit of everything, and all that is in it."""

from __future__ import annotations

from typing import Any

from sessionproof.portal import NewMessage, Portal, User
from sessionproof.portal.exchange.rows import TABLES, rows_of

TEXTS = (
    "", " ", "'", "''", "it's\n'quoted';\n", ");\nDELETE FROM users;\n", "-- Rows: none", "NULL",
    "\\N", "\\", "=1+1", "+49", "@x", '"a","b"', "a,b\r\nc", "\r", "\t", "  x  ", "你好", "🙂", "0",
    "%_\\", "COMMIT;\n", "é̈\u202e", "\ufeff", ":name $1 %s %(x)s ?",
)  # fmt: skip
"""Contents that a file may take for something else."""


def fill(portal: Portal) -> User:
    """Two users, three auth sessions, four conversations; NULL and empty texts side by side."""
    ann = portal.users.add(
        "ann@example.org", "secret", display_name="", details={"a": [1, None, 2.5, {"ß": "\n"}]}
    )
    bob = portal.users.add("bob@example.org")
    portal.users.deactivate(bob.id)
    token = portal.auth.sign_in("ann@example.org", "secret")
    portal.auth.sign_in("ann@example.org", "secret", idle_us=5, hard_us=7)
    portal.auth.sign_out(token)
    portal.auth.begin(ann.id)
    texts = [NewMessage(("user", "assistant")[n % 2], text) for n, text in enumerate(TEXTS)]
    odd = portal.conversations.create(ann.id, title="=1", model="", messages=texts)
    portal.messages.delete(odd.id, 3)
    portal.messages.delete(odd.id, len(TEXTS))  # the last number is never given again
    answer = NewMessage("assistant", "ok", tokens=0, details={"latency_us": 5, "sources": ["'"]})
    old = portal.conversations.create(ann.id, title="", messages=[answer], details={})
    portal.messages.append(old.id, [NewMessage("tool", "{}", tokens=12, created_at_us=5)])
    portal.conversations.archive(old.id)
    empty = portal.conversations.create(bob.id)
    portal.conversations.hide(empty.id)
    portal.conversations.opened(empty.id)
    portal.messages.delete(portal.conversations.create(bob.id, messages=[answer]).id, 1)
    return ann


def contents(portal: Portal) -> dict[str, list[dict[str, Any]]]:
    """All rows of all tables, in the order of their keys."""
    found = portal.database.moment(
        lambda session: {table: [dict(row) for row in rows_of(session, table)] for table in TABLES}
    )
    for rows in found.values():
        rows.sort(key=lambda row: (row.get("id", row.get("conversation_id")), row.get("seq")))
    return found
