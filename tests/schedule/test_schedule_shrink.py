"""Findings made small, down to what is known to be the least."""

from __future__ import annotations

import pytest
from toy_runs import A, Crossed, Plain, R, Torn, judge, program, runner_of, step

from sessionproof.contract.anomalies import Anomaly
from sessionproof.history.columns import F
from sessionproof.schedule.found import Found
from sessionproof.schedule.shrink import Attempts, smaller
from sessionproof.schedule.strategies import RandomWalk, Replay
from sessionproof.workload.rounds import Call

LONG_S = 600.0


class Renumbered(Plain):
    """Appends to three messages or more are torn; to fewer, they are not."""

    def append(self, session, messages):
        old = self.here[session]
        step("look", session)
        if len(old) >= 3:
            step("write", session)
        else:
            old = self.here[session]
        self.here[session] = (*old, *messages)


class Twice(Plain):
    """An append is lost only where the other one writes in both of two gaps of it."""

    def append(self, session, messages):
        old = self.here[session]
        step("first", session)
        middle = self.here[session]
        step("second", session)
        last = self.here[session]
        lost = len(old) < len(middle) < len(last)
        self.here[session] = (*(old if lost else last), *messages)


def _found(runner, made, *, anomaly=None, most=2_000):
    """What random walks find first."""
    for seed in range(most):
        run = runner.run(made, RandomWalk(seed))
        wrong = judge(run)
        if wrong is not None and anomaly in (None, wrong.anomaly):
            return Found(made, run.decisions, run, wrong, seed + 1, 0.0, "random walk")
    raise AssertionError("nothing was found")


def _calls(made):
    return sorted(call.f for one in made.clients for _, call in one)


def _least(store, made, tmp_path):
    runner = runner_of(store, root=tmp_path)
    found = _found(runner, made, anomaly=Anomaly.LOST_MESSAGE)
    small = smaller(runner, judge, found, seconds=LONG_S, seed=1)
    again = [judge(runner.run(small.program, Replay(small.schedule), fresh=True))] * 3
    runner.close()
    assert [one.anomaly for one in again] == [Anomaly.LOST_MESSAGE] * 3
    assert small.first == (made.operations + len(made.before), len(found.schedule))
    assert judge(small.run) == small.wrong
    return small


def test_a_torn_write_is_two_appends_and_one_switch(tmp_path):
    """From fifteen operations of three clients."""
    made = program([A, R, A, A, R], [A, A, R, A, R], [R, A, A, R, A], before=[A, A])
    small = _least(Torn, made, tmp_path)
    assert _calls(small.program) == [F.APPEND, F.APPEND]
    assert small.program.before == ()
    assert len(small.schedule) == 1


def test_what_must_be_there_before_stays(tmp_path):
    """Three messages of five, or as many in fewer calls."""
    made = program([A, R], [A, R], before=[A] * 5)
    small = _least(Renumbered, made, tmp_path)
    assert _calls(small.program) == [F.APPEND, F.APPEND]
    assert len(small.program.before) == 3
    assert len(small.schedule) == 1


def test_two_writes_in_two_gaps(tmp_path):
    """Two appends of one client between those steps, or one each of two others."""
    small = _least(Twice, program([A, A, R], [A, R, A], [A, R, A]), tmp_path)
    assert _calls(small.program) == [F.APPEND] * 3
    assert len(small.schedule) == 3


def test_batches_become_single_messages(tmp_path):
    """One message of each is enough to be lost."""
    many = Call(F.APPEND, 0, 3)
    small = _least(Torn, program([many, R], [many, R]), tmp_path)
    assert [call for one in small.program.clients for _, call in one] == [A, A]


def test_a_deadlock_is_made_small(tmp_path):
    """An append and a read, and one switch between the two locks."""
    runner = runner_of(Crossed, root=tmp_path)
    found = _found(runner, program([A, R, A], [R, A, R], [A, R]))
    assert found.wrong.anomaly is Anomaly.HANG
    small = smaller(runner, judge, found, seconds=LONG_S, seed=1)
    runner.close()
    assert _calls(small.program) == [F.APPEND, F.READ]
    assert len(small.schedule) == 1


def test_without_time_it_stays_as_it_is(tmp_path):
    """Nothing is lost of it."""
    runner = runner_of(Torn, root=tmp_path)
    found = _found(runner, program([A, R], [A, R]))
    small = smaller(runner, judge, found, seconds=0.0, seed=1)
    runner.close()
    assert (small.program, small.schedule) == (found.program, found.schedule)


def test_another_anomaly_does_not_count(tmp_path):
    """What is made small shows what was found, or a loss; a hang stays a hang."""
    runner = runner_of(Torn, root=tmp_path)
    found = _found(runner, program([A], [A]))
    hang, stale = (Attempts(runner, judge, one) for one in (Anomaly.HANG, Anomaly.STALE_READ))
    assert hang.replayed(found.program, found.schedule) is None
    assert stale.replayed(found.program, found.schedule) is not None
    runner.close()


@pytest.mark.parametrize("seed", range(3))
def test_one_seed_makes_it_small_in_one_way(tmp_path, seed):
    """The same program and the same schedule."""
    runner = runner_of(Torn, root=tmp_path)
    found = _found(runner, program([A, R], [A, A], [R, A]))
    once, again = (smaller(runner, judge, found, seconds=LONG_S, seed=seed) for _ in range(2))
    runner.close()
    assert (once.program, once.schedule) == (again.program, again.schedule)
