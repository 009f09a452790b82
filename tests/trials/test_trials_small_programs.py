"""Small programs of a few clients: what is found, shrunk and told; what is not counted."""

import itertools
import threading
import time
from dataclasses import replace
from typing import ClassVar

import pytest

from sessionproof.contract.anomalies import Anomaly
from sessionproof.contract.claims import Claims
from sessionproof.contract.message import Receipt
from sessionproof.trials.narrowing import Failing
from sessionproof.trials.rounds import Rounds
from sessionproof.trials.rows_together import broken_together
from sessionproof.trials.run_tables import NAMED
from sessionproof.trials.single import Broken, CouldNotTell, NotClaimed
from sessionproof.trials.small_programs import RUNS, explored, retold
from sessionproof.workload.crews import crew
from sessionproof.workload.profiles import Profile

QUICK = Profile(name="quick", share_s=0.1, shrink_s=0.6, patience_s=8.0)
CLAIMS = Claims(handles="threads", consistency="linearizable", seq_start=1, atomic_batches=True)
UNTIL_FOUND_S = 120.0  # it ends with the first that fails


class Right:
    """Sessions in memory, shared by all handles of a location, under one lock."""

    claims = CLAIMS
    places: ClassVar = {}

    def __init__(self, location):
        self.sessions, self.lock = self.places.setdefault(
            str(location.root), ({}, threading.RLock())
        )

    def append(self, session_id, messages):
        with self.lock:
            here = self.sessions.setdefault(session_id, [])
            here.extend(messages)
            return Receipt(seqs=[len(here) - len(messages) + k + 1 for k in range(len(messages))])

    def read(self, session_id):
        with self.lock:
            return [*self.sessions.get(session_id, [])]

    def close(self):
        pass


class Rewrites(Right):
    """Each append makes the list anew, and others have their turn in between."""

    def append(self, session_id, messages):
        old = self.sessions.get(session_id, [])
        time.sleep(0.001)
        self.sessions[session_id] = [*old, *messages]
        return Receipt(seqs=[len(old) + k + 1 for k in range(len(messages))])


class Remembers(Right):
    """A handle answers what it has read before, until it appends itself."""

    def __init__(self, location):
        super().__init__(location)
        self.known = {}

    def append(self, session_id, messages):
        self.known.pop(session_id, None)
        return super().append(session_id, messages)

    def read(self, session_id):
        return self.known.setdefault(session_id, super().read(session_id))


class Eventual(Remembers):
    """The same, without a promise of what a read has."""

    claims = replace(CLAIMS, consistency="none")


class Alone(Right):
    claims = replace(CLAIMS, handles="one")


class ServesFew(Right):
    """Three of four calls fail, and nobody knows how."""

    calls = itertools.count()

    def append(self, session_id, messages):
        if next(self.calls) % 4:
            raise RuntimeError("the lock is of another loop")
        return super().append(session_id, messages)

    def read(self, session_id):
        if next(self.calls) % 4:
            raise RuntimeError("the lock is of another loop")
        return super().read(session_id)


class Waits(Right):
    """An append waits for another that has ended."""

    def append(self, session_id, messages):
        threading.Event().wait(20)


def found_in(trial):
    """The finding of a search that must end with one."""
    with pytest.raises(Broken) as raised:
        explored(trial, ["threads"], seconds=UNTIL_FOUND_S)
    return raised.value.finding


def test_a_lost_update_takes_two_appends(trial_of, tmp_path):
    """The finding has the smallest program, the table of a run, a window, a script, a history."""
    profile = replace(QUICK, shrink_s=20.0)  # it ends as soon as nothing smaller fails
    finding = found_in(trial_of("CONC-14", Rewrites, profile=profile))
    assert finding.anomaly is Anomaly.LOST_MESSAGE
    assert finding.program == (
        "c1: store.append('s0', ['c1·1'])",
        "c2: store.append('s0', ['c2·1'])",
    )
    head, *lines = finding.evidence[NAMED].splitlines()
    assert [cell.strip() for cell in head.split("|")] == [
        "client 1", "client 2", "when all was quiet",
    ]  # fmt: skip
    assert "1.1: append(c1·1)" in "\n".join(lines)
    assert "quiet.1: read() → c" in lines[-1]
    failed, _, tried = finding.repeats.partition(" of ")
    assert 0 < int(failed) <= int(tried)
    assert any(one.guilty for one in finding.window.intervals)
    assert (tmp_path / "histories" / "CONC-14-4.npz").exists()
    assert "def wrong(done, last):" in finding.script


def test_a_stale_read_is_found_where_it_is_promised_not_to_be(trial_of):
    """The reader had read before: in the program that is told it still does."""
    finding = found_in(trial_of("CONC-14", Remembers, profile=QUICK))
    assert finding.anomaly in {Anomaly.STALE_READ, Anomaly.NON_MONOTONIC}
    assert sum("read" in line for line in finding.program) >= 2


def test_what_is_not_promised_is_not_broken(trial_of):
    """The same store without a promise of consistency holds."""
    trial = trial_of("CONC-14", Eventual, profile=QUICK)
    assert explored(trial, ["threads"], seconds=1.0).programs > 0


def test_a_right_store_holds_and_only_runs_that_meet_count(trial_of):
    """Programs, runs, and those of them in which calls of two clients met."""
    for _ in range(20):  # on a busy machine none may meet in one of them
        trial = trial_of("CONC-14", Right, profile=QUICK)
        came = explored(trial, ["threads"], seconds=1.0)
        assert came.programs > 0
        assert came.runs == RUNS * came.programs
        assert came.together <= came.runs
        assert [one.clients for one in trial.measured] == ["3 threads"]
        if came.together:
            break
    assert came.together > 0


def test_who_promises_nothing_is_not_claimed(trial_of):
    """A store for one handle alone has no program for several clients."""
    with pytest.raises(NotClaimed, match="promises nothing"):
        explored(trial_of("CONC-14", Alone), ["threads"], seconds=1.0)


def test_who_serves_few_is_not_told_to_hold(trial_of):
    """Where most calls fail in ways that nobody knows, it could not be told."""
    with pytest.raises(CouldNotTell, match="failed: RuntimeError"):
        explored(trial_of("CONC-14", ServesFew), ["threads"], seconds=1.0)


def test_a_hang_is_a_finding(trial_of):
    """It ends at the deadline of a call."""
    assert found_in(trial_of("CONC-14", Waits, operation_s=1.0)).anomaly is Anomaly.HANG


def test_what_chance_found_is_told_by_a_small_program(trial_of):
    """A round of eight clients is replaced by one of two or three that fails again."""
    trial = trial_of("CONC-01", Rewrites, profile=replace(QUICK, shrink_s=20.0))
    rounds = Rounds(trial)
    with crew("threads", trial.store, clients=8) as one:
        for _ in range(100):
            played = rounds.play(one, "hot")
            incident = broken_together(played, (), CLAIMS)
            if incident is not None:
                break
        failing = Failing(played, incident, 1, 1)

        def lost(again):
            return broken_together(again, (), CLAIMS, incident.anomaly)

        finding = retold(trial, rounds, one, failing, lost, number=1)
    assert 2 <= len(finding.program) <= 3 * 4
    assert finding.window.history == "history/CONC-01-1.npz"
    assert "client 1" in finding.evidence[NAMED]
    assert "def wrong(done, last):" in finding.script
