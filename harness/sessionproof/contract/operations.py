"""Operations and their outcomes. A program is a sequence of operations.

The names of sessions in a program (s0, s1, …) are logical: whoever runs it binds each to the id
that the store knows. What a workload does, what a history records and what the oracle steps
through are these same values.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, ClassVar, Literal, TypeAlias

from sessionproof.contract.message import Json, Message, to_json


@dataclass(frozen=True, slots=True)
class Append:
    """Add messages to the end of a session, in order."""

    session: str
    messages: tuple[Message, ...]


@dataclass(frozen=True, slots=True)
class Read:
    """All messages of a session, oldest first."""

    session: str


@dataclass(frozen=True, slots=True)
class Create:
    """Make a session, with its first messages; answers its id."""

    session: str
    messages: tuple[Message, ...] = ()


@dataclass(frozen=True, slots=True)
class Get:
    """The facts of a session."""

    session: str


@dataclass(frozen=True, slots=True)
class List:
    """The ids of all sessions."""


@dataclass(frozen=True, slots=True)
class Delete:
    """Remove a session with all that belongs to it."""

    session: str


@dataclass(frozen=True, slots=True)
class Clear:
    """Remove all messages of a session."""

    session: str


@dataclass(frozen=True, slots=True)
class ReadLast:
    """The newest ``n`` messages, oldest first."""

    session: str
    n: int


@dataclass(frozen=True, slots=True)
class ReadPages:
    """All messages by pages of at most ``limit``, following the cursor to its end."""

    session: str
    limit: int


@dataclass(frozen=True, slots=True)
class Count:
    """How many messages a session has."""

    session: str


@dataclass(frozen=True, slots=True)
class PopLast:
    """Remove the newest message and answer it; None when there is none."""

    session: str


@dataclass(frozen=True, slots=True)
class DeleteMessage:
    """Remove the message at ``index`` (from 0, modulo the number of messages)."""

    session: str
    index: int


@dataclass(frozen=True, slots=True)
class EditMessage:
    """Put another message in the place of the one at ``index`` (modulo their number)."""

    session: str
    index: int
    message: Message


@dataclass(frozen=True, slots=True)
class Replace:
    """Put a whole new history in the place of a session's messages."""

    session: str
    messages: tuple[Message, ...]


@dataclass(frozen=True, slots=True)
class GetState:
    """The value of a key of a session's state; None when it was never set."""

    session: str
    key: str


@dataclass(frozen=True, slots=True)
class SetState:
    """Set a key of a session's state."""

    session: str
    key: str
    value: Json


@dataclass(frozen=True, slots=True)
class AppendWithState:
    """Add messages to the end of a session and set keys of its state, in one step."""

    session: str
    messages: tuple[Message, ...]
    state: Mapping[str, Json]


@dataclass(frozen=True, slots=True)
class Reopen:
    """Close the handle and open the location again."""


Operation: TypeAlias = (
    Append | Read | Create | Get | List | Delete | Clear | ReadLast | ReadPages | Count | PopLast
    | DeleteMessage | EditMessage | Replace | GetState | SetState | AppendWithState | Reopen
)  # fmt: skip
Program: TypeAlias = tuple[Operation, ...]


@dataclass(frozen=True, slots=True)
class Upkeep:
    """What is done to a store as a whole, by the name of its method, as in ``restore``.

    ``paths`` are its arguments, below a folder that whoever carries it out knows. ``looked_at`` are
    the ids of the sessions that tell whether it was done.
    """

    method: str
    paths: tuple[str, ...]
    options: Mapping[str, Json] = field(default_factory=dict)
    looked_at: tuple[str, ...] = ()

    session: ClassVar[str] = ""
    """It is about no single session."""


Request: TypeAlias = Operation | Upkeep
Naming: TypeAlias = Literal["quoted", "variables", "answered"]
"""Whatever a store may be asked for."""


# Types of failures that are no exception's name.
HANG = "hang"
CRASH = "crash"
MALFORMED = "malformed-answer"


@dataclass(frozen=True, slots=True)
class Failure:
    """How an operation failed: the exception's type name, its text, and raw evidence.

    Failures of one type and text are equal, wherever in the store they came from.
    """

    type: str
    text: str
    evidence: Mapping[str, str] = field(default_factory=dict, compare=False)

    def __str__(self) -> str:
        return f"{self.type}: {self.text}"

    @property
    def line(self) -> str:
        """Type and text, in one line."""
        return " ".join(str(self).split())


@dataclass(frozen=True, slots=True)
class Outcome:
    """``ok``: took place and answered ``value``. ``fail``: surely did not. ``info``: unknown."""

    type: Literal["ok", "fail", "info"]
    value: Any = None
    failure: Failure | None = None

    @property
    def evidence(self) -> dict[str, str]:
        """That of its failure."""
        return {} if self.failure is None else dict(self.failure.evidence)


@dataclass(frozen=True, slots=True)
class Completed:
    """An operation with its outcome, and the id by which the store knows the session."""

    operation: Operation
    outcome: Outcome
    session_id: str | None = None


_METHODS: dict[type, str] = {
    Append: "append", Read: "read", Create: "create", Get: "get", List: "list",
    Delete: "delete", Clear: "clear", ReadLast: "read_last", ReadPages: "page", Count: "count",
    PopLast: "pop_last", DeleteMessage: "delete_message", EditMessage: "edit_message",
    Replace: "replace", GetState: "get_state", SetState: "set_state",
    AppendWithState: "append_with_state", Reopen: "close",
}  # fmt: skip


def method_of(operation: Request | type[Operation]) -> str:
    """The name of the store's method that carries the operation out."""
    if isinstance(operation, Upkeep):
        return operation.method
    kind = operation if isinstance(operation, type) else type(operation)
    return _METHODS[kind]


def session_of(operation: Request) -> str:
    """The logical name of the session that it is about; empty for those about none."""
    return "" if isinstance(operation, List | Reopen) else operation.session


def messages_of(operation: Request) -> tuple[Message, ...]:
    """The messages that the operation puts into its session; none for those that put none."""
    match operation:
        case Append(_, messages) | Create(_, messages) | Replace(_, messages):
            return messages
        case AppendWithState(_, messages):
            return messages
        case EditMessage(_, _, message):
            return (message,)
        case _:
            return ()


def as_call(operation: Request, names: Naming = "quoted") -> str:
    """The operation as one line of Python against a store, for people to read and paste.

    ``names``: sessions are texts (``'s0'``), variables that were set before (``s0``), or variables
    that creating sets, for a store that gives its own ids (``s0 = store.create()``).
    """
    if isinstance(operation, Reopen):
        return "store.close(); store = open_again()"
    if isinstance(operation, List):
        return "store.list()"
    if isinstance(operation, Upkeep):
        named = (f"{name}={value!r}" for name, value in operation.options.items())
        return f"store.{operation.method}({', '.join([*map(repr, operation.paths), *named])})"
    name = repr(operation.session) if names == "quoted" else operation.session
    match operation:
        case Append(_, messages) | Replace(_, messages):
            return f"store.{method_of(operation)}({name}, [{_calls(messages)}])"
        case Create(_, messages):
            given = [f"messages=[{_calls(messages)}]"] if messages else []
            if names == "answered":
                return f"{name} = store.create({', '.join(given)})"
            return f"store.create({', '.join([name, *given])})"
        case ReadLast(_, n):
            return f"store.read_last({name}, {n})"
        case ReadPages(_, limit):
            return f"store.page({name}, cursor=…, limit={limit})  # page by page"
        case DeleteMessage(_, index):
            return f"store.delete_message({name}, …)  # the message at {index}"
        case EditMessage(_, index, message):
            new = message_call(message)
            return f"store.edit_message({name}, …, {new})  # the message at {index}"
        case GetState(_, key):
            return f"store.get_state({name}, {key!r})"
        case SetState(_, key, value):
            return f"store.set_state({name}, {key!r}, {value!r})"
        case AppendWithState(_, messages, state):
            return f"store.append_with_state({name}, [{_calls(messages)}], {dict(state)!r})"
        case _:
            return f"store.{method_of(operation)}({name})"


def message_call(message: Message) -> str:
    """The message as the Python expression that makes it; long texts are cut in the middle."""
    values = to_json(message)
    parts = [_short(values.pop("role")), _short(values.pop("content"))]
    parts += [f"{name}={_short(value)}" for name, value in values.items()]
    return f"Message({', '.join(parts)})"


def _calls(messages: tuple[Message, ...]) -> str:
    return ", ".join(map(message_call, messages))


def shown_text(text: str, limit: int = 200) -> str:
    """A text in quotes, for people: unprintable characters escaped, long ones cut inside."""
    if len(text) > limit:
        begin, end = _quoted(text[: limit // 2]), _quoted(text[-(limit // 4) :])
        return f"{begin} … {len(text):,} characters … {end}"
    return _quoted(text)


def _short(value: object) -> str:
    if isinstance(value, str):
        return shown_text(value)
    text = repr(value)
    return text if len(text) <= 1_000 else f"{text[:400]} … {len(text):,} characters"


def _quoted(text: str) -> str:
    return repr(text) if text.isprintable() else ascii(text)
