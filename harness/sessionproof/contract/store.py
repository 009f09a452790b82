"""What a store is: three methods, and one method for each capability that it may have beside.

Every method may be ``async def`` instead. Nothing is inherited: a class that has the methods is a
store, and a method that it lacks is a capability that it does not claim.
"""

from __future__ import annotations

import inspect
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, replace
from types import MappingProxyType
from typing import Protocol

from sessionproof.contract.claims import Claims
from sessionproof.contract.health import Maintains, TellsHealth
from sessionproof.contract.lifetime import SetsClock, SetsLimits, SetsStatus, Sweeps, Touches
from sessionproof.contract.managing import Manages
from sessionproof.contract.message import Json, Message, Page, Receipt, SessionInfo
from sessionproof.contract.searching import Searches
from sessionproof.contract.snapshots import ListsSnapshots, RestoresSnapshots, TakesSnapshots
from sessionproof.contract.transactions import Transacts
from sessionproof.contract.upkeep import (
    BacksUp,
    Migrates,
    Recovers,
    Repairs,
    Restores,
    RollsBack,
    Verifies,
)
from sessionproof.contract.users import (
    ActivatesUsers,
    AddsUsers,
    DeletesUsers,
    KnowsTokens,
    OwnsSessions,
    RenamesUsers,
    SignsIn,
    SignsOut,
)


class SessionStore(Protocol):
    """The core that every store owes."""

    def append(self, session_id: str, messages: Sequence[Message]) -> Receipt | None:
        """Add messages to the end of a session; once it returns, they are kept."""
        ...

    def read(self, session_id: str) -> Sequence[Message]:
        """All messages of the session, oldest first; empty or ``NotFound`` when it is unknown."""
        ...

    def close(self) -> None:
        """Give the handle back; the data stays."""
        ...


class Creates(Protocol):
    """Sessions are made on purpose."""

    def create(self, session_id: str | None = None, *, messages: Sequence[Message] = ()) -> str:
        """Make a session with its first messages; answers the id by which it is known.

        One without the parameter ``messages`` makes empty sessions.
        """
        ...


class CreatesEmpty(Protocol):
    """Sessions are made on purpose, and are empty then."""

    def create(self, session_id: str | None = None) -> str:
        """Make an empty session; answers the id by which it is known."""
        ...


class Gets(Protocol):
    """A session has facts, such as counters."""

    def get(self, session_id: str) -> SessionInfo | None:
        """The session's facts; None or ``NotFound`` when it is unknown."""
        ...


class Lists(Protocol):
    """Sessions can be enumerated."""

    def list(self) -> Sequence[str]:
        """The ids of all sessions, each once, in any order."""
        ...


class Deletes(Protocol):
    """A session can be removed."""

    def delete(self, session_id: str) -> None:
        """Remove the session and all that belongs to it."""
        ...


class Clears(Protocol):
    """A session can be emptied."""

    def clear(self, session_id: str) -> None:
        """Remove all messages of the session; its state stays."""
        ...


class ReadsLast(Protocol):
    """The newest messages can be read alone."""

    def read_last(self, session_id: str, n: int) -> Sequence[Message]:
        """The newest ``n`` messages, oldest first."""
        ...


class Pages(Protocol):
    """A session can be read in pieces."""

    def page(self, session_id: str, *, cursor: str | int | None = None, limit: int = 50) -> Page:
        """At most ``limit`` messages after the cursor, oldest first; None starts at the oldest."""
        ...


class Counts(Protocol):
    """Messages can be counted without reading them."""

    def count(self, session_id: str) -> int:
        """How many messages the session has; 0 or ``NotFound`` when it is unknown."""
        ...


class PopsLast(Protocol):
    """The newest message can be taken back."""

    def pop_last(self, session_id: str) -> Message | None:
        """Remove the newest message and answer it; None when there is none."""
        ...


class DeletesMessages(Protocol):
    """Single messages can be removed."""

    def delete_message(self, session_id: str, message_id: str) -> None:
        """Remove the message whose ``id`` was seen in a read."""
        ...


class EditsMessages(Protocol):
    """Single messages can be changed."""

    def edit_message(self, session_id: str, message_id: str, message: Message) -> None:
        """Put ``message`` in the place of the one whose ``id`` was seen in a read."""
        ...


class Replaces(Protocol):
    """A whole history can be exchanged."""

    def replace(self, session_id: str, messages: Sequence[Message]) -> None:
        """Put these messages in the place of all that the session has, all or nothing."""
        ...


class GetsState(Protocol):
    """A session has key-value state."""

    def get_state(self, session_id: str, key: str) -> Json:
        """The value of the key as it was set last; None when it was never set."""
        ...


class SetsState(Protocol):
    """A session's state can be set."""

    def set_state(self, session_id: str, key: str, value: Json) -> None:
        """Set one key to a value; other keys stay. What cannot be kept as it is is refused."""
        ...


class AppendsWithState(Protocol):
    """Messages are added, and state is set, in one step."""

    def append_with_state(
        self, session_id: str, messages: Sequence[Message], state: Mapping[str, Json]
    ) -> Receipt | None:
        """Add messages and set keys of the session's state; both are there, or neither.

        A store that does not claim atomic batches owes this for one message at a time.
        """
        ...


class AddsLlmModels(Protocol):
    """The models that sessions may name are kept."""

    def add_llm_model(self, name: str) -> None:
        """Make the model known; one that is known already stays as it is."""
        ...


class SetsLlmModel(Protocol):
    """A session names the model that answers in it; ``get`` answers it as ``llm_model``."""

    def set_llm_model(self, session_id: str, name: str | None) -> None:
        """Let the session name this model, or none."""
        ...


class DeletesLlmModels(Protocol):
    """Models can be forgotten."""

    def delete_llm_model(self, name: str) -> None:
        """Forget the model; what happens while sessions name it is a claim."""
        ...


@dataclass(frozen=True, slots=True)
class SqliteTables:
    """What lies behind a store on SQLite, for audits: the file, and the names that matter.

    ``message_session`` is the column of the messages table that refers to ``session_key`` of the
    sessions table (None when there is no such table); ``message_seq`` is the column of sequence
    numbers (None when there is none). ``children`` are further tables whose rows belong to a
    session: table to the column that refers to ``session_key``. The rest are columns: of the
    messages table those with tokens and duration, of the sessions table those that keep count and
    totals.
    """

    path: str
    messages: str
    message_session: str
    message_seq: str | None = None
    sessions: str | None = None
    session_key: str | None = None
    children: Mapping[str, str] | None = None
    message_tokens: str | None = None
    message_duration: str | None = None
    session_count: str | None = None
    session_tokens: str | None = None
    session_duration: str | None = None


class ShowsTables(Protocol):
    """The store shows what lies behind it."""

    def tables(self) -> SqliteTables:
        """The file and the names of its tables; read-only use."""
        ...


@dataclass(frozen=True, slots=True)
class Capability:
    """One optional method: its protocol, and the call that the harness makes."""

    method: str
    protocol: type
    signature: inspect.Signature


def _methods(*protocols: type) -> Mapping[str, Capability]:
    out = {}
    for protocol in protocols:
        for name, function in vars(protocol).items():
            if not name.startswith("_") and inspect.isfunction(function):
                out[name] = Capability(name, protocol, inspect.signature(function))
    return MappingProxyType(out)


CORE = _methods(SessionStore)
CAPABILITIES = _methods(
    Creates, Gets, Lists, Deletes, Clears, ReadsLast, Pages, Counts, PopsLast, DeletesMessages,
    EditsMessages, Replaces, GetsState, SetsState, AppendsWithState, Transacts, AddsLlmModels,
    SetsLlmModel, DeletesLlmModels, SetsLimits, Touches, SetsStatus, Sweeps, SetsClock,
    TakesSnapshots, RestoresSnapshots, ListsSnapshots, Searches, TellsHealth, Maintains,
    ShowsTables, Verifies,
    BacksUp, Restores, Recovers, Repairs, Migrates, RollsBack,
    AddsUsers, SignsIn, KnowsTokens, SignsOut, ActivatesUsers, RenamesUsers, DeletesUsers,
    OwnsSessions, Manages,
)  # fmt: skip


def capabilities_of(handle: object) -> frozenset[str]:
    """The optional methods that an open handle has.

    A handle that stands for something else (a process, a wrapper) may narrow them by an attribute
    ``capabilities``, a collection of names.
    """
    found = {name for name in CAPABILITIES if callable(getattr(handle, name, None))}
    narrowed = getattr(handle, "capabilities", None)
    if isinstance(narrowed, Collection) and not isinstance(narrowed, str):
        names = set(narrowed)
        found = {name for name in found if name in names}  # our own texts, not the store's
    return frozenset(found)


_CREATES_EMPTY = _methods(CreatesEmpty)["create"].signature


def takes_first_messages(owner: object) -> bool:
    """Whether ``create`` of a handle, or of its class, has a place for first messages."""
    try:
        parameters = inspect.signature(owner.create).parameters.values()  # type: ignore[attr-defined]
    except (AttributeError, TypeError, ValueError):
        return True  # there is none; or methods of C extensions, which do not always tell
    return any(one.name == "messages" or one.kind is one.VAR_KEYWORD for one in parameters)


def as_offered(claims: Claims, owner: object) -> Claims:
    """The claims, less what the methods of a handle, or of its class, cannot take."""
    if takes_first_messages(owner):
        return claims
    return replace(claims, limits=replace(claims.limits, first_messages=False))


def shape_problems(handle: object) -> list[str]:
    """Every method that is missing from the core, or that cannot be called as the contract says."""
    problems = [
        f"{_of(handle)} has no method {name}{_shown(capability.signature)}"
        for name, capability in CORE.items()
        if not callable(getattr(handle, name, None))
    ]
    offered = {*CORE, *capabilities_of(handle)}
    for name, capability in {**CORE, **CAPABILITIES}.items():
        method = getattr(handle, name, None)
        if not callable(method) or name not in offered:
            continue
        try:
            signature = inspect.signature(method)
        except (TypeError, ValueError):
            if inspect.ismethod(method):
                problems.append(f"{_of(handle)}.{name} takes no self")
            continue  # methods of C extensions do not always tell
        empty = name == "create" and not takes_first_messages(handle)
        try:
            _bind_as_called(signature, _CREATES_EMPTY if empty else capability.signature)
        except TypeError as error:
            problems.append(
                f"{_of(handle)}.{name}{signature} does not take the contract's call "
                f"{name}{_shown(capability.signature)}: {error}"
            )
    return problems


def _bind_as_called(signature: inspect.Signature, contract: inspect.Signature) -> None:
    parameters = [item for item in contract.parameters.values() if item.name != "self"]
    positional = [item.name for item in parameters if item.kind is not item.KEYWORD_ONLY]
    keywords = {item.name: item.name for item in parameters if item.kind is item.KEYWORD_ONLY}
    signature.bind(*positional, **keywords)


def _shown(signature: inspect.Signature) -> str:
    parameters = [item for item in signature.parameters.values() if item.name != "self"]
    plain = [item.replace(annotation=inspect.Parameter.empty) for item in parameters]
    return str(inspect.Signature(plain))


def _of(handle: object) -> str:
    return type(handle).__name__
