"""Slow stores are timed as far as there is time: what is put together never looks like a hang."""

import itertools
import threading
import time
from contextlib import suppress
from dataclasses import replace
from pathlib import Path

import pytest

from sessionproof.bench.operations import ROWS
from sessionproof.contract.claims import Limits
from sessionproof.contract.location import Location
from sessionproof.contract.lookup import spec_of
from sessionproof.contract.measurements import Speed
from sessionproof.oracle.memory import MemoryStore
from sessionproof.trials import beside, reopening, speed
from sessionproof.trials.beside import CHUNK, in_chunks
from sessionproof.trials.single import NotClaimed
from sessionproof.workload.profiles import Deadlines, Profile

BRIEF = Profile(name="brief", share_s=0.1, shrink_s=0.1, rounds=24)
FREE = replace(MemoryStore.claims, costs={})


class OneByOne(MemoryStore):
    """Appends that take a sixteenth of the deadline, one message each."""

    claims = replace(FREE, limits=Limits(batch_bytes=400))

    def append(self, session_id, messages):
        time.sleep(0.125)
        return super().append(session_id, messages)


class LooksLong(MemoryStore):
    """A look that takes a quarter of the deadline."""

    claims = FREE

    def get(self, session_id):
        time.sleep(0.5)
        return super().get(session_id)


@pytest.mark.parametrize("store", [OneByOne, LooksLong])
def test_calls_within_their_deadline_are_no_hang(trial_of, monkeypatch, store):
    """Each call ends in time, so nothing hangs, however many of them are made for measuring."""
    monkeypatch.setattr(speed, "measure_sizes", lambda trial: None)
    looks = [row for row in ROWS if row.operation in ("get", "read_last")]
    monkeypatch.setattr(speed, "rows_for", lambda capabilities: looks)
    trial = trial_of("PERF-01", store, profile=BRIEF, claims=store.claims)
    trial.store.deadlines = Deadlines(operation_s=2.0)
    with pytest.raises(NotClaimed):
        speed.single_client(trial)
    assert "read_last" in {one.operation for one in trial.measured if isinstance(one, Speed)}


def test_chunks_grow_while_they_are_quick(monkeypatch):
    """What is done together begins with one, doubles up to its most, and adds up."""
    monkeypatch.setattr(beside, "_STEP_S", 600.0)
    done = []
    assert in_chunks(lambda action: action(), done.append, 100, within_s=600.0) == 100
    assert done == [1, 2, 4, 8, 16, CHUNK, CHUNK, 19]


def test_what_is_slow_goes_on_until_there_is_enough():
    """Past its time it still does the least, and not one chunk more; past the latest, nothing."""
    at_once = lambda action: action()  # noqa: E731
    done = []
    assert in_chunks(at_once, done.append, 100, within_s=0, least=20, latest_s=600) >= 20
    assert sum(done[:-1]) < 20
    assert in_chunks(at_once, done.append, 100, within_s=0, least=20) == 0
    assert in_chunks(at_once, done.append, 5, within_s=0, least=20, latest_s=600) == 5


def test_a_folder_that_is_written_to_for_ever_hides_no_finding(tmp_path):
    """A store that writes on after a hang cannot turn the finding into an error of ours."""
    stop, began = threading.Event(), threading.Event()

    def scribble(folder):
        for number in itertools.count():
            with suppress(OSError):
                (folder / f"deep-{number}").mkdir(parents=True)
            began.set()
            if stop.is_set():
                return

    def find():
        with beside.own_folder("x-", below=tmp_path) as name:
            threading.Thread(target=scribble, args=(Path(name),)).start()
            assert began.wait(30)
            threading.Timer(0.2, stop.set).start()
            raise LookupError("the finding")

    with pytest.raises(LookupError):
        find()


@pytest.mark.parametrize(("open_s", "expected"), [(10.0, 60.0), (30.0, 60.0), (50.0, 100.0)])
def test_another_process_has_a_minute_to_open(monkeypatch, tmp_path, open_s, expected):
    """A library that takes ten seconds to import, and thirty on a busy machine, breaks nothing."""
    given = []

    def opened(_spec, _location, *, deadlines):
        given.append(deadlines.open_s)

    monkeypatch.setattr(reopening, "Handle", opened)
    deadlines = Deadlines(open_s=open_s)
    reopening.in_another_process(spec_of("memory", MemoryStore), Location(tmp_path), deadlines)
    assert given == [expected]
