"""What a store answers, checked and rebuilt from plain values.

Nothing that a store returned goes further than this module: every answer is copied into our own
types, so a hostile ``__eq__`` or ``__repr__`` never runs in a check or a report. Each function
answers the copy and every problem it saw.
"""

from __future__ import annotations

import itertools
from collections.abc import Callable, Mapping, Sequence
from dataclasses import fields
from typing import Any

from sessionproof.contract.message import (
    MESSAGE_FIELDS,
    Message,
    Page,
    Receipt,
    SessionInfo,
    message_problems,
)
from sessionproof.contract.operations import (
    Append,
    AppendWithState,
    Count,
    Create,
    Get,
    GetState,
    List,
    Operation,
    PopLast,
    Read,
    ReadLast,
)

Checked = tuple[Any, list[str]]
_LONGEST = 2_000_000  # elements of an answer
_MOST = 12  # problems listed at most; the rest is counted
_NAME_MOST = 100  # characters of a type's name
_TEXT_MOST = 64 * 1024 * 1024  # characters; several copies are made of each
_BITS_MOST = 13_000  # of a number: Python refuses to write one of more than 4,300 digits
_DEEPEST = 100  # levels of lists and mappings in one value
_TEXTS = ("session_id", "status", "owner", "title", "llm_model")


def checked_answer(operation: Operation, value: object) -> Checked:
    """The plain copy of an operation's answer, and all problems of its type and shape."""
    match operation:
        case Append(_, messages) | AppendWithState(_, messages):
            return _receipt(value, len(messages))
        case Read() | ReadLast():
            return _messages(value)
        case Create():
            return _text(value, "create")
        case Count():
            return _integer(value, "count")
        case PopLast():
            return (None, []) if value is None else _message(value, "pop_last")
        case Get():
            return (None, []) if value is None else _info(value)
        case List():
            return _each(value, "list", _text)
        case GetState():
            return plain(value, "get_state")
        case _:
            return None, []  # nothing is promised of what these answer


def checked_page(value: object) -> Checked:
    """The plain copy of a page, and its problems."""
    if not isinstance(value, Page):
        return None, [f"page answered {kind(value)}, expected sessionproof.Page"]
    messages, problems = _messages(value.messages)
    cursor = value.next
    if cursor is None:
        return Page(messages), problems
    if isinstance(cursor, bool) or not isinstance(cursor, str | int):
        bad = f"Page.next is {kind(cursor)}, expected a string, an integer or None"
        return Page(messages), [*problems, bad]
    copy, bad_cursor = plain(cursor, "Page.next")
    return Page(messages, copy), [*problems, *bad_cursor]


def kind(value: object) -> str:
    """The type of a value in words, without running any code of the value."""
    name = type.__getattribute__(type(value), "__name__")[:_NAME_MOST]
    return f"{'an' if name[:1].lower() in 'aeio' else 'a'} {name}"


def plain(value: object, where: str, *, depth: int = 0) -> Checked:
    """A copy in plain JSON types, and what JSON cannot express in it.

    What is nested too deeply, or longer as a number, than can be shown is a problem, too.
    """
    if value is None or value is True or value is False:
        return value, []
    if isinstance(value, str):
        return _text(value, where)
    if isinstance(value, int):
        return _whole(value, where)
    if isinstance(value, float):
        return float.__add__(value, 0.0), []
    if depth == _DEEPEST:
        return None, [f"{where} is nested deeper than {_DEEPEST} levels"]
    if isinstance(value, Mapping):
        out, problems = {}, []
        for key, item in value.items():
            name, bad = _text(key, f"{where} key")
            copy, more = plain(item, where, depth=depth + 1)
            problems += bad + more
            out[name] = copy
        return out, problems
    if isinstance(value, list | tuple):
        parts = [plain(item, where, depth=depth + 1) for item in value]
        return [part for part, _ in parts], [text for _, bad in parts for text in bad]
    return None, [f"{where} holds {kind(value)}, which JSON cannot express"]


def _messages(value: object) -> Checked:
    return _each(value, "messages", _message)


def _each(value: object, where: str, check: Callable[[object, str], Checked]) -> Checked:
    if isinstance(value, str | bytes | Mapping) or not isinstance(value, Sequence):
        return (), [f"{where}: got {kind(value)}, expected a list or another sequence"]
    out: list[Any] = []
    problems: list[str] = []
    for index, item in enumerate(itertools.islice(value, _LONGEST + 1)):
        if index == _LONGEST:
            return tuple(out), [f"{where} has more than {_LONGEST:,} elements, or no end"]
        copy, bad = check(item, f"{where}[{index}]")
        out.append(copy)
        problems += bad
    if len(problems) > _MOST:
        problems = [*problems[:_MOST], f"and {len(problems) - _MOST} problems more"]
    return tuple(out), problems


def _message(value: object, where: str) -> Checked:
    if not isinstance(value, Message):
        return None, [f"{where} is {kind(value)}, expected sessionproof.Message"]
    values, problems = {}, []
    for name in MESSAGE_FIELDS:
        values[name], bad = plain(getattr(value, name), name)
        problems += [f"{where}: {text}" for text in bad]
    copy = Message(**values)
    return copy, problems + [f"{where}: {text}" for text in message_problems(copy)]


def _info(value: object) -> Checked:
    if not isinstance(value, SessionInfo):
        return None, [f"get answered {kind(value)}, expected sessionproof.SessionInfo"]
    values, problems = {}, []
    for item in fields(SessionInfo):
        copy, bad = plain(getattr(value, item.name), item.name)
        counted = item.name.endswith(("_count", "_tokens", "_us"))
        if counted and copy is not None and type(copy) is not int:
            bad = [*bad, f"{item.name} is {kind(copy)}, expected an integer or None"]
        if item.name in _TEXTS and copy is not None and type(copy) is not str:
            bad = [*bad, f"{item.name} is {kind(copy)}, expected a string or None"]
        problems += bad
        values[item.name] = copy
    return SessionInfo(**values), problems


def _receipt(value: object, length: int) -> Checked:
    if value is None:
        return None, []
    if not isinstance(value, Receipt):
        return None, [f"append answered {kind(value)}, expected sessionproof.Receipt or None"]
    problems: list[str] = []
    parts: list[Any] = []
    for name, part, check in (("seqs", value.seqs, _integer), ("ids", value.ids, _text)):
        copy, bad = (None, []) if part is None else _each(part, name, check)
        if copy is not None and not bad and len(copy) != length:
            bad = [f"{name} has {len(copy)} entries for {length} messages"]
        parts.append(copy)
        problems += bad
    return Receipt(*parts), problems


def _text(value: object, where: str) -> Checked:
    if not isinstance(value, str):
        return "", [f"{where} is {kind(value)}, expected a string"]
    if str.__len__(value) > _TEXT_MOST:
        return "", [f"{where} holds a text of {str.__len__(value):,} characters"]
    return str.__str__(value), []


def _integer(value: object, where: str) -> Checked:
    if isinstance(value, int) and not isinstance(value, bool):
        return _whole(value, where)
    return 0, [f"{where} is {kind(value)}, expected an integer"]


def _whole(value: int, where: str) -> Checked:
    copy = int.__add__(value, 0)
    if copy.bit_length() > _BITS_MOST:
        return 0, [f"{where} holds a number of {copy.bit_length():,} bits"]
    return copy, []
