"""Small stores in one JSON file that differ in how they write it."""

import itertools
import json
import secrets
import time
from dataclasses import replace

from sessionproof.contract.claims import Claims
from sessionproof.contract.message import Message, from_json, to_json
from sessionproof.oracle.memory import MemoryStore


class Whole:
    """A new file takes the place of the old one, and nothing is synced."""

    claims = Claims(
        durability="process", atomic_batches=True, kinds={"text"},
        keeps={"role", "content"}, roles={"user", "assistant"},
    )  # fmt: skip

    def __init__(self, location):
        self.path = location.path("all.json")
        self.sessions = self.loaded()

    def loaded(self):
        """What the file has."""
        return json.loads(self.path.read_text()) if self.path.exists() else {}

    def append(self, session_id, messages):
        """Put them behind the others."""
        sent = [to_json(Message(one.role, one.content)) for one in messages]
        self.sessions[session_id] = [*self.sessions.get(session_id, []), *sent]
        self.write(self.sessions)

    def write(self, sessions):
        """Put all of it into the file."""
        beside = self.path.with_suffix(".new")
        beside.write_text(json.dumps(sessions))
        beside.rename(self.path)

    def read(self, session_id):
        """As it is in memory."""
        return [from_json(one) for one in self.sessions.get(session_id, [])]

    def close(self):
        """There is nothing to close."""


class InPlace(Whole):
    """The file is cut to nothing, then written."""

    def write(self, sessions):
        self.path.write_text(json.dumps(sessions))


class BlindAtFirst(Whole):
    """The first file is made empty, and only then has a content."""

    def loaded(self):
        if not self.path.exists():
            self.path.touch()
            self.write({})
        return super().loaded()


class TwoSteps(Whole):
    """The first message of a batch is written by itself."""

    def append(self, session_id, messages):
        super().append(session_id, messages[:1])
        if messages[1:]:
            super().append(session_id, messages[1:])


class KnowsItsPlace(Whole):
    """Its file is of no use at another path."""

    def loaded(self):
        if not self.path.exists():
            self.write({"": str(self.path)})
        sessions = super().loaded()
        return sessions if sessions[""] == str(self.path) else {"": str(self.path)}


_OURS = secrets.token_hex(8)
_BATCHES = itertools.count()


class NamedAtImport:
    """A file for each batch, by the name of the interpreter and a number: forks share both."""

    claims = replace(Whole.claims, handles="processes")

    def __init__(self, location):
        self.root = location.root

    def append(self, session_id, messages):
        """A new file."""
        name = f"{_OURS}-{next(_BATCHES)}"
        sent = [to_json(Message(one.role, one.content)) for one in messages]
        beside = self.root / f"{name}.new"
        beside.write_text(json.dumps([time.time_ns(), session_id, sent]))
        beside.rename(self.root / f"{name}.json")

    def read(self, session_id):
        """All files in the order in which they were written."""
        batches = sorted(json.loads(path.read_text()) for path in self.root.glob("*.json"))
        return [from_json(one) for _, name, sent in batches if name == session_id for one in sent]

    def close(self):
        """Nothing is open."""


class InMemory(MemoryStore):
    """Nothing of it is in a file, whatever it claims."""

    claims = replace(MemoryStore.claims, durability="process")


class AwaitedInPlace(InPlace):
    """The same, whose reads are to be awaited."""

    async def read(self, session_id):
        return super().read(session_id)
