"""Stores in memory whose sessions begin empty, each in another way."""

from dataclasses import replace

from sessionproof.contract.claims import Claims
from sessionproof.contract.errors import NotRepresentable
from sessionproof.oracle.memory import MemoryStore


class HasNoPlace(MemoryStore):
    """Its creation has no parameter for messages."""

    def create(self, session_id=None):
        """Make an empty session."""
        return super().create(session_id)


class Says(MemoryStore):
    """Its creation says that it cannot express messages; its store names sessions."""

    claims = replace(MemoryStore.claims, session_ids="store", missing_session=None)

    def create(self, session_id=None, *, messages=()):
        """Make an empty session."""
        if messages:
            raise NotRepresentable("a session begins empty")
        return super().create()


class Silent:
    """It claims nothing at all."""

    def __init__(self, location):
        self.store = HasNoPlace(location)

    def create(self, session_id=None):
        """Make an empty session."""
        return self.store.create(session_id)

    def append(self, session_id, messages):
        """Add messages."""
        return self.store.append(session_id, messages)

    def read(self, session_id):
        """All messages."""
        return self.store.read(session_id)

    def close(self):
        """Nothing to give back."""


class Limited(MemoryStore):
    """Its creation is refused for another reason."""

    claims = Claims()

    def create(self, session_id=None, *, messages=()):
        """Never."""
        raise ValueError("not today")
