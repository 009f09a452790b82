"""Session managers: eighteen calls that name sessions, keep facts of them, and let them run out.

A store that has such a face gives all of it by one method, ``manager``: the name of a call, its
arguments by name, its answer as JSON. So a store's own methods may be called as they like, and a
manager in another language has one method to add.
"""

from __future__ import annotations

import inspect
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, fields
from types import MappingProxyType
from typing import Any, Protocol, TypeAlias, get_type_hints

from sessionproof.contract.errors import Refused
from sessionproof.contract.message import Json


@dataclass(frozen=True, slots=True)
class ManagedSession:
    """What a manager knows of a session. Times are integer microseconds since 1970-01-01 UTC.

    ``expires_at_us`` is the time from which on the session is over unless it is accessed before:
    always as long after ``last_accessed_us``. A manager that writes accesses now and then (claim
    ``access_step_us``) may show a last access that is older than the true one by that step, and
    may let the session live longer by that step, and never shorter.
    """

    session_id: str
    created_at_us: int
    last_accessed_us: int
    expires_at_us: int
    first_user_message: str | None = None
    chat_id: str | None = None
    parent_id: str | None = None
    metadata: Mapping[str, Json] | None = None


class ManagesSessions(Protocol):
    """The calls. A session that is over is unknown to all but those that say otherwise.

    Accesses are to make it, to get it, and updates that answer True; nothing else lets it live on.
    Every call refuses arguments of a wrong type, empty ids, and, once the manager is shut down,
    everything but ``shutdown``: by ``Refused``, in one line, with nothing changed.
    """

    def generate_session_id(self, message: str) -> str:
        """The digest of a message in hexadecimal: 32 digits of MD5, or 64 of SHA-256.

        Equal messages give equal ids, which is why ``create_session`` does not use it unless it is
        told to.
        """
        ...

    def create_session(
        self, first_user_message: str | None = None, *, session_id: str | None = None,
        chat_id: str | None = None,
    ) -> ManagedSession:  # fmt: skip
        """Make a session with an id of its own, or with this one; ``Conflict`` where it is taken.

        Two calls with equal messages make two sessions, unless the claim ``ids_from_content`` says
        that they share one.
        """
        ...

    def get_session(self, session_id: str) -> ManagedSession | None:
        """The session, whose life begins anew; None when it is unknown or over."""
        ...

    def update_session(self, session_id: str, changes: Mapping[str, Json]) -> bool:
        """Set some of ``first_user_message``, ``chat_id``, ``parent_id`` and ``metadata``.

        Other keys are refused; none at all is an access, too. Metadata are replaced as a whole;
        without any, a session shows none or an empty object. False when it is unknown or over.
        """
        ...

    def update_parent_id(self, session_id: str, parent_id: str | None) -> bool:
        """Set the message to which the next one is an answer; False as in ``update_session``."""
        ...

    def set_chat_id(self, session_id: str, chat_id: str | None) -> bool:
        """Set the chat at the provider; False as in ``update_session``."""
        ...

    def delete_session(self, session_id: str) -> bool:
        """Remove the session and its messages, also when it is over; False when it is unknown."""
        ...

    def is_new_session(self, session_id: str) -> bool:
        """Whether the session has no parent id, or is unknown, or over. No access."""
        ...

    def get_parent_id(self, session_id: str) -> str | None:
        """Its parent id; None without one, and for a session that is unknown or over. No access."""
        ...

    def cleanup(self) -> int:
        """Remove every session that is over, with its messages; answers how many there were.

        An instance may begin with that, before it counts.
        """
        ...

    def start_cleanup(self, interval_us: int | None = None) -> None:
        """Clean up in the background, every ten minutes if nothing is said; a second call resets.

        An interval of less than one microsecond is refused. It keeps no process alive.
        """
        ...

    def stop_cleanup(self) -> None:
        """End that, and wait for a clean-up that is under way; nothing when there is none."""
        ...

    def shutdown(self) -> None:
        """End the clean-up and give everything back; a second call does nothing."""
        ...

    def get_metrics(self) -> Mapping[str, Json]:
        """Counts since the manager was opened, and those of now.

        ``created``, ``deleted`` (by ``delete_session`` and ``clear_all``) and ``expired`` (by
        clean-ups) by this manager; ``active`` (not over) and ``total`` (all that are stored).
        Further keys are free.
        """
        ...

    def get_active_sessions(self) -> Sequence[ManagedSession]:
        """All sessions that are not over, in any order. No access."""
        ...

    def get_session_count(self) -> int:
        """How many sessions are stored, those that are over and not cleaned up among them."""
        ...

    def get_all_sessions(self) -> Sequence[ManagedSession]:
        """As many sessions, in any order. No access."""
        ...

    def clear_all(self) -> int:
        """Remove all sessions; answers how many there were."""
        ...


class Manages(Protocol):
    """The store has a session manager's face."""

    def manager(self, call: str, arguments: Mapping[str, Json]) -> Json:
        """Carry a call of ``ManagesSessions`` out: arguments by name, those left out their default.

        A session is answered as an object of ``ManagedSession``'s fields; None may be left out.
        """
        ...


CALLS: Mapping[str, inspect.Signature] = MappingProxyType(
    {
        name: inspect.signature(function)
        for name, function in vars(ManagesSessions).items()
        if not name.startswith("_") and inspect.isfunction(function)
    }
)
"""The eighteen calls, by name."""

_Names: TypeAlias = Mapping[str, inspect.Parameter]


def _taken(call: inspect.Signature) -> tuple[_Names, _Names]:
    """The parameters of a call, and those that have no default."""
    names = {name: one for name, one in call.parameters.items() if name != "self"}
    empty = inspect.Parameter.empty
    return names, {name: one for name, one in names.items() if one.default is empty}


_TAKES = {name: _taken(call) for name, call in CALLS.items()}

METRICS = ("created", "deleted", "expired", "active", "total")

_FIELDS = tuple(item.name for item in fields(ManagedSession))
_AMOUNTS = ("created_at_us", "last_accessed_us", "expires_at_us")


def call_manager(manager: ManagesSessions, call: str, arguments: Mapping[str, Json]) -> Json:
    """The method ``manager`` of a store whose manager is a Python object.

    Raises Refused for a call that there is not, or arguments that it does not take.
    """
    if call not in CALLS:
        raise Refused(f"a session manager has no call {call!r}: {', '.join(CALLS)}")
    names, owed = _TAKES[call]
    if not arguments.keys() <= names.keys():
        unknown = sorted(set(arguments) - set(names))
        raise Refused(f"{call} takes {', '.join(names) or 'nothing'}, not {', '.join(unknown)}")
    missing = [one for one in owed if one not in arguments]
    if missing:
        raise Refused(f"{call} needs {', '.join(missing)}")
    positional = [arguments[one] for one in owed]
    keywords = {one: value for one, value in arguments.items() if one not in owed}
    return _shown(getattr(manager, call)(*positional, **keywords))


def _shown(value: Any) -> Json:
    if isinstance(value, ManagedSession):
        shown = {name: getattr(value, name) for name in _FIELDS}
        return {name: part for name, part in shown.items() if part is not None}
    if isinstance(value, Mapping):
        return dict(value)
    if isinstance(value, Sequence) and not isinstance(value, str):
        return [_shown(one) for one in value]
    return value  # type: ignore[no-any-return]


def answer_of(call: str, value: Json) -> Any:
    """What the call answered, with sessions as ``ManagedSession``.

    Raises ValueError that lists what the contract does not allow.
    """
    match call:
        case "create_session":
            return _session(value)
        case "get_session":
            return None if value is None else _session(value)
        case "get_active_sessions" | "get_all_sessions":
            if not isinstance(value, list):
                raise ValueError(f"{call} answered {_kind(value)}, expected a list of sessions")
            return [_session(one) for one in value]
        case "get_metrics":
            return _metrics(value)
    expected = get_type_hints(getattr(ManagesSessions, call))["return"]
    allowed = getattr(expected, "__args__", (expected,))
    if type(value) not in allowed:
        raise ValueError(f"{call} answered {_kind(value)}, expected {_word(allowed)}")
    return value


def _metrics(value: Json) -> dict[str, Json]:
    if not isinstance(value, dict):
        raise ValueError(f"get_metrics answered {_kind(value)}, expected an object")
    wrong = [name for name in METRICS if type(value.get(name)) is not int]
    if wrong:
        raise ValueError(f"get_metrics has no whole number as {', '.join(wrong)}")
    return value


def _session(value: Json) -> ManagedSession:
    if not isinstance(value, dict):
        raise ValueError(f"{_kind(value)} where a session is expected")
    problems = [f"a session has no field {name!r}" for name in sorted(value.keys() - set(_FIELDS))]
    for name in _FIELDS:
        given = value.get(name)
        if name in _AMOUNTS:
            fits = type(given) is int
        elif name == "metadata":
            fits = given is None or isinstance(given, dict)
        else:
            fits = isinstance(given, str) or (given is None and name != "session_id")
        if not fits:
            problems.append(f"{name} is {_kind(given)}")
    if problems:
        raise ValueError("; ".join(problems))
    return ManagedSession(**value)


def _kind(value: object) -> str:
    return f"a {type(value).__name__}"


def _word(types: Sequence[type]) -> str:
    words = {str: "a text", int: "a whole number", bool: "true or false", type(None): "null"}
    return " or ".join(words[one] for one in types)
