"""Chats to be backed up: a few sessions that grow, and what is read of them in any directory."""

from __future__ import annotations

import hashlib
import shutil
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from pathlib import Path
from tempfile import mkdtemp

from sessionproof.contract.anomalies import Anomaly
from sessionproof.contract.location import Location
from sessionproof.contract.message import Message
from sessionproof.contract.operations import (
    CRASH,
    HANG,
    MALFORMED,
    Append,
    Count,
    List,
    Outcome,
    Read,
)
from sessionproof.contract.verdicts import Finding
from sessionproof.history.columns import BATCH
from sessionproof.trials.rounds import parent_of
from sessionproof.trials.single import Broken, CouldNotTell, NotClaimed, Trial
from sessionproof.workload import upkeep
from sessionproof.workload.crews import NothingToSay, said_by
from sessionproof.workload.execute import StoreUnderTest
from sessionproof.workload.guard import CannotOpen, Handle
from sessionproof.workload.sessions import begin

_SESSIONS, _MESSAGES = 3, 4
_TEXT_BYTES = 80  # the longest text that is sent
_DID = "made a backup of a store in use"


@dataclass(frozen=True)
class Contents:
    """What is read: messages by session, without the ids of messages; the sessions that are listed.

    ``listed`` is None where the store has no list.
    """

    sessions: Mapping[str, tuple[Message, ...]]
    listed: frozenset[str] | None = None

    @property
    def messages(self) -> int:
        """How many messages in all."""
        return sum(map(len, self.sessions.values()))


class Unreadable(Exception):
    """A directory does not open, or a session is not read; the text says why."""


@dataclass
class Chats:
    """A store that is written to, with the ids of its sessions; numbers are given once."""

    trial: Trial
    store: StoreUnderTest
    ids: list[str] = field(default_factory=list)
    numbers: int = 0

    @property
    def handle(self) -> Handle:
        """The open handle; raises CannotOpen."""
        return self.store.handle()

    def begin(self, name: str, *, sessions: int = _SESSIONS) -> None:
        """Make sessions and give each its first messages; raises Broken."""
        for at in range(sessions):
            made = begin(self.handle, f"{name}{at}", self.trial.claims, self.trial.capabilities)
            self.trial.require_ok(made, "made a session")
            self.ids.append(str(made.value))
        self.grow()

    def grow(self, messages: int = _MESSAGES) -> None:
        """Append so many messages to each session, one by one.

        Raises Broken, CouldNotTell, NotClaimed.
        """
        limit = self.trial.claims.limits.content_bytes
        if limit is not None and limit < _TEXT_BYTES:
            raise NotClaimed(
                f"texts of {_TEXT_BYTES} bytes are beyond the store's limit of {limit}"
            )
        try:
            speech = said_by(self.store)
        except NothingToSay as why:
            raise CouldNotTell(str(why)) from None
        for session in self.ids * messages:
            self.numbers += 1
            message = tuple(speech.messages(self.numbers * BATCH, 1))
            done = self.handle.invoke(Append("s0", message), session)
            self.trial.require_ok(done, "appended a message")

    def contents(self) -> Contents:
        """What the open handle reads; raises Broken."""
        try:
            return contents(self.handle, self.ids)
        except Unreadable as error:
            raise Broken(
                Finding(
                    anomaly=Anomaly.UNREADABLE,
                    did="appended messages, and read them",
                    expected="they are read",
                    seen=str(error),
                )
            ) from None

    def backup(self, folder: Path, *, did: str = _DID, script: Sequence[str] = ()) -> Path:
        """A new backup in the folder; raises Broken where there is none."""
        made = upkeep.backup(self.handle, folder)
        self.trial.require_ok(made, did, script)
        return Path(made.value)


def contents(handle: Handle, ids: list[str]) -> Contents:
    """What a handle reads of these sessions, and lists; raises Unreadable."""
    reads = handle.invoke_all([(Read("s0"), session) for session in ids])
    wrong = next((done for done in reads if done.type != "ok" and not unknown(done)), None)
    listed = handle.invoke(List()) if "list" in handle.capabilities else None
    wrong = listed if wrong is None and listed is not None and listed.failure else wrong
    if wrong is not None and wrong.failure is not None:
        raise Unreadable(f"a read raised {wrong.failure.type}: {wrong.failure.text[:300]}")
    return Contents(
        {
            session: tuple(replace(one, id=None) for one in done.value or ())
            for session, done in zip(ids, reads, strict=True)
        },
        None if listed is None else frozenset(listed.value),
    )


def unknown(done: Outcome) -> bool:
    """Whether a session is not known: it has no messages."""
    return done.failure is not None and done.failure.type == "NotFound"


def difference(expected: Contents, seen: Contents) -> str:
    """What was read in the place of what, in a sentence; empty where it is the same."""
    for session, messages in expected.sessions.items():
        there = seen.sessions.get(session, ())
        if there == messages:
            continue
        if len(there) != len(messages):
            return f"session {session!r} has {len(there)} messages instead of {len(messages)}"
        at = next(at for at, one in enumerate(messages) if there[at] != one)
        return f"message {at} of session {session!r} is another one"
    if expected.listed is not None and seen.listed is not None and expected.listed != seen.listed:
        more, less = sorted(seen.listed - expected.listed), sorted(expected.listed - seen.listed)
        parts = [f"session {name!r} is listed" for name in more[:1]]
        parts += [f"session {name!r} is not listed" for name in less[:1]]
        return ", ".join(parts)
    return ""


def at(trial: Trial, directory: Path) -> StoreUnderTest:
    """The store with its data in this directory; the caller closes it."""
    other = trial.store.below(parent_of(trial))
    other.location = Location(directory)
    return other


def contents_at(trial: Trial, directory: Path, ids: list[str]) -> Contents:
    """What is read where the store is opened in this directory; raises Unreadable."""
    with _opened(trial, directory) as handle:
        return contents(handle, ids)


def in_order_at(trial: Trial, directory: Path, ids: list[str]) -> tuple[Contents, str]:
    """The same, and what the store itself finds wrong, empty for nothing; raises Unreadable."""
    with _opened(trial, directory) as handle:
        seen = contents(handle, ids)
        return seen, disorder(handle, seen)


def disorder(handle: Handle, seen: Contents) -> str:
    """What its own verify finds, or a count that is not that of a read; empty for nothing."""
    if "verify" in handle.capabilities:
        found = upkeep.verify(handle)
        if found.failure is not None:
            return f"verify raised {found.failure.type}: {found.failure.text[:300]}"
        if not found.value.ok:
            return f"verify says: {found.value.problems[0]}"
    for session, messages in seen.sessions.items() if "count" in handle.capabilities else ():
        counted = handle.invoke(Count("s0"), session)
        if counted.type == "ok" and counted.value != len(messages):
            return f"count answers {counted.value} for a session of {len(messages)} messages"
    return ""


@contextmanager
def _opened(trial: Trial, directory: Path) -> Iterator[Handle]:
    store = at(trial, directory)
    try:
        handle = store.handle()
    except CannotOpen as error:
        raise Unreadable(f"it does not open: {error}") from None
    try:
        yield handle
    finally:
        store.close()


@contextmanager
def courier(trial: Trial) -> Iterator[Handle]:
    """A handle elsewhere, which lends the store's code for restores; raises CannotOpen."""
    other = trial.store.below(parent_of(trial))
    try:
        yield other.handle()
    finally:
        other.close()


def folder_for(trial: Trial, what: str) -> Path:
    """A new, empty folder beside the trial's locations."""
    return Path(mkdtemp(prefix=f"{what}-", dir=parent_of(trial)))


def copied(trial: Trial, directory: Path, what: str = "copy") -> Path:
    """A copy of a directory, or of a file with what lies beside it, in a new folder."""
    there = folder_for(trial, what)
    shutil.copytree(directory, there, dirs_exist_ok=True)
    return there


def digest(path: Path) -> str:
    """Of the bytes of a file, or of all files of a folder; empty where nothing is."""
    if path.is_file():
        return hashlib.sha256(path.read_bytes()).hexdigest()
    if not path.is_dir():
        return ""
    each = sorted((str(one.relative_to(path)), digest(one)) for one in path.rglob("*"))
    return hashlib.sha256(repr(each).encode()).hexdigest()


def files_of(path: Path) -> list[Path]:
    """The file itself, or all files below a folder."""
    return [path] if path.is_file() else sorted(one for one in path.rglob("*") if one.is_file())


def require_end(trial: Trial, outcome: Outcome, did: str) -> None:
    """Raise Broken where a call hung, crashed or answered what the contract does not allow."""
    if outcome.failure is not None and outcome.failure.type in (HANG, CRASH, MALFORMED):
        trial.require_ok(outcome, did)
