"""Stores for crews: right ones, and ones that hang, die, chatter or do not open."""

from __future__ import annotations

import asyncio
import os
import sys
import threading
from dataclasses import replace
from typing import ClassVar

from sessionproof.contract.errors import Conflict
from sessionproof.oracle.memory import MemoryStore
from sessionproof.reference.store import ReferenceStore

FOR_EVER = threading.Event()


class Right(ReferenceStore):
    """The reference, quick."""

    def __init__(self, location):
        super().__init__(location, durability="process")


class Hangs(Right):
    """The third append of a handle never ends."""

    appends = 0

    def append(self, session_id, messages):
        self.appends += 1
        if self.appends == 3:
            FOR_EVER.wait()
        return super().append(session_id, messages)


class Dies(Right):
    """The third append of a handle ends the process."""

    appends = 0

    def append(self, session_id, messages):
        self.appends += 1
        if self.appends == 3:
            sys.stderr.write("out of luck\n")
            sys.stderr.flush()
            os._exit(3)
        return super().append(session_id, messages)


class Chatters(Right):
    """Prints at every turn, also what could be taken for an answer."""

    def read(self, session_id):
        sys.stdout.write('{"ids": [], "stopped": null}\n')
        os.write(1, b"{}\n")
        return super().read(session_id)


class OpensOnce(Right):
    """Does not open where it was opened before."""

    def __init__(self, location):
        mark = location.path("opened")
        if mark.exists():
            raise RuntimeError("it is open\nalready")
        super().__init__(location)
        mark.touch()


class DiesOpening(Right):
    """Ends the process that opens it, unless that is a process of tests."""

    def __init__(self, location):
        if "pytest" not in sys.modules:
            os._exit(4)
        super().__init__(location)


class InMemory(MemoryStore):
    """The oracle, which one client at a time may use: tasks take turns between its calls."""

    claims = replace(MemoryStore.claims, handles="tasks", shared_handle=True, writes="append")
    places: ClassVar[dict] = {}

    def __new__(cls, location):
        return cls.places.setdefault((cls, location.root), super().__new__(cls))

    def __init__(self, location):
        if not hasattr(self, "world"):
            super().__init__(location)


class HangsAwaiting(InMemory):
    """The fifth append waits for what never comes."""

    appends = 0

    async def append(self, session_id, messages):
        self.appends += 1
        if self.appends == 5:
            await _never()
        return super().append(session_id, messages)


async def _never():
    await asyncio.Event().wait()


class OftenConflicts(InMemory):
    """Each append is refused three times before it is taken."""

    refused = 0

    def append(self, session_id, messages):
        self.refused += 1
        if self.refused % 4:
            raise Conflict("somebody else was faster")
        return super().append(session_id, messages)


class NamesThem(Right):
    """Sessions have the names that the store gives them."""

    claims = replace(ReferenceStore.claims, session_ids="store", missing_session="refuses")

    def create(self, session_id=None, *, messages=()):
        return super().create(f"of-the-store-{os.urandom(6).hex()}", messages=messages)
