"""Stores of one file of lines that take a torn last line in different ways, and their recording."""

import json
import os
import threading

import numpy as np

from sessionproof.contract.claims import Claims
from sessionproof.contract.message import Message, Receipt, from_json, to_json
from sessionproof.contract.operations import Append, Outcome
from sessionproof.faults.changes import CHANGE, Changes, Kind
from sessionproof.faults.crashes.states import KILL, State
from sessionproof.faults.recording import Acted, Recording
from sessionproof.faults.tracing.saving import save

APPENDS = 3
CLOCK = [0.0]
"""What time it is for slow stores."""


class Lines:
    """A line for each append; a torn one counts for nothing, and is cut off by the next append."""

    claims = Claims(atomic_batches=True, durability="process", seq_start=1)

    def __init__(self, location):
        self._path = location.path("log")
        self._path.touch()
        if self.torn():
            self.opened_torn()

    def torn(self):
        """Whether the last line is not whole."""
        return not self._path.read_bytes().endswith(b"\n") and self._path.stat().st_size > 0

    def opened_torn(self):
        """What opening does about a torn line."""

    def entries(self):
        """Each whole line: its session and messages."""
        whole, _, _ = self._path.read_bytes().rpartition(b"\n")
        return [json.loads(line) for line in whole.splitlines()]

    def append(self, session_id, messages):
        """Add a line behind the whole ones."""
        before = len(self.read(session_id))
        data = self._path.read_bytes()
        kept = data[: data.rfind(b"\n") + 1]
        self._path.write_bytes(kept + line_of(session_id, messages))
        return Receipt(seqs=[before + 1 + at for at in range(len(messages))])

    def read(self, session_id):
        """All messages of the session."""
        entries = [entry for entry in self.entries() if entry["session"] == session_id]
        return [from_json(one) for entry in entries for one in entry["messages"]]

    def count(self, session_id):
        """How many messages the session has."""
        return len(self.read(session_id))

    def close(self):
        """Nothing is open."""


class RefusesTheTorn(Lines):
    """It does not open beside a torn line."""

    def opened_torn(self):
        """Give up."""
        raise OSError("the log is damaged")


class LosesTheLast(Lines):
    """A torn line takes the one before it along."""

    def entries(self):
        """Without the last, if there is a torn one."""
        return super().entries()[: -1 if self.torn() else None]


class CannotReadTheTorn(Lines):
    """A torn line makes the rest unreadable."""

    def read(self, session_id):
        """Read it all, or nothing."""
        if self.torn():
            raise ValueError("no line")
        return super().read(session_id)


class TakesTheTorn(Lines):
    """A torn line counts as a message."""

    def read(self, session_id):
        """Whole lines, and what is left of the last."""
        left = [Message("user", "?")] if self.torn() else []
        return [*super().read(session_id), *left]


class CountsTheTorn(Lines):
    """A torn line is counted."""

    def count(self, session_id):
        """One more than is read."""
        return super().count(session_id) + self.torn()


class GluesToTheTorn(Lines):
    """What is appended to a torn line is torn, too."""

    def append(self, session_id, messages):
        """Add a line behind all that is there."""
        with self._path.open("ab") as file:
            file.write(line_of(session_id, messages))


class NumbersAnew(Lines):
    """After a torn line, numbers begin again."""

    def append(self, session_id, messages):
        """Forget how many there were."""
        torn = self.torn()
        receipt = super().append(session_id, messages)
        return Receipt(seqs=[1]) if torn else receipt


class SlowToOpen(Lines):
    """A torn line is thought about for long."""

    def opened_torn(self):
        """Let time pass."""
        CLOCK[0] += 60.0


class SlowAlways(Lines):
    """Opening takes long, on any files."""

    def __init__(self, location):
        super().__init__(location)
        CLOCK[0] += 60.0


class DiesOpening(Lines):
    """A torn line ends the process."""

    def opened_torn(self):
        """End the process."""
        os._exit(3)


class DiesReading(Lines):
    """A torn line ends the process that reads it."""

    def read(self, session_id):
        """End the process."""
        if self.torn():
            os._exit(3)
        return super().read(session_id)


class HangsReading(Lines):
    """A torn line is waited for until it is whole."""

    def read(self, session_id):
        """Wait for ever."""
        if self.torn():
            threading.Event().wait()
        return super().read(session_id)


def line_of(session_id, messages):
    """The line of an append."""
    entry = {"session": session_id, "messages": [to_json(one) for one in messages]}
    return json.dumps(entry).encode() + b"\n"


def recording_of(kind, folder):
    """What the recorder would have written of some appends to such a store; it is saved."""
    folder.mkdir()
    data, rows, acts = b"", [row_of(Kind.MADE, file=1, name=0)], []
    rows.append(row_of(Kind.ANSWERED))
    for number in range(APPENDS):
        messages = (Message("user", f"#{number}"), Message("assistant", f"#{number}b"))
        line = line_of("s0", messages)
        after = len(rows) - 1
        rows.append(
            row_of(
                Kind.WRITTEN, file=1, name=0, offset=len(data), start=len(data), length=len(line)
            )
        )
        rows.append(row_of(Kind.ANSWERED))
        data += line
        receipt = Receipt(seqs=[2 * number + 1, 2 * number + 2])
        acts.append(
            Acted(
                client=0, operation=Append("s0", messages), outcome=Outcome("ok", receipt),
                session_id="s0", after=after, answered=len(rows) - 1,
            )
        )  # fmt: skip
    (folder / "data.bin").write_bytes(data)
    changes = Changes(np.concatenate(rows), ["log"], memoryview(data))
    recording = Recording(
        store=f"surviving_stores:{kind.__name__}", claims=kind.claims,
        capabilities=frozenset({"count"}), clients=1, acts=tuple(acts), changes=changes,
        folder=folder,
    )  # fmt: skip
    save(recording)
    return recording


def row_of(kind, **values):
    """One change."""
    row = np.zeros(1, CHANGE)
    for name in ("file", "folder", "name", "source"):
        row[name] = -1
    if "file" in values:
        row["folder"] = 0 if kind is Kind.MADE else -1
    row["kind"] = kind
    for name, value in values.items():
        row[name] = value
    return row


def states_of(recording):
    """After each change; and in the middle of each write."""
    for point in range(len(recording.changes) + 1):
        if point and recording.changes.rows[point - 1]["kind"] == Kind.WRITTEN:
            yield State(KILL, point, cut=(point - 1, 9))
        yield State(KILL, point)
