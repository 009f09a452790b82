"""Runs of a few clients as tables, and what of them breaks a promise."""

import itertools
from dataclasses import replace

import numpy as np

from sessionproof.checks.incidents import Incident, Judged
from sessionproof.contract.anomalies import Anomaly
from sessionproof.contract.claims import Claims
from sessionproof.history.columns import BATCH, NONE, ROW, F, History, Lists, Phase, Type
from sessionproof.trials.rounds import Played
from sessionproof.trials.rows_together import broken_together, promised_together
from sessionproof.trials.run_tables import table_of
from sessionproof.workload.rounds import Call
from sessionproof.workload.small_programs import SmallProgram, round_of_times

APPEND, READ = Call(F.APPEND, 0, 1), Call(F.READ, 0)
CLAIMS = Claims(handles="threads", consistency="linearizable", seq_start=1, atomic_batches=True)


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


def test_a_session_that_was_made_beforehand_is_like_any_other():
    """What tears a batch is told, whoever names sessions; not where clients make them at once."""
    calls = ((2, F.CREATE, 0, 1, 2, None), (0, F.APPEND, 0, 10, 20, None))
    made = round_of_times(SmallProgram((), ((APPEND,), (READ,))), 1, first=1, prefix="s")
    torn = Incident(Anomaly.INTERMEDIATE_READ, 0, (1,), "torn")
    weak = replace(CLAIMS, consistency="session")
    for phase, breaks in ((Phase.RAMP, True), (Phase.LOAD, False)):
        history = history_of(*calls)
        history.rows["phase"][0] = phase
        played = Played("small", made, history, Judged((torn,)), 0.0)
        assert (broken_together(played, (), weak) is torn) is breaks


def test_only_what_is_claimed_is_promised():
    """Rows whose claim is not made are left out; by times, those of the order of appends."""
    every = ("CONC-01", "CONC-02", "CONC-03", "CONC-04", "CONC-05", "CONC-06")
    assert promised_together((), CLAIMS) == every
    assert promised_together((), replace(CLAIMS, handles="one")) == ()
    timed = replace(CLAIMS, order="timestamp", keeps={*CLAIMS.keeps, "created_at_us"})
    assert promised_together((), timed) == every[:3]
