"""Sizes: what is counted, and what is said when nothing can be."""

import itertools
import json
import subprocess
import sys
from pathlib import Path
from typing import ClassVar

import pytest

from sessionproof import Location, Message
from sessionproof.bench import handles_main
from sessionproof.bench.sizes import Unmeasured, bytes_below, each_of, memory_of_a_handle
from sessionproof.contract.claims import Claims, Limits
from sessionproof.oracle.memory import MemoryStore
from sessionproof.reference import ReferenceStore
from sessionproof.workload.sessions import needs_create
from sessionproof.workload.texts import ZEROS, cut, said, text_bytes, with_number


def test_all_files_below_a_location_count(tmp_path):
    """Files in folders count too, and a pattern picks some of them."""
    (tmp_path / "inner").mkdir()
    (tmp_path / "a.db").write_bytes(b"x" * 10)
    (tmp_path / "inner" / "b.db-wal").write_bytes(b"x" * 7)
    assert bytes_below(tmp_path) == 17
    assert bytes_below(tmp_path, "*-wal") == 7
    assert bytes_below(tmp_path / "absent") == 0


def test_what_each_adds_is_the_growth_by_their_number():
    """The size carries how many were written, and the floor that it was given."""
    size = each_of("bytes per message", 1_000, 31_000, 100, floor=200)
    assert (size.value, size.floor, size.unit) == (300, 200, "bytes")
    assert "100" in size.note


@pytest.mark.parametrize(("before", "after", "number"), [(5, 5, 100), (9, 5, 100), (0, 50, 3)])
def test_too_little_says_nothing(before, after, number):
    """Files that do not grow, and a handful of messages, are no measurement."""
    with pytest.raises(Unmeasured):
        each_of("bytes per message", before, after, number)


def test_texts_are_as_long_as_the_store_takes_them():
    """Each is cut to the length, in bytes."""
    limited = Claims(limits=Limits(content_bytes=50))
    assert (text_bytes(Claims(), 200), text_bytes(limited, 200)) == (200, 50)
    made = cut("some words ", 200)
    assert {len(next(made).encode()) for _ in range(3)} == {200}


def test_no_two_texts_are_equal():
    """Also long after the pool of words has come to its end, and when lengths change."""
    numbers = itertools.count()
    texts = [*itertools.islice(cut("some words ", 30, numbers), 2_000)]
    texts += itertools.islice(cut("some words ", 20, numbers), 2_000)
    assert len(set(texts)) == 4_000
    assert len({text[-10:] for text in texts}) == 4_000


@pytest.mark.parametrize(
    ("text", "number", "expected"),
    [
        ("what do you say?", 12, "what d0000000012"),
        ("x", 12, "2"),
        ("", 12, ""),
        (ZEROS, 10**10 + 1, "0000000001"),
    ],
)
def test_a_number_takes_the_place_of_a_texts_end(text, number, expected):
    """The text stays as long as it was: what it costs to store does not change."""
    assert with_number(text, number) == expected


def test_messages_carry_the_text_where_their_kind_has_a_place():
    """A tool call has no text, so its arguments take it; times are given where they decide."""
    assert said(Message("user", "x"), "text", at_us=3) == Message("user", "text", created_at_us=3)
    call = Message("assistant", None, kind="tool_call", name="look", call_id="c", arguments={})
    assert said(call, "text").arguments == {"text": "text"}
    assert said(call, "text").content is None


@pytest.mark.parametrize(
    ("claims", "capabilities", "needed"),
    [
        (Claims(), {"create"}, False),
        (Claims(missing_session="refuses"), {"create"}, True),
        (Claims(session_ids="store"), {"create"}, True),
        (Claims(missing_session="refuses"), set(), False),
    ],
)
def test_sessions_are_created_where_an_append_would_not(claims, capabilities, needed):
    """Only a store that names its sessions, or refuses unknown ones, needs it."""
    assert needs_create(claims, frozenset(capabilities)) is needed


@pytest.mark.skipif(sys.platform != "linux", reason="the memory of a process is read from /proc")
def test_the_memory_of_a_handle_is_that_of_its_connections(tmp_path):
    """A store of some connections has a size between a page of memory and some megabytes."""
    location = Location(tmp_path)
    with ReferenceStore(location) as store:
        store.append("-a", [Message("user", "x")] * 50)
    size = memory_of_a_handle("reference", location, "-a")  # it looks like an option
    assert 4_096 < size.value < 8_000_000


@pytest.mark.parametrize("name", ["cmd:cat", "no.such.module:Store"])
def test_a_store_that_cannot_be_opened_elsewhere_has_no_memory(tmp_path, name):
    """A command is a process of its own; for others the reason is the child's last line."""
    with pytest.raises(Unmeasured):
        memory_of_a_handle(name, Location(tmp_path), "a")


LOUD = """
import atexit, os, sys
from sessionproof.oracle.memory import MemoryStore

def Store(location):
    os.write(1, bytes([255, 10]))
    atexit.register({})
    return MemoryStore(location)
"""


@pytest.mark.skipif(sys.platform != "linux", reason="the memory of a process is read from /proc")
@pytest.mark.parametrize(
    ("late", "answers"), [("print, 'bye', file=sys.stderr", True), ("print, 'bye'", False)]
)
def test_a_store_that_writes_to_stdout_is_no_error(tmp_path, monkeypatch, late, answers):
    """Bytes that are no text pass; a word after the answer is a reason not to measure."""
    (tmp_path / "loud_store.py").write_text(LOUD.format(late))
    monkeypatch.syspath_prepend(tmp_path)
    name = "loud_store:Store"
    if answers:
        assert memory_of_a_handle(name, Location(tmp_path), "a").what
    else:
        with pytest.raises(Unmeasured, match="after the answer"):
            memory_of_a_handle(name, Location(tmp_path), "a")


class Held(MemoryStore):
    """Notes how many are open, and what they read."""

    seen: ClassVar[list[str]] = []
    open: ClassVar[int] = 0

    def __init__(self, location):
        super().__init__(location)
        type(self).open += 1

    def read(self, session_id):
        self.seen.append(session_id)
        return []

    async def close(self):
        type(self).open -= 1


def test_the_memory_of_a_handle_is_that_of_further_ones(tmp_path, monkeypatch, capsys):
    """Two are open before the first reading; each has read the session, and none stays open."""
    monkeypatch.setattr(Held, "seen", [])
    monkeypatch.setattr(Held, "open", 0)
    readings = []

    def private_bytes():
        readings.append(Held.open)
        return 1_000_000 + 5_000 * Held.open

    monkeypatch.setattr(handles_main, "private_bytes", private_bytes)
    monkeypatch.setattr(sys, "path", [*sys.path])
    store = f"{Path(__file__).stem}:Held"
    given = [*(f"--path={entry}" for entry in sys.path), store, str(tmp_path), "a", "8"]
    monkeypatch.setattr(sys, "argv", ["handles_main", *given])
    handles_main.main()
    assert json.loads(capsys.readouterr().out.splitlines()[-1]) == 5_000
    assert readings == [2, 10]
    assert Held.seen == ["a"] * 10
    assert Held.open == 0


def test_a_system_that_does_not_tell_its_memory_is_no_measurement(monkeypatch):
    """The process ends with the reason as its last line, which is what a row shows."""

    def missing(*_):
        raise FileNotFoundError

    monkeypatch.setattr(Path, "read_text", missing)
    with pytest.raises(SystemExit, match="does not tell the private memory"):
        handles_main.private_bytes()


def test_a_process_that_never_answers_is_no_measurement(tmp_path, monkeypatch):
    """It is said how long it was waited for."""

    def run(command, **options):
        raise subprocess.TimeoutExpired(command, options["timeout"])

    monkeypatch.setattr(subprocess, "run", run)
    with pytest.raises(Unmeasured, match="no answer within"):
        memory_of_a_handle("reference", Location(tmp_path), "a")
