"""Rates that are offered: when calls are due, and what is made of their answers."""

import numpy as np
import pytest
from loaded_stores import Workers

from sessionproof.contract.location import Location
from sessionproof.contract.lookup import find_store
from sessionproof.contract.store import capabilities_of
from sessionproof.history.columns import BATCH, NEVER, ROW, F, Type
from sessionproof.reference import ReferenceStore
from sessionproof.report.offered import cells, knee_of, render_offered
from sessionproof.trials.offered_load import Answers, answered, due_orders, rate_of, windows
from sessionproof.trials.recorded_load import Wanted
from sessionproof.trials.waves import Load
from sessionproof.workload.profiles import Deadlines
from sessionproof.workload.rounds import Call
from sessionproof.workload.slices import Carried, Order, Slice, here, number_of, packed
from sessionproof.workload.waves import Plot

MS = 1_000_000
BEGIN = 7_000 * MS


def window_of(rate, *, clients=4, seconds=5.0):
    """The first window of a rate."""
    return next(windows(rate, seconds, clients=clients, seed=3))


def order_of(window):
    """An order with a slice for each client, long enough for any window here."""
    program = packed([Call(F.APPEND, 0, 1)] * 2_000)
    order = Order(
        store="reference",
        location=Location("/nowhere"),
        claims=ReferenceStore.claims,
        deadlines=Deadlines(),
        first=0,
        sessions=("s",),
        ids=("s",),
        slices=tuple(Slice(number + 1, program) for number in range(len(window.due_ns))),
        budget_s=15.0,
    )
    (made,) = due_orders([order], ((here().boot, BEGIN),), window)
    return made


def played(window, *, takes_ns, ends_ns=None, type_of=lambda number: Type.OK):
    """What a store answers whose every call takes so long, by clients that call one by one."""
    order = order_of(window)
    ends_ns = 2 * window.window_ns if ends_ns is None else ends_ns
    rows = []
    for one in order.slices:
        free = 0
        for place, due in enumerate(one.due_ns.tolist()):
            begun = max(due, free)
            if begun > ends_ns:
                break
            free = begun + takes_ns
            row = np.zeros((), ROW)
            row["id"] = number_of(one.number, 5, place) * BATCH
            row["type"] = type_of(len(rows))
            row["inv"] = BEGIN + begun
            row["ret"] = NEVER if row["type"] == Type.INFO else BEGIN + free
            rows.append(row)
    carried = Carried(
        where=here(), attempt=5, began_ns=0, due_from_ns=BEGIN, ended_ns=BEGIN + ends_ns + takes_ns
    )
    answers = Answers(window.rate, window.window_ns, windows=1)
    answers.slices += answered(order, carried, np.array(rows, ROW))
    return rate_of(answers)


@pytest.mark.parametrize("rate", [1.0, 40.0, 333.0, 2_000.0])
def test_a_rate_is_what_is_written_beside_it(rate):
    """A window holds as many calls as the rate says, in the order of time, dealt out in turn."""
    window = window_of(rate)
    assert sum(map(len, window.due_ns)) == 5 * rate
    assert {len(one) for one in window.due_ns} <= {window.longest, window.longest - 1}
    for due in window.due_ns:
        assert (np.diff(due) >= 0).all()
        assert ((due >= 0) & (due < window.window_ns)).all()


def test_windows_last_as_long_as_was_asked_for():
    """They differ from each other, and are the same each time."""
    every = list(windows(100.0, 12.0, clients=2, seed=3))
    assert sum(one.window_ns for one in every) == 12_000 * MS
    assert not np.array_equal(every[0].due_ns[0], every[1].due_ns[0])
    again = list(windows(100.0, 12.0, clients=2, seed=3))
    assert all(
        np.array_equal(one.due_ns[0], other.due_ns[0])
        for one, other in zip(every, again, strict=True)
    )


def test_a_store_that_keeps_up_is_as_quick_as_it_is():
    """Calls of 1 ms at a fiftieth of what clients can do: all are done, most after 1 ms."""
    rate = played(window_of(80.0), takes_ns=MS)
    assert rate.kept_up
    assert rate.done_per_s == rate.offered_per_s == 80.0
    assert rate.latency.p50_us == 1_000.0
    assert (rate.failed, rate.unknown, rate.missed) == (0, 0, 0)


def test_waiting_counts_from_when_a_call_was_due():
    """Calls of 100 ms by four clients are 40 a second; of 80 offered, the later ones wait longer.

    Timed from when they began, all of them would have taken 100 ms.
    """
    rate = played(window_of(80.0), takes_ns=100 * MS)
    assert not rate.kept_up
    assert 39 <= rate.done_per_s <= 43  # with what is answered in the time allowed after the window
    assert rate.latency.p50_us > 1_000_000
    assert rate.latency.max_us > 4_000_000
    assert rate.missed == 0


def test_what_was_never_begun_counts_until_the_end():
    """Percentiles do not become better because clients gave up."""
    rate = played(window_of(400.0), takes_ns=100 * MS)
    assert rate.missed > 1_000
    assert rate.latency.calls == 2_000
    assert rate.latency.max_us > 9_000_000


def test_errors_are_counted_and_do_not_count_as_done():
    """A refusal is an answer with a time; a call without one has none."""
    sorts = {0: Type.FAIL, 1: Type.INFO}
    rate = played(
        window_of(80.0), takes_ns=MS, type_of=lambda number: sorts.get(number % 10, Type.OK)
    )
    assert (rate.failed, rate.unknown, rate.missed) == (40, 40, 0)
    assert rate.latency.calls == 360
    assert rate.done_per_s == 64.0
    assert not rate.kept_up


def test_slow_calls_alone_are_no_backlog():
    """A store that takes 500 ms for each call keeps up where there are clients enough."""
    rate = played(window_of(8.0, clients=40), takes_ns=500 * MS)
    assert rate.kept_up
    assert rate.latency.p50_us == 500_000.0


def test_a_call_that_was_tried_again_counts_once():
    """Of attempts that were refused with Conflict the last one tells the time."""
    window = window_of(1.0, clients=1, seconds=1.0)
    order = order_of(window)
    (due,) = window.due_ns[0].tolist()
    rows = np.zeros(2, ROW)
    rows["id"] = number_of(1, 5, 0) * BATCH
    rows["type"] = [Type.OK, Type.FAIL]
    rows["inv"] = BEGIN + due + np.array([4, 0]) * MS
    rows["ret"] = BEGIN + due + np.array([9, 3]) * MS
    carried = Carried(where=here(), attempt=5, began_ns=0, due_from_ns=BEGIN, ended_ns=BEGIN)
    (seen,) = answered(order, carried, rows)
    assert seen.took.tolist() == [9 * MS]
    assert seen.type.tolist() == [Type.OK]


def test_no_answer_is_no_rate():
    """A rate of which nothing is known is left out."""
    assert rate_of(Answers(10.0, 5_000 * MS)) is None


def test_the_table_and_the_page_say_where_it_ends():
    """The sentence names the rate that is kept up with, and the first that is not."""
    rates = [played(window_of(rate), takes_ns=100 * MS) for rate in (10.0, 20.0, 80.0, 400.0)]
    kept = [one.kept_up for one in rates]
    assert kept == [True, True, False, False]
    assert knee_of(rates).startswith("it keeps up with 20.0 a second; of 80.0 it does 4")
    assert knee_of(rates[:2]) == "it keeps up with 20.0 a second, the highest that was offered"
    assert knee_of(rates[2:]).startswith("it keeps up with none of the rates; of 80.0")
    assert cells(rates[0])[:2] == ("10.0", "10.0")
    page = render_offered("a <store>", rates, {"Seed": "3"})
    assert "a &lt;store&gt;" in page
    assert page.count("<svg") == 2 + 4  # and the marks of the legend
    assert page.count('role="img"') == 2
    assert "Latency against offered rate: p50 " in page
    assert "<script" not in page
    assert "http" not in page.split("</style>")[1].replace("http-equiv", "")


def test_a_load_of_rates_is_recorded(tmp_path):
    """Each rate is carried out by real workers, and its figures are those of the history."""
    opened = find_store("loaded_stores:Right").open(Location(tmp_path))
    plot = Plot(
        seed=3, mix="hot", clients=2, claims=opened.claims,
        capabilities=frozenset(capabilities_of(opened)), beside=1,
    )  # fmt: skip
    opened.close()
    for name in ("location", "history"):
        (tmp_path / name).mkdir()
    wanted = Wanted(
        store="loaded_stores:Right", location=Location(tmp_path / "location"),
        deadlines=Deadlines(), plot=plot, seconds=0.5, rates=(20.0, 200.0),
    )  # fmt: skip
    with Workers() as workers:
        recorded = Load(wanted, workers, tmp_path / "history").run()
    rates = [rate_of(one) for one in recorded.rates]
    assert [one.offered_per_s for one in rates] == [20.0, 200.0]
    assert [one.latency.calls for one in rates] == [10, 100]
    assert recorded.unknown == []
