"""What a user with types writes: it is checked by mypy, strictly, against the wheel alone."""

from collections.abc import Sequence
from pathlib import Path
from tempfile import TemporaryDirectory

from sessionproof import (
    Claims,
    Location,
    Message,
    Receipt,
    Refused,
    SessionStore,
    SessionStoreSuite,
)
from sessionproof.reference import ReferenceStore


class Store:
    """A store in a dictionary."""

    claims = Claims(keeps=frozenset({"role", "content"}))

    def __init__(self, location: Location) -> None:
        self.sessions: dict[str, list[Message]] = {}

    def append(self, session_id: str, messages: Sequence[Message]) -> Receipt | None:
        """Keep the messages."""
        if not session_id:
            raise Refused("a session has a name")
        self.sessions.setdefault(session_id, []).extend(messages)
        return None

    def read(self, session_id: str) -> Sequence[Message]:
        """All messages of the session."""
        return tuple(self.sessions.get(session_id, ()))

    def close(self) -> None:
        """Nothing is open."""


class TestStore(SessionStoreSuite):
    """The same among the tests of a project."""

    store = Store
    profile = "smoke"


def contents(store: SessionStore) -> list[object]:
    """What a store answers for a message, as whoever uses it sees it."""
    store.append("s", [Message("user", "hello")])
    answer = [one.content for one in store.read("s")]
    store.close()
    return list(answer)


if __name__ == "__main__":
    with TemporaryDirectory() as folder:
        for store in (Store(Location(Path(folder))), ReferenceStore(folder)):
            assert contents(store) == ["hello"]
