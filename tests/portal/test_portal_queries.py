"""Queries by name: each is one statement that filters in the database."""

from __future__ import annotations

import pytest
from sqlalchemy import event

from sessionproof.contract.errors import Refused, StoreError, TooLarge
from sessionproof.portal import Message, NewMessage
from sessionproof.portal.queries import SEARCH_MOST
from sessionproof.portal.upkeep import DAY_US


def said(*texts, role="user", **fields):
    """Messages with these texts."""
    return [NewMessage(role, text, **fields) for text in texts]


@pytest.fixture
def bob(portal):
    """Another user, with a conversation of his own."""
    made = portal.users.add("bob@example.org")
    portal.conversations.create(made.id, messages=said("50% of it", "hello", tokens=7))
    return made


def texts(messages) -> list[str]:
    return [one.content for one in messages]


def ids(rows) -> list[str]:
    return [one.id for one in rows]


def test_users_are_counted(portal, user, bob):
    """All of them, those who are active, those who are not."""
    portal.users.deactivate(bob.id)
    counts = [portal.queries.count_users(active=active) for active in (None, True, False)]
    assert counts == [2, 1, 1]


def test_a_user_is_found_by_his_address_of_now(portal, user):
    """The address that he has, and none that he had."""
    portal.users.change_email(user.id, "anna@example.org")
    assert portal.queries.user_by_email("anna@example.org").id == user.id
    assert portal.queries.user_by_email("ann@example.org") is None


def test_conversations_of_a_user_are_listed(portal, user, bob, clock):
    """The one with the newest message first; hidden ones and other people's are left out."""
    made = []
    for _ in range(3):
        clock.move(10)
        made.append(portal.conversations.create(user.id).id)
    clock.move(10)
    portal.messages.append(made[0], said("news"))
    portal.conversations.hide(made[1])
    portal.conversations.archive(made[2])
    queries = portal.queries
    assert ids(queries.conversations_of(user.id)) == [made[0], made[2]]
    assert ids(queries.conversations_of(user.id, hidden=True)) == [made[0], made[2], made[1]]
    assert ids(queries.conversations_of(user.id, status="archived")) == [made[2]]
    assert ids(queries.conversations_of(user.id, limit=1)) == [made[0]]
    assert ids(queries.hidden_conversations(user.id)) == [made[1]]
    assert queries.conversations_of("nobody") == queries.hidden_conversations("nobody") == []


def test_the_largest_are_ten(portal, user, bob):
    """By messages or by tokens, of all users or of one, hidden ones too."""
    made = [
        portal.conversations.create(user.id, messages=said(*"m" * n, tokens=12 - n)).id
        for n in range(12)
    ]
    portal.conversations.hide(made[11])
    queries = portal.queries
    sizes = [one.message_count for one in queries.largest_conversations()]
    assert sizes == [11, 10, 9, 8, 7, 6, 5, 4, 3, 2]
    assert ids(queries.largest_conversations(limit=9)) == made[:2:-1]
    by_tokens = queries.largest_conversations(by="tokens", user_id=user.id, limit=2)
    assert [one.total_tokens for one in by_tokens] == [36, 35]
    (his,) = queries.largest_conversations(user_id=bob.id)
    assert (his.message_count, his.total_tokens) == (2, 14)


def test_messages_are_read_in_pages(portal, conversation):
    """In the order of their numbers, all of them or so many after one."""
    portal.messages.append(conversation.id, said(*"abcde"))
    queries = portal.queries
    assert texts(queries.messages_of(conversation.id)) == [*"abcde"]
    assert texts(queries.messages_of(conversation.id, after_seq=2, limit=2)) == [*"cd"]
    assert queries.messages_of("nobody") == []


def test_roles_and_tokens_are_counted(portal, user, conversation, bob):
    """Of all, of a user, of a conversation; unknown tokens count as 0."""
    portal.messages.append(conversation.id, said("a", "b", role="assistant", tokens=5))
    portal.messages.append(conversation.id, said("c"))
    queries = portal.queries
    assert queries.count_by_role() == {"user": 3, "assistant": 2}
    assert queries.count_by_role(user_id=user.id) == {"user": 1, "assistant": 2}
    assert queries.count_by_role(conversation_id=conversation.id, user_id=bob.id) == {}
    assert queries.tokens() == 24
    assert queries.tokens(user_id=bob.id) == 14
    assert queries.tokens(conversation_id=conversation.id) == 10
    assert queries.tokens(user_id="nobody") == 0


def test_active_auth_sessions_are_those_whose_token_counts(portal, user, bob, clock):
    """None that ran out, was signed out, or belongs to somebody who is shut out."""
    portal.auth.begin(user.id, idle_us=10)
    lasting = portal.auth.begin(user.id, hard_us=DAY_US)
    portal.auth.sign_out(portal.auth.begin(user.id))
    his = portal.auth.begin(bob.id)
    clock.move(10)
    active = portal.queries.active_auth_sessions
    assert ids(active(user.id)) == [portal.auth.resume(lasting).id]
    assert set(ids(active())) == {portal.auth.resume(one).id for one in (lasting, his)}
    portal.users.deactivate(bob.id)
    assert active(bob.id) == []


@pytest.mark.parametrize("words", ["%", "_", "\\", "/", "50%", "a_b", "'", "\\%", "100%_/"])
def test_a_search_takes_wildcards_as_they_are(portal, conversation, words):
    """A percent sign finds a percent sign, and nothing else; so do all others."""
    portal.messages.append(conversation.id, said("nothing of it", f"here: {words}!", "50 axb"))
    assert texts(portal.queries.search(words)) == [f"here: {words}!"]


def test_a_search_heeds_no_case_and_no_other_user(portal, user, conversation, bob, clock):
    """Upper and lower case are the same, the newest comes first, others' are not found."""
    portal.messages.append(conversation.id, said("Hello World", "nothing"))
    clock.move(10)
    portal.messages.append(conversation.id, said("say HELLO"))
    queries = portal.queries
    assert texts(queries.search("hello", user_id=user.id)) == ["say HELLO", "Hello World"]
    assert len(queries.search("hELLO")) == 3
    assert len(queries.search("hello", limit=1)) == 1
    assert queries.search("你好") == []
    portal.messages.append(conversation.id, said("说你好。"))
    assert texts(queries.search("你好")) == ["说你好。"]


def slow(*latencies):
    """Answers that took so many microseconds."""
    return [NewMessage("assistant", str(us), details={"latency_us": us}) for us in latencies]


def test_slow_responses_are_found(portal, user, conversation, bob):
    """Those that took at least so long, the slowest first; those without a latency are none."""
    portal.messages.append(conversation.id, slow(10, 3_000_000_000, 200) + said("nothing"))
    portal.messages.append(conversation.id, said("x", details={"model": "m", "latency": 900}))
    find = portal.queries.slow_responses
    assert texts(find(200)) == ["3000000000", "200"]
    assert texts(find(1, limit=1, user_id=user.id)) == ["3000000000"]
    assert find(1, user_id=bob.id) == find(4_000_000_000) == []


def test_a_latency_of_another_hand_is_a_number_or_none(portal, conversation, foreign):
    """What another program wrote there ends no query, and no text is a number."""
    values = (
        '"900"',
        "null",
        "[900]",
        "true",
        "1e3",
        "99.5",
        '{"a": 900}',
        "123456789012345678901",
    )
    for seq, value in enumerate(values, 1):
        foreign.execute(
            "INSERT INTO messages (conversation_id, seq, role, content, created_at_us, metadata) "
            f"VALUES ('{conversation.id}', {seq}, 'user', '', 0, '{{\"latency_us\": {value}}}')"
        )
    assert [one.seq for one in portal.queries.slow_responses(99)] == [8, 5, 6]


def test_erratum_62_slow_responses_are_filtered_in_the_database(portal, conversation):
    """The database hands over what is answered, and no more; the old way fetched every message."""
    portal.messages.append(conversation.id, slow(*range(1, 200), 10**9))

    def in_the_program(least_us):
        every = portal.queries.messages_of(conversation.id)
        return [one for one in every if one.details and one.details["latency_us"] >= least_us]

    def fetched(find) -> int:
        loaded = []
        event.listen(Message, "load", keep := lambda one, _: loaded.append(one))
        try:
            assert texts(find(10**9)) == [str(10**9)]
        finally:
            event.remove(Message, "load", keep)
        return len(loaded)

    assert fetched(portal.queries.slow_responses) == 1
    assert fetched(in_the_program) == 200


def test_a_mistaken_question_is_refused(portal):
    """What cannot be asked is an error in a line that names it."""
    queries = portal.queries
    for ask, words in (
        (lambda: queries.search(""), "words must not be empty"),
        (lambda: queries.search("a\0"), "words holds U"),
        (lambda: queries.search(5), "words must be a text"),
        (lambda: queries.slow_responses(0), "least_us must be a whole number of at least 1"),
        (lambda: queries.largest_conversations(limit=0), "limit must be a whole number"),
        (lambda: queries.largest_conversations(by="age"), "by must be one of messages, tokens"),
        (lambda: queries.conversations_of("x", status="gone"), "status must be one of"),
        (lambda: queries.messages_of(None), "conversation_id must be a text"),
        (lambda: queries.tokens(user_id=b""), "user_id must be a text"),
    ):
        with pytest.raises(StoreError, match=words) as told:
            ask()
        assert isinstance(told.value, Refused)
    with pytest.raises(TooLarge):
        queries.search("a" * (SEARCH_MOST + 1))
    assert queries.search("%" * SEARCH_MOST) == []
