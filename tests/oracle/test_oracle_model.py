"""What the contract says of each operation, in each kind of session, under each claim."""

from dataclasses import replace

import pytest
from transcripts import h, message

from sessionproof.contract.claims import Claims, Limits
from sessionproof.contract.message import SessionInfo
from sessionproof.contract.operations import Operation
from sessionproof.oracle.model import EMPTY, Session, differing, expect, info_problems, step

CREATES = Claims()
REFUSES = Claims(missing_session="refuses")
KEEPS_TWO = Claims(limits=Limits(retention=2))


def accepted(*lines, claims=CREATES):
    """Whether the oracle accepts the last of these operations; it must accept those before."""
    worlds = EMPTY
    *before, last = h(*lines)
    for done in before:
        judged = step(worlds, done, claims)
        assert judged.accepted, done
        worlds = judged.worlds
    return step(worlds, last, claims).accepted


RIGHT = [
    # core
    ("append s0 [a b]", "read s0 [a b]"),
    ("append s0 [a]", "append s0 [b]", "append s1 [c]", "read s0 [a b]"),
    ("read s0 []",),
    ("read s0 fail",),
    ("append s0 []", "read s0 []"),
    ("append s0 [] fail",),
    ("append s0 [a]", "reopen", "read s0 [a]"),
    # newest, pages, count
    ("append s0 [a b c]", "last s0 2 [b c]"),
    ("append s0 [a b c]", "last s0 0 []"),
    ("append s0 [a b c]", "last s0 9 [a b c]"),
    ("last s0 2 []",),
    ("last s0 2 fail",),
    ("append s0 [a b c]", "pages s0 2 [a b|c]"),
    ("append s0 [a b c]", "pages s0 2 [a|b|c|]"),
    ("pages s0 2 []",),
    ("pages s0 2 fail",),
    ("append s0 [a b]", "count s0 2"),
    ("count s0 0",),
    ("count s0 fail",),
    # sessions
    ("create s0", "read s0 []"),
    ("create s0 [a]", "read s0 [a]"),
    ("create s0", "create s0"),
    ("create s0", "create s0 fail:Conflict"),
    ("append s0 [a]", "create s0", "read s0 [a]"),
    ("create s0 [a]", "create s0 [b] fail:Conflict", "read s0 [a]"),
    ("create s0", "list s0"),
    ("append s0 [a]", "create s1", "list s1 s0"),
    ("list",),
    ("get s0 none",),
    ("get s0 fail",),
    ("append s0 [a b]", "get s0 message_count=2"),
    ("append s0 [a b]", "get s0"),
    ("append s0 [a b]", "get s0 total_tokens=7"),  # tokens are not kept: not judged
    ("append s0 [a]", "delete s0", "read s0 []"),
    ("append s0 [a]", "delete s0", "read s0 fail"),
    ("append s0 [a]", "delete s0", "list"),
    ("append s0 [a]", "delete s0", "append s0 [b]", "read s0 [b]"),
    ("delete s0",),
    ("delete s0 fail",),
    # emptied sessions may be gone, if they were not created on purpose
    ("append s0 [a]", "clear s0", "read s0 []"),
    ("append s0 [a]", "clear s0", "read s0 fail"),
    ("append s0 [a]", "clear s0", "list"),
    ("append s0 [a]", "clear s0", "list s0"),
    ("append s0 [a]", "pop s0 a", "list"),
    ("append s0 [a]", "pop s0 a", "get s0 none"),
    ("append s0 [a]", "pop s0 a", "get s0 message_count=0"),
    ("append s0 [a]", "remove s0 0", "count s0 fail"),
    ("append s0 [a]", "clear s0", "create s0 [b]", "read s0 [b]"),
    ("append s0 [a]", "clear s0", "create s0 [b] fail:Conflict", "read s0 []"),
    ("clear s0",),
    ("clear s0 fail",),
    ("clear s0", "list"),
    ("clear s0", "list s0"),
    ("clear s0", "create s0 fail:Conflict"),
    ("replace s0 []", "list"),
    ("replace s0 []", "list s0"),
    # single messages
    ("append s0 [a b]", "pop s0 b", "read s0 [a]"),
    ("pop s0 none",),
    ("pop s0 fail",),
    ("create s0", "pop s0 none"),
    ("create s0", "pop s0 fail"),
    ("append s0 [a b c]", "remove s0 1", "read s0 [a c]"),
    ("append s0 [a b c]", "remove s0 4", "read s0 [a c]"),
    ("remove s0 1 fail",),
    ("remove s0 1",),
    ("append s0 [a b c]", "edit s0 1 x", "read s0 [a x c]"),
    ("create s0", "edit s0 1 x fail"),
    ("append s0 [a]", "replace s0 [x y]", "read s0 [x y]"),
    ("replace s0 [x]", "read s0 [x]"),
    ("replace s0 [x] fail",),
    # state
    ("set s0 k 3", "state s0 k 3"),
    ("set s0 k 3 fail",),
    ("state s0 k none",),
    ("state s0 k fail",),
    ("append s0 [a]", "state s0 k none"),
    ("set s0 k 3", "set s0 l 4", "state s0 k 3"),
    ("append s0 [a]", "set s0 k 3", "clear s0", "state s0 k 3"),
    ("set s0 k 3", "delete s0", "state s0 k none"),
    # open outcomes leave both worlds
    ("append s0 [a] info", "read s0 []"),
    ("append s0 [a] info", "read s0 [a]"),
    ("append s0 [a]", "append s0 [b] info", "append s0 [c] info", "read s0 [a c]"),
    ("append s0 [a]", "pop s0 info", "count s0 1"),
    ("append s0 [a]", "pop s0 info", "count s0 0"),
    ("append s0 [a]", "read s0 info", "read s0 [a]"),
    ("clear s0 info", "list s0"),
    ("replace s0 [] info", "list s0"),
]

WRONG = [
    ("append s0 [a] fail",),
    ("append s0 [a]", "read s0 []"),
    ("append s0 [a]", "read s0 [b]"),
    ("append s0 [a]", "read s0 [a:assistant]"),
    ("append s0 [a b]", "read s0 [b a]"),
    ("append s0 [a]", "read s0 [a a]"),
    ("append s0 [a]", "read s0 fail"),
    ("read s0 [a]",),
    ("append s0 []", "read s0 [a]"),
    ("append s0 [a]", "append s0 [] fail"),
    ("append s0 [a b c]", "last s0 2 [a b]"),
    ("append s0 [a b c]", "last s0 2 [c b]"),
    ("append s0 [a b c]", "last s0 0 [a b c]"),
    ("append s0 [a]", "last s0 1 fail"),
    ("append s0 [a b c]", "pages s0 2 [a b c]"),
    ("append s0 [a b c]", "pages s0 2 [a b]"),
    ("append s0 [a b c]", "pages s0 2 [a b|b c]"),
    ("append s0 [a]", "pages s0 2 fail"),
    ("append s0 [a b]", "count s0 1"),
    ("append s0 [a]", "count s0 fail"),
    ("create s0 fail",),
    ("create s0 [a]", "read s0 []"),
    ("create s0 [a]", "create s0 [b]"),
    ("append s0 [a]", "create s0 [b]"),
    ("create s0", "list"),
    ("append s0 [a]", "list"),
    ("append s0 [a]", "list s0 s0"),
    ("list s0",),
    ("create s0", "delete s0", "list s0"),
    ("append s0 [a]", "get s0 none"),
    ("create s0", "get s0 none"),
    ("get s0 message_count=0",),
    ("append s0 [a]", "get s0 message_count=2"),
    ("append s0 [a]", "get s0 fail"),
    ("append s0 [a]", "delete s0 fail"),
    ("append s0 [a]", "delete s0", "read s0 [a]"),
    ("append s0 [a]", "clear s0 fail"),
    ("append s0 [a]", "clear s0", "read s0 [a]"),
    ("append s0 [a]", "clear s0", "get s0 message_count=1"),
    ("append s0 [a]", "clear s0", "append s0 [b] fail"),
    ("create s0", "append s0 [a]", "pop s0 a", "list"),
    ("append s0 [a b]", "pop s0 a"),
    ("append s0 [a b]", "pop s0 none"),
    ("append s0 [a]", "pop s0 fail"),
    ("pop s0 a",),
    ("append s0 [a b c]", "remove s0 1", "read s0 [a b c]"),
    ("append s0 [a b c]", "remove s0 1", "read s0 [b c]"),
    ("append s0 [a]", "remove s0 0 fail"),
    ("append s0 [a b]", "edit s0 1 x", "read s0 [x b]"),
    ("append s0 [a b]", "edit s0 1 x", "read s0 [a b]"),
    ("append s0 [a]", "edit s0 0 x fail"),
    ("append s0 [a]", "replace s0 [x y]", "read s0 [a x y]"),
    ("append s0 [a]", "replace s0 [] fail"),
    ("set s0 k 3", "state s0 k none"),
    ("set s0 k 3", "state s0 k 4"),
    ("set s0 k 3", "state s0 l 3"),
    ("set s0 k 3", "state s1 k 3"),
    ("set s0 k 3", "state s0 k fail"),
    ("append s0 [a]", "state s0 k 3"),
    ("append s0 [a]", "set s0 k 3 fail"),
    ("append s0 [a b] info", "read s0 [a]"),
    ("append s0 [a]", "read s0 info", "read s0 []"),
    ("append s0 [a]", "reopen", "read s0 []"),
    ("append s0 [a]", "reopen fail"),
]


@pytest.mark.parametrize("lines", RIGHT, ids="; ".join)
def test_what_the_contract_allows_is_accepted(lines):
    """Every answer that the contract leaves to a store is accepted."""
    assert accepted(*lines)


@pytest.mark.parametrize("lines", WRONG, ids="; ".join)
def test_what_the_contract_forbids_is_not_accepted(lines):
    """A wrong answer of any operation is seen at once."""
    assert not accepted(*lines)


@pytest.mark.parametrize(
    ("lines", "right"),
    [
        (("append s0 [a] fail",), True),
        (("append s0 [a]",), False),
        (("create s0", "append s0 [a]", "read s0 [a]"), True),
        (("create s0", "append s0 [a] fail"), False),
        (("create s0", "delete s0", "append s0 [a]"), False),
        (("append s0 [a] fail", "read s0 [a]"), False),
        (("create s0", "append s0 [a]", "clear s0", "append s0 [b]"), True),
        (("replace s0 [a] fail",), True),
    ],
    ids=str,
)
def test_an_unknown_session_can_be_refused(lines, right):
    """A store that claims to refuse appends to unknown sessions must, and no others."""
    assert accepted(*lines, claims=REFUSES) is right


@pytest.mark.parametrize(
    ("lines", "right"),
    [
        (("append s0 [a b c]", "read s0 [b c]"), True),
        (("append s0 [a b c]", "read s0 [a b c]"), False),
        (("append s0 [a b]", "append s0 [c]", "count s0 2"), True),
        (("create s0 [a b c]", "read s0 [b c]"), True),
        (("replace s0 [a b c]", "read s0 [a b]"), False),
        (("append s0 [a b]", "pop s0 b", "append s0 [c]", "read s0 [a c]"), True),
    ],
    ids=str,
)
def test_retention_keeps_the_newest(lines, right):
    """A claimed retention drops the oldest, and nothing else."""
    assert accepted(*lines, claims=KEEPS_TWO) is right


def test_every_operation_is_judged_in_every_session():
    """In an unknown, an empty and a full session each operation has an expectation."""
    empty = {"s0": Session()}
    full = {"s0": Session((message("a"),), {"k": 1}, made=True)}
    lines = (
        "append s0 [a]", "read s0", "create s0 [a]", "get s0", "list", "delete s0", "clear s0",
        "last s0 1", "pages s0 1", "count s0", "pop s0", "remove s0 0", "edit s0 0 x",
        "replace s0 [x]", "state s0 k", "set s0 k 1", "both s0 k 1 [a]", "reopen",
    )  # fmt: skip
    operations = [done.operation for done in h(*lines)]
    assert set(map(type, operations)) == set(Operation.__args__)
    for operation in operations:
        for world in ({}, empty, full):
            for claims in (CREATES, REFUSES, KEEPS_TWO):
                before = dict(world)
                assert expect(world, operation, claims).refusal in ("never", "may", "must")
                assert world == before


def test_messages_and_state_take_effect_together():
    """An append with state of unknown outcome leaves both or nothing, and is refused as appends."""
    together = ("set s0 k 1", "both s0 k 2 [a] info")
    for seen, right in ((("2", "[a]"), True), (("1", "[]"), True), (("2", "[]"), False)):
        lines = (f"state s0 k {seen[0]}", f"read s0 {seen[1]}")
        assert accepted(*together, *lines) is right
        assert accepted(*together, *reversed(lines)) is right
    assert accepted("both s0 k 2 [a b]", "state s0 k 2", "read s0 [a b]", "count s0 2")
    assert accepted("both s0 k 2 [a] fail", "read s0 []", claims=REFUSES)
    assert not accepted("both s0 k 2 [a]", claims=REFUSES)


@pytest.mark.parametrize("append", ["append s0", "both s0 k 2"])
def test_where_nothing_is_claimed_of_unknown_sessions_both_is_right(append):
    """An append to one is refused or makes it; what is read tells which, and stays so."""
    silent = Claims(session_ids="store")
    assert accepted(f"{append} [a] fail", "read s0 []", claims=silent)
    assert accepted(f"{append} [a]", "read s0 [a]", claims=silent)
    assert not accepted(f"{append} [a] fail", "read s0 [a]", claims=silent)
    assert not accepted(f"{append} [a]", "read s0 []", claims=silent)
    assert not accepted("create s0", f"{append} [a] fail", claims=silent)


def test_worlds_are_remembered_once():
    """Equal worlds do not multiply, however many outcomes stay open."""
    worlds = EMPTY
    for done in h("append s0 [a]", *["pop s0 info"] * 10, *["clear s0 info"] * 10):
        worlds = step(worlds, done, CREATES).worlds
        assert len(worlds) <= 3


def test_fields_that_the_store_may_fill_are_judged_only_when_given():
    """An id or a time that the client left open is the store's; one that it gave must come back."""
    sent, read = message("a"), replace(message("a"), id="m1", created_at_us=5)
    every = frozenset({"role", "content", "id", "created_at_us", "tokens"})
    assert differing(sent, read, every) == []
    assert differing(read, sent, every) == ["created_at_us", "id"]
    assert differing(sent, replace(read, tokens=0), every) == ["tokens"]
    assert differing(sent, replace(read, tokens=0), frozenset({"content"})) == []


def test_totals_are_judged_where_their_parts_are_kept():
    """Totals of tokens and durations must be sums; what is unknown counts as 0."""
    one = replace(message("a"), tokens=3, duration_us=5)
    session = Session((one, message("b")))
    info = SessionInfo(session_id="s0", total_tokens=3, total_duration_us=6)
    both = Claims(keeps={"role", "content", "tokens", "duration_us"})
    assert info_problems(session, info, both) == ["total_duration_us is 6, the messages give 5"]
    assert info_problems(session, info, CREATES) == []
