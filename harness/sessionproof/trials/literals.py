"""Messages and calls as lines of Python that run, for the scripts of findings."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import fields
from typing import Any

from sessionproof.contract.claims import Claims
from sessionproof.contract.message import Message

_LONGEST = 5_000  # characters of a line; nobody reads more


def literal(value: object) -> str:
    """A value as Python that makes it: plain types, and an ``object()`` where it is one."""
    match value:
        case str():
            return repr(value) if value.isprintable() else ascii(value)
        case Message():
            return message_literal(value)
        case Mapping():
            return "{" + ", ".join(f"{literal(k)}: {literal(v)}" for k, v in value.items()) + "}"
        case list() | tuple():
            return "[" + ", ".join(map(literal, value)) + "]"
        case _:
            return "object()" if type(value) is object else repr(value)


def message_literal(message: Message) -> str:
    """The message as the expression that makes it, whole."""
    extra = [
        f"{item.name}={literal(value)}"
        for item in fields(message)[2:]
        if (value := getattr(message, item.name)) != item.default
    ]
    return f"Message({', '.join([literal(message.role), literal(message.content), *extra])})"


def call(method: str, *arguments: Any, **options: Any) -> str:
    """A call of the store with these arguments; an argument that is a ``Name`` stands as it is."""
    parts = [one if isinstance(one, Name) else literal(one) for one in arguments]
    parts += [f"{name}={literal(value)}" for name, value in options.items()]
    return f"store.{method}({', '.join(parts)})"


class Name(str):
    """A variable of a script."""

    __slots__ = ()


def session_of(claims: Claims, name: str) -> str:
    """What stands for a session in a script: its id, or a variable where the store names it."""
    return Name(name) if claims.session_ids == "store" else name


def beginning(claims: Claims, *names: str) -> tuple[str, ...]:
    """The lines that make these sessions ready for appends; none where appends create them."""
    if claims.session_ids == "store":
        return tuple(f"{name} = store.create()" for name in names)
    if claims.missing_session == "refuses":
        return tuple(call("create", name) for name in names)
    return ()


def attempt(*lines: str, quiet: bool = False) -> tuple[str, ...]:
    """The lines in a ``try`` block; ``raised`` says afterwards whether they raised."""
    inside = [f"    {line}" for line in lines]
    shown = [] if quiet else ["    print(type(error).__name__, error)"]
    caught = f"except Exception{'' if quiet else ' as error'}:"
    return ("raised = False", "try:", *inside, caught, "    raised = True", *shown)


def texts_of(session: str, *, into: str = "texts") -> str:
    """The line that reads the texts of a session into a variable."""
    return f"{into} = [message.content for message in {call('read', session)}]"


def readable(lines: Iterable[str]) -> Sequence[str]:
    """The lines as a script; none where one is too long to be read."""
    whole = tuple(lines)
    return whole if all(len(line) <= _LONGEST for line in whole) else ()
