"""Messages and calls as Python expressions that make them again: never cut, long ones compact."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import replace
from itertools import groupby
from typing import Any

from sessionproof.contract.message import Message, to_json
from sessionproof.contract.operations import (
    Append,
    AppendWithState,
    Create,
    DeleteMessage,
    EditMessage,
    GetState,
    List,
    Operation,
    ReadLast,
    Replace,
    SetState,
    method_of,
    session_of,
)

TEXT_MOST = 20_000  # characters of an expression; longer ones are no script for a person
_PLAIN_MOST = 100  # characters of a text that is written as it is
_PERIOD_MOST = 64
_REPEATED_LEAST = 40  # characters that must repeat before it is written as a product
_LISTED_MOST = 4  # elements that are written one by one
_NUMBERED = re.compile(r"(.*#)(0|[1-9]\d*)", re.DOTALL)  # the texts of programs end with a token


class Unwritable(Exception):
    """No script of a bearable length says this; the text is the reason."""


def expression(value: Any) -> str:
    """The value as an expression; raises Unwritable for what has none, or a very long one."""
    match value:
        case Message():
            return message(value)
        case str():
            return text(value)
        case list():
            return f"[{', '.join(map(expression, value))}]"
        case tuple():
            return f"({', '.join(map(expression, value))}{',' if len(value) == 1 else ''})"
        case dict():
            pairs = (f"{expression(key)}: {expression(item)}" for key, item in value.items())
            return f"{{{', '.join(pairs)}}}"
        case set() if value:
            return f"{{{', '.join(map(expression, value))}}}"
        case None | bool() | int() | float() | complex() | bytes():
            return repr(value)
    if type(value) is object:
        return "object()"
    raise Unwritable(f"a {type(value).__name__} has no short expression")


def text(value: str) -> str:
    """The text in quotes; in a long one, what repeats is written once: ``'ab' * 500 + '.'``."""
    if len(value) <= _PLAIN_MOST:
        return _quoted(value)
    parts: list[str] = []
    plain = at = 0
    while at < len(value):
        unit, times = _repetition(value, at)
        if times == 0:
            at += 1
            if at - plain > TEXT_MOST:
                raise Unwritable(f"a text of {len(value):,} characters does not repeat itself")
            continue
        parts += [_quoted(value[plain:at])] if at > plain else []
        parts.append(f"{_quoted(unit)} * {times}")
        at += len(unit) * times
        plain = at
    parts += [_quoted(value[plain:])] if plain < len(value) else []
    return " + ".join(parts)


def message(sent: Message, *, content: str | None = None) -> str:
    """The call that makes the message; ``content`` is an expression in the place of its own."""
    values = to_json(sent)
    role, own = expression(values.pop("role")), values.pop("content")
    parts = [role, expression(own) if content is None else content]
    parts += [f"{name}={expression(value)}" for name, value in values.items()]
    return f"Message({', '.join(parts)})"


def messages(sent: Sequence[Message]) -> str:
    """A list of them: a comprehension where nothing but the number of the token changes."""
    if len(sent) > _LISTED_MOST:
        if all(one == sent[0] for one in sent):
            return f"[{message(sent[0])}] * {len(sent)}"
        run = _run(sent)
        if run is not None:
            made = message(sent[0], content=_with_number(run[0]))
            return f"[{made} for n in {_span(run[1], len(sent))}]"
    return f"[{', '.join(map(message, sent))}]"


def loop(batches: Sequence[Sequence[Message]]) -> tuple[str, str] | None:
    """Batches of one size and one numbering as a loop: its head, and the batch inside it."""
    flat = [one for batch in batches for one in batch]
    size = len(batches[0])
    run = _run(flat)
    if run is None or len(batches) <= _LISTED_MOST or any(len(one) != size for one in batches):
        return None
    made = message(flat[0], content=_with_number(run[0]))
    if size == 1:
        return f"for n in {_span(run[1], len(flat))}:", f"[{made}]"
    steps = f"range({run[1]}, {run[1] + len(flat)}, {size})"
    return f"for k in {steps}:", f"[{made} for n in range(k, k + {size})]"


def values(listed: Sequence[Any]) -> str:
    """A list of plain values; equal ones in a row, and texts that count on, are written once."""
    parts: list[str] = []
    plain: list[Any] = []
    for _, group in groupby(enumerate(listed), lambda item: _place(*item)):
        run = [value for _, value in group]
        if len(run) <= _LISTED_MOST:
            plain += run
            continue
        parts += [expression(plain)] if plain else []
        plain = []
        numbers = _numbers(run)
        if numbers is None:
            parts.append(f"[{expression(run[0])}] * {len(run)}")
        else:
            stem, first = numbers
            parts.append(f"[{_with_number(stem)} for n in {_span(first, len(run))}]")
    parts += [expression(plain)] if plain or not parts else []
    return " + ".join(parts)


def count_of(message: Message) -> int | None:
    """The number of the token at the end of a message's text, None where there is none."""
    numbers = _numbers([message.content])
    return None if numbers is None else numbers[1]


def call(
    operation: Operation, session: str | None = None, *, at: int = 0, store: str = "store"
) -> str:
    """The call that carries the operation out, against the variable ``store``.

    ``session`` is the expression of the session's id, its name in the program by default; ``at``
    is the place of a message that is deleted or edited. Not for pages, which take a loop.
    """
    method = f"{store}.{method_of(operation)}"
    where = expression(session_of(operation)) if session is None else session
    match operation:
        case List():
            return f"{method}()"
        case Append(_, sent) | Replace(_, sent):
            return f"{method}({where}, {messages(sent)})"
        case Create(_, sent):
            given = [where] if where else []
            given += [f"messages={messages(sent)}"] if sent else []
            return f"{method}({', '.join(given)})"
        case ReadLast(_, n):
            return f"{method}({where}, {n})"
        case DeleteMessage():
            return f"{method}({where}, store.read({where})[{at}].id)"
        case EditMessage(_, _, new):
            return f"{method}({where}, store.read({where})[{at}].id, {message(new)})"
        case GetState(_, key):
            return f"{method}({where}, {expression(key)})"
        case SetState(_, key, value):
            return f"{method}({where}, {expression(key)}, {expression(value)})"
        case AppendWithState(_, sent, state):
            return f"{method}({where}, {messages(sent)}, {expression({**state})})"
        case _:
            return f"{method}({where})"


def _span(first: int, length: int) -> str:
    return f"range({first}, {first + length})" if first else f"range({length})"


def _quoted(value: str) -> str:
    return repr(value) if value.isprintable() else ascii(value)


def _repetition(value: str, at: int) -> tuple[str, int]:
    """The shortest unit that repeats from ``at``, and how often; 0 times when nothing does."""
    for period in range(1, _PERIOD_MOST + 1):
        least = max(_REPEATED_LEAST, 2 * period)
        window = value[at : at + least]
        if len(window) == least and window == value[at + period : at + period + least]:
            unit = value[at : at + period]
            found = re.compile(f"(?:{re.escape(unit)})+").match(value, at)
            return unit, (found.end() - at) // period if found else 0
    return "", 0


def _run(sent: Sequence[Message]) -> tuple[str, int] | None:
    """What the texts have in common, and their first number; None where more than that changes."""
    if any(replace(one, content=None) != replace(sent[0], content=None) for one in sent):
        return None
    return _numbers([one.content for one in sent])


def _numbers(listed: Sequence[Any]) -> tuple[str, int] | None:
    found = [_NUMBERED.fullmatch(one) if isinstance(one, str) else None for one in listed]
    if None in found:
        return None
    parts = [(one[1], int(one[2])) for one in found if one is not None]
    stem, first = parts[0]
    wanted = [(stem, first + place) for place in range(len(parts))]
    return (stem, first) if parts == wanted and len(stem) <= _PLAIN_MOST else None


def _place(at: int, value: Any) -> tuple[object, ...]:
    """The same for values of which a row can be written in short."""
    numbers = _numbers([value])
    return (type(value), repr(value)) if numbers is None else (numbers[0], numbers[1] - at, "#")


def _with_number(stem: str) -> str:
    """The f-string of a text that ends with the number n."""
    quoted = _quoted(stem.replace("{", "{{").replace("}", "}}"))
    return f"f{quoted[:-1]}{{n}}{quoted[-1]}"
