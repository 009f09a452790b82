"""The flight recorder: what a process was doing when it ended."""

import subprocess
import sys

from sessionproof.workload.guard import FlightRecorder

CHILD = """
import os, sys
from pathlib import Path
from sessionproof.contract.location import Location
from sessionproof.contract.lookup import spec_of
from sessionproof.contract.message import Message
from sessionproof.contract.operations import Append
from sessionproof.oracle.memory import MemoryStore
from sessionproof.workload.guard import FlightRecorder, Handle
from sessionproof.workload.profiles import Deadlines

class Exits(MemoryStore):
    def append(self, session_id, messages):
        os._exit(0)

folder = Path(sys.argv[1])
recorder = FlightRecorder(folder / "flight.txt")
handle = Handle(spec_of("exits", Exits), Location(folder), deadlines=Deadlines(), recorder=recorder)
handle.invoke(Append("s0", (Message("user", "last words " + "x" * 5000 + "\\ud800"),)), "the id")
"""


def test_the_flight_recorder_outlives_the_process(tmp_path):
    """After a process is gone, the note says what it was doing."""
    subprocess.run([sys.executable, "-c", CHILD, str(tmp_path)], check=True, timeout=30)
    note = FlightRecorder.last_note(tmp_path / "flight.txt")
    assert note.startswith("store.append('s0', [Message('user', 'last words ")
    assert note.endswith("(session id 'the id')")
    assert len(note) <= FlightRecorder.SIZE
    assert FlightRecorder.last_note(tmp_path / "none.txt") == ""


def test_a_note_replaces_the_one_before(tmp_path):
    """Nothing of a longer note shines through a shorter one."""
    recorder = FlightRecorder(tmp_path / "flight.txt")
    recorder.note("ü" * 3_000)
    recorder.note("short")
    recorder.close()
    assert FlightRecorder.last_note(tmp_path / "flight.txt") == "short"
