"""Stores that are recorded in tests: small, and each odd in one way."""

import ctypes
import fcntl
import json
import os
import signal
import time

from sessionproof.contract.claims import Claims
from sessionproof.contract.message import Message, from_json, to_json


class Lines:
    """A file of JSON lines for each session."""

    claims = Claims(handles="processes")

    def __init__(self, location):
        self.location = location

    def append(self, session_id, messages):
        """One write for the batch; a lock, as of two at once nobody can see which came first."""
        data = "".join(json.dumps(to_json(message)) + "\n" for message in messages)
        with self.location.path(session_id).open("a", encoding="ascii") as file:
            fcntl.flock(file, fcntl.LOCK_EX)
            file.write(data)
            file.flush()
            os.fsync(file.fileno())

    def read(self, session_id):
        """All lines."""
        path = self.location.path(session_id)
        if not path.exists():
            return []
        return [from_json(json.loads(line)) for line in path.read_text("ascii").splitlines()]

    def close(self):
        """Nothing is kept open."""


class Dies(Lines):
    """Ends in the middle of a call, with half of it done."""

    def append(self, session_id, messages):
        """The message that says so kills."""
        super().append(session_id, messages)
        if messages[0].content == "die":
            os.kill(os.getpid(), signal.SIGKILL)


class Hangs(Lines):
    """Never answers one call."""

    def append(self, session_id, messages):
        """The message that says so hangs."""
        super().append(session_id, messages)
        if messages[0].content == "hang":
            time.sleep(600)


class NeverOpens(Lines):
    """Refuses."""

    def __init__(self, location):
        super().__init__(location)
        raise RuntimeError("not today")


class NeedsARing(Lines):
    """Does not open where there is no io_uring."""

    def __init__(self, location):
        super().__init__(location)
        if ctypes.CDLL(None).syscall(425, 4, bytes(120)) < 0:
            raise RuntimeError("no ring")


class LeavesOneBehind(Lines):
    """A child in a session of its own outlives the store, and holds its pipes."""

    def __init__(self, location):
        super().__init__(location)
        if os.fork() == 0:
            os.setsid()
            location.path("left").write_text(str(os.getpid()), "ascii")
            time.sleep(600)
            os._exit(0)


def said(text):
    """A message."""
    return Message("user", text)


class ReadsThenWrites(Lines):
    """Reads its file to the end through the same descriptor, and writes from there."""

    def append(self, session_id, messages):
        """No seek in between."""
        data = "".join(json.dumps(to_json(message)) + "\n" for message in messages)
        file = os.open(self.location.path(session_id), os.O_RDWR | os.O_CREAT, 0o600)
        while os.read(file, 50):
            pass
        os.write(file, data.encode("ascii"))
        os.close(file)
