"""Chores by age: what is old is archived, hidden, purged; and how large a portal is."""

from __future__ import annotations

import threading

import pytest
from sqlalchemy import insert

from sessionproof.contract.errors import Refused
from sessionproof.portal import Conversation, NewMessage
from sessionproof.portal.conversations import new_row
from sessionproof.portal.upkeep import DAY_US, Purged

HELLO = [NewMessage("user", "hello")]


@pytest.fixture
def aged(portal, user, clock):
    """Conversations of three ages, old to new, one with a message and one without each."""
    pairs = []
    for _ in range(3):
        full = portal.conversations.create(user.id, messages=HELLO).id
        pairs.append((full, portal.conversations.create(user.id).id))
        clock.move(10 * DAY_US)
    return pairs


def having(portal, user, **what) -> set[str]:
    """The ids of a user's conversations with this status, hidden ones too."""
    return {one.id for one in portal.queries.conversations_of(user.id, hidden=True, **what)}


def test_old_ones_are_archived(portal, user, aged):
    """Those without a message for so long, also those that never had one; each once."""
    assert portal.upkeep.archive(15 * DAY_US) == 4
    assert having(portal, user, status="archived") == {*aged[0], *aged[1]}
    assert portal.upkeep.archive(15 * DAY_US) == 0
    assert portal.upkeep.archive(10 * DAY_US) == 0  # exactly so old is not older


def test_a_new_message_keeps_a_conversation(portal, user, aged):
    """The age is that of the last message, not of the beginning."""
    portal.messages.append(aged[0][0], HELLO)
    assert portal.upkeep.archive(25 * DAY_US) == 1
    assert having(portal, user, status="archived") == {aged[0][1]}


def test_archiving_is_told(portal, aged):
    """The time of change rises, and the time of the last message stays."""
    before = portal.conversations.get(aged[0][0])
    portal.upkeep.archive(0)
    after = portal.conversations.get(aged[0][0])
    assert after.updated_at_us > before.updated_at_us
    assert after.last_message_at_us == before.last_message_at_us


def test_what_nobody_looks_at_is_hidden(portal, user, aged):
    """Neither written in nor opened for so long; what was opened stays in the list."""
    portal.conversations.opened(aged[0][0])
    assert portal.upkeep.hide(15 * DAY_US) == 3
    shown = {one.id for one in portal.queries.conversations_of(user.id)}
    assert shown == {aged[0][0], *aged[2]}
    assert portal.upkeep.hide(15 * DAY_US) == 0
    portal.conversations.unhide(aged[0][1])
    assert len(portal.queries.hidden_conversations(user.id)) == 2


def test_only_archived_ones_are_purged(portal, user, aged, rows):
    """What is old and archived goes with its messages, whether it had any or not."""
    portal.upkeep.archive(15 * DAY_US)
    assert portal.upkeep.purge(25 * DAY_US) == Purged(conversations=2, messages=1)
    assert portal.upkeep.purge(25 * DAY_US) == Purged(conversations=0, messages=0)
    assert having(portal, user) == {*aged[1], *aged[2]}
    assert rows("SELECT count(*) FROM messages") == [(2,)]


def test_null_is_no_age_of_its_own(portal, user, aged, rows):
    """A conversation without a message grows old; by its bare column it never would."""
    portal.upkeep.archive(0)
    bare = rows("SELECT id FROM conversations WHERE last_message_at_us < 9000000000000000")
    assert len(bare) == 3
    assert portal.upkeep.purge(0).conversations == 6
    assert having(portal, user) == set()


def test_auth_sessions_that_are_over_are_purged(portal, user, clock):
    """Those that ran out or were ended long ago; those that go on, and newer ones, stay."""
    portal.auth.begin(user.id, idle_us=DAY_US)
    portal.auth.sign_out(portal.auth.begin(user.id))
    clock.move(20 * DAY_US)
    portal.auth.sign_out(portal.auth.begin(user.id))
    lasting = portal.auth.begin(user.id, hard_us=100 * DAY_US)
    clock.move(DAY_US)
    assert portal.upkeep.purge_auth_sessions(10 * DAY_US) == 2
    assert portal.upkeep.purge_auth_sessions(10 * DAY_US) == 0
    assert portal.auth.resume(lasting).user_id == user.id
    assert portal.upkeep.purge_auth_sessions(0) == 1


def test_more_than_one_statement_takes(portal, user, clock):
    """Hundreds are archived and purged in one call."""
    made = insert(Conversation).values([new_row(user.id, clock.now_us()) for _ in range(520)])
    portal.database.write(lambda session: session.execute(made))
    clock.move(DAY_US)
    assert portal.upkeep.archive(0) == 520
    assert portal.upkeep.purge(0).conversations == 520


def test_what_is_written_in_meanwhile_is_spared(portal, opened, user, clock):
    """Chores beside clients that write: every message that was taken is there or was purged whole.

    A conversation that is archived refuses the message; none is lost without a word.
    """
    made = [portal.conversations.create(user.id).id for _ in range(12)]
    clock.move(DAY_US)
    other, taken = opened(), set()

    def write():
        for one in made:
            try:
                other.messages.append(one, HELLO)
                taken.add(one)
            except Refused:
                pass

    writer = threading.Thread(target=write)
    writer.start()
    while writer.is_alive():
        portal.upkeep.archive(DAY_US // 2)
        portal.upkeep.purge(DAY_US // 2)
    writer.join()
    assert having(portal, user) >= taken
    for one in taken:
        assert len(portal.messages.read(one)) == 1


@pytest.mark.parametrize("with_tables", [False])  # in one that was used there may be room
def test_sizes_are_told(portal, user, conversation):
    """Rows and bytes of every table, and of the whole; more messages take more."""
    before = portal.upkeep.sizes()
    portal.messages.append(conversation.id, [NewMessage("user", "x" * 50_000)] * 5)
    after = portal.upkeep.sizes()
    assert [one.table for one in after.tables] == [
        "users", "auth_sessions", "conversations", "messages",
    ]  # fmt: skip
    assert [one.rows for one in after.tables] == [1, 0, 1, 5]
    sizes = {one.table: one.bytes for one in after.tables}
    if None not in sizes.values():  # a SQLite without dbstat knows none
        assert sizes["messages"] > before.tables[3].bytes
        assert sum(sizes.values()) < after.bytes
    assert after.bytes > before.bytes
    assert (after.free_bytes is None) == (portal.database.dialect == "postgresql")


@pytest.mark.parametrize("age", [-1, 1.5, "7", None, True])
def test_an_age_is_a_number_of_microseconds(portal, age):
    """Anything else is refused before a row is touched."""
    chores = portal.upkeep
    for chore in (chores.archive, chores.hide, chores.purge, chores.purge_auth_sessions):
        with pytest.raises(Refused, match="an age in microseconds must be a whole number"):
            chore(age)
