"""Many clients at once: every call ends, each has its turn, nobody is refused."""

import re
import threading
from collections import deque
from dataclasses import replace

import numpy as np
import pytest

from fixtures.benign.together import Optimistic, WriteAhead
from fixtures.mutants.pressure import (
    BecomesAWriter,
    GivesWay,
    KeepsItsLockAfterAnError,
    OpposingLocks,
    TakesThree,
)
from sessionproof.contract.anomalies import Anomaly
from sessionproof.history.columns import NEVER, ROW, F, History, Phase, Type
from sessionproof.reference import ReferenceStore
from sessionproof.trials import crowds, fairness, pressure, refusals
from sessionproof.trials.single import Broken, CouldNotTell, NotClaimed
from sessionproof.workload.crews import Worked
from sessionproof.workload.profiles import Deadlines

THREADS = replace(WriteAhead.claims, handles="threads", writers=8)


def rows_of(*calls):
    """Rows of appends: client, beginning, end (None for no answer), type."""
    rows = np.zeros(len(calls), ROW)
    for row, (client, inv, ret, *ended) in zip(rows, calls, strict=True):
        row["client"], row["inv"], row["f"] = client, inv, F.APPEND
        row["ret"] = NEVER if ret is None else ret
        row["type"] = ended[0] if ended else Type.INFO if ret is None else Type.OK
    return rows


def test_operations_beside_others_are_told():
    """One that ran while another client was in a call is; one in a gap is not."""
    rows = rows_of((0, 0, 10), (1, 5, 20), (0, 25, 30), (1, 35, None), (0, 40, 50))
    assert crowds.beside(rows).tolist() == [True, True, False, True, True]


def test_who_prepares_sessions_is_not_at_work():
    """Also where it goes on under a number of its own, as making a session failed."""
    rows = rows_of((2, 0, None), (5, 1, 2), (0, 3, 4), (2, 5, 6))
    rows["phase"] = Phase.RAMP, Phase.RAMP, Phase.LOAD, Phase.FINAL
    assert crowds.working(History(rows))["client"].tolist() == [0]


def with_evidence(trial_of, row, judge):
    """A trial of a correct store by this row that has the least evidence, if one of ten has."""
    for _ in range(10):  # a busy machine may let the clients miss each other
        trial = trial_of(row, WriteAhead, claims=THREADS)
        judge(trial)
        if trial.examined[trial.guarantee.unit] >= trial.guarantee.least:
            break
    return trial


def test_calls_of_a_correct_store_end(trial_of):
    """Rounds of all operations: counted where others were at work, and noted by client."""
    trial = with_evidence(trial_of, "CONC-08", pressure.every_operation_ends)
    assert trial.examined["operations"] >= trial.guarantee.least
    assert any("operations each" in note for note in trial.notes)


def test_processes_are_not_asked_of_a_store_for_threads(trial_of):
    """Its claims end at threads."""
    with pytest.raises(NotClaimed):
        pressure.every_operation_ends_across(trial_of("CONC-08", WriteAhead, claims=THREADS))


@pytest.mark.parametrize("store", [OpposingLocks, KeepsItsLockAfterAnError])
def test_a_hang_is_told_with_who_waits_for_what(trial_of, store):
    """The stacks of all clients that wait are evidence, and a script waits as they do."""
    claims = replace(ReferenceStore.claims, handles="threads")
    with pytest.raises(Broken) as caught:  # noqa: PT012
        for _ in range(30):  # a busy machine may let the clients miss each other
            trial = trial_of("CONC-08", store, claims=claims, operation_s=1.0)
            pressure.every_operation_ends(trial)
    finding = caught.value.finding
    assert finding.anomaly is Anomaly.HANG
    stacks = [text for name, text in finding.evidence.items() if name.startswith("stack")]
    assert stacks
    assert any(store.__module__.rpartition(".")[2] in text for text in stacks)
    assert any("dump_traceback_later" in line for line in finding.script)


def test_who_completes_nothing_while_another_does_a_thousand_starves():
    """For a second at least; who waits shorter, or completes something, does not."""
    second = 1_000_000_000
    busy = [(0, at * second // 1000, at * second // 1000 + 10) for at in range(3000)]
    waits = [(1, 5, 2 * second)]
    assert fairness.starving(rows_of(*busy, *waits), 2)[0] == 1
    often = [(1, at * second // 2, at * second // 2 + 100) for at in range(6)]
    assert fairness.starving(rows_of(*busy, *often), 2) is None


def test_slow_clients_say_nothing_of_fairness():
    """Nobody completed a thousand operations."""
    rows = rows_of(*[(at % 2, at * 100, at * 100 + 50) for at in range(100)])
    assert "too few" in fairness.starving(rows, 2)


def test_who_has_done_all_its_calls_does_not_starve():
    """The others work on alone."""
    second = 1_000_000_000
    busy = [(0, at * second // 1000, at * second // 1000 + 10) for at in range(3000)]
    assert fairness.starving(rows_of(*busy, (1, 0, 10)), 2) is None


class Line:
    """A lock that is given to those who want it in the order in which they came."""

    def __init__(self):
        self.waiting, self.turn = deque(), threading.Condition()

    def __enter__(self):
        mine = object()
        with self.turn:
            self.waiting.append(mine)
            self.turn.wait_for(lambda: self.waiting[0] is mine)

    def __exit__(self, *_):
        with self.turn:
            self.waiting.popleft()
            self.turn.notify_all()


class InTheirTurn(WriteAhead):
    """Whoever came first writes first, among all handles of the process."""

    claims = replace(THREADS, fair=True)
    line = Line()

    def append(self, session_id, messages):
        """Stand in line."""
        with self.line:
            return super().append(session_id, messages)


def test_a_fair_store_is_not_called_unfair(trial_of):
    """Clients of a queue wait for each other, and for nobody for ever."""
    pressure.every_operation_ends(trial_of("CONC-08", InTheirTurn))


def test_a_store_that_lets_one_starve_is(trial_of):
    """It completes nothing as long as the others write."""
    trial = trial_of("CONC-08", GivesWay)
    trial.store.deadlines = Deadlines(operation_s=15.0)
    with pytest.raises(Broken) as caught:
        pressure.every_operation_ends(trial)
    assert caught.value.finding.anomaly is Anomaly.STARVED


def test_writers_of_a_store_that_waits_are_not_refused(trial_of):
    """As many as are claimed; the note says how many came."""
    trial = with_evidence(trial_of, "CONC-09", pressure.no_writer_is_refused)
    assert trial.examined["appends"] >= trial.guarantee.least
    assert trial.notes[0] == "writers at once: 8 threads; 8 are claimed"


@pytest.mark.parametrize(
    ("store", "said"),
    [(BecomesAWriter, "locked"), (TakesThree, "too many writers"), (Optimistic, "Conflict")],
)
def test_a_refusal_is_told_with_its_text(trial_of, store, said):
    """Also a Conflict: the claim is that nobody is refused because others are at work."""
    claims = replace(store.claims, handles="threads", shared_handle=False, writers=8)
    with pytest.raises(Broken) as caught:  # noqa: PT012
        for _ in range(30):  # a busy machine may hide it once
            pressure.no_writer_is_refused(trial_of("CONC-09", store, claims=claims))
    assert caught.value.finding.anomaly is Anomaly.BUSY
    assert said in caught.value.finding.seen
    assert re.match(r"[\w/]+\.py:\d+: \w", caught.value.finding.at)


def test_what_fails_alone_is_no_refusal(trial_of):
    """Nobody else was at work."""

    class Fails(WriteAhead):
        def append(self, session_id, messages):
            raise OSError("no")

    with pytest.raises(CouldNotTell, match="without others"):
        pressure.no_writer_is_refused(trial_of("CONC-09", Fails, claims=THREADS))


def test_a_long_wait_while_others_had_their_turn_is_no_break():
    """The machine may be slow; when nobody else came to an end, it is not that."""
    second = 1_000_000_000
    failed = (1, 0, 5 * second, Type.FAIL)
    others = [(0, at * second, at * second + 10) for at in range(6)]
    worked = Worked(History(rows_of(), errors=("", "locked")))
    waited = refusals.first_failed(worked, rows_of(failed, *others), 2)
    assert waited.only_waited
    alone = refusals.first_failed(worked, rows_of(failed), 2)
    assert not alone.only_waited
    at_once = refusals.first_failed(worked, rows_of((1, 0, 100, Type.FAIL), *others), 2)
    assert not at_once.only_waited
