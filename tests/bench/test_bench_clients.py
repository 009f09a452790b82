"""Clients at the same time: what they tell of their calls, and how they end with a bad store."""

import asyncio
import os
import threading
from pathlib import Path

import pytest

from sessionproof.bench import crews
from sessionproof.bench.blocks import (
    acknowledged,
    calls_of,
    closed_shift,
    failures,
    in_turns,
    per_second,
    times_ns,
    wall_ns,
)
from sessionproof.bench.clients import Block, Call, Did, Shift, appending, at_once, serve, tasks
from sessionproof.bench.crews import CannotMeasure, ProcessCrew, Stopped, ThreadCrew, Threads
from sessionproof.bench.throughput import beside_floor, by_number, closed, failed
from sessionproof.contract.claims import Claims
from sessionproof.contract.clock import monotonic_ns
from sessionproof.contract.errors import Refused
from sessionproof.contract.location import Location
from sessionproof.contract.message import Message
from sessionproof.contract.operations import CRASH, HANG
from sessionproof.oracle.memory import MemoryStore
from sessionproof.reference import ReferenceStore

HERE = "test_bench_clients"
SAID = Message("user", "x")
FAR = 10**18


class Aio:
    """A store whose methods are awaitable; messages are counted in a file of the location."""

    claims = Claims(handles="processes")

    def __init__(self, location):
        self._file = os.open(location.path("log"), os.O_CREAT | os.O_APPEND | os.O_WRONLY)

    async def append(self, session_id, messages):
        await asyncio.sleep(0)
        os.write(self._file, f"{session_id}\n".encode() * len(messages))

    async def read(self, session_id):
        return []

    async def close(self):
        os.close(self._file)


class Dies(MemoryStore):
    """Ends its process at the third append."""

    def append(self, session_id, messages):
        super().append(session_id, messages)
        if len(self.read(session_id)) == 3:
            print("no more room")  # noqa: T201 - as a library may
            os._exit(9)


class Hangs(MemoryStore):
    """Does not answer an append."""

    def append(self, session_id, messages):
        threading.Event().wait()


class Shut(MemoryStore):
    """Does not open."""

    def __init__(self, location):
        raise RuntimeError("the door\nis shut")


class Prints(MemoryStore):
    """Writes lines to stdout, and reads stdin, as a library may."""

    def append(self, session_id, messages):
        print('{"calls": []}')  # noqa: T201 - as a library may
        input_is_empty = not os.read(0, 1)
        assert input_is_empty
        super().append(session_id, messages)


@pytest.fixture
def process_crew(tmp_path, monkeypatch):
    """A crew of processes for a store of this file; closed at the end."""
    monkeypatch.syspath_prepend(str(Path(__file__).parent))
    opened = []

    def make(store, *, number=2, floor=tmp_path / "floor.db", operation_s=20.0, awaits=False):
        location = tmp_path / "location"
        location.mkdir(exist_ok=True)
        crew = ProcessCrew(
            store if isinstance(store, str) else f"{HERE}:{store.__name__}",
            Location(location),
            SAID,
            number=number,
            floor=floor,
            synchronous="NORMAL",
            awaits=awaits,
            open_s=30.0,
            operation_s=operation_s,
        )
        opened.append(crew)
        return crew

    yield make
    for crew in opened:
        crew.close()


def shift(sessions, calls, most_s=20.0):
    """A shift of a closed loop that begins at once."""
    return closed_shift(sessions, calls, most_s=most_s)


def block(*times, ending="ok", said=()):
    """A block of one client with calls from and to these nanoseconds."""
    return Block((Did(tuple(Call(a, a, b, ending) for a, b in times), tuple(said)),))


def seats(*appends):
    """Threads that call these directly."""
    return [lambda work, append=append: work(append) for append in appends]


@pytest.fixture
def crew_of():
    """A crew of threads that call these; ended with the test."""
    made = []

    def make(*appends, deadline_s=20.0):
        made.append(ThreadCrew(seats(*appends), appending(SAID), deadline_s=deadline_s))
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
    assert appending(SAID)("s") == ("s", [SAID])
    arguments = appending(Message("user", "x", created_at_us=0))
    first, second = (arguments("s")[1][0].created_at_us for _ in range(2))
    assert 0 < first < second


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

    done = asyncio.run(tasks([append] * 3, appending(SAID), shift(("a", "b", "c"), 2)))
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
    done = asyncio.run(tasks([append] * number, appending(SAID), one))
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


def test_processes_append_and_tell(process_crew, tmp_path):
    """Four processes open the store by its name, work when they are told, and end cleanly."""
    crew = process_crew("reference", number=4)
    sessions = ("a", "b", "c", "d")
    done = crew.work("store", shift(sessions, 5))
    crew.work("store", shift(sessions[:1], 2))
    assert acknowledged([done]) == 20
    assert acknowledged([crew.work("floor", shift(sessions, 3))]) == 12
    ended = crew._processes
    crew.close()
    assert {process.end for process in ended} == {"exit code 0"}
    with ReferenceStore(tmp_path / "location") as store:
        assert [len(store.read(session)) for session in sessions] == [7, 5, 5, 5]


def test_processes_await_what_is_awaitable(process_crew, tmp_path):
    """An async store lives on one loop of each process."""
    crew = process_crew(Aio, awaits=True)
    assert acknowledged([crew.work("store", shift(("a", "b"), 3))]) == 6
    crew.close()
    lines = (tmp_path / "location" / "log").read_text().split()
    assert sorted(lines) == ["a", "a", "a", "b", "b", "b"]


def test_what_a_store_prints_breaks_no_answer(process_crew):
    """Stdout belongs to the protocol, stdin too."""
    crew = process_crew(Prints, number=1)
    assert acknowledged([crew.work("store", shift(("a",), 2))]) == 2


def test_a_process_that_dies_is_told_with_its_last_line(process_crew):
    """The end of a client's process is an outcome, never an error of ours."""
    crew = process_crew(Dies)
    with pytest.raises(Stopped) as stopped:
        crew.work("store", shift(("a", "b"), 5))
    failure = stopped.value.outcome.failure
    assert failure.type == CRASH
    assert failure.text == (
        "the store's process ended (exit code 9) in the middle of appends; "
        "its last line: no more room"
    )
    with pytest.raises(Stopped) as again:  # of the dead nothing can be asked
        crew.work("store", shift(("a", "b"), 5))
    assert again.value.outcome.failure.type == CRASH


def test_a_process_that_hangs_is_ended(process_crew):
    """A call without an answer ends with the deadline, and its process with it."""
    crew = process_crew(Hangs, number=1, operation_s=0.3)
    with pytest.raises(Stopped) as stopped:
        crew.work("store", shift(("a",), 1, most_s=0.1))
    assert stopped.value.outcome.failure.type == HANG
    assert crew._processes[0].end == "signal SIGKILL"


def test_a_store_that_does_not_open_is_told(process_crew):
    """In one line, as the store's refusal."""
    with pytest.raises(Stopped) as stopped:
        process_crew(Shut)
    failure = stopped.value.outcome.failure
    assert (failure.type, failure.text) == ("CannotOpen", "RuntimeError: the door is shut")


def test_a_floor_that_does_not_open_is_no_fault_of_the_store(process_crew, tmp_path):
    """What is ours cannot be measured, and breaks nothing."""
    with pytest.raises(CannotMeasure, match="unable to open database file"):
        process_crew("reference", floor=tmp_path / "nowhere" / "floor.db")


def test_processes_that_cannot_be_started_are_no_fault_of_the_store(process_crew, monkeypatch):
    """Nor is a program that is not there."""
    monkeypatch.setattr(crews, "client_command", lambda: ["/nonexistent/python"])
    with pytest.raises(CannotMeasure, match="no process could be started"):
        process_crew("reference")


def test_the_arithmetic_of_blocks():
    """Costs and throughput count what was acknowledged, over the time from first to last."""
    two = Block(
        (
            Did((Call(10, 10, 30, "ok"), Call(30, 30, 60, "fail")), ("Refused: no",)),
            Did((Call(5, 20, 110, "ok"),)),
        )
    )
    assert wall_ns(two) == 100
    assert acknowledged([two]) == 2
    assert failures([two]) == {"Refused: no": 1}
    assert times_ns([two]).tolist() == [20, 105]
    assert per_second([two, two]) == 4 * 10**9 / 200
    assert per_second([Block((Did(()),))]) == 0


def test_arms_take_turns():
    """Both arms do every round, and a cost is wall time over acknowledged appends."""
    done = []

    def arm(name, nanoseconds):
        def work(given):
            done.append((name, given.calls))
            return block((0, nanoseconds), (nanoseconds, 2 * nanoseconds))

        return work

    arms = {"store": arm("store", 300), "floor": arm("floor", 100)}
    turns = in_turns(arms, ("s",), calls=2, rounds=6, least=1, seconds=60, most_s=1, seed=1)
    assert turns.costs["store"].tolist() == [300.0] * 6
    assert turns.costs["floor"].tolist() == [100.0] * 6
    assert len(turns.blocks) == 6
    rounds = [tuple(name for name, _ in done[at : at + 2]) for at in range(0, 12, 2)]
    assert set(rounds) == {("store", "floor"), ("floor", "store")}
    assert {calls for _, calls in done} == {2}


def test_rounds_end_with_their_time_but_not_before_the_first():
    """A slow store is measured once, whatever it takes."""
    arms = dict.fromkeys(("store", "floor"), lambda _: block((0, 100)))
    turns = in_turns(arms, ("s",), calls=1, rounds=9, least=5, seconds=0, most_s=1, seed=1)
    assert len(turns.blocks) == 1


def test_a_floor_that_fails_is_no_measure():
    """Beside errors of our own nothing is compared."""
    bad = block((0, 9), ending="info", said=["OperationalError: disk I/O error"])
    arms = {"store": lambda _: block((0, 9)), "floor": lambda _: bad}
    with pytest.raises(CannotMeasure, match=r"raw SQLite failed beside the store: .*disk I/O"):
        in_turns(arms, ("s",), calls=1, rounds=2, least=1, seconds=1, most_s=1, seed=1)


def test_a_store_that_acknowledges_nothing_is_not_fast():
    """Refusals are quick; no row is made of them."""
    bad = block((0, 9), ending="fail", said=["Refused: no"])
    arms = {"store": lambda _: bad, "floor": lambda _: block((0, 9))}
    with pytest.raises(CannotMeasure, match="no append was acknowledged: Refused: no"):
        in_turns(arms, ("s",), calls=1, rounds=2, least=1, seconds=1, most_s=1, seed=1)
    with pytest.raises(CannotMeasure, match="2 threads: no append was acknowledged: Refused: no"):
        closed([bad], clients="2 threads")


def test_a_row_beside_a_floor():
    """Ratio, percentiles, throughput and the raw times of each round."""
    arms = [lambda _, ns=ns: block((0, ns), (ns, 2 * ns)) for ns in (3_000, 1_000)]
    row = beside_floor(
        *arms, ("s",), clients="1 thread", words="raw", rounds=20, seconds=60, most_s=1, seed=1
    )
    assert (row.operation, row.clients, row.floor) == ("append", "1 thread", "raw")
    assert row.ratio.value == pytest.approx(3.0)
    assert (row.ratio.rounds, row.ratio.of) == (20, 20)
    assert row.floor_us == 1.0
    assert row.latency.calls == 40
    assert row.per_second == pytest.approx(10**9 / 3_000)
    assert row.samples == {"store": (3_000,) * 20, "floor": (1_000,) * 20}
    assert row.note == ""


def test_too_few_rounds_are_no_ratio():
    """The note says so; the rest of the row stays."""
    arms = [lambda _: block((0, 100))] * 2
    row = beside_floor(
        *arms, ("s",), clients="1 thread", words="raw", rounds=3, seconds=60, most_s=1, seed=1
    )
    assert row.ratio is None
    assert row.note.startswith("the ratio could not be told: 3 of 3 rounds were calm")


def test_calls_that_fail_are_told_in_a_sentence():
    """How many of how many, how long the slowest took, and what was said most often."""
    assert failed([block((0, 5))]) == ""
    locked = block((0, 10), (0, 2_500_000_000), ending="info", said=["E: locked", "E: locked"])
    assert failed([locked, block((0, 5))]) == (
        "2 of 3 calls failed, the slowest after 2.5 s: E: locked"
    )
    refused = block((0, 10), ending="fail", said=["Refused: no"])
    assert failed([refused]) == "1 of 1 calls refused, the slowest after 1e-08 s: Refused: no"


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
