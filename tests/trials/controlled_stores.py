"""Stores that serve who probes them, and nobody afterwards; one that tears batches."""

import os
import threading
import uuid

from sessionproof.contract.claims import Claims

_PLACES = {}
_SERVED = 6  # appends, before they give up


class Refusing:
    """Refuses every append after the first ones of the process."""

    claims = Claims(handles="threads", consistency="linearizable")
    appends = 0

    def __init__(self, location):
        self.lock, self.sessions = _PLACES.setdefault(str(location.root), (threading.Lock(), {}))

    def append(self, session_id, messages):
        """Append, while it does."""
        Refusing.appends += 1
        if Refusing.appends > _SERVED:
            self.refuse()
        with self.lock:
            self.sessions.setdefault(session_id, []).extend(messages)

    def refuse(self):
        """Say so."""
        raise RuntimeError("no more of them")

    def read(self, session_id):
        """All that is there."""
        with self.lock:
            return list(self.sessions.get(session_id, ()))

    def close(self):
        """Nothing is open."""


class Aborting(Refusing):
    """Ends the process instead."""

    def refuse(self):
        """Without a word."""
        os.abort()


class OneByOne:
    """Names its sessions, and appends each message of a batch by itself, under the lock."""

    claims = Claims(
        handles="threads", consistency="session", atomic_batches=True, session_ids="store"
    )

    def __init__(self, location):
        self.lock, self.sessions = _PLACES.setdefault(str(location.root), (threading.Lock(), {}))

    def create(self, session_id=None, *, messages=()):
        """An empty session, then its messages."""
        name = uuid.uuid4().hex
        with self.lock:
            self.sessions[name] = []
        self.append(name, messages)
        return name

    def append(self, session_id, messages):
        """One after the other."""
        for message in messages:
            with self.lock:
                self.sessions[session_id].append(message)

    def read(self, session_id):
        """All that is there."""
        with self.lock:
            return list(self.sessions[session_id])

    def close(self):
        """Nothing is open."""
