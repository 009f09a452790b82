"""Stores for the tests of kills, found by name in other processes."""

import os
import time

from fixtures.benign.together import LinesUnderLock


class LeavesItsLock(LinesUnderLock):
    """Makes a file while it is open; whoever finds one does not open."""

    claims = LinesUnderLock.claims

    def __init__(self, location):
        super().__init__(location)
        self.lock = location.path(f"open-{os.getpid()}")
        if [*location.root.glob("open-*")]:
            raise RuntimeError("somebody has it open, or died")
        self.lock.touch()

    def close(self):
        """Remove the file."""
        self.lock.unlink(missing_ok=True)


class WaitsForTheDead(LinesUnderLock):
    """Makes a file while it appends, and waits while there is one of another process."""

    def append(self, session_id, messages):
        """Wait for the turn that never comes."""
        turn = self.location.path("turn")
        while True:
            try:
                file = os.open(turn, os.O_CREAT | os.O_EXCL)
            except FileExistsError:
                time.sleep(0.001)
            else:
                break
        super().append(session_id, messages)
        time.sleep(0.002)
        os.close(file)
        turn.unlink()
