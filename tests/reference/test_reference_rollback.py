"""The way back from a migration: the old file byte for byte, and nothing lost of the new one."""

from __future__ import annotations

from pathlib import Path

import pytest

from fixtures.legacy import build, damaged
from sessionproof.contract.errors import Refused
from sessionproof.contract.message import Message
from sessionproof.reference import ReferenceStore
from sessionproof.reference.migrate import migrate
from sessionproof.reference.restore import restore
from sessionproof.reference.rollback import rollback


@pytest.fixture
def place(tmp_path) -> Path:
    """A directory for the new store."""
    folder = tmp_path / "chats"
    folder.mkdir()
    return folder


@pytest.fixture
def old(tmp_path, place) -> Path:
    """A legacy file that was migrated into the directory, which was written to since."""
    path = tmp_path / "old.db"
    build(next(one for one in damaged() if one.name == "plain_orphans"), path)
    path.chmod(0o640)
    migrate(path, place)
    with ReferenceStore(place) as store:
        store.append("since", [Message("user", "newer")])
    return path


def test_what_was_written_since_is_kept(old, place, tmp_path):
    """The answer names a copy that restore takes back."""
    answer = rollback(place)
    assert answer.file == old
    fresh = tmp_path / "fresh"
    fresh.mkdir()
    restore(str(answer.kept), str(fresh))
    with ReferenceStore(fresh) as store:
        assert [one.content for one in store.read("since")] == ["newer"]


def test_a_file_that_is_gone_comes_back(old, place):
    """With its bytes and its permissions."""
    data = old.read_bytes()
    old.unlink()
    rollback(place)
    assert (old.read_bytes(), old.stat().st_mode & 0o777) == (data, 0o640)


def test_a_place_that_holds_something_else_is_refused(old, place):
    """Nothing is overwritten, and nothing has changed."""
    old.write_text("a shopping list")
    with pytest.raises(Refused, match="another file now"):
        rollback(place)
    assert old.read_text() == "a shopping list"
    assert (place / "sessions.db").exists()
    old.unlink()
    rollback(place)
    old.unlink()
    with pytest.raises(Refused, match="nothing was migrated"):
        rollback(place)


def test_a_folder_that_is_gone_is_refused(tmp_path, place):
    """The old file has no place to go back to."""
    elsewhere = tmp_path / "elsewhere"
    elsewhere.mkdir()
    build(next(one for one in damaged() if one.name == "plain"), elsewhere / "old.db")
    migrate(elsewhere / "old.db", place)
    (elsewhere / "old.db").unlink()
    elsewhere.rmdir()
    with pytest.raises(Refused, match="is gone: make it first"):
        rollback(place)


def test_a_kept_file_that_changed_is_refused(old, place):
    """What would come back is not what was migrated."""
    kept = place / "migrated" / "old" / "old.db"
    data = bytearray(kept.read_bytes())
    data[5000] ^= 1
    kept.write_bytes(data)
    with pytest.raises(Refused, match="it changed since"):
        rollback(place)
    (place / "migrated" / "manifest.json").write_text("{")
    with pytest.raises(Refused, match="cannot be read"):
        rollback(place)


def test_a_store_in_use_is_refused(old, place):
    """Whoever has the new store open would write into a file that is gone."""
    with ReferenceStore(place) as store:
        store.append("since", [Message("user", "and newer")])
        with pytest.raises(Refused, match="in use"):
            rollback(place)
    assert rollback(place).kept is not None


def test_a_dry_run_changes_nothing(old, place):
    """It only looks whether it can be done."""
    before = sorted(place.rglob("*"))
    assert rollback(place, dry_run=True).file == old
    assert sorted(place.rglob("*")) == before


def test_one_that_ended_half_way_is_done_again(tmp_path, place):
    """The new database was aside already, the old one not yet back."""
    file = place / "sessions.db"
    build(next(one for one in damaged() if one.name == "enhanced"), file)
    data = file.read_bytes()
    migrate(file, place)
    file.rename(tmp_path / "aside.db")
    assert rollback(place).kept is None
    assert file.read_bytes() == data
    assert [one.name for one in place.iterdir()] == ["sessions.db"]


@pytest.mark.parametrize("inside", [False, True])
def test_a_damaged_new_store_is_put_aside_as_it_is(inside, tmp_path, place):
    """Then a rollback is wanted most."""
    file = place / "sessions.db"
    source = file if inside else tmp_path / "old.db"
    build(next(one for one in damaged() if one.name == "plain"), source)
    migrate(source, place)
    file.write_bytes(file.read_bytes()[:5000] + bytes(3000))
    damaged_bytes = file.read_bytes()
    kept = rollback(place).kept
    assert kept.read_bytes() == damaged_bytes
