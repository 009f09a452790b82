"""Clients at the same time: what they tell of their calls, and how they end with a bad store."""

import asyncio
import threading

import pytest

from sessionproof.bench import clients
from sessionproof.bench.blocks import (
    acknowledged,
    calls_of,
    closed_shift,
)
from sessionproof.bench.clients import Appends, Did, Shift, at_once, serve, tasks
from sessionproof.bench.crews import ThreadCrew
from sessionproof.bench.throughput import by_number
from sessionproof.contract.clock import monotonic_ns
from sessionproof.contract.errors import Refused
from sessionproof.contract.message import Message
from sessionproof.contract.operations import HANG
from sessionproof.workload.texts import ZEROS
from sessionproof.workload.threads import Stopped, Threads

SAID = Message("user", "x")
FAR = 10**18


def shift(sessions, calls, most_s=20.0):
    """A shift of a closed loop that begins at once."""
    return closed_shift(sessions, calls, most_s=most_s)


def seats(*appends):
    """Threads that call these directly."""
    return [lambda work, append=append: work(append) for append in appends]


@pytest.fixture
def crew_of():
    """A crew of threads that call these; ended with the test."""
    made = []

    def make(*appends, deadline_s=20.0):
        made.append(ThreadCrew(seats(*appends), Appends(SAID), deadline_s=deadline_s))
        return made[-1]

    yield make
    for crew in made:
        crew.close()


def test_a_client_does_its_calls_and_tells_each(tmp_path):
    """As many calls as were asked for, each with its times in order."""
    sent = []
    one = Shift(("s",), 0, FAR, calls=3)
    did = serve(lambda *given: sent.append(given), lambda: ("s", [SAID]), at_once(3), one)
    assert sent == [("s", [SAID])] * 3
    assert [call.ending for call in did.calls] == ["ok"] * 3
    assert all(call.due == call.began <= call.ended for call in did.calls)


def test_a_call_that_fails_is_told_and_the_next_is_made():
    """What a store refuses is surely not there, what it raises else may be; both are counted."""
    raised = iter([Refused("no"), None, SystemExit(3), RuntimeError("late\nand long")])

    def append():
        error = next(raised)
        if error is not None:
            raise error

    did = serve(append, lambda: (), at_once(4), Shift(("s",), 0, FAR, calls=4))
    assert [call.ending for call in did.calls] == ["fail", "ok", "info", "info"]
    assert did.said == ("Refused: no", "SystemExit: 3", "RuntimeError: late and long")
    assert [did.number(ending) for ending in ("ok", "fail", "info")] == [1, 1, 2]


def test_no_call_begins_after_the_time_of_a_shift():
    """A slow store has fewer calls in its block: the block ends all the same."""
    did = serve(lambda: None, lambda: (), at_once(5), Shift(("s",), 0, monotonic_ns(), calls=5))
    assert did == Did(())


def test_messages_with_a_time_have_a_later_one_each_time():
    """A store that orders by time gets the order of the appends."""
    assert Appends(SAID)("s")[1][0].created_at_us is None
    appends = Appends(Message("user", "x", created_at_us=0))
    first, second = (appends("s")[1][0].created_at_us for _ in range(2))
    assert 0 < first < second


def test_no_two_appends_say_the_same():
    """A store that keeps equal messages once is measured at work, also beyond the stock."""
    appends, number = Appends(Message("user", ZEROS), first=7), 5_100
    said = [appends("s")[1][0].content for _ in range(number)]
    appends.stock()
    said.append(appends("s")[1][0].content)
    assert said == [f"{one:010}" for one in range(7, 7 + number + 1)]


def test_threads_work_on_their_own_sessions(crew_of):
    """Each thread has its session and its seat; fewer sessions are fewer clients."""
    sent = []

    def seat(number):
        return lambda session, messages: sent.append((number, session, threading.get_ident()))

    crew = crew_of(*map(seat, range(3)))
    first = crew.work(shift(("a", "b", "c"), 4))
    assert acknowledged([first]) == len(sent) == 12
    assert {(number, session) for number, session, _ in sent} == {(0, "a"), (1, "b"), (2, "c")}
    threads = {number: thread for number, _, thread in sent}
    assert len(set(threads.values())) == 3
    sent.clear()
    second = crew.work(shift(("a", "b"), 1))
    assert len(second.did) == 2
    assert {(number, thread) for number, _, thread in sent} <= set(threads.items())


def test_threads_that_hang_are_told_with_their_stack(crew_of):
    """A client that does not come back ends the measurement, not the harness."""
    released = threading.Event()
    crew = crew_of(lambda *_: None, lambda *_: released.wait(60), deadline_s=0.1)
    try:
        with pytest.raises(Stopped) as stopped:
            crew.work(shift(("a", "b"), 1, most_s=0.1))
    finally:
        released.set()
    failure = stopped.value.outcome.failure
    assert failure.type == HANG
    assert "released.wait(60)" in failure.evidence["stack"]


def test_what_a_thread_raises_is_raised():
    """An error of ours in a thread is not lost."""
    threads = Threads(2)
    try:
        with pytest.raises(ZeroDivisionError):
            threads.together([lambda: 1, lambda: 1 // 0], deadline_s=20)
    finally:
        threads.close()


def test_tasks_take_turns_on_one_loop():
    """Tasks do their calls at the same time: each has begun before the first has ended."""
    begun, all_begun = [], asyncio.Event()

    async def append(session, messages):
        begun.append(session)
        if len(set(begun)) == 3:
            all_begun.set()
        await all_begun.wait()

    done = asyncio.run(tasks([append] * 3, Appends(SAID), shift(("a", "b", "c"), 2)))
    assert sorted(begun) == ["a", "a", "b", "b", "c", "c"]
    assert acknowledged([done]) == 6
    assert done.late_ns == ()


@pytest.mark.parametrize("number", [1, 3])
def test_tasks_carry_out_what_is_due(number):
    """Calls of an open loop are done once each, none before it is due."""
    begin = monotonic_ns()
    due = tuple(begin + at * 1_000_000 for at in range(12))

    async def append(session, messages):
        await asyncio.sleep(0)

    one = Shift(("a", "b", "c")[:number], begin, begin + 20 * 10**9, due=due)
    done = asyncio.run(tasks([append] * number, Appends(SAID), one))
    assert tuple(sorted(call.due for call in calls_of([done]))) == due
    assert all(call.began >= call.due for call in calls_of([done]))
    assert len(done.late_ns) == 12


def test_threads_carry_out_what_is_due(crew_of):
    """The same for threads, whoever is free; what was due before is not slept for."""
    begin = monotonic_ns()
    due = (*range(begin - 5, begin), *(begin + at * 1_000_000 for at in range(1, 12)))
    crew = crew_of(*[lambda *_: None] * 3)
    done = crew.work(Shift(("a", "b", "c"), begin, begin + 20 * 10**9, due=due))
    assert tuple(sorted(call.due for call in calls_of([done]))) == due
    assert all(call.began >= call.due for call in calls_of([done]))
    assert len(done.late_ns) <= 11


def test_only_those_who_slept_are_late(monkeypatch):
    """A call that was due before is handed out at once; what a sleep takes too long is told."""
    now = [1_000]
    monkeypatch.setattr(clients, "monotonic_ns", lambda: now[0])
    monkeypatch.setattr(clients, "sleep_until", lambda at: now.__setitem__(0, at + 7))
    schedule = clients.Schedule((990, 1_000, 1_500, 1_504, 2_000), clients=1)
    assert [schedule.take() for _ in range(6)] == [990, 1_000, 1_500, 1_504, 2_000, None]
    assert schedule.late_ns() == (7, 7)
    assert now == [2_007]


def test_throughput_by_the_number_of_clients(crew_of):
    """A row for each number, with so many clients each."""
    seen = []
    crew = crew_of(*[lambda session, messages: seen.append(session)] * 4)

    def counted(given):
        seen.append(len(given.sessions))
        return crew.work(given)

    named = "{} threads".format
    rows = by_number(counted, ("a", "b", "c", "d"), (1, 2, 4), named, seconds=0.001, most_s=5)
    assert [row.clients for row in rows] == ["1 threads", "2 threads", "4 threads"]
    assert {one for one in seen if isinstance(one, int)} == {1, 2, 4}
    assert all(row.per_second > 0 and row.ratio is None for row in rows)
