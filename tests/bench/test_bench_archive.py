"""The archive of benchmark runs: nothing is lost, changed, doubled, or taken for sound."""

import os
import sqlite3
import subprocess
import sys
import zlib
from contextlib import closing
from dataclasses import replace
from pathlib import Path

import pytest
from archived_runs import MACHINE, RUNS, counted, day, night, speed
from hypothesis import given, settings
from hypothesis import strategies as st

from sessionproof.bench.tracking.archive import Archive, ArchiveRefused, _make
from sessionproof.bench.tracking.archived import changed_facts, from_line, to_line

ADDS = """
import sys
from pathlib import Path
sys.path.insert(0, sys.argv[1])
from archived_runs import night
from sessionproof.bench.tracking.archive import Archive

for number in range(int(sys.argv[3]), int(sys.argv[3]) + 20):
    with Archive.opened(Path(sys.argv[2])) as archive:
        archive.add([night(number)])
"""


def added(path, *runs):
    """How many of the runs are new in the archive."""
    with Archive.opened(path) as archive:
        return archive.add(runs)


def text(path):
    """All that an archive holds, as its export."""
    with Archive.opened(path, create=False) as archive:
        return [to_line(run) for run in archive.runs()]


@given(RUNS)
def test_a_line_gives_the_run_back(run):
    """What is written is ASCII on one line, and reading it gives an equal run with the same id."""
    line = to_line(run)
    assert line.isascii()
    assert line.isprintable()
    assert from_line(line) == run
    assert from_line(line.encode()).id == run.id
    assert to_line(from_line(line)) == line


@settings(max_examples=30)
@given(st.lists(RUNS, max_size=4))
def test_an_archive_gives_its_runs_back(tmp_path_factory, runs):
    """Export, import into another archive, export: the same text; and again adds nothing."""
    folder = tmp_path_factory.mktemp("archives")
    number = len({run.id for run in runs})
    assert added(folder / "a", *runs) == number
    lines = text(folder / "a")
    assert sorted(lines) == sorted({to_line(run) for run in runs})
    assert added(folder / "b", *map(from_line, lines)) == number
    assert text(folder / "b") == lines
    assert added(folder / "a", *map(from_line, lines)) == 0
    assert text(folder / "a") == lines


@settings(max_examples=20)
@given(st.lists(RUNS, max_size=3), st.lists(RUNS, max_size=3), st.lists(RUNS, max_size=1))
def test_merging_has_no_order(tmp_path_factory, left, right, both):
    """Left with right is right with left, by content, however often each is merged."""
    folder = tmp_path_factory.mktemp("archives")
    for first, second, name in ((left, right, "a"), (right, left, "b")):
        for runs in (first, both, second, both, first):
            added(folder / name, *runs)
    assert text(folder / "a") == text(folder / "b")


@pytest.mark.parametrize("change", ["40000", "one client", "Made CPU", "change 3"])
def test_a_changed_line_is_refused(change):
    """A digit or a letter that is another, anywhere in a line, does not fit the id."""
    line = to_line(night(3))
    assert change in line
    with pytest.raises(ValueError, match="its id does not fit"):
        from_line(line.replace(change, change[:-1] + "7"))


@pytest.mark.parametrize(
    ("line", "said"),
    [
        ("", "not JSON"),
        ("[]", "not a benchmark run: it has no field schema"),
        ('{"schema": 2}', "it has schema 2, and this sessionproof reads 1"),
        ('{"schema": true}', "it has schema true"),
        ('{"schema": 1}', "store is missing"),
        (to_line(night(1))[:-40], "not JSON"),
        (to_line(night(1)).replace('"seed":1', '"seed":"1"'), "seed must be a number"),
        (to_line(night(1)).replace('"ratio":{', '"ratio":{"x":NaN,'), "NaN is not JSON"),
        ("[" * 100_000, "nested too deeply"),
    ],
)
def test_what_is_no_run_is_named(line, said):
    """A line that is no run says in one line what is wrong with it."""
    with pytest.raises(ValueError, match=said) as told:
        from_line(line)
    assert "\n" not in str(told.value)


def test_a_time_that_cannot_be_ordered_is_refused(tmp_path):
    """Runs are ordered by the texts of their times, so all have one form."""
    with pytest.raises(ValueError, match="no UTC time"):
        added(tmp_path / "a", replace(night(1), started_at="1 January"))
    assert text(tmp_path / "a") == []


def test_the_last_runs_of_a_line(tmp_path):
    """They come oldest first, all before the given run, and of no other machine, profile, store."""
    others = [
        night(30, machine={**MACHINE, "cpu": "Another"}),
        replace(night(31), profile="smoke"),
        night(32, store="other:Store"),
    ]
    added(tmp_path / "a", *others, *(night(number) for number in reversed(range(20))))
    run = night(18)
    with Archive.opened(tmp_path / "a", create=False) as archive:
        found = archive.last(run.line, before=run.when, number=15)
        assert [one.seed for one in found] == list(range(3, 18))
        assert found[0].speeds[0].ratio == speed().ratio
        assert archive.latest("shop:Store", before=run.when).seed == 17
        assert archive.latest("nobody:Store", before=run.when) is None
        assert [one.seed for one in archive.runs(store="other:Store")] == [32]
        assert archive.count() == 23


def test_a_new_kind_of_machine_begins_a_line():
    """CPU, profile, kind of Python, SQLite count; load and Python's last number do not."""
    old = night(1)
    same = replace(old, machine={**MACHINE, "load": "3.1", "python": "CPython 3.11.9"})
    assert same.line == old.line
    assert changed_facts(old, same) == ()
    other = replace(
        old, profile="smoke",
        machine={
            **MACHINE, "cpu": "New", "python": "PyPy 3.11.2", "sqlite": "3.45.0 (serialized)",
        },
    )  # fmt: skip
    assert other.line != old.line
    assert changed_facts(old, other) == (
        "profile was gate, and is smoke",
        "cpu was Made CPU, and is New",
        "python was CPython 3.11, and is PyPy 3.11",
        "sqlite was 3.40.1, and is 3.45.0",
    )


def test_runs_are_ordered_by_their_commits(tmp_path):
    """An old commit that is measured late stands where it was made; without one, its own time."""
    late = replace(night(3), started_at=day(50))
    bare = replace(night(4), commit=None, started_at=day(2, hour=5))
    added(tmp_path / "a", night(5), late, bare, night(1))
    with Archive.opened(tmp_path / "a", create=False) as archive:
        assert [run.seed for run in archive.runs(samples=False)] == [1, 4, 3, 5]


def test_what_fails_on_the_way_adds_nothing(tmp_path):
    """Runs of one call are added together or not at all."""

    def breaks():
        yield night(2)
        raise RuntimeError

    added(tmp_path / "a", night(1))
    before = text(tmp_path / "a")
    with pytest.raises(RuntimeError):
        added(tmp_path / "a", *[], *breaks())
    with Archive.opened(tmp_path / "a") as archive, pytest.raises(RuntimeError):
        archive.add(breaks())
    assert text(tmp_path / "a") == before


def test_writers_at_once_lose_nothing(tmp_path):
    """Three processes make one archive and add to it together: all runs are there."""
    here = str(Path(__file__).parent)
    processes = [
        subprocess.Popen([sys.executable, "-c", ADDS, here, tmp_path / "a", str(first)])
        for first in (0, 20, 30)
    ]
    assert [process.wait(timeout=120) for process in processes] == [0, 0, 0]
    with Archive.opened(tmp_path / "a", create=False) as archive:
        assert [run.seed for run in archive.runs()] == list(range(50))


def test_whoever_makes_it_second_finds_it_made(tmp_path):
    """Another process may make the archive after one has looked: its tables and runs stay."""
    path = tmp_path / "a"

    class Late(sqlite3.Connection):
        def execute(self, sql, *more):
            if sql == "BEGIN IMMEDIATE" and not path.stat().st_size:
                assert added(path, night(1)) == 1
            return super().execute(sql, *more)

    with closing(sqlite3.connect(path, isolation_level=None, factory=Late)) as connection:
        _make(connection)
        assert not connection.in_transaction
    assert text(path) == [to_line(night(1))]


def test_a_measurement_is_known_by_its_start_and_its_seed(tmp_path):
    """A bare run of a report is kept already when its measurement is, with its causes or without.

    What has causes or commits of its own says more than a measurement, and is never taken for it.
    """
    whole = replace(night(1, causes=(counted(),)), between=(night(0).commit,))
    added(tmp_path / "a", whole)
    bare = replace(night(1), commit=None)
    with Archive.opened(tmp_path / "a", create=False) as archive:
        assert archive.holds_measurement(bare)
        assert not archive.holds_measurement(replace(bare, seed=2))
        assert not archive.holds_measurement(replace(bare, started_at=day(9)))
        assert not archive.holds_measurement(replace(bare, store="other:Store"))
        assert not archive.holds_measurement(replace(bare, causes=(counted(),)))
        assert not archive.holds_measurement(replace(bare, between=(night(0).commit,)))


def damaged(path, sql):
    with sqlite3.connect(path) as connection:
        connection.execute(sql)
    connection.close()


@pytest.mark.parametrize(
    ("sql", "said"),
    [
        ("UPDATE run SET said = replace(said, 'Made', 'Mode')", "does not fit its id"),
        ("UPDATE run SET said = '[]'", "is damaged: it must be an object|is damaged"),
        ("UPDATE speed SET samples = x'00'", "is damaged"),
        ("UPDATE speed SET samples = substr(samples, 1, 20)", "is damaged: its samples are cut"),
        ("DELETE FROM speed", "does not fit its id"),
        ("CREATE TRIGGER t AFTER INSERT ON run BEGIN DELETE FROM run; END", "other tables"),
        ("CREATE TABLE more (a)", "other tables than an archive: drop 'more', which is not ours"),
        ("DROP TABLE speed", "other tables than an archive: restore it"),
        ("ALTER TABLE run ADD COLUMN more TEXT", "other tables than an archive: restore it"),
        ("PRAGMA user_version = 2", "was written by a newer sessionproof: it has schema 2"),
        ("PRAGMA application_id = 7", "is no archive of benchmark runs"),
    ],
)
def test_what_was_changed_behind_our_back_is_refused(tmp_path, sql, said):
    """A run that does not fit its id, and tables that are not ours, are told in one line."""
    added(tmp_path / "a", night(1))
    damaged(tmp_path / "a", sql)
    with pytest.raises(ArchiveRefused, match=said) as told:
        text(tmp_path / "a")
    assert "\n" not in str(told.value)


def test_what_is_dropped_as_told_is_an_archive_again(tmp_path):
    """The statistics that ANALYZE leaves are refused with a remedy, and the remedy helps."""
    added(tmp_path / "a", night(1))
    before = text(tmp_path / "a")
    damaged(tmp_path / "a", "ANALYZE")
    with pytest.raises(ArchiveRefused, match="drop 'sqlite_stat1'"):
        text(tmp_path / "a")
    damaged(tmp_path / "a", "DROP TABLE sqlite_stat1")
    assert text(tmp_path / "a") == before


_KILLED = """
import os, signal, sqlite3, sys
connection = sqlite3.connect(sys.argv[1], isolation_level=None)
connection.execute("PRAGMA cache_size = 1")
connection.execute("BEGIN IMMEDIATE")
connection.execute("DELETE FROM speed")
connection.execute("UPDATE run SET said = replace(said, 'Made', 'Mode')")
os.kill(os.getpid(), signal.SIGKILL)
"""


def test_what_a_killed_writer_left_is_taken_back_by_a_reader(tmp_path):
    """An archive whose writer was killed halfway can be read at once, and is as it was before."""
    added(tmp_path / "a", *map(night, range(60)))
    before = text(tmp_path / "a")
    subprocess.run([sys.executable, "-c", _KILLED, tmp_path / "a"], check=False)
    assert (tmp_path / "a-journal").exists(), "the writer was killed before it had written"
    assert text(tmp_path / "a") == before


def test_one_that_reads_cannot_write(tmp_path):
    """An archive that was opened to be read takes no run."""
    added(tmp_path / "a", night(1))
    with (
        pytest.raises(ArchiveRefused, match="readonly"),
        Archive.opened(tmp_path / "a", create=False) as archive,
    ):
        archive.add([night(2)])


def test_the_damaged_one_of_two_archives_is_named(tmp_path):
    """Where runs of one archive go into another, the one that cannot be read is told."""
    added(tmp_path / "a", night(1))
    added(tmp_path / "b", *map(night, range(60)))
    whole = (tmp_path / "b").read_bytes()
    (tmp_path / "b").write_bytes(whole[:12_288] + b"\xff" * (len(whole) - 12_288))
    with (
        Archive.opened(tmp_path / "b", create=False) as other,
        pytest.raises(ArchiveRefused, match="/b cannot be used: database disk image"),
        Archive.opened(tmp_path / "a") as archive,
    ):
        archive.add(other.runs())


def test_samples_without_end_are_refused(tmp_path):
    """A few bytes that inflate to gigabytes do not fill the memory."""
    added(tmp_path / "a", night(1))
    bomb = zlib.compress(b"0" * 70_000_000)
    with sqlite3.connect(tmp_path / "a") as connection:
        connection.execute("UPDATE speed SET samples = ?", (bomb,))
    connection.close()
    with pytest.raises(ArchiveRefused, match="cut, or too many"):
        text(tmp_path / "a")


@pytest.mark.parametrize("share", [0.3, 0.6, 0.95])
def test_a_cut_file_is_refused(tmp_path, share):
    """An archive that ends too early is neither read nor added to."""
    added(tmp_path / "a", *map(night, range(60)))
    whole = (tmp_path / "a").read_bytes()
    cut = whole[: int(len(whole) * share)]
    (tmp_path / "a").write_bytes(cut)
    for action in (lambda: text(tmp_path / "a"), lambda: added(tmp_path / "a", night(99))):
        with pytest.raises(ArchiveRefused, match="cannot be used: database disk image is malfor"):
            action()
    assert (tmp_path / "a").read_bytes() == cut


@pytest.mark.parametrize("content", [b"SQLite format 3\x00", b"text\n" * 100, b"x"])
def test_another_file_stays_as_it_is(tmp_path, content):
    """What is no archive is refused by its first bytes, and not a byte of it changes."""
    path = tmp_path / "notes.txt"
    path.write_bytes(content)
    with pytest.raises(ArchiveRefused, match=r"notes\.txt is no archive of benchmark runs"):
        added(path, night(1))
    assert path.read_bytes() == content


def test_another_database_stays_as_it_is(tmp_path):
    """A database of somebody else's gets no tables of ours."""
    path = tmp_path / "chat.db"
    damaged(path, "CREATE TABLE chat (id)")
    content = path.read_bytes()
    with pytest.raises(ArchiveRefused, match="is no archive"):
        added(path, night(1))
    assert path.read_bytes() == content


def test_places_that_cannot_hold_an_archive_are_named(tmp_path):
    """A folder, a missing folder, a missing file that is to be read: one line each."""
    with pytest.raises(ArchiveRefused, match="cannot be read: Is a directory"):
        added(tmp_path, night(1))
    with pytest.raises(ArchiveRefused, match="its folder does not exist"):
        added(tmp_path / "no" / "a", night(1))
    with pytest.raises(ArchiveRefused, match="bench run --archive makes one"):
        text(tmp_path / "missing")
    os.mkfifo(tmp_path / "pipe")
    with pytest.raises(ArchiveRefused, match="is a pipe, and no archive"):
        text(tmp_path / "pipe")
    assert [path.name for path in tmp_path.iterdir()] == ["pipe"]


def test_an_empty_file_becomes_an_archive(tmp_path):
    """What mktemp or touch made can be used."""
    (tmp_path / "a").touch()
    assert added(tmp_path / "a", night(1, causes=(counted(),))) == 1
    with Archive.opened(tmp_path / "a", create=False) as archive:
        assert [run.causes for run in archive.runs()] == [(counted(),)]


def test_the_columns_say_what_the_runs_say(tmp_path):
    """SQL on an archive finds runs by store, version, commit and line, and ratios by operation."""
    run = night(3, 1.25)
    added(tmp_path / "a", run)
    connection = sqlite3.connect(tmp_path / "a")
    (row,) = connection.execute(
        "SELECT run.id, line, store, version, commit_id, ordered_at, profile, operation, clients, "
        "ratio, p50_us FROM run JOIN speed ON speed.run = run.id"
    )
    connection.close()
    assert row == (
        run.id, run.line, "shop:Store", "1.2", f"{3:040x}", day(3), "gate", "append", "one client",
        1.25, 40.0,
    )  # fmt: skip
