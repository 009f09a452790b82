"""Programs that are recorded to be crashed: every kind of change, tokens of their own."""

from dataclasses import replace

import pytest

from sessionproof.contract.claims import Limits
from sessionproof.contract.lookup import find_store
from sessionproof.contract.operations import (
    Append,
    AppendWithState,
    Clear,
    Create,
    Delete,
    DeleteMessage,
    EditMessage,
    PopLast,
    Reopen,
    Replace,
    SetState,
    messages_of,
    session_of,
)
from sessionproof.contract.store import CAPABILITIES
from sessionproof.workload.crash_programs import MAIN, crash_pair, crash_program
from sessionproof.workload.vocabulary import vocabulary

EVERYTHING = frozenset(CAPABILITIES)


def words(**changed):
    """What can be said to the reference, had it these claims."""
    spec = find_store("reference")
    return vocabulary(spec, replace(spec.claims, **changed))


def tokens(program):
    """What tells each message of a program from the others."""
    sent = [message for step in program for message in messages_of(step)]
    return [message.call_id if message.content is None else message.content for message in sent]


def test_every_kind_of_change_is_there():
    """A store with all capabilities is asked for each kind of change, and is opened again once."""
    program = crash_program(words(), EVERYTHING, seed=3)
    kinds = {type(step) for step in program}
    assert kinds == {
        Append, AppendWithState, Clear, Create, Delete, DeleteMessage, EditMessage, PopLast,
        Reopen, Replace, SetState,
    }  # fmt: skip
    assert 25 <= len(program) <= 35
    assert sum(isinstance(step, Reopen) for step in program) == 1
    assert max(len(str(text)) for text in tokens(program)) > 3 * 4096


@pytest.mark.parametrize("capabilities", [(), ("clear",), ("create", "get"), ("replace",)])
def test_what_a_store_lacks_is_left_out(capabilities):
    """A store with few capabilities is asked for as many operations, of its own kinds alone."""
    program = crash_program(words(), frozenset(capabilities), seed=3)
    named = {"create": Create, "clear": Clear, "replace": Replace}
    allowed = {Append, Reopen, *(named[name] for name in capabilities if name in named)}
    assert {type(step) for step in program} <= allowed
    assert len(program) >= 25


def test_each_message_is_one_of_a_kind():
    """No two messages of a program, or of a pair of programs, have the same token."""
    both = [*crash_program(words(), EVERYTHING, seed=3)]
    assert len({*tokens(both)}) == len(tokens(both))
    one, other = crash_pair(words(), EVERYTHING, seed=3)
    together = tokens([*one, *other])
    assert len({*together}) == len(together)
    assert {*map(session_of, one)} & {*map(session_of, other)} == {MAIN}


def test_limits_of_a_store_are_kept():
    """No message is longer, and no batch larger, than the store says that it takes."""
    limits = Limits(content_bytes=200, batch_bytes=200)
    program = crash_program(words(limits=limits), EVERYTHING, seed=3)
    sent = [message for step in program for message in messages_of(step)]
    assert all(len(str(message.content).encode()) <= 200 for message in sent)
    assert all(len(messages_of(step)) <= 1 for step in program)


@pytest.mark.parametrize("ids", ["caller", "store"])
def test_sessions_are_made_where_appends_do_not(ids):
    """Where a session must be created, that comes first, and a deleted one is left alone."""
    claims = {"missing_session": "refuses", "session_ids": ids}
    program = crash_program(words(**claims), EVERYTHING, seed=3)
    made, gone = set(), set()
    for step in program:
        name = session_of(step)
        if isinstance(step, Create):
            made.add(name)
        elif name:
            assert name in made - gone
        gone |= {name} if isinstance(step, Delete) else set()


def test_where_sessions_begin_empty_their_first_messages_are_appended():
    """The rest of the program is the same, so its crashes meet the same writes."""
    usual = crash_program(words(), EVERYTHING, seed=3)
    empty = crash_program(words(limits=Limits(first_messages=False)), EVERYTHING, seed=3)
    assert not any(isinstance(step, Create) and step.messages for step in empty)
    parts = [
        part
        for step in usual
        for part in (
            [Create(step.session), Append(step.session, step.messages)]
            if isinstance(step, Create)
            else [step]
        )
    ]
    assert list(empty) == parts


def test_the_seed_chooses_the_messages():
    """One seed gives one program; another gives other messages in the same order of operations."""
    one, again, other = (crash_program(words(), EVERYTHING, seed=at) for at in (3, 3, 4))
    assert one == again != other
    assert [type(step) for step in one] == [type(step) for step in other]


def test_stores_ordered_by_times_are_not_asked_for_edits():
    """A message that is edited later may move there, so what is right is not known."""
    program = crash_program(words(order="timestamp"), EVERYTHING, seed=3)
    assert not any(isinstance(step, EditMessage) for step in program)
