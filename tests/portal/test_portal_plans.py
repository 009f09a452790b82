"""What the databases do for the calls of every day: an index for each, and never a whole table."""

from __future__ import annotations

import re

import pytest
from sqlalchemy import event

from sessionproof.contract.errors import StoreError
from sessionproof.portal import NewMessage

ASKS = re.compile(r"\s*(SELECT|INSERT|UPDATE|DELETE|WITH)\b")
MESSAGE = [NewMessage("user", "hello", 3, {"latency_us": 5})]


@pytest.fixture(scope="module")
def with_tables():
    """A planner knows nothing of tables that are new."""
    return False


@pytest.fixture
def asked(portal):
    """The statements that are sent, with their values, while a test goes on."""
    found = []

    def note(_connection, _cursor, statement, parameters, _context, _many):
        if ASKS.match(statement):
            found.append((statement, parameters))

    event.listen(portal.database.engine, "before_cursor_execute", note)
    return found


def test_no_call_of_every_day_reads_a_whole_table(portal, user, conversation, clock, asked):
    """Signing in, appending, reading, changing and sweeping go by an index each."""
    token = portal.auth.sign_in(user.email, "secret", idle_us=5)
    session = portal.auth.resume(token)
    portal.messages.append(conversation.id, MESSAGE * 3, auth_session_id=session.id)
    portal.messages.append(conversation.id, MESSAGE)
    portal.messages.read(conversation.id)
    portal.messages.read_last(conversation.id, 2)
    portal.messages.page(conversation.id, after=1)
    portal.messages.edit(conversation.id, 1, content="x")
    portal.messages.delete(conversation.id, 1)
    portal.conversations.get(conversation.id, user_id=user.id)
    portal.conversations.change(conversation.id, title="T")
    portal.conversations.archive(conversation.id)
    portal.users.deactivate(user.id)
    for call in (portal.auth.resume, portal.auth.sign_out):
        try:
            call(token)
        except StoreError:
            continue
    clock.move(5)
    portal.auth.sweep()
    portal.conversations.delete(conversation.id)
    portal.users.delete(user.id)

    assert len(asked) > 20
    assert _plan(portal, "SELECT 1 FROM users WHERE display_name = 'x'", ())  # so it sees them
    statements = dict(asked)  # each once
    scans = {one: plan for one in statements for plan in _plan(portal, one, statements[one])}
    assert scans == {}


def _plan(portal, statement, parameters):
    """The steps of a statement's plan that read a whole table."""
    with portal.database.engine.connect() as connection:
        cursor = connection.connection.cursor()
        if portal.database.dialect == "sqlite":
            cursor.execute(f"EXPLAIN QUERY PLAN {statement}", parameters)
            steps = [row[3] for row in cursor.fetchall()]
        else:
            cursor.execute(f"EXPLAIN {statement}", parameters)
            steps = [row[0] for row in cursor.fetchall()]
        connection.rollback()
    return [one for one in steps if re.search(r"^SCAN (?!e\b)|Seq Scan on|USE TEMP B-TREE", one)]
