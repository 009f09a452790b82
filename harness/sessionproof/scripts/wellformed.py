"""The last lines of a script whose answer has a type or shape that the contract does not allow."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence

from sessionproof.contract.operations import (
    Append,
    AppendWithState,
    Completed,
    Count,
    Create,
    DeleteMessage,
    EditMessage,
    Get,
    GetState,
    List,
    PopLast,
    Read,
    ReadLast,
    ReadPages,
)
from sessionproof.scripts.expressions import Unwritable

_ABOUT_A_FIELD = re.compile(r"\b(\w+) (?:is|holds) an? ")
_TEXTS = ("role", "kind", "name", "call_id", "id")
_INTEGERS = ("tokens", "duration_us", "created_at_us")
_VALUES = ("content", "arguments", "metadata")
_SEQUENCE = "assert isinstance(seen, Sequence) and not isinstance(seen, str | bytes), type(seen)"


def well_formed(
    done: Completed, lines: Sequence[str], problem: str, names: Mapping[str, str]
) -> list[str]:
    """That an answer is as the contract says: by the part that ``problem`` tells of."""
    first = f"seen = {lines[0]}"
    match done.operation:
        case DeleteMessage(session, _) | EditMessage(session, _, _):
            read = f"[m.id for m in store.read({names[session]})]"
            return [f"assert None not in {read}, 'a message has no id'"]
        case Read() | ReadLast():
            return [first, _SEQUENCE, *_messages("seen", problem)]
        case ReadPages():
            checked = ["    assert isinstance(page, Page), type(page)"]
            each = [f"    {line}" for line in _messages("page", problem)]
            return [*lines[:3], *checked, *lines[3:], "for page in pages:", *each]
        case PopLast():
            each = [f"    {line}" for line in _messages("[seen]", problem)]
            return [first, "if seen is not None:", *each]
        case Append(_, sent) | AppendWithState(_, sent):
            return [first, "if seen is not None:", *(f"    {one}" for one in _receipt(len(sent)))]
        case Create():
            called = lines[0][lines[0].index("store.") :]
            return [f"seen = {called}", "assert isinstance(seen, str), seen"]
        case Count():
            return [first, "assert isinstance(seen, int) and not isinstance(seen, bool), seen"]
        case Get():
            return [first, "if seen is not None:", *(f"    {one}" for one in _facts(problem))]
        case List():
            return [first, _SEQUENCE, "assert all(isinstance(one, str) for one in seen), seen"]
        case GetState():
            return [first, "json.dumps(seen)"]
        case _:
            raise Unwritable("no assertion of a few lines says what is wrong with the answer")


def _messages(answer: str, problem: str) -> list[str]:
    found = _ABOUT_A_FIELD.search(problem)
    name = found[1] if found else ""
    lines = [f"assert all(isinstance(m, Message) for m in {answer}), {answer}"]
    if name in _TEXTS:
        fits = f"m.{name} is None or isinstance(m.{name}, str)"
        lines.append(f"assert all({fits} for m in {answer}), {answer}")
    elif name in _INTEGERS:
        fits = f"m.{name} is None or (isinstance(m.{name}, int) and not isinstance(m.{name}, bool))"
        lines.append(f"assert all({fits} for m in {answer}), {answer}")
    elif name in _VALUES:
        lines.append(f"json.dumps([m.{name} for m in {answer}], allow_nan=False)")
    return lines


def _receipt(length: int) -> list[str]:
    return [
        "assert isinstance(seen, Receipt), type(seen)",
        f"assert seen.seqs is None or len(seen.seqs) == {length}, seen",
        f"assert seen.ids is None or len(seen.ids) == {length}, seen",
        "assert all(isinstance(one, int) for one in seen.seqs or ()), seen",
        "assert all(isinstance(one, str) for one in seen.ids or ()), seen",
    ]


def _facts(problem: str) -> list[str]:
    found = _ABOUT_A_FIELD.search(problem)
    lines = ["assert isinstance(seen, SessionInfo), type(seen)"]
    if found and found[1].endswith(("_count", "_tokens", "_us")):
        fact = f"seen.{found[1]}"
        lines.append(f"assert {fact} is None or isinstance({fact}, int), seen")
    return lines
