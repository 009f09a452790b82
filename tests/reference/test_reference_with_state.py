"""Messages and state in one step: both are there, or neither."""

from __future__ import annotations

import sqlite3
from contextlib import closing
from pathlib import Path

import pytest

from sessionproof import Conflict, Expired, Message, Refused
from sessionproof.reference import ReferenceStore


def said(*texts: str) -> list[Message]:
    return [Message("user", text, tokens=2) for text in texts]


def test_messages_and_keys_are_there_together(store: ReferenceStore):
    """Both are read back; the receipt and the counters are those of an append."""
    receipt = store.append_with_state("s", said("a", "b"), {"step": 1, "deep": {"k": [None]}})
    assert receipt.seqs == (1, 2)
    assert receipt.ids == tuple(message.id for message in store.read("s"))
    assert [message.content for message in store.read("s")] == ["a", "b"]
    assert (store.get_state("s", "step"), store.get_state("s", "deep")) == (1, {"k": [None]})
    assert (store.get("s").message_count, store.get("s").total_tokens) == (2, 4)
    assert store.append_with_state("s", said("c"), {"step": 2}).seqs == (3,)
    assert (store.get_state("s", "step"), store.get_state("s", "deep")) == (2, {"k": [None]})


@pytest.mark.parametrize("number", [1, 50, 51, 120])
def test_batches_of_any_length_go_with_state(store: ReferenceStore, number):
    """An unknown session is created, also where the batch takes several statements."""
    texts = [str(at) for at in range(number)]
    assert store.append_with_state("s", said(*texts), {"n": number}).seqs == (
        *range(1, number + 1),
    )
    assert [message.content for message in store.read("s")] == texts
    assert store.get_state("s", "n") == number


def test_either_may_be_empty(store: ReferenceStore):
    """Without keys it is an append, without messages state is set, without both nothing is made."""
    assert store.append_with_state("s", [], {}).seqs == ()
    assert store.list() == []
    assert store.append_with_state("s", [], {"k": 1}).seqs == ()
    assert (store.list(), store.get_state("s", "k"), store.read("s")) == (["s"], 1, [])
    store.append_with_state("s", said("a"), {})
    assert store.count("s") == 1


@pytest.mark.parametrize(
    ("messages", "state", "error"),
    [
        (said("b"), {"k": 2, "l": {1}}, Refused),
        (said("b"), {"k": 2, 5: 1}, Refused),
        (said("b"), [("k", 2)], Refused),
        ([*said("b"), Message("nobody", "c")], {"k": 2}, Refused),
        ([Message("user", "b", id="m")], {"k": 2}, Conflict),
    ],
    ids=["value", "key", "no dict", "role", "id"],
)
def test_what_is_refused_leaves_nothing(store: ReferenceStore, messages, state, error):
    """Neither a message nor a key of a refused call is there."""
    store.append_with_state("s", [Message("user", "a", id="m")], {"k": 1})
    with pytest.raises(error):
        store.append_with_state("s", messages, state)
    assert [message.content for message in store.read("s")] == ["a"]
    assert (store.get_state("s", "k"), store.get_state("s", "l")) == (1, None)
    with pytest.raises(error):
        store.append_with_state("new", [messages[0], *messages], state)
    assert store.list() == ["s"]


def test_a_paused_session_takes_neither(store: ReferenceStore, set_status):
    """A session that takes no messages takes no state with them."""
    store.append_with_state("s", said("a"), {"k": 1})
    set_status("s", "paused")
    with pytest.raises(Expired):
        store.append_with_state("s", said("b"), {"k": 2})
    assert (store.count("s"), store.get_state("s", "k")) == (1, 1)


def test_state_alone_is_set_as_ever(store: ReferenceStore, set_status):
    """Without messages it is as ``set_state``, which every session takes."""
    store.append("s", said("a"))
    set_status("s", "archived")
    assert store.append_with_state("s", [], {"k": 1}).seqs == ()
    store.append_with_state("new", [], {"k": 2})
    assert (store.get_state("s", "k"), store.get_state("new", "k")) == (1, 2)


def test_a_key_that_the_file_refuses_takes_the_messages_with_it(
    store: ReferenceStore, foreign: sqlite3.Connection
):
    """What fails after the messages were inserted undoes them."""
    store.append("s", said("a"))
    foreign.execute(
        "CREATE TRIGGER no BEFORE INSERT ON state WHEN NEW.key = 'no' "
        "BEGIN SELECT RAISE(ABORT, 'no'); END"
    )
    with pytest.raises(Exception, match="no"):
        store.append_with_state("s", said("b"), {"k": 1, "no": 2})
    assert (store.count("s"), store.get_state("s", "k")) == (1, None)


def test_it_is_one_transaction(tmp_path: Path):
    """One commit is made for messages and keys, so that a crash cannot come between."""
    with ReferenceStore(tmp_path, durability="process") as store:
        store.append_with_state("s", said("a"), {"k": 1})
        with closing(sqlite3.connect(store.tables().path)) as other:
            before = other.execute("PRAGMA data_version").fetchone()
            traced: list[str] = []
            store._writer.run(lambda db: db.set_trace_callback(traced.append))
            store.append_with_state("s", said("b", "c"), {"k": 2, "l": 3})
            store._writer.run(lambda db: db.set_trace_callback(None))
            assert other.execute("PRAGMA data_version").fetchone() != before
    assert [one for one in traced if one.startswith(("BEGIN", "COMMIT"))] == [traced[0], "COMMIT"]
    assert traced[0].startswith("BEGIN")
    assert traced[-1] == "COMMIT"
