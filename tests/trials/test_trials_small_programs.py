"""Small programs of a few clients: what is found, shrunk and told; what is not counted."""

import itertools
import threading
import time
from dataclasses import replace
from typing import ClassVar

import numpy as np
import pytest

from sessionproof.checks.incidents import Incident, Judged
from sessionproof.contract.anomalies import Anomaly
from sessionproof.contract.claims import Claims
from sessionproof.contract.message import Receipt
from sessionproof.contract.operations import Outcome
from sessionproof.history.columns import BATCH, NONE, ROW, F, History, Lists, Phase, Type
from sessionproof.trials.narrowing import Failing
from sessionproof.trials.rounds import Interrupted, Played, Rounds
from sessionproof.trials.rows_together import broken_together, promised_together
from sessionproof.trials.run_tables import NAMED, table_of
from sessionproof.trials.single import Broken, CouldNotTell, NotClaimed
from sessionproof.trials.small_programs import RUNS, explored, retold
from sessionproof.trials.smaller import Attempts, Small, alone, hewn, in_a_row, smaller, smallest
from sessionproof.workload.crews import crew
from sessionproof.workload.profiles import Profile
from sessionproof.workload.rounds import Call, Round
from sessionproof.workload.small_programs import SmallProgram, round_of_times

APPEND, READ, BATCH_OF_3 = Call(F.APPEND, 0, 1), Call(F.READ, 0), Call(F.APPEND, 0, 3)
QUICK = Profile(name="quick", share_s=0.1, shrink_s=0.6, patience_s=8.0)
CLAIMS = Claims(handles="threads", consistency="linearizable", seq_start=1, atomic_batches=True)
UNTIL_FOUND_S = 120.0  # it ends with the first that fails
LONG_S = 1e9


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
    trial = trial_of("CONC-14", Right, profile=QUICK)
    came = explored(trial, ["threads"], seconds=1.0)
    assert came.programs > 0
    assert came.runs == RUNS * came.programs
    assert 0 < came.together <= came.runs
    assert [one.clients for one in trial.measured] == ["3 threads"]


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
    assert found_in(trial_of("CONC-14", Waits)).anomaly is Anomaly.HANG


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


# What follows plays nothing: a round fails by what is in it.

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


def history_of(*calls, sessions=("s0",)):
    """Rows of client, method, session, beginning, end and answer; None never answered."""
    rows, kept, ids = np.zeros(len(calls), ROW), [], []
    for at, (client, f, session, inv, ret, answer) in enumerate(calls):
        row = rows[at]
        row["client"], row["f"], row["session"], row["inv"] = client, f, session, inv
        row["id"], row["n"], row["value"] = (at + 1) * BATCH, f == F.APPEND, NONE
        row["ret"], row["type"] = (2**63 - 1, Type.INFO) if ret is None else (ret, Type.OK)
        row["phase"] = Phase.FINAL if client == 2 else Phase.LOAD
        if f is F.READ and answer is not None:
            row["length"] = len(answer)
            kept.append(at)
            ids.append([(one + 1) * BATCH for one in answer])
    start = np.cumsum([0, *map(len, ids)])
    lists = Lists(np.array(kept), start, np.array([*itertools.chain(*ids)], np.uint64))
    return History(rows, lists=lists, sessions=sessions)


def test_a_table_has_its_rows_in_the_order_of_time():
    """Calls with nothing between their ends stand on one line, also those that never answered."""
    history = history_of(
        (0, F.APPEND, 0, 10, 40, None),
        (1, F.READ, 0, 20, 30, []),
        (1, F.APPEND, 0, 50, None, None),
        (2, F.READ, 0, 90, 95, [0]),
    )
    program = SmallProgram((), ((APPEND,), (READ, APPEND)))
    made = round_of_times(program, 1, first=1, prefix="s")
    table = table_of(Played("small", made, history, Judged(), 0.0), [0])
    assert table.splitlines() == [
        "client 1          | client 2                      | when all was quiet",
        "1.1: append(c1·1) |                               |",
        "                  | 2.1: read() → nothing         |",
        "1.1 → ok          |                               |",
        "                  | 2.2: append(c2·1) → no answer |",
        "                  |                               | quiet.1: read() → c1·1",
    ]


def test_a_table_of_two_sessions_names_them():
    """And leaves out all others."""
    history = history_of(
        (0, F.APPEND, 0, 10, 20, None), (1, F.APPEND, 1, 30, 40, None),
        (1, F.APPEND, 2, 50, 60, None), sessions=("a", "b", "c"),
    )  # fmt: skip
    made = round_of_times(SmallProgram((), ((APPEND,), (APPEND,))), 3, first=1, prefix="s")
    table = table_of(Played("small", made, history, Judged(), 0.0), [0, 1])
    assert "1.1: a: append(c1·1) → ok" in table
    assert "2.1: b: append(c2·1) → ok" in table
    assert "c: " not in table.replace("quiet", "")


def test_a_row_says_nothing_of_sessions_with_other_calls():
    """What is lost beside a deletion is for those that promise linearizable sessions."""
    calls = (
        (0, F.APPEND, 0, 10, 20, None), (1, F.DELETE, 0, 30, 40, None),
        (0, F.APPEND, 1, 50, 60, None),
    )  # fmt: skip
    history = history_of(*calls, sessions=("a", "b"))
    made = round_of_times(SmallProgram((), ((APPEND,), (APPEND,))), 2, first=1, prefix="s")
    weak = replace(CLAIMS, consistency="session")
    for session, claims, breaks in ((0, CLAIMS, True), (0, weak, False), (1, weak, True)):
        lost = Incident(Anomaly.LOST_MESSAGE, session, (0,), "lost")
        played = Played("small", made, history, Judged((lost,)), 0.0)
        assert (broken_together(played, (), claims) is lost) is breaks


def test_only_what_is_claimed_is_promised():
    """Rows whose claim is not made are left out; by times, those of the order of appends."""
    every = ("CONC-01", "CONC-02", "CONC-03", "CONC-04", "CONC-05", "CONC-06")
    assert promised_together((), CLAIMS) == every
    assert promised_together((), replace(CLAIMS, handles="one")) == ()
    timed = replace(CLAIMS, order="timestamp", keeps={*CLAIMS.keeps, "created_at_us"})
    assert promised_together((), timed) == every[:3]
