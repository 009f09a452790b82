"""Rounds that failed, told by small programs; nothing is played, a round fails by what is in it."""

import itertools

import numpy as np

from sessionproof.checks.incidents import Incident, Judged
from sessionproof.contract.anomalies import Anomaly
from sessionproof.contract.operations import Outcome
from sessionproof.history.columns import BATCH, ROW, F, History, Type
from sessionproof.trials.narrowing import Failing
from sessionproof.trials.rounds import Interrupted, Played
from sessionproof.trials.smaller import Attempts, Small, alone, hewn, in_a_row, smaller, smallest
from sessionproof.workload.rounds import Call, Round
from sessionproof.workload.small_programs import SmallProgram, round_of_times

APPEND, READ, BATCH_OF_3 = Call(F.APPEND, 0, 1), Call(F.READ, 0), Call(F.APPEND, 0, 3)
LONG_S = 1e9  # it ends when nothing smaller fails
LARGE = Round(
    sessions=("s-a", "s-b"),
    programs=((Call(F.APPEND, 1, 1), BATCH_OF_3, READ, APPEND, READ),) * 8,
    first=1,
)


def played_of(made):
    """A round with a history of its calls, one after the other."""
    rows = np.zeros(sum(map(len, made.programs)), ROW)
    calls = [
        (client, place, call)
        for client, program in enumerate(made.programs)
        for place, call in enumerate(program)
    ]
    for at, (client, place, call) in enumerate(calls):
        row = rows[at]
        row["id"] = (made.first + client + place * len(made.programs)) * BATCH
        row["f"], row["session"], row["n"], row["client"] = call.f, call.session, call.n, client
        row["inv"], row["ret"], row["type"] = 2 * at + 1, 2 * at + 2, Type.OK
    return Played("small", made, History(rows, sessions=made.sessions), Judged(), 0.0)


def two_append(played):
    """A break that takes two clients that append to one session."""
    rows = played.history.rows
    for session in range(len(played.round.sessions)):
        appends = (rows["f"] == F.APPEND) & (rows["session"] == session)
        places = [int(np.flatnonzero(appends & (rows["client"] == one))[-1])
                  for one in sorted({*rows["client"][appends].tolist()})]  # fmt: skip
        if len(places) > 1:
            return Incident(Anomaly.LOST_MESSAGE, session, tuple(places[:2]), "lost")
    return None


def attempts_of(play=played_of, broken=two_append, fresh=lambda: None):
    return Attempts(play=play, broken=broken, fresh=fresh, seed=5)


def failing_of(made=LARGE):
    played = played_of(made)
    return Failing(played, two_append(played), 12, 12)


def test_a_large_round_is_told_by_a_small_program():
    """Two clients with one call each are left of eight with five."""
    program, again = smaller(attempts_of(), failing_of(), seconds=LONG_S)
    assert program == SmallProgram((), ((APPEND,), (APPEND,)))
    assert again.failed == again.tried == 3
    assert again.played.round.sessions == ("0",)


def test_what_no_small_program_shows_stays_as_it_was_found():
    """Where none fails there is none."""
    attempts = attempts_of(broken=lambda _: None)
    assert smaller(attempts, failing_of(), seconds=0.3) is None


def test_what_is_small_already_is_not_replaced():
    """A program with as many calls says nothing new."""
    small = round_of_times(SmallProgram((), ((APPEND,), (APPEND,))), 1, first=1, prefix="s")
    assert smaller(attempts_of(), failing_of(small), seconds=LONG_S) is None


def test_calls_around_the_guilty_ones_are_tried_first():
    """Two clients, four calls, some appends before them; fewer of each later on."""
    programs = [*hewn(failing_of().played, failing_of().incident)]
    assert len(programs[0].clients) == 2
    assert len(programs[0].before) == 2
    lengths = [max(map(len, one.clients)) for one in programs]
    assert lengths == sorted(lengths, reverse=True)
    assert {call.session for one in programs for call in one.calls} == {0}


def test_what_fails_now_and_then_does_not_end_the_search():
    """Each try is another one; a program that failed once may fail no more."""
    turns = itertools.count()

    def sometimes(played):
        return two_append(played) if next(turns) % 3 == 0 else None

    program, again = smaller(attempts_of(broken=sometimes), failing_of(), seconds=5.0)
    assert len(program.calls) < 12
    assert 0 < again.failed <= again.tried


def test_a_small_program_that_hangs_is_passed_over():
    """What it hangs of would be another finding."""

    def hangs(made):
        raise Interrupted(Outcome("info"), made)

    assert attempts_of(play=hangs).failing(SmallProgram((), ((APPEND,), (APPEND,)))) is None


def test_alone_means_on_fresh_handles():
    """Each time by itself; in a row they are not opened anew."""
    opened = itertools.count()
    attempts = attempts_of(fresh=lambda: next(opened))
    program = SmallProgram((APPEND,), ((APPEND,), (APPEND,)))
    small = Small(program, *attempts.failing(program))
    one = alone(attempts, small, LONG_S)
    assert next(opened) == one.tried == 3
    assert one.played.round.before == 1
    row = in_a_row(attempts, small, LONG_S)
    assert next(opened) == 4
    assert len(row.played.round.sessions) == attempts.times


def test_without_time_nothing_smaller_is_tried():
    """What was found is kept."""
    program = SmallProgram((APPEND,), ((APPEND, READ), (APPEND,)))
    found = attempts_of().failing(program)
    assert smallest(attempts_of(), program, found, 0.0).program == program
