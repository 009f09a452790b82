"""Errata of earlier designs that no other file shows to be absent here; see docs/errata.md."""

from __future__ import annotations

import pytest

from sessionproof import Message, Refused
from sessionproof.audit.sequence import sequence_problems
from sessionproof.audit.tables import orphan_problems
from sessionproof.reference import ReferenceStore


def say(*texts: str) -> list[Message]:
    return [Message("user", text) for text in texts]


def test_the_first_session_of_a_database_needs_nothing(store: ReferenceStore, foreign):
    """Erratum 2: with foreign keys on, no row of another table must be there before."""
    foreign.execute("PRAGMA foreign_keys = ON")
    foreign.execute(
        "INSERT INTO sessions (session_id, created_at_us, last_activity_us) VALUES ('s', 1, 1)"
    )
    assert store.list() == ["s"]


@pytest.mark.parametrize("how", ["ROLLBACK", "ABORT"])
def test_a_batch_that_is_rolled_back_loses_itself_alone(store: ReferenceStore, foreign, how: str):
    """Erratum 25: a statement may end its whole transaction; earlier work stays, no part does."""
    store.append("s", say("before"))
    foreign.execute(
        "CREATE TRIGGER poison BEFORE INSERT ON messages WHEN NEW.content = 'bad' "
        f"BEGIN SELECT RAISE({how}, 'poisoned'); END"
    )
    with pytest.raises(Refused, match="poisoned"):
        store.append("s", say("one", "two", "bad", "four"))
    foreign.execute("DROP TRIGGER poison")
    store.append("s", say("after"))
    assert [message.content for message in store.read("s")] == ["before", "after"]
    assert store.get("s").message_count == 2


def test_batches_of_any_size_go_with_their_session(tmp_path):
    """Errata 25, 31: whichever way a batch was written, deleting its session leaves no orphan."""
    with ReferenceStore(tmp_path, durability="process") as store:
        for size in (1, 2, 600):
            store.append("gone", say(*["x"] * size))
            store.delete("gone")
        tables = store.tables()
        assert orphan_problems(tables) == []
        assert sequence_problems(tables, start=1) == []
        assert store.list() == []
