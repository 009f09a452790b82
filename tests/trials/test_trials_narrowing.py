"""Rounds that failed, made smaller."""

import numpy as np

from sessionproof.checks.incidents import Incident, Judged
from sessionproof.contract.anomalies import Anomaly
from sessionproof.contract.operations import Outcome
from sessionproof.history.columns import ROW, F, History
from sessionproof.trials.narrowing import narrowed
from sessionproof.trials.rounds import Interrupted, Played
from sessionproof.workload.rounds import Call, Round

APPEND, READ = Call(F.APPEND, 1, 3), Call(F.READ, 1)
ELSEWHERE = Call(F.APPEND, 0, 1)
LARGE = Round(
    sessions=("s-a", "s-b"), programs=((ELSEWHERE, APPEND, READ, APPEND, READ),) * 8, first=1
)
LONG_S = 60.0  # more than all tries take


def _played(made):
    return Played("hot", made, History(np.zeros(0, ROW)), Judged(), 0.0)


def _two_append(played):
    """A break that takes two clients that append to the second session."""
    session = len(played.round.sessions) - 1
    writers = [
        program
        for program in played.round.programs
        if any(call.f is F.APPEND and call.session == session for call in program)
    ]
    return Incident(Anomaly.LOST_MESSAGE, session, (), "lost") if len(writers) > 1 else None


def _narrowed(play, broken=_two_append, seconds=LONG_S):
    first = _played(LARGE)
    return narrowed(play, broken, first, _two_append(first), seconds=seconds)


def test_what_the_break_does_not_need_goes():
    """Sessions, clients, calls and batches go, until nothing smaller fails."""
    failing = _narrowed(_played)
    small = failing.played.round
    assert small.sessions == ("s-b",)
    assert small.programs == ((Call(F.APPEND, 0, 1),),) * 2
    assert failing.failed == failing.tried == 12


def test_what_fails_now_and_then_says_how_often():
    """The rate is that of the round that is shown."""
    turns = iter(range(10_000))

    def sometimes(played):
        return _two_append(played) if next(turns) % 2 else None

    failing = _narrowed(_played, sometimes)
    assert (failing.failed, failing.tried) == (6, 12)
    assert len(failing.played.round.programs) == 2


def test_what_never_fails_again_stays_as_it_was_found():
    """Without a second failure nothing is known of smaller rounds."""
    failing = _narrowed(_played, lambda _: None)
    assert failing.played.round == LARGE
    assert (failing.failed, failing.tried) == (0, 12)
    assert 0 < failing.rate < 0.1


def test_without_time_a_few_tries_are_made():
    """A slow store is tried again three times, and not made smaller."""
    failing = _narrowed(_played, seconds=0.0)
    assert failing.tried == 3
    assert failing.played.round == LARGE


def test_a_round_that_hangs_when_it_is_tried_again_is_kept():
    """What was found first is told, whatever comes of trying it again."""

    def hangs(made):
        raise Interrupted(Outcome("info"), made)

    failing = _narrowed(hangs)
    assert (failing.failed, failing.tried) == (0, 0)
    assert failing.played.round == LARGE
