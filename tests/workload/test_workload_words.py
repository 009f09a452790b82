"""What is said to a store: within its claims, each message with a token, programs that look."""

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sessionproof.contract.claims import Claims, Limits
from sessionproof.contract.lookup import spec_of
from sessionproof.contract.message import MESSAGE_FIELDS, Message
from sessionproof.contract.operations import (
    Append,
    Create,
    EditMessage,
    Operation,
    Read,
    Reopen,
    Replace,
    method_of,
)
from sessionproof.contract.store import CAPABILITIES
from sessionproof.oracle.memory import MemoryStore
from sessionproof.workload.conversation import texts
from sessionproof.workload.hostile import IDS, TEXTS, hostile_ids, hostile_texts
from sessionproof.workload.programs import changes, kinds_for, programs, swarm, tokened
from sessionproof.workload.vocabulary import made_messages, vocabulary

SPEC = spec_of("memory", MemoryStore)
ALL = Claims(
    keeps=MESSAGE_FIELDS, roles={"system", "user", "assistant", "tool"},
    kinds={"text", "tool_call", "tool_result"}, durability="process",
)  # fmt: skip


def said(claims, **translations):
    """What can be said under these claims, through an adapter's translations."""
    return vocabulary(replace(SPEC, **translations), claims)


def test_samples_stay_within_the_claims():
    """A sample for each kind and role that the store takes, and no other."""
    assert [m.role for m in said(Claims()).samples] == ["assistant", "user"]
    assert {(m.kind, m.role) for m in said(ALL).samples} == {
        ("text", "system"), ("text", "user"), ("text", "assistant"), ("text", "tool"),
        ("tool_call", "assistant"), ("tool_result", "tool"),
    }  # fmt: skip
    assert len(said(replace(ALL, keeps={"content"}, kinds={"text"})).samples) == 1


def test_tools_speak_in_roles_that_the_store_takes():
    """A store without a role ``tool`` or ``assistant`` is sent nothing in it."""
    claims = replace(ALL, roles={"user", "assistant"})
    assert {m.role for m in said(claims).samples} == {"user", "assistant"}
    assert {m.role for m in said(replace(ALL, roles={"user"})).samples} == {"user"}
    no_roles = said(replace(ALL, keeps=ALL.keeps - {"role"}, roles=set())).samples
    assert {m.kind for m in no_roles} == {"text", "tool_call", "tool_result"}


def raises(message):
    """A translation that says no in a way of its own."""
    raise SystemExit("never")


def silently(message):
    """A translation whose error has no text."""

    class Silent(Exception):
        def __str__(self):
            raise KeyboardInterrupt

    raise Silent


@pytest.mark.parametrize(
    ("encode", "decode", "words"),
    [
        (lambda m: m, lambda m: replace(m, content="other"), "changes content"),
        (lambda m: {}, lambda m: {}, "is no Message"),
        (lambda m: m, lambda m: replace(m, content=b"bytes"), "bytes"),
        (lambda m: m, lambda m: replace(m, role={1}), "set"),
        (lambda m: m.nothing, lambda m: m, "AttributeError"),
        (raises, lambda m: m, "SystemExit"),
        (silently, lambda m: m, "Silent"),
    ],
)
def test_what_cannot_be_represented_is_listed(encode, decode, words):
    """What an adapter's own translation loses is listed with the reason, and never sent."""
    spoken = said(Claims(), encode=encode, decode=decode)
    assert spoken.samples == ()
    assert len(spoken.refused) == 2
    assert all(line.startswith("text of role ") and words in line for line in spoken.refused)


def test_only_what_survives_the_translation_is_sent():
    """Realistic messages go through the same sieve as the samples."""
    spoken = said(ALL, encode=lambda m: m, decode=lambda m: replace(m, tokens=None))
    assert {m.tokens for m in made_messages(spoken, 0)} == {None}


def test_messages_are_made_from_a_seed():
    """One seed, one list of messages, all of them of claimed roles, kinds and fields."""
    spoken = said(ALL)
    made = made_messages(spoken, 7)
    assert made == made_messages(spoken, 7) != made_messages(spoken, 8)
    assert len(made) > 160
    plain = made_messages(said(Claims()), 7)
    assert {(m.role, m.kind, m.tokens, m.metadata, m.name) for m in plain} == {
        (role, "text", None, None, None) for role in ("user", "assistant")
    }


@pytest.mark.parametrize("limits", [Limits(content_bytes=100), Limits(batch_bytes=100)])
def test_texts_stay_within_the_claimed_limits(limits):
    """What a store says that it does not take is not sent, token and all."""
    made = made_messages(said(replace(ALL, limits=limits)), 7)
    longest = max(len(str(m.content).encode()) for m in made)
    assert 20 <= longest <= 100 - len(" #99999")


def test_conversations_are_realistic_and_repeatable():
    """Texts differ, speak several scripts, and are the same for the same seed."""
    assert texts(1) == texts(1) != texts(2)
    assert len(set(texts(1))) > 100
    assert any("天気" in text for text in texts(1))


CHANGES = changes(CAPABILITIES, ALL)


def messages_of(program):
    """Every message that a program sends."""
    for step in program:
        if isinstance(step, Append | Create | Replace):
            yield from step.messages
        elif isinstance(step, EditMessage):
            yield step.message


STRATEGIES = {
    f"{make.__name__}-{claims.missing_session}": make(
        said(claims), CAPABILITIES, kinds_for(CAPABILITIES, claims), seed=0, **sessions
    )
    for make, sessions in ((programs, {"names": ("s0", "s1")}), (swarm, {"sessions": 2}))
    for claims in (ALL, replace(ALL, missing_session="refuses"))
}


@pytest.mark.parametrize("name", STRATEGIES)
def test_every_program_looks_at_what_it_did(name):
    """A program ends with a read of each session, and creates sessions where that is needed."""

    @given(st.data())
    def holds(data):
        program = data.draw(STRATEGIES[name])
        changed = [at for at, step in enumerate(program) if isinstance(step, CHANGES)]
        looks = program[max(changed, default=-1) + 1 :]
        assert {Read("s0"), Read("s1")} <= {step for step in looks if isinstance(step, Read)}
        created = program[:2] == (Create("s0"), Create("s1"))
        assert created or name.endswith("creates")
        tokens = [m.call_id if m.kind == "tool_call" else m.content for m in messages_of(program)]
        ends = [str(token).replace("call-", "#").rpartition("#")[2] for token in tokens]
        assert len(ends) == len(set(ends))
        assert all(end.isdecimal() for end in ends)

    holds()


def test_programs_ask_only_for_what_the_store_has():
    """Operations follow capabilities and claims; reopening is for stores that keep their data."""
    assert kinds_for((), Claims()) == (Append, Read)
    every = kinds_for(CAPABILITIES, ALL)
    assert set(every) == set(Operation.__args__)
    assert Reopen not in kinds_for(CAPABILITIES, replace(ALL, durability="none"))
    assert Create not in kinds_for(CAPABILITIES, replace(ALL, session_ids="store"))
    for kind in every:
        if kind not in (Append, Read, Reopen):
            without = set(CAPABILITIES) - {method_of(kind)}
            assert kind not in kinds_for(without, ALL)


def test_equal_messages_get_different_tokens():
    """Each message of a program can be told from any other, wherever it stands."""
    one = Message("user", "a")
    program = tokened([Append("s0", (one, one)), EditMessage("s0", 0, one), Replace("s0", (one,))])
    assert [m.content for m in messages_of(program)] == ["a #0", "a #1", "a #2", "a #3"]


@given(hostile_texts())
def test_hostile_texts_are_texts(text):
    """Anything that a text can hold, of a size that can be sent often."""
    assert isinstance(text, str)
    assert len(text) < 2_000


@given(hostile_ids())
def test_hostile_ids_differ(ids):
    """Families of ids are near each other, and all different."""
    assert 2 <= len(ids) == len(set(ids)) <= 5


def test_known_troublemakers_are_there():
    """NUL, lone surrogates, both normal forms, big ones; each once."""
    assert len(set(TEXTS)) == len(TEXTS)
    assert len(set(IDS)) == len(IDS)
    for part in ("\x00", "\ud800", "\r\n", "\ufeff", "💬"):
        assert any(part in text for text in (*TEXTS, *IDS))
