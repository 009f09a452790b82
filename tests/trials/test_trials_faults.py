"""Faults from outside: an outsider at the store's files, and appends that meet what it does."""

import resource
import signal
import sqlite3
from contextlib import closing

import pytest

from fixtures.benign.files import JsonFiles
from fixtures.benign.private import DoesNotWait, KeepsItsLock
from fixtures.benign.sqlite import SqliteStore
from fixtures.mutants.refusals import DoesNotRecover, GivesUpOnLocks, LeavesTheTransactionOpen
from sessionproof.contract.anomalies import Anomaly
from sessionproof.faults.outsider import CannotMeddle, Outsider
from sessionproof.oracle.memory import MemoryStore
from sessionproof.reference import ReferenceStore
from sessionproof.trials import faults
from sessionproof.trials.single import Broken, NotClaimed
from sessionproof.workload.profiles import PROFILES

SMOKE = PROFILES["smoke"]


@pytest.fixture
def outsider():
    """A process of its own, ended with the test."""
    with Outsider() as process:
        yield process


@pytest.fixture
def database(tmp_path):
    """A file with a table that holds a message, in rollback mode."""
    path = tmp_path / "chat"
    with closing(sqlite3.connect(path)) as db, db:
        db.execute("CREATE TABLE messages (session, body BLOB)")
        db.execute("CREATE TABLE others (body)")
        db.execute("INSERT INTO messages VALUES ('s', ?)", (b'\x00{"text": "the token"}',))
    return path


def inserted(path, body):
    """Whether a row with this body can be inserted."""
    with closing(sqlite3.connect(path, timeout=0)) as db, db:
        try:
            db.execute("INSERT INTO messages VALUES ('s', ?)", (body,))
        except sqlite3.Error as error:
            return str(error)
    return True


def test_an_outsider_that_has_ended_can_do_nothing(outsider, tmp_path):
    """Whether its end is met while it is asked or while it should answer."""
    outsider._process.kill()
    outsider._process.wait()
    with pytest.raises(CannotMeddle, match="the outsider ended"):
        outsider.databases(tmp_path)


def test_an_outsider_that_stands_still_is_ended(outsider, tmp_path, monkeypatch):
    """It is not waited for without end."""
    monkeypatch.setattr("sessionproof.faults.outsider._ANSWER_S", 0.2)
    outsider._process.send_signal(signal.SIGSTOP)
    with pytest.raises(CannotMeddle, match="the outsider ended"):
        outsider.databases(tmp_path)


def test_databases_are_found_by_their_headers(outsider, tmp_path, database):
    """Whatever the name; other files, empty ones and links are passed over."""
    (tmp_path / "deep").mkdir()
    with closing(sqlite3.connect(tmp_path / "deep" / "log")) as db:
        db.execute("PRAGMA journal_mode = WAL")
        db.execute("CREATE TABLE t (a)")
        (tmp_path / "empty.db").touch()
        (tmp_path / "text.db").write_text("SQLite format 3, says this text of some length")
        (tmp_path / "link.db").symlink_to(database)
        found = outsider.databases(tmp_path)
    assert {(one.path.name, one.wal) for one in found} == {("chat", False), ("log", True)}


@pytest.mark.parametrize("manner", ["ABORT", "FAIL", "ROLLBACK"])
def test_a_poisoned_table_refuses_the_poison_alone(outsider, database, manner):
    """Texts and bytes that hold it, inserted or updated; after mending everything goes."""
    made = outsider.poison(database, token="the token", text="poison", manner=manner)
    assert len(made) == 2
    assert all('"messages"' in sql for sql in made)
    assert inserted(database, "harmless") is True
    assert "refused by sessionproof" in inserted(database, "with poison in it")
    assert "refused by sessionproof" in inserted(database, b"\xff poison")
    with closing(sqlite3.connect(database)) as db, pytest.raises(sqlite3.IntegrityError):
        db.execute("UPDATE messages SET body = 'poison'")
    outsider.mend(database)
    assert inserted(database, "poison") is True


def test_nothing_is_poisoned_where_the_token_is_not(outsider, database):
    """A table is known by a message that lies in it."""
    assert outsider.poison(database, token="elsewhere", text="poison", manner="ABORT") == []


def test_a_lock_is_held_until_it_is_released(outsider, database):
    """Whoever writes meanwhile meets it; afterwards it is gone."""
    assert outsider.hold([database], "write", for_s=60) == 1
    assert "locked" in inserted(database, "x")
    assert outsider.release()
    assert inserted(database, "x") is True
    assert not outsider.release()


def test_a_lock_ends_by_itself(outsider, database):
    """Also when nobody asks for it; then its end is told."""
    assert outsider.hold([database], "read", for_s=0.01) == 1
    with closing(sqlite3.connect(database, timeout=20)) as db, db:
        db.execute("INSERT INTO messages VALUES ('s', 'x')")
    assert not outsider.release()


def test_a_file_that_is_kept_locked_cannot_be_meddled_with(outsider, database):
    """It is said, and nothing is held."""
    with closing(sqlite3.connect(database, isolation_level=None)) as db:
        db.execute("BEGIN EXCLUSIVE")
        assert outsider.hold([database], "write", for_s=1) == 0
        with pytest.raises(CannotMeddle, match="locked"):
            outsider.poison(database, token="the token", text="poison", manner="ABORT")


@pytest.mark.parametrize("store", [ReferenceStore, SqliteStore, DoesNotWait, JsonFiles])
def test_a_store_that_raises_is_spared(trial_of, store):
    """Whatever was met: raised and not kept, or waited for and kept."""
    trial = trial_of("CORE-16", store, profile=SMOKE)
    limit = resource.getrlimit(resource.RLIMIT_FSIZE)
    faults.kept_or_refused(trial)
    assert trial.examined["faults"] >= trial.guarantee.least
    assert "full disk" in trial.notes[-1]
    assert resource.getrlimit(resource.RLIMIT_FSIZE) == limit


def test_a_store_that_keeps_its_file_locked_meets_a_full_disk_alone(trial_of):
    """Nobody else can lock its file or break its tables."""
    trial = trial_of("CORE-16", KeepsItsLock, profile=SMOKE)
    faults.kept_or_refused(trial)
    assert trial.examined["faults"] == 2
    assert "lock," not in trial.notes[-1]


def test_a_store_in_memory_cannot_be_disturbed(trial_of):
    """Then nothing is claimed of it."""
    with pytest.raises(NotClaimed, match="nothing of the store's could be made to fail"):
        faults.kept_or_refused(trial_of("CORE-16"))


def test_an_append_that_meets_nothing_is_no_evidence(trial_of):
    """A store that writes its file later, and keeps its messages in memory, shows nothing."""

    def close(self):
        self.location.path("chat.json").write_text("kept")

    def opened(self, location):
        MemoryStore.__init__(self, location)
        self.location = location

    trial = trial_of("CORE-16", __init__=opened, close=close)
    with pytest.raises(NotClaimed):
        faults.kept_or_refused(trial)
    assert trial.examined["faults"] == 0


@pytest.mark.parametrize(
    ("store", "anomaly", "words"),
    [
        (GivesUpOnLocks, Anomaly.LOST_MESSAGE, "another process held the write lock"),
        (LeavesTheTransactionOpen, Anomaly.ABORTED_READ, "another process was reading"),
        (DoesNotRecover, Anomaly.UNEXPECTED_REFUSAL, "the database refused the row"),
    ],
)
def test_a_finding_tells_the_fault(trial_of, store, anomaly, words):
    """What was met, how the append ended, what was seen then, and lines that show it."""
    with pytest.raises(Broken) as caught:
        faults.kept_or_refused(trial_of("CORE-16", store, profile=SMOKE))
    finding = caught.value.finding
    assert finding.anomaly is anomaly
    assert words in finding.did
    assert any("sqlite3.connect" in line for line in finding.script)
