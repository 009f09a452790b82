"""What is read is made of rows in a quick way, and is a Message like any other."""

from __future__ import annotations

import copy
import pickle
from dataclasses import FrozenInstanceError, asdict

import pytest

from sessionproof import Message, NotRepresentable, Refused
from sessionproof.contract.message import MESSAGE_FIELDS
from sessionproof.reference import ReferenceStore, codec

FULL = Message(
    "tool",
    {"a": [1, 1.0, True, None, "\ud800"]},
    kind="tool_result",
    name="n\0",
    call_id="c\udfff",
    arguments=[{}],
    tokens=0,
    duration_us=1,
    created_at_us=2,
    id="i\ud8ff",
    metadata={"k": {}},
)
PLAIN = Message("user", "text", tokens=3, created_at_us=0, id="x")


@pytest.mark.parametrize("message", [FULL, PLAIN], ids=["full", "plain"])
def test_what_is_read_is_a_message_in_every_way(store: ReferenceStore, message: Message):
    """It is equal, hashed, shown, copied, pickled and frozen as one that the class made."""
    store.append("s", [message])
    (read,) = store.read("s")
    assert type(read) is Message
    assert read == message
    assert repr(read) == repr(message)
    assert asdict(read) == asdict(message)
    assert copy.deepcopy(read) == copy.copy(read) == read
    assert pickle.loads(pickle.dumps(read)) == read
    assert {name: getattr(read, name) for name in MESSAGE_FIELDS} == asdict(message)
    with pytest.raises(FrozenInstanceError):
        read.role = "user"
    with pytest.raises((AttributeError, TypeError)):
        read.other = 1
    if message is PLAIN:
        assert hash(read) == hash(message)


class Word(str):
    """A string of a class of its own."""

    __slots__ = ()


class Deceit:
    """Equal to everything."""

    def __eq__(self, _other: object) -> bool:
        return True

    __hash__ = None


BAD = [
    Message(Word("user"), "x"),
    Message("user", Word("x")),
    Message("user", "x", kind=Word("text")),
    Message("user", "x", kind=Deceit()),
    Message(Deceit(), "x"),
    Message(["user"], "x"),
    Message("User", "x"),
    Message("user", "x", tokens=True),
    Message("user", "x", tokens=-1),
    Message("user", "x", tokens=2**63),
    Message("user", "x", tokens=1.0),
    Message("user", "x", duration_us=-1),
    Message("user", "x", created_at_us="1"),
    Message("user", "x", id=1),
    Message("user", "x", name=b"n"),
    Message("user", "x", call_id=1),
    Message("user", "x", metadata=[]),
    Message("user", "x", arguments={1: 2}),
]


@pytest.mark.parametrize("message", BAD, ids=range(len(BAD)))
def test_the_glance_passes_nothing_that_the_check_refuses(message: Message):
    """Whatever the full check refuses is refused, although most messages are only glanced at."""
    assert codec._problems(message)
    assert not codec._is_plain(message)
    with pytest.raises((Refused, NotRepresentable)):
        codec.encode(message)


class Own(Message):
    """A caller's own kind of message."""


@pytest.mark.parametrize(
    "message",
    [
        Message("user", ""),
        Message("user", "x", tokens=0),
        Message("developer", "x", tokens=2**63 - 1),
        Own("user", "x", tokens=1),
    ],
    ids=["empty", "no tokens", "most tokens", "subclass"],
)
def test_the_glance_makes_the_row_of_the_full_way(message: Message, monkeypatch):
    """A message that needs no more checks has the row that all checks would give it."""
    quick = codec.encode(message)
    monkeypatch.setattr(codec, "_is_plain", lambda _: False)
    assert codec.encode(message) == quick
