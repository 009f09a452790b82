"""Memory: what the trials spare, what they say in doubt, and what they see of another process."""

import os
import re
from dataclasses import replace
from pathlib import Path

import pytest

from sessionproof.bench.memory import Pace, resident
from sessionproof.contract.anomalies import Anomaly
from sessionproof.contract.claims import Claims
from sessionproof.contract.message import Page
from sessionproof.host.client import open_hosted
from sessionproof.oracle.memory import MemoryStore
from sessionproof.trials import leaks, memory
from sessionproof.trials.single import Broken, CouldNotTell, NotClaimed
from sessionproof.workload.profiles import Profile

BRIEF = Profile(name="brief", share_s=0.02, shrink_s=0.5, messages=(100, 300, 3_000))
IMPATIENT = replace(BRIEF, patience=1.0, patience_s=0.3)


class Nothing:
    """A store that does nothing and keeps nothing."""

    claims = Claims()

    def __init__(self, _location):
        pass

    def append(self, session_id, messages):
        """Nothing."""

    def read(self, session_id):
        """Nothing."""
        return ()

    def page(self, session_id, *, cursor=None, limit=50):
        """An empty page, and always another one."""
        return Page((), (cursor or 0) + 1)

    def count(self, session_id):
        """Nothing."""
        return 0

    def clear(self, session_id):
        """Nothing."""

    def close(self):
        """Nothing."""


def finding_of(test, trial):
    """The finding of a test that must be broken."""
    with pytest.raises(Broken) as caught:
        test(trial)
    return caught.value.finding


def test_a_store_that_keeps_nothing_is_level(trial_of):
    """The trial's own work leaves no more behind than it says it could see."""
    trial = trial_of("SCALE-03", Nothing, profile=BRIEF)
    memory.while_repeating(trial)
    measured = {one.what: one for one in trial.measured}
    assert {"read", "count", "page", "append and clear", "open and close"} <= measured.keys()
    assert all(one.per_call == 0 for one in trial.measured), trial.measured
    assert trial.examined["calls"] >= 100


def test_pages_without_an_end_are_level(trial_of):
    """Paging is measured by pages, whether it comes to an end or not."""
    trial = trial_of("SCALE-03", Nothing, profile=BRIEF)
    memory.while_paging(trial)
    assert trial.measured[0].what == "page after page"


def test_without_pages_there_is_no_claim(trial_of):
    """A store that cannot page promises nothing of it."""
    with pytest.raises(NotClaimed, match="no page"):
        memory.while_paging(trial_of("SCALE-03", page=None, profile=BRIEF))


@pytest.mark.night
def test_what_cannot_be_taken_back_is_not_repeated(trial_of):
    """Appends to a store that only appends are data, and no leak."""
    bare = dict.fromkeys(
        ("pop_last", "clear", "delete", "replace", "set_state", "create", "delete_message")
    )
    trial = trial_of("SCALE-03", profile=BRIEF, **bare)
    memory.while_repeating(trial)
    assert not any("append" in one.what for one in trial.measured)


@pytest.mark.night
def test_a_rise_without_time_to_judge_it_is_left_open(trial_of):
    """A slow store whose memory rises may still be filling a cache."""

    class Rises(MemoryStore):
        kept = ()

        def count(self, session_id):
            self.kept = (self.kept, bytes(5_000))
            return super().count(session_id)

    with pytest.raises(CouldNotTell, match="a cache that is not full yet"):
        memory.while_repeating(trial_of("SCALE-03", Rises, profile=IMPATIENT))


@pytest.mark.night
def test_a_leak_is_told_as_far_as_it_was_seen(trial_of):
    """A cache larger than the horizon looks the same: the horizon is said, and nothing beyond."""

    class Keeps(MemoryStore):
        kept = ()

        def count(self, session_id):
            self.kept = (self.kept, bytes(5_000))
            return super().count(session_id)

    trial = trial_of("SCALE-03", Keeps, profile=BRIEF)
    finding = finding_of(memory.while_repeating, trial)
    assert finding.expected == "Python's memory: levels off within 1,200 calls"
    assert re.search(r"after [\d,]+ calls still 5,[01]\d\d bytes more with each", finding.seen)
    notes = {one.note for one in trial.measured if one.per_call > 0}
    assert "Python's memory: not level within 1,200 calls" in notes
    assert {one.note for one in trial.measured if one.what == "read"} == {"Python's memory"}


def test_a_call_that_fails_after_a_while_is_a_finding(trial_of):
    """What works a hundred times must work a thousand times."""

    class Tires(MemoryStore):
        calls = 0

        def count(self, session_id):
            self.calls += 1
            if self.calls > 100:
                raise OSError("too many open files")
            return super().count(session_id)

    finding = finding_of(memory.while_repeating, trial_of("SCALE-03", Tires, profile=BRIEF))
    assert finding.anomaly == Anomaly.UNEXPECTED_REFUSAL
    assert "too many open files" in finding.seen
    assert any("store.count(s0)" in line for line in finding.script)


@pytest.mark.skipif(not Path("/proc/self/statm").exists(), reason="the system has no /proc")
def test_a_script_reads_what_the_harness_read(monkeypatch):
    """Pages are larger on some machines."""
    monkeypatch.setattr(os, "sysconf", lambda _: 65_536)
    read = eval(leaks._READ["resident memory"])
    assert read == pytest.approx(resident([os.getpid()]), rel=0.1)


@pytest.mark.night
def test_another_process_is_seen_to_grow(trial_of, monkeypatch):
    """The memory of a store behind a pipe is that of its process."""
    monkeypatch.setattr(memory, "_BRIEF", Pace(group=48, horizon=100, seconds=30.0))

    def hosted(location):
        return open_hosted("tests.trials.test_trials_memory:KeepsMuch", location)

    trial = trial_of("SCALE-03", hosted, claims=MemoryStore.claims, profile=BRIEF)
    finding = finding_of(memory.while_repeating, trial)
    assert finding.anomaly == Anomaly.MEMORY
    assert "resident memory" in finding.seen
    assert "no script" in finding.reproducer.said


class KeepsMuch:
    """Keeps 64 KB for each count."""

    claims = MemoryStore.claims

    def __init__(self, location):
        self.store = MemoryStore(location)
        self.kept = []

    def append(self, session_id, messages):
        """Append."""
        return self.store.append(session_id, messages)

    def read(self, session_id):
        """Read."""
        return self.store.read(session_id)

    def count(self, session_id):
        """Count, and keep."""
        self.kept.append(b"x" * 65_536 + str(len(self.kept)).encode())
        return self.store.count(session_id)

    def close(self):
        """Nothing."""


def test_a_page_of_a_long_session_costs_what_it_costs_in_a_short_one(trial_of):
    """Copying all to answer few is told by the peaks of both."""

    def page(self, session_id, *, cursor=None, limit=50):
        _everything = "x" * 1_000 * self.count(session_id)
        return MemoryStore.page(self, session_id, cursor=cursor, limit=limit)

    finding = finding_of(memory.while_paging, trial_of("SCALE-03", page=page, profile=BRIEF))
    assert finding.anomaly == Anomaly.MEMORY
    assert "3,000" in finding.did
    assert any("tracemalloc" in line for line in finding.script)
