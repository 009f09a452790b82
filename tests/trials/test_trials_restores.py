"""Restores: what they verify, keep and leave behind."""

import json
import secrets
import shutil
import sqlite3
from contextlib import closing
from pathlib import Path

import pytest

from fixtures.benign.backups import (
    BackedUpLines,
    DumpedBackups,
    JournaledBackups,
    VacuumedBackups,
)
from fixtures.mutants import restores as mutants
from sessionproof.contract.anomalies import Anomaly
from sessionproof.contract.claims import Claims
from sessionproof.contract.errors import Refused
from sessionproof.contract.message import Message
from sessionproof.trials import restores
from sessionproof.trials.bad_backups import BAD, CUT, foreign_database, is_database, spoiled
from sessionproof.trials.chats import Contents, difference, digest
from sessionproof.trials.hot_journals import journaled, with_hot_journal
from sessionproof.trials.single import Broken, NotClaimed
from sessionproof.workload.profiles import PROFILES, Deadlines


@pytest.fixture
def trial(trial_of):
    """Make a trial with the time that it needs on a busy machine."""

    def make(guarantee, factory):
        made = trial_of(guarantee, factory, profile=PROFILES["smoke"])
        made.store.deadlines = Deadlines()
        return made

    return make


@pytest.mark.parametrize(
    ("store", "restored", "logs"),
    [(VacuumedBackups, 10, 1), (BackedUpLines, 8, 0), (DumpedBackups, 9, 0)],
)
def test_files_folders_and_dumps_are_restored(trial, store, restored, logs):
    """Good ones and bad ones; where there is a log, it is tried alone, too."""
    made = trial("BAK-02", store)
    restores.verified(made)
    assert made.examined["restores"] == restored
    made = trial("COR-05", store)
    restores.no_stale_log(made)
    assert made.examined["restores"] == 2 + logs
    assert bool(made.notes) is not bool(logs)


@pytest.mark.parametrize(
    ("store", "anomaly", "words"),
    [
        (mutants.RestoresWhileOpen, Anomaly.LOST_MESSAGE, "instead of"),
        (mutants.RestoresAnything, Anomaly.OVERWRITTEN, "instead of"),
        (mutants.LooksAtPagesAlone, Anomaly.OVERWRITTEN, "instead of"),
        (mutants.KeepsNoCopy, Anomaly.OVERWRITTEN, "None"),
        (mutants.CopiesWithoutLog, Anomaly.OVERWRITTEN, ""),
        (mutants.KeepsOneCopy, Anomaly.OVERWRITTEN, "copy of an earlier restore again"),
        (mutants.RemovesOlderCopies, Anomaly.OVERWRITTEN, "changed or removed"),
        (mutants.RemovesBeforeItLooks, Anomaly.OVERWRITTEN, "instead of"),
        (mutants.SwallowsMissing, Anomaly.SWALLOWED, "restored nothing"),
        (mutants.MergesSessions, Anomaly.BAD_BACKUP, "instead of 0"),
        (mutants.TrustsTheFolder, Anomaly.OVERWRITTEN, "instead of"),
    ],
)
def test_each_way_to_lose_what_was_there_is_named(trial, store, anomaly, words):
    """By a bad backup, without a copy, under whoever has it open."""
    with pytest.raises(Broken) as raised:
        restores.verified(trial("BAK-02", store))
    assert raised.value.finding.anomaly is anomaly
    assert words in raised.value.finding.seen
    assert raised.value.finding.script


@pytest.mark.parametrize(
    "store", [mutants.LeavesTheLog, mutants.RemovesTheWrongFile, mutants.LeavesTheJournal]
)
def test_a_log_that_stays_is_told(trial, store):
    """Of the same file, or of another one."""
    with pytest.raises(Broken) as raised:
        restores.no_stale_log(trial("COR-05", store))
    assert raised.value.finding.anomaly is Anomaly.BAD_BACKUP


def test_a_journal_is_left_where_a_file_is_written_in_place(trial, tmp_path):
    """SQLite plays it back; a file with a write-ahead log has none."""
    made = trial("COR-05", JournaledBackups)
    restores.no_stale_log(made)
    assert made.examined["restores"] == 3
    path = tmp_path / "image" / "chat.db"
    path.parent.mkdir()
    with closing(sqlite3.connect(path)) as db, db:
        db.execute("CREATE TABLE notes (text)")
        db.execute("INSERT INTO notes VALUES ('kept')")
    left = with_hot_journal(path.parent, tmp_path / "there")
    assert left.with_name("chat.db-journal").stat().st_size > 512
    with closing(sqlite3.connect(left)) as db:
        assert db.execute("SELECT text FROM notes").fetchall() == [("kept",)]
        db.execute("PRAGMA journal_mode = WAL").close()
    assert journaled(left.parent) is None
    with pytest.raises(ValueError, match="written in place"):
        with_hot_journal(left.parent, tmp_path / "nowhere")


class Elsewhere:
    """A store whose data lie on a server: a backup is a file, a directory a name of data there."""

    claims = Claims()
    data = {}  # noqa: RUF012 - the server

    def __init__(self, location):
        self.place = str(location.root)

    def close(self):
        """Nothing is open."""

    def append(self, session_id, messages):
        """Add messages."""
        there = self.data.setdefault(self.place, {}).setdefault(session_id, [])
        there.extend(one.content for one in messages)

    def read(self, session_id):
        """All messages."""
        there = self.data.get(self.place, {}).get(session_id, ())
        return [Message("user", text) for text in there]

    def backup(self, folder, *, keep=None):
        """All of it as JSON."""
        made = Path(folder, f"{secrets.token_hex(8)}.json")
        made.write_text(json.dumps(self.data.get(self.place, {})))
        return str(made)

    def restore(self, backup, directory):
        """What is in order takes the place of what was there, which is kept."""
        new = self.verified(backup)
        old = self.data.get(str(directory))
        kept = None if old is None else Path(directory, f"{secrets.token_hex(8)}.json")
        if kept is not None:
            kept.write_text(json.dumps(old))
        self.data[str(directory)] = new
        return kept and str(kept)

    def verified(self, backup):
        """What is in a backup."""
        try:
            return json.loads(Path(backup).read_text())
        except (OSError, ValueError) as error:
            raise Refused(f"{backup} is no backup") from error


class ElsewhereIdle(Elsewhere):
    """A restore that does nothing."""

    def restore(self, backup, directory):
        """Nothing is done."""


class ElsewhereUnverified(Elsewhere):
    """A bad backup takes the place of what is there: it is taken for an empty one."""

    def verified(self, backup):
        """Nothing, where it is not to be read."""
        try:
            return super().verified(backup)
        except Refused:
            return {}


class ElsewhereUnkept(Elsewhere):
    """Each copy of what was there has the name of the last one."""

    def restore(self, backup, directory):
        """Under one name."""
        kept = super().restore(backup, directory)
        return kept and str(Path(kept).replace(Path(directory, "before.json")))


def test_what_lies_elsewhere_is_put_back_first(trial):
    """Where a copy of the directory is an empty store, directories are made by restores."""
    restores.verified(one := trial("BAK-02", Elsewhere))
    assert one.examined["restores"] >= one.guarantee.least


@pytest.mark.parametrize(
    ("store", "anomaly"),
    [
        (ElsewhereIdle, Anomaly.BAD_BACKUP),
        (ElsewhereUnverified, Anomaly.OVERWRITTEN),
        (ElsewhereUnkept, Anomaly.OVERWRITTEN),
    ],
)
def test_a_bad_restore_elsewhere_is_caught(trial, store, anomaly):
    """Restores of a store on a server are judged as those of files are."""
    with pytest.raises(Broken) as caught:
        restores.verified(trial("BAK-02", store))
    assert caught.value.finding.anomaly is anomaly


def test_logs_of_what_lies_elsewhere_are_not_judged(trial):
    """A store that leaves no files has no log that could be left beside one."""
    with pytest.raises(NotClaimed, match="directory alone"):
        restores.no_stale_log(trial("BAK-02", Elsewhere))


class Careful(VacuumedBackups):
    """Whoever finds the file open refuses, by a lock that lasts as long as a handle."""

    held = set()  # noqa: RUF012 - of the process

    def __init__(self, location):
        super().__init__(location)
        self.held.add(self.path)

    def close(self):
        """Let go."""
        self.held.discard(self.path)
        super().close()

    def restore(self, backup, directory):
        """Exchange the file when nobody has it."""
        if Path(directory, "chat.db") in self.held:
            raise Refused("it is open: close it first")
        return super().restore(backup, directory)


def test_a_restore_may_refuse_while_the_store_is_open(trial):
    """Then what was there is there, and goes on."""
    made = trial("BAK-02", Careful)
    restores.verified(made)
    assert made.examined["restores"] == 10


class Truncates(VacuumedBackups):
    """A damaged backup is restored as far as it goes; harmless damage is."""

    def restore(self, backup, directory):
        """Trailing bytes do no harm."""
        data = Path(backup).read_bytes()
        size = int.from_bytes(data[28:32]) * int.from_bytes(data[16:18])
        if len(data) > size > 0:
            Path(backup).write_bytes(data[:size])
        return super().restore(backup, directory)


def test_damage_that_does_no_harm_is_no_break(trial, monkeypatch):
    """A backup with some bytes behind its end still has all."""
    grown = CUT.__class__("longer", lambda data: data + bytes(10), "")
    monkeypatch.setattr(restores, "BAD", (grown,))
    made = trial("BAK-02", Truncates)
    restores.verified(made)
    assert made.examined["restores"] == 7


def test_spoiling_changes_each_file_of_a_backup(tmp_path):
    """Files and folders; what cannot be changed is left out."""
    for bad in BAD:
        folder = tmp_path / bad.words
        folder.mkdir()
        for name in ("a", "b"):
            folder.joinpath(name).write_bytes(b"0123456789\n" * 4)
        was = digest(folder)
        spoiled(folder, bad)
        assert digest(folder) != was
        assert {path.read_bytes() for path in folder.iterdir()} != {b"0123456789\n" * 4}
    assert CUT.spoil(b"one\ntwo\n") == b"one", "a cut between two lines may pass unseen"


def test_a_foreign_database_is_a_sound_one(tmp_path):
    """Its pages are in order: only its tables tell."""
    path = tmp_path / "chats.db"
    path.write_text("ours")
    assert not is_database(path)
    foreign_database(path)
    assert is_database(path)
    with closing(sqlite3.connect(path)) as db:
        assert db.execute("PRAGMA integrity_check").fetchall() == [("ok",)]


def test_differences_are_told():
    """How many, which, and what is listed."""
    one, two = Message("user", "1"), Message("user", "2")
    was = Contents({"s": (one, two)}, frozenset({"s"}))
    assert not difference(was, was)
    assert "1 messages instead of 2" in difference(was, Contents({"s": (one,)}))
    assert "message 1" in difference(was, Contents({"s": (one, one)}))
    assert "'t' is listed" in difference(was, Contents(was.sessions, frozenset("st")))
    assert "'s' is not listed" in difference(was, Contents(was.sessions, frozenset()))


def test_digests_are_of_contents(tmp_path):
    """Of a file, a folder, and nothing."""
    folder = tmp_path / "one"
    folder.mkdir()
    folder.joinpath("file").write_text("1")
    assert digest(tmp_path / "nothing") == ""
    assert digest(folder) == digest(Path(shutil.copytree(folder, tmp_path / "two")))
    folder.joinpath("file").write_text("2")
    assert digest(folder) != digest(tmp_path / "two")
