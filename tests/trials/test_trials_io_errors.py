"""Operations whose system calls fail: what is tried, what breaks a row, and what does not."""

import errno
from contextlib import ExitStack, suppress

import pytest

from fixtures.benign.files import JsonFiles
from fixtures.mutants import io_errors as mutants
from sessionproof.contract.anomalies import Anomaly
from sessionproof.contract.errors import Refused
from sessionproof.contract.guarantees import GUARANTEES
from sessionproof.contract.location import Location
from sessionproof.contract.lookup import find_store
from sessionproof.contract.message import Message
from sessionproof.faults.failing import injection
from sessionproof.faults.failing.injection import why_not
from sessionproof.faults.failing.listening import Met, Rule, Seen
from sessionproof.faults.failing.syscalls import Sort
from sessionproof.oracle.memory import MemoryStore
from sessionproof.trials import io_errors
from sessionproof.trials.disturbed import Bench, deeds
from sessionproof.trials.single import Broken, CouldNotTell, NotClaimed, Trial
from sessionproof.workload.execute import StoreUnderTest
from sessionproof.workload.profiles import PROFILES
from tests.trials import failing_stores

can = pytest.mark.skipif(why_not() is not None, reason=why_not() or "")


@pytest.fixture
def trial(tmp_path):
    """Make the trial of a row against a store that other processes can import."""
    stores = []

    def make(row, factory, profile="smoke"):
        spec = find_store(f"{factory.__module__}:{factory.__qualname__}")
        deadlines = PROFILES[profile].deadlines
        stores.append(StoreUnderTest(spec, spec.claims, parent=tmp_path, deadlines=deadlines))
        return Trial(
            guarantee=GUARANTEES[row],
            store=stores[-1],
            capabilities=stores[-1].handle().capabilities,
            profile=PROFILES[profile],
            seed=1,
        )

    yield make
    for store in stores:
        store.close()


def broken(trial):
    """The finding of a trial that must be broken."""
    with pytest.raises(Broken) as raised:
        io_errors.survives(trial)
    return raised.value.finding


@can
@pytest.mark.parametrize("row", ["DUR-04", "CORE-16"])
def test_a_store_that_looks_at_every_error_holds(trial, row):
    """One file of lines: every call that fails is told, and the next append mends what it left."""
    made = trial(row, mutants.Lines)
    io_errors.survives(made)
    assert made.examined[GUARANTEES[row].unit] == PROFILES["smoke"].injected
    assert "fsync" in made.notes[-1]
    assert "write" in made.notes[-1]


@can
@pytest.mark.parametrize(
    ("row", "store", "anomaly"),
    [
        ("DUR-04", mutants.WritesInPlace, Anomaly.UNREADABLE),
        ("DUR-04", mutants.GivesUpForGood, Anomaly.STUCK),
        ("DUR-04", mutants.RemovesBeforeWriting, Anomaly.LOST_MESSAGE),
        ("DUR-04", mutants.Panics, Anomaly.CRASH),
        ("DUR-04", mutants.WritesLater, Anomaly.ABORTED_READ),
        ("CORE-16", mutants.IgnoresRename, Anomaly.SWALLOWED),
        ("CNT-04", mutants.CountsFirst, Anomaly.COUNTER_DRIFT),
    ],
)
def test_a_break_is_named_and_shown_by_a_script(trial, row, store, anomaly):
    """The finding fails on empty locations too, and carries lines that run."""
    finding = broken(trial(row, store))
    assert finding.anomaly is anomaly
    assert finding.repeats == "3 of 3"
    assert "injector.watch(" in "\n".join(finding.script)
    assert "FAILED" in finding.evidence["calls while the operation ran"]


@can
def test_the_script_reads_before_as_the_trial_did(trial, tmp_path):
    """What shows up late is no break for those who see it at once: a store may keep its answers."""
    finding = broken(trial("DUR-04", failing_stores.KeepsAnswers))
    assert finding.anomaly is Anomaly.ABORTED_READ
    known = {
        "location": Location(tmp_path), "directory": tmp_path, "Message": Message, "errno": errno,
        "STORE": "tests.trials.failing_stores:KeepsAnswers", "suppress": suppress,
    }  # fmt: skip
    with pytest.raises(AssertionError, match="disturbed"):
        exec("\n".join(finding.script), known)
    with suppress(Refused):  # its process has ended with the script; its pipes are still open
        known["store"].close()


@can
@pytest.mark.parametrize(
    ("store", "anomaly"),
    [(failing_stores.OpensToRead, None), (failing_stores.OpensToReadForGood, Anomaly.STUCK)],
)
def test_a_first_handle_may_refuse_where_the_next_one_helps(trial, tmp_path, store, anomaly):
    """As after any other failure, though its opening returned normally."""
    made = trial("DUR-04", store)
    (deed,) = [one for one in deeds(made) if one.empty]
    with ExitStack() as stack:
        injector = stack.enter_context(injection.Injector(made.store.spec))
        bench = Bench(made, injector, tmp_path)
        stack.callback(bench.close)
        told = bench.tried(deed, Rule(sorts={Sort.MAKE}, nth=1, error=errno.EIO), looks=())
    wrong = io_errors.ROWS["DUR-04"].wrong(made, told)
    assert told.stuck
    assert (wrong and wrong.fault.anomaly) is anomaly


@can
@pytest.mark.parametrize("store", [mutants.SyncsAgain, mutants.IgnoresSync])
def test_what_a_failed_sync_left_is_lost_with_the_power(trial, store):
    """A later success of the sync does not bring it to the disk."""
    finding = broken(trial("DUR-04", store))
    assert finding.anomaly is Anomaly.SWALLOWED
    assert "the power failed" in finding.did
    assert "without_lost(" in "\n".join(finding.script)


@can
def test_a_sync_is_not_held_against_who_claims_nothing_of_power(trial):
    """The data are in the page cache, which a kill of the process leaves."""
    made = trial("DUR-04", mutants.IgnoresSync)
    made.store.claims = made.store.claims.__class__(keeps={"role"}, durability="process")
    io_errors.survives(made)


@can
def test_a_store_without_files_is_not_claimed(trial):
    """There is nothing that could fail."""
    with pytest.raises(NotClaimed, match="no file below its location"):
        io_errors.survives(trial("DUR-04", MemoryStore))


def test_without_a_listener_the_full_disk_is_tried_in_this_process(trial, monkeypatch):
    """And the note says why nothing else was."""

    def refuse(*_arguments, **_options):
        raise injection.CannotInject("not here: use another machine")

    monkeypatch.setattr(injection, "_started", refuse)
    made = trial("DUR-04", JsonFiles)
    io_errors.survives(made)
    assert made.examined["faults"] >= 5
    assert "only a full disk was tried: not here: use another machine" in made.notes
    finding = broken(trial("DUR-04", mutants.RemovesBeforeWriting))
    assert finding.anomaly is Anomaly.LOST_MESSAGE


def test_a_command_without_a_listener_could_not_be_told(trial, monkeypatch):
    """Its process cannot be given a full disk."""
    made = trial("DUR-04", MemoryStore)
    monkeypatch.setattr(injection, "why_not", lambda: "not here")
    made.store.spec = find_store("cmd:true")
    with pytest.raises(CouldNotTell, match="not here"):
        io_errors.survives(made)


def test_each_manner_of_failure_comes_early(trial):
    """A full disk, then each sort of call once, then errors that stay."""
    met = Met([Seen("openat", Sort.MAKE, "a"), *[Seen("write", Sort.WRITE, "a")] * 3,
               Seen("fsync", Sort.SYNC, "a"), Seen("rename", Sort.RENAME, "a")])  # fmt: skip
    bench = type("Bench", (), {"seen": lambda _self, _deed: met})()
    made = trial("DUR-04", MemoryStore)
    fitting = deeds(made)
    points = io_errors._points(made, bench, fitting)
    full, once, stays = (errno.ENOSPC, True), (errno.EIO, False), (errno.EIO, True)
    first = [(point.rule.error, point.rule.stays) for point in points[:7]]
    assert first == [full, once, full, *[once] * 3, stays]
    assert points[0].rule.nth > 1  # at a write
    assert points[1].rule.sorts == {Sort.SYNC}
    assert {point.deed.words for point in points[:7]} == {fitting[0].words}
    assert len(points) == len(fitting) * (4 + 6 + 6)
    words = {point.words for point in points}
    assert {"the disk was full", "its sync number 1 failed with EIO"} <= words
