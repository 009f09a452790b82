"""Clients that are processes: what they tell, and how they end with a bad store."""

import asyncio
import gc
import io
import json
import os
import threading
from contextlib import closing
from pathlib import Path
from typing import ClassVar

import pytest

from sessionproof.bench import crews
from sessionproof.bench.blocks import acknowledged, closed_shift
from sessionproof.bench.client_main import answer_all
from sessionproof.bench.crews import CannotMeasure, ProcessCrew
from sessionproof.bench.floors import Floor
from sessionproof.contract.claims import Claims
from sessionproof.contract.location import Location
from sessionproof.contract.message import Message, to_json
from sessionproof.contract.operations import CRASH, HANG
from sessionproof.host.server import Channel
from sessionproof.oracle.memory import MemoryStore
from sessionproof.reference import ReferenceStore
from sessionproof.workload.threads import Stopped

HERE = Path(__file__).stem
SAID = Message("user", "x")


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


class Quiet(MemoryStore):
    """Notes its appends in the class, and does not close."""

    kept: ClassVar[list[str]] = []

    def __init__(self, location):
        super().__init__(location)
        self.kept.clear()

    def append(self, session_id, messages):
        self.kept.append(session_id)

    def close(self):
        raise RuntimeError("never")


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


@pytest.fixture
def told(tmp_path):
    """What the program of a client answers to requests, one by one, in this process."""

    def ask(*requests):
        lines = b"".join(json.dumps(one).encode() + b"\n" for one in requests)
        answers = io.BytesIO()
        answer_all(Channel(io.BytesIO(lines), answers))
        return [json.loads(line) for line in answers.getvalue().splitlines()]

    yield ask
    gc.unfreeze()  # the program froze what was there, for a process of its own
    gc.enable()


def opening(store, root, *, awaits=False):
    """The request that opens a store of this file."""
    return {
        "store": f"{HERE}:{store.__name__}", "floor": str(root / "floor.db"),
        "synchronous": "NORMAL", "root": str(root), "url": None, "namespace": None,
        "message": to_json(SAID), "first": 0, "awaits": awaits,
    }  # fmt: skip


def asked(arm, calls):
    """The request for a shift that begins at once."""
    return {"arm": arm, "session": "s", "begin_ns": 0, "until_ns": 10**18, "calls": calls}


@pytest.mark.parametrize(("store", "awaits"), [(Quiet, False), (Aio, True)])
def test_the_program_of_a_client_tells_each_call(told, tmp_path, store, awaits):
    """Of the store and of the floor, awaited where they must be; an error of ours ends nothing."""
    done = told(
        opening(store, tmp_path, awaits=awaits), asked("store", 3), {"arm": "store"},
        asked("floor", 2), asked("store", 1),
    )  # fmt: skip
    assert done[0] == {"ok": True}
    assert done[2] == {"error": "KeyError: 'session'"}
    endings = [[call[-1] for call in one["calls"]] for one in (done[1], done[3], done[4])]
    assert endings == [["ok"] * 3, ["ok"] * 2, ["ok"]]
    with closing(Floor(tmp_path / "floor.db", synchronous="NORMAL")) as floor:
        assert floor.count("s") == 2
    kept = Quiet.kept if store is Quiet else (tmp_path / "log").read_text().split()
    assert len(kept) == 4


def test_a_store_that_does_not_open_is_told_by_the_program(told, tmp_path):
    """In one line, as what the store did; the next request may open another."""
    refused, ok = told(opening(Shut, tmp_path), opening(Quiet, tmp_path))
    assert refused == {"refused": "RuntimeError: the door is shut"}
    assert ok == {"ok": True}
