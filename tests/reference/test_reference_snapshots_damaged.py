"""Snapshots that were damaged, of damaged sessions, in damaged files."""

from __future__ import annotations

import sqlite3
import zlib
from contextlib import closing

import pytest

from sessionproof import Message, Refused
from sessionproof.reference import ReferenceStore
from sessionproof.reference.moments.contents import Contents, gather_named, packed, unpacked
from sessionproof.reference.moments.keeping import Taken
from sessionproof.reference.moments.restoring import restore
from sessionproof.reference.opening import FILE
from sessionproof.reference.recover import recover
from sessionproof.reference.verify import verify_file


def fill(store: ReferenceStore, name: str = "a") -> None:
    """A session with facts, odd text, state."""
    store.create(name, owner="ann", title="Ünï \udcff", llm_model="m", metadata={"k": [1]})
    store.append(name, [Message("user", "NUL \0 and \ud800 alone", tokens=3, id="own")])
    store.append(name, [Message("user", f"{at} " + "x" * 300) for at in range(40)])
    store.set_state(name, "key", {"deep": [None, 1.0]})


def seen(store: ReferenceStore, name: str = "a") -> tuple:
    return store.read(name), store.get(name), store.get_state(name, "key")


def test_a_damaged_snapshot_is_found_and_not_restored(store, foreign):
    """A bit of the body is enough: verify names it, and a restore refuses."""
    fill(store)
    made = store.snapshot("a")
    foreign.execute("DROP TRIGGER snapshots_before_update")
    (body,) = foreign.execute("SELECT body FROM snapshots").fetchone()
    spoilt = bytes([*body[:40], body[40] ^ 1, *body[41:]])
    foreign.execute("UPDATE snapshots SET body = ?", (spoilt,))
    problems = store.verify().problems
    assert any("1 snapshots of 1 sessions are not as written" in one for one in problems)
    assert store.verify("a").problems == ("1 of its snapshots are not what was written",)
    for call in (store.restore_snapshot, store.read_snapshot):
        with pytest.raises(Refused, match="not what was written"):
            call(made)


def test_strangers_change_no_snapshot(store, foreign):
    """The schema refuses to rewrite one or to put another in its place."""
    store.append("a", [Message("user", "one")])
    store.snapshot("a")
    with pytest.raises(sqlite3.IntegrityError, match="stays as it was taken"):
        foreign.execute("UPDATE snapshots SET reason = 'none'")
    with pytest.raises(sqlite3.IntegrityError, match="snapshot exists"):
        foreign.execute("INSERT OR REPLACE INTO snapshots SELECT * FROM snapshots")


def test_a_damaged_message_stays_as_damaged_as_it_was(store, foreign):
    """What was not as written is not made right by a snapshot; bytes that are no text are kept."""
    store.append("a", [Message("user", "good"), Message("user", "bad"), Message("user", "worse")])
    foreign.execute("DROP TRIGGER messages_after_rewrite")
    foreign.execute("UPDATE messages SET content = 'mad' WHERE content = 'bad'")
    foreign.execute("UPDATE messages SET content = CAST(x'ff' AS TEXT) WHERE content = 'worse'")
    made = store.snapshot("a")
    store.delete("a")
    store.restore_snapshot(made)
    (found,) = [one for one in store.verify().problems if "not as written" in one]
    assert "2 messages" in found
    (kept,) = foreign.execute("SELECT hex(content) FROM messages WHERE seq = 3").fetchone()
    assert kept == "FF"
    with pytest.raises(Refused, match="cannot be read"):
        store.read_snapshot(made)


def test_recovery_saves_snapshots(tmp_path, clock):
    """They are whole in the new file, also of sessions that are gone; a changed one is told."""
    (tmp_path / "old").mkdir()
    (tmp_path / "new").mkdir()
    with ReferenceStore(tmp_path / "old", clock=clock) as store:
        fill(store)
        before = seen(store)
        made, other = store.snapshot("a"), store.snapshot("a")
        store.delete("a")
    with closing(sqlite3.connect(tmp_path / "old" / FILE, isolation_level=None)) as db:
        db.execute("DROP TRIGGER snapshots_before_update")
        db.execute("UPDATE snapshots SET reason = 'changed' WHERE snapshot_id = ?", (other,))
    saved = recover(tmp_path / "old", tmp_path / "new")
    (lost,) = saved.lost
    assert other in lost
    with ReferenceStore(tmp_path / "new", clock=clock) as store:
        assert [one.snapshot_id for one in store.snapshots()] == [made]
        store.restore_snapshot(made)
        assert seen(store) == before
    assert verify_file(tmp_path / "new").ok


def test_a_later_schema_is_met_halfway(store, foreign):
    """Columns that a snapshot does not know get their defaults; all else is compared."""
    fill(store)
    whole = gather_named(foreign, "a")
    facts = {name: one for name, one in whole.facts.items() if name != "warn_us"}
    older = unpacked(packed(Contents(facts, whole.messages, whole.state)))
    store.snapshot("a")
    taken = Taken(store.snapshots()[0], older)
    restore(foreign, taken, "a", 0, replace=False)
    assert len(store.snapshots()) == 1  # nothing was otherwise
    restore(foreign, taken, "b", 0, replace=False)
    assert store.read("b") == store.read("a")
    assert store.verify().ok


def test_what_is_no_snapshot_is_refused():
    """Bytes of any sort raise one kind of error."""
    for body in (b"", b"x", packed_of("[]"), packed_of('{"format":2}'), packed_of('{"format":1}')):
        with pytest.raises(ValueError, match=r"."):
            unpacked(body)


def packed_of(text: str) -> bytes:
    return zlib.compress(text.encode())
