"""Names of copies, and having a database alone."""

from __future__ import annotations

import sqlite3
import subprocess
import sys
from contextlib import closing
from pathlib import Path

import pytest

from sessionproof import Message, Refused
from sessionproof.reference import ReferenceStore, files

WAYS = {"held": files.held_alone, "opened": lambda file: closing(files.open_alone(file))}


@pytest.fixture(params=WAYS)
def alone(request):
    """Either way to have a database alone."""
    return WAYS[request.param]


@pytest.fixture
def file(tmp_path: Path) -> Path:
    """The file of a store that nobody has open."""
    with ReferenceStore(tmp_path, durability="process") as store:
        store.append("s", [Message("user", "one")])
    return files.located(tmp_path)


def elsewhere(file: Path, code: str) -> str:
    """What another process prints that is given the file."""
    beginning = (
        f"from pathlib import Path\nfrom contextlib import closing\nfile = Path({str(file)!r})\n"
    )
    return subprocess.run(
        [sys.executable, "-c", beginning + code], check=True, capture_output=True, text=True,
        timeout=60,
    ).stdout.strip()  # fmt: skip


ASK = """
from sessionproof.reference import files
for way in (files.held_alone, lambda file: closing(files.open_alone(file))):
    try:
        with way(file):
            print("alone")
    except files.InUse:
        print("in use")
"""


def test_nobody_else_may_have_it_open(file: Path, alone):
    """A handle of this process is in the way, and keeps its locks though it was asked about."""
    with ReferenceStore(file.parent) as store:
        with (
            pytest.raises(files.InUse, match="is in use: close every store") as caught,
            alone(file),
        ):
            pass
        assert "\n" not in str(caught.value)
        assert elsewhere(file, ASK) == "in use\nin use"  # the locks of the handle are still there
        store.append("s", [Message("user", "two")])
    with alone(file):
        pass
    assert elsewhere(file, ASK) == "alone\nalone"


def test_nobody_else_gets_in(file: Path, alone):
    """Neither SQLite nor those who ask for it alone get in, from here or from another process."""
    with alone(file):
        assert elsewhere(file, ASK) == "in use\nin use"
        for way in WAYS.values():
            with pytest.raises(files.InUse), way(file):
                pass
        with (
            closing(sqlite3.connect(file, timeout=0)) as other,
            pytest.raises(sqlite3.OperationalError, match="locked"),
        ):
            other.execute("SELECT count(*) FROM messages")
    with ReferenceStore(file.parent) as store:
        assert store.count("s") == 1


def test_a_process_elsewhere_is_in_the_way(file: Path, alone):
    """A store that another process has open and does not use at the moment is in the way."""
    code = (
        "import sys\nfrom sessionproof.reference import ReferenceStore\n"
        "store = ReferenceStore(file.parent)\nprint('open', flush=True)\nsys.stdin.read()\n"
    )
    beginning = f"from pathlib import Path\nfile = Path({str(file)!r})\n"
    with subprocess.Popen(
        [sys.executable, "-c", beginning + code], stdin=subprocess.PIPE, stdout=subprocess.PIPE
    ) as other:
        assert other.stdout.readline() == b"open\n"
        with pytest.raises(files.InUse), alone(file):
            pass
        other.stdin.close()
        other.wait(60)
    with alone(file):
        pass


def test_a_damaged_file_can_be_held(tmp_path: Path):
    """To hold a file changes none of its bytes, whatever they are."""
    file = tmp_path / "sessions.db"
    file.write_bytes(b"no database")
    with files.held_alone(file):
        pass
    assert file.read_bytes() == b"no database"
    with pytest.raises(Refused, match="not a SQLite database"):
        files.open_alone(file)


def test_elsewhere_than_on_linux_it_is_held_as_well(file: Path, monkeypatch):
    """Without locks of single descriptors, other processes are kept out, and no byte is changed."""
    monkeypatch.setattr(files, "_DESCRIPTORS", "/dev/fd")
    with ReferenceStore(file.parent):
        monkeypatch.setattr(sys, "platform", "darwin")
        with pytest.raises(files.InUse), files.held_alone(file):
            pass
    (log := file.with_name(f"{file.name}-wal")).write_bytes(b"of another database")
    before = file.read_bytes()
    with files.held_alone(file):
        monkeypatch.undo()
        assert elsewhere(file, ASK) == "in use\nin use"
    assert (file.read_bytes(), log.read_bytes()) == (before, b"of another database")


def test_a_removed_file_is_still_in_use(file: Path):
    """A handle whose file was removed is noticed by the memory that it shares with others."""
    with ReferenceStore(file.parent):
        file.unlink()
        with pytest.raises(files.InUse), files.held_without_file(file):
            pass
    for log in files.with_logs(file):
        log.unlink()
    with files.held_without_file(file):
        pass


def test_copies_of_one_file_are_a_series(tmp_path: Path):
    """Names are unique, sort by the order they were made in, and differ for files elsewhere."""
    one, other = tmp_path / "a" / "sessions.db", tmp_path / "b" / "sessions.db"
    folder = tmp_path / "folder"
    for place in (one.parent, other.parent, folder):
        place.mkdir()
    names = []
    for _ in range(200):
        names.append(files.copy_name(one, "backup", folder=folder))
        (folder / names[-1]).touch()
        for before in files.copies(one, folder, "backup")[:-1]:
            before.unlink()
    assert len(set(names)) == 200
    assert names == sorted(names)
    (folder / files.copy_name(other, "backup")).touch()
    (folder / files.copy_name(one, "before-restore")).touch()
    (folder / "sessions.db.backup").touch()
    (folder / f"{names[-1]}.old").touch()
    assert [made.name for made in files.copies(one, folder, "backup")] == names[-1:]
    assert len(files.all_copies(folder, "backup")) == 2


def test_a_name_is_behind_those_of_a_clock_that_was_ahead(tmp_path: Path):
    """When the clock went back, the newest copy still sorts last."""
    file = tmp_path / "chat.db"
    ahead = f"{files.series(file)}.29990101T000000.000000Z.00000000.backup"
    (tmp_path / ahead).touch()
    assert files.copy_name(file, "backup", folder=tmp_path) > ahead


def test_a_link_is_no_copy(tmp_path: Path):
    """A link with the name of a copy is none: it is another's file."""
    file, secret = tmp_path / "chat.db", tmp_path / "secret"
    secret.touch()
    (tmp_path / files.copy_name(file, "backup")).symlink_to(secret)
    assert files.copies(file, tmp_path, "backup") == []


def test_what_is_not_there_is_refused(tmp_path: Path):
    """A directory without the file, and a path that is nothing, are told in one line."""
    with pytest.raises(Refused, match=r"sessions\.db does not exist"):
        files.present(tmp_path)
    (tmp_path / "sessions.db").mkdir()
    with pytest.raises(Refused, match="is no file"):
        files.present(tmp_path)


@pytest.mark.parametrize("time", ["20260231T000000.000000Z", "20261301T250000.000000Z"])
def test_a_name_of_an_impossible_day_is_no_copy(tmp_path: Path, file: Path, time: str):
    """A stray file in a folder of backups does not end them."""
    stray = tmp_path / f"{files.series(file)}.{time}.00000000.backup"
    stray.touch()
    assert (files.series_of(stray), files.purpose_of(stray)) == (None, None)
    assert files.copies(file, tmp_path, "backup") == []
    with ReferenceStore(file.parent) as store:
        made = store.backup(tmp_path)
    assert files.copies(file, tmp_path, "backup") == [Path(made)]
