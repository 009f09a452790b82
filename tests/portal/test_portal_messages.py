"""Conversations and their messages: numbers, counts and times that the database keeps."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from contextlib import closing

import pytest

from sessionproof.contract.clock import monotonic_s
from sessionproof.contract.errors import Expired, NotFound, NotRepresentable, Refused, TooLarge
from sessionproof.portal import NewMessage
from sessionproof.portal.models import CONTENT_MOST


def said(*texts, **fields):
    return [NewMessage("user", text, **fields) for text in texts]


def kept(portal, conversation):
    """What the database keeps of a conversation's messages."""
    found = portal.conversations.get(conversation.id)
    return found.message_count, found.total_tokens, found.next_seq, found.last_message_at_us


def test_messages_come_back_as_they_were_added(portal, conversation, clock):
    """Roles, texts, tokens, times and metadata are read as they were given, in order."""
    details = {
        "request_id": "r-1", "source": "web", "model": "m", "latency_us": 1_200_000,
        "sources": ["https://example.org/ä"], "more": {"x": [1.0, None]},
    }  # fmt: skip
    given = [
        NewMessage("system", ""),
        NewMessage("user", "line\r\n one \t%_\\'\"  "),
        NewMessage("assistant", "\U0001f600 e\u0301 \u202e", 7, details),
        NewMessage("tool", "{}", 0, {}, 5),
        NewMessage("developer", "null"),
    ]
    assert portal.messages.append(conversation.id, given) == (1, 2, 3, 4, 5)

    found = portal.messages.read(conversation.id)

    assert [(m.role, m.content, m.tokens) for m in found] == [
        (m.role, m.content, m.tokens) for m in given
    ]
    assert [repr(m.details) for m in found] == [repr(m.details) for m in given]
    assert [m.created_at_us for m in found] == [*[clock.now_us()] * 3, 5, clock.now_us()]
    assert found[0].id == f"{conversation.id}.1"


def test_a_burst_keeps_its_order(portal, conversation):
    """Messages of one moment are read in the order in which they were added."""
    for n in range(25):
        portal.messages.append(conversation.id, said(f"{n}a", f"{n}b"))
    found = portal.messages.read(conversation.id)
    assert [m.content for m in found] == [f"{n}{x}" for n in range(25) for x in "ab"]
    assert [m.seq for m in found] == list(range(1, 51))


def test_counts_follow_whoever_writes(portal, conversation, foreign, clock):
    """Additions, edits and deletions move count, tokens and times, also those of others."""
    portal.messages.append(conversation.id, said("a", "b", tokens=5))
    now_us = clock.now_us()
    assert kept(portal, conversation) == (2, 10, 3, now_us)
    portal.messages.edit(conversation.id, 1, tokens=None)
    assert kept(portal, conversation) == (2, 5, 3, now_us)
    clock.move(7)
    portal.messages.append(conversation.id, said("c", tokens=1))
    assert kept(portal, conversation) == (3, 6, 4, now_us + 7)
    portal.messages.delete(conversation.id, 3)
    assert kept(portal, conversation) == (2, 5, 4, now_us)
    foreign.execute("UPDATE messages SET tokens = 50 WHERE seq = 2")
    foreign.execute("DELETE FROM messages WHERE seq = 1")
    assert kept(portal, conversation) == (1, 50, 4, now_us)
    foreign.execute(
        "INSERT INTO messages (conversation_id, seq, role, content, tokens, created_at_us) "
        f"VALUES ('{conversation.id}', 9, 'user', 'x', 2, 77)"
    )
    assert kept(portal, conversation) == (2, 52, 10, 77)


def test_an_edit_sets_what_it_names(portal, conversation, clock):
    """The rest of a message stays; a new time of the newest one is that of the conversation."""
    portal.messages.append(conversation.id, [NewMessage("user", "a", 5, {"source": "web"})])
    portal.messages.edit(conversation.id, 1, role="tool", content="b")
    (found,) = portal.messages.read(conversation.id)
    assert (found.role, found.content, found.tokens, found.details) == (
        "tool", "b", 5, {"source": "web"},
    )  # fmt: skip
    portal.messages.edit(conversation.id, 1, tokens=None, details=None, created_at_us=7)
    (found,) = portal.messages.read(conversation.id)
    assert (found.tokens, found.details, found.created_at_us) == (None, None, 7)
    assert kept(portal, conversation) == (1, 0, 2, 7)


def test_a_number_is_never_given_again(portal, conversation):
    """After the newest messages are deleted the next one has a new number."""
    portal.messages.append(conversation.id, said("a", "b", "c"))
    portal.messages.delete(conversation.id, 3)
    portal.messages.delete(conversation.id, 2)
    assert portal.messages.append(conversation.id, said("d")) == (4,)
    assert [m.seq for m in portal.messages.read(conversation.id)] == [1, 4]


@pytest.mark.parametrize(
    ("bad", "error"),
    [
        (NewMessage("robot", "x"), Refused),
        (NewMessage(None, "x"), Refused),
        (NewMessage("user", None), Refused),
        (NewMessage("user", 7), Refused),
        (NewMessage("user", "x", -1), Refused),
        (NewMessage("user", "x", 1.5), Refused),
        (NewMessage("user", "x", True), Refused),
        (NewMessage("user", "x", 2**63), Refused),
        (NewMessage("user", "a\0b"), NotRepresentable),
        (NewMessage("user", "\ud800"), NotRepresentable),
        (NewMessage("user", "x" * (CONTENT_MOST + 1)), TooLarge),
        (NewMessage("user", "ä" * (CONTENT_MOST // 2 + 1)), TooLarge),
        (NewMessage("user", "x", details={"latency_us": 1.5}), Refused),
        (NewMessage("user", "x", details={"latency_us": -1}), Refused),
        (NewMessage("user", "x", details={"request_id": 7}), Refused),
        (NewMessage("user", "x", details={"sources": "x"}), Refused),
        (NewMessage("user", "x", created_at_us="now"), Refused),
    ],
)
def test_a_bad_message_takes_its_batch_along(portal, conversation, bad, error):
    """A batch with a message that cannot be kept is refused as a whole, in one line."""
    with pytest.raises(error) as told:
        portal.messages.append(conversation.id, [*said("good"), bad])
    assert len(str(told.value).splitlines()) == 1
    assert portal.messages.read(conversation.id) == []


def test_the_largest_text_is_kept(portal, conversation):
    """A message of exactly the limit is read back as it was."""
    text = "x" * (CONTENT_MOST - 2) + "ä"
    portal.messages.append(conversation.id, said(text))
    assert portal.messages.read(conversation.id)[0].content == text


def test_the_newest_and_pages(portal, conversation):
    """The newest n are answered oldest first; pages give every message once."""
    portal.messages.append(conversation.id, said(*"abcdefg"))
    assert [m.content for m in portal.messages.read_last(conversation.id, 3)] == list("efg")
    assert portal.messages.read_last(conversation.id, 0) == []
    seen, after = [], 0
    while page := portal.messages.page(conversation.id, after=after, limit=3):
        seen += [m.content for m in page]
        after = page[-1].seq
    assert seen == list("abcdefg")


def test_a_conversation_comes_with_its_first_messages_or_not_at_all(portal, user, rows):
    """When a first message cannot be kept there is no conversation either."""
    made = portal.conversations.create(user.id, title="T", messages=said("a", "b", tokens=2))
    assert (made.message_count, made.total_tokens, made.title) == (2, 4, "T")
    with pytest.raises(Refused):
        portal.conversations.create(user.id, messages=[NewMessage("robot", "x")])
    assert rows("SELECT count(*) FROM conversations") == [(1,)]


def test_equal_beginnings_make_two_conversations(portal, user):
    """Ids are random: two users who say the same never share a conversation."""
    other = portal.users.add("bob@example.org")
    one, two = (portal.conversations.create(who.id, messages=said("hi")) for who in (user, other))
    assert one.id != two.id
    assert portal.conversations.get(one.id, user_id=user.id).message_count == 1
    with pytest.raises(NotFound):
        portal.conversations.get(one.id, user_id=other.id)


def test_an_archived_conversation_is_read_only(portal, conversation, foreign):
    """It takes no messages, not even another program's, until it is opened again."""
    portal.messages.append(conversation.id, said("a"))
    portal.conversations.archive(conversation.id)
    portal.conversations.archive(conversation.id)
    with pytest.raises(Expired, match="archived"):
        portal.messages.append(conversation.id, said("b"))
    with pytest.raises(Exception, match=r"archived|takes messages"):
        foreign.execute(
            "INSERT INTO messages (conversation_id, seq, role, content, created_at_us) "
            f"VALUES ('{conversation.id}', 2, 'user', 'x', 1)"
        )
    assert [m.content for m in portal.messages.read(conversation.id)] == ["a"]
    portal.conversations.reopen(conversation.id)
    assert portal.messages.append(conversation.id, said("b")) == (2,)


def test_hidden_is_not_gone(portal, conversation, clock):
    """Hiding and showing leave everything else; the time of hiding is the first one's."""
    portal.conversations.hide(conversation.id)
    hidden_us = clock.now_us()
    clock.move(5)
    portal.conversations.hide(conversation.id)
    portal.messages.append(conversation.id, said("a"))
    assert portal.conversations.get(conversation.id).hidden_at_us == hidden_us
    portal.conversations.unhide(conversation.id)
    assert portal.conversations.get(conversation.id).hidden_at_us is None


def test_every_change_moves_its_time(portal, conversation, clock):
    """``updated_at_us`` rises with each change on a clock that stands, and opening is none."""
    user_id = portal.users.add("bob@example.org").id
    steps = [
        lambda: portal.messages.append(conversation.id, said("a")),
        lambda: portal.messages.edit(conversation.id, 1, content="b"),
        lambda: portal.messages.delete(conversation.id, 1),
        lambda: portal.conversations.change(conversation.id, title="T", details={"a": 1}),
        lambda: portal.conversations.hide(conversation.id),
        lambda: portal.conversations.archive(conversation.id),
        lambda: portal.conversations.give_to(conversation.id, user_id),
    ]
    for number, step in enumerate(steps, start=1):
        step()
        told_us = portal.conversations.get(conversation.id).updated_at_us
        assert told_us == conversation.created_at_us + number
    clock.move(1_000)
    portal.conversations.opened(conversation.id)
    found = portal.conversations.get(conversation.id)
    assert (found.updated_at_us, found.last_opened_us) == (told_us, clock.now_us())
    portal.conversations.unhide(conversation.id)
    assert portal.conversations.get(conversation.id).updated_at_us == clock.now_us()


def test_a_writer_that_tells_no_time_gets_the_databases(portal, conversation, foreign):
    """A change by another program is seen in ``updated_at_us``, too."""
    foreign.execute(f"UPDATE conversations SET title = 'x' WHERE id = '{conversation.id}'")
    found = portal.conversations.get(conversation.id)
    assert (found.title, found.updated_at_us > conversation.updated_at_us) == ("x", True)


@pytest.mark.parametrize(
    "statement",
    [
        "INSERT INTO messages (conversation_id, seq, role, content, created_at_us) "
        "VALUES ('none', 1, 'user', 'x', 1)",
        "INSERT INTO conversations (id, user_id, created_at_us, updated_at_us) "
        "VALUES ('c', 'none', 1, 1)",
        "INSERT INTO auth_sessions "
        "(id, user_id, token_digest, created_at_us, last_activity_us) "
        f"VALUES ('a', 'none', '{'0' * 64}', 1, 1)",
        "UPDATE conversations SET user_id = 'none'",
        "UPDATE auth_sessions SET user_id = 'none'",
        "UPDATE messages SET conversation_id = 'none'",
        "UPDATE messages SET seq = 9",
        "UPDATE messages SET role = 'robot'",
        "UPDATE messages SET tokens = -1",
        "UPDATE messages SET tokens = 'many'",
        "UPDATE messages SET metadata = '[1]'",
        "UPDATE messages SET metadata = '{'",
        "UPDATE conversations SET status = 'gone'",
        "UPDATE conversations SET next_seq = 1",
        "UPDATE conversations SET id = 'c'",
        "UPDATE users SET id = 'u'",
        "UPDATE users SET email = ''",
        "UPDATE users SET email = NULL",
        "UPDATE auth_sessions SET ended_by = 'bored', ended_at_us = 1",
        "UPDATE auth_sessions SET ended_by = 'expired'",
        "UPDATE auth_sessions SET expires_at_us = 1",
        "UPDATE auth_sessions SET token_digest = 'x'",
    ],
)
def test_the_database_itself_refuses(portal, user, conversation, foreign, statement):
    """Orphans, unknown words and wrong numbers are refused to every program, keys on or off."""
    portal.messages.append(conversation.id, said("a"))
    portal.auth.begin(user.id)
    with pytest.raises(Exception, match=r"."):
        foreign.execute(statement)
    assert kept(portal, conversation)[:3] == (1, 0, 2)
    assert portal.users.get(user.id).email == user.email


def test_replace_removes_nothing_behind_the_counters(portal, place, user, conversation, foreign):
    """SQLite's INSERT OR REPLACE of a row that is there is refused, whatever table it is."""
    if place.path is None:
        pytest.skip("PostgreSQL has no such statement")
    portal.messages.append(conversation.id, said("a"))
    for table in ("users", "conversations", "messages"):
        with pytest.raises(Exception, match=r"exists|given again|taken"):
            foreign.execute(f"INSERT OR REPLACE INTO {table} SELECT * FROM {table}")
    assert portal.messages.read(conversation.id)[0].content == "a"


@pytest.mark.parametrize("change", ["DELETE FROM messages", "UPDATE messages SET content = 'x'"])
def test_a_change_beside_an_append_knows_the_last_message(
    portal, place, conversation, foreign, change
):
    """A change that waited for another program's append counts that one's message as the last."""
    if place.path is not None:
        pytest.skip("a file has one writer at a time")
    portal.messages.append(conversation.id, said("a", "b"))
    late = (conversation.id, 3, portal.clock.now_us() + 7)
    into = "INSERT INTO messages (conversation_id, seq, role, content, created_at_us) VALUES "
    with closing(place.connect()) as appending, closing(place.connect()) as changing:
        with ThreadPoolExecutor(1) as alone, appending.transaction():
            appending.execute(f"{into} (%s, %s, 'user', 'c', %s)", late)
            told = alone.submit(changing.execute, f"{change} WHERE seq = 1")
            _await_lock(foreign, changing.info.backend_pid)
        told.result()
    assert portal.conversations.get(conversation.id).last_message_at_us == late[2]


def _await_lock(watching, process) -> None:
    """Until the other connection waits for a lock."""
    query = "SELECT 1 FROM pg_stat_activity WHERE pid = %s AND wait_event_type = 'Lock'"
    end_s = monotonic_s() + 30
    while not watching.execute(query, [process]).fetchall():
        assert monotonic_s() < end_s, "it does not wait"


def test_what_is_not_there_is_told_so(portal, conversation):
    """Unknown conversations and messages are ``NotFound``, and reading them makes nothing."""
    for call in (
        lambda: portal.messages.read("none"),
        lambda: portal.messages.read_last("none", 3),
        lambda: portal.messages.append("none", said("a")),
        lambda: portal.messages.delete(conversation.id, 1),
        lambda: portal.messages.edit(conversation.id, 1, content="x"),
        lambda: portal.conversations.get("x" * 99),
        lambda: portal.conversations.hide("\ud800"),
        lambda: portal.conversations.delete("none"),
        lambda: portal.conversations.opened("none"),
        lambda: portal.conversations.give_to(conversation.id, "nobody"),
    ):
        with pytest.raises(NotFound):
            call()
    assert portal.messages.read(conversation.id) == []
    assert portal.messages.append("none", []) == ()


def test_a_deleted_conversation_is_gone(portal, conversation, rows):
    """Nothing of it is left in any table."""
    portal.messages.append(conversation.id, said(*"abc"))
    portal.conversations.delete(conversation.id)
    assert rows("SELECT count(*) FROM messages") == [(0,)]
    with pytest.raises(NotFound):
        portal.messages.read(conversation.id)
