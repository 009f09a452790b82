"""Messages and calls as expressions: they make the same again, and stay short."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sessionproof import Message
from sessionproof.contract.operations import Append, Create, DeleteMessage, EditMessage
from sessionproof.scripts.expressions import (
    Unwritable,
    call,
    expression,
    loop,
    messages,
    text,
    values,
)
from sessionproof.workload.hostile import BIG_TEXT, TEXTS


def made(source):
    """The value of an expression, with Message at hand alone."""
    return eval(source, {"Message": Message})


@given(st.text(st.characters(exclude_categories=()), max_size=300))
def test_any_text_is_made_again(value):
    """No text is changed, surrogates and line ends included, and the source has one line."""
    source = text(value)
    assert made(source) == value
    assert len(source.splitlines()) == 1


@pytest.mark.parametrize("value", [*TEXTS, BIG_TEXT, f"{BIG_TEXT} #3", "ab" * 90 + "." + "é" * 200])
def test_hostile_texts_are_short(value):
    """What repeats is written once."""
    source = text(value)
    assert made(source) == value
    assert len(source) < 600


def test_a_long_text_without_repetition_is_refused():
    """Nobody reads a script of 30 kB."""
    with pytest.raises(Unwritable, match="100,000 characters"):
        text("".join(map(str, range(100_000)))[:100_000])


def test_values_of_any_kind():
    """Plain values, and what the contract refuses."""
    for value in (None, True, 1, 1.5, 1j, b"x", "x", [1, {"a": [None]}], {1, 2}):
        assert made(expression(value)) == value
    assert type(made(expression(object()))) is object
    with pytest.raises(Unwritable, match="a function has no short expression"):
        expression(made)


def test_numbered_messages_are_a_comprehension():
    """Only the number of the token changes; braces and quotes in the text stay."""
    sent = [Message("user", f"a {{b}} 'c' \n #{n}", tokens=3) for n in range(7, 20)]
    source = messages(sent)
    assert made(source) == sent
    assert source.count("Message(") == 1
    other = [*sent, Message("user", "another")]
    assert made(messages(other)) == other
    equal = [Message("user", "x")] * 9
    assert made(messages(equal)) == equal
    assert messages(equal).endswith("* 9")


def test_numbered_texts_are_a_comprehension():
    """As in what is expected of a read."""
    for listed in ([f"x #{n}" for n in range(50)], ["x #1", "x #3"] * 4, [None] * 8, [1, True] * 4):
        assert made(values(listed)) == listed
    assert len(values([f"x #{n}" for n in range(50)])) < 40


def test_equal_batches_are_a_loop():
    """Appends in a row take two lines."""
    sent = [Message("user", f"x #{n}") for n in range(30)]
    for size in (1, 3):
        batches = [sent[at : at + size] for at in range(0, 30, size)]
        head, inside = loop(batches)
        space = {"Message": Message, "out": []}
        exec(f"{head}\n    out.append({inside})", space)
        assert space["out"] == batches
    assert loop([sent[:3], sent[3:4], sent[4:7], sent[7:10], sent[10:13]]) is None
    assert loop([sent[:1], sent[2:3], sent[4:5], sent[6:7], sent[8:9]]) is None


def test_calls_have_their_values():
    """Ids of messages are taken from the read before."""
    sent = Message("user", "x")
    assert call(Append("s0", (sent,))) == "store.append('s0', [Message('user', 'x')])"
    assert call(Create("s0"), "") == "store.create()"
    assert call(Create("s0", (sent,)), "") == "store.create(messages=[Message('user', 'x')])"
    assert (
        call(DeleteMessage("s0", 7), at=1) == "store.delete_message('s0', store.read('s0')[1].id)"
    )
    edited = call(EditMessage("s0", 0, sent), "name")
    assert edited == "store.edit_message(name, store.read(name)[0].id, Message('user', 'x'))"
