"""The guard of a handle, with stores that copy its process or have names without an end."""

import os
import threading

import pytest

from sessionproof.contract.location import Location
from sessionproof.contract.lookup import spec_of
from sessionproof.contract.message import Message
from sessionproof.contract.operations import Append, Read
from sessionproof.oracle.memory import MemoryStore
from sessionproof.workload.guard import Handle
from sessionproof.workload.profiles import Deadlines

A = Message("user", "a")


@pytest.fixture
def opened(tmp_path):
    """Open a store in memory that has these methods instead of its own."""
    handles = []

    def open_it(**methods):
        spec = spec_of("odd", type("Odd", (MemoryStore,), methods))
        handles.append(Handle(spec, Location(tmp_path), deadlines=Deadlines(operation_s=2)))
        return handles[-1]

    yield open_it
    for handle in handles:
        handle.close()


def test_names_without_end_are_cut(opened):
    """A store's version, and the name of what it raises, are names, however long they are."""
    long = type("E" * 100_000, (Exception,), {})

    def raises(self, session_id):
        raise long

    handle = opened(version="v" * 100_000, read=raises)
    assert handle.version == "v" * 200
    assert handle.invoke(Read("s0"), "x").failure.type == "E" * 200


def test_a_copy_of_the_process_does_not_go_on(opened, tmp_path):
    """A call that forks and returns twice is one call: what the store forked off ends there."""
    file = tmp_path / "who returned"

    def append(self, session_id, messages):
        os.fork()

    handle = opened(append=append)
    outcomes = handle.invoke_all([(Append("s0", (A,)), "x")] * 2)
    handle.perform("note", lambda call: file.write_text(f"{os.getpid()}"))
    assert [one.type for one in outcomes] == ["ok", "ok"]
    assert file.read_text() == f"{os.getpid()}"
    for _ in outcomes:
        assert os.waitstatus_to_exitcode(os.wait()[1]) == 0


def test_a_store_that_is_no_one_of_ours_may_hang(opened):
    """What a handle holds is looked at without its help: its class may be code that raises."""
    released = threading.Event()

    @property
    def whose(self):
        if self.asked:
            raise SystemExit(0)
        return MemoryStore

    def read(self, session_id):
        self.asked = True
        released.wait(20)

    handle = opened(__class__=whose, asked=False, read=read)
    outcome = handle.invoke(Read("s0"), "x")
    released.set()
    assert outcome.failure.type == "hang"
