"""What clients asked of ``transact``, and what came of it: one record a transaction.

Ids are those of messages, each unique in a history. As text, a history is lines of JSON.
"""

from __future__ import annotations

import json
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any, Literal, TypeAlias, get_args

Type: TypeAlias = Literal["ok", "fail", "info"]


@dataclass(frozen=True, slots=True)
class Step:
    """An append of these ids to a session; or a read, and all ids that it answered.

    The ids of a read begin with the oldest, and what the transaction itself appended before is
    among them. They are None where no answer is known.
    """

    f: Literal["append", "read"]
    session: str
    ids: tuple[int, ...] | None


@dataclass(frozen=True, slots=True)
class Transaction:
    """One transaction of a client, from ``inv`` to ``ret`` in nanoseconds of one clock.

    ``ret`` is None where the outcome is unknown: it may take effect at any time, or never. After
    that its client goes on under another number. ``final`` says that it is a read of one session
    by a fresh handle, when all clients had ended.
    """

    client: int
    inv: int
    ret: int | None
    type: Type
    steps: tuple[Step, ...]
    final: bool = False


def to_lines(transactions: Iterable[Transaction]) -> str:
    """A line of JSON for each."""
    return "".join(f"{json.dumps(_shown(one), separators=(',', ':'))}\n" for one in transactions)


def from_lines(text: str) -> tuple[Transaction, ...]:
    """The inverse; raises ValueError that names the line."""
    return tuple(_read(line, number) for number, line in enumerate(text.splitlines(), 1) if line)


def _shown(one: Transaction) -> dict[str, Any]:
    shown = {
        "client": one.client,
        "inv": one.inv,
        "ret": one.ret,
        "type": one.type,
        "steps": [[step.f, step.session, step.ids] for step in one.steps],
    }
    return {**shown, "final": True} if one.final else shown


def _read(line: str, number: int) -> Transaction:
    try:
        value = json.loads(line)
        steps = tuple(
            Step(f, session, None if ids is None else tuple(ids))
            for f, session, ids in value["steps"]
        )
        made = Transaction(
            client=value["client"],
            inv=value["inv"],
            ret=value["ret"],
            type=value["type"],
            steps=steps,
            final=value.get("final", False),
        )
        _require_sound(made)
    except (KeyError, TypeError, ValueError) as error:
        raise ValueError(f"line {number} is no transaction: {error}") from None
    return made


def _require_sound(one: Transaction) -> None:
    """Raise ValueError for what no transaction is."""
    numbers = (one.client, one.inv, *(number for step in one.steps for number in step.ids or ()))
    if any(type(number) is not int for number in numbers):
        raise ValueError("client, times and ids are whole numbers")
    if one.type not in get_args(Type):
        raise ValueError(f"its type is {one.type!r}, not ok, fail or info")
    ended = type(one.ret) is int and one.ret >= one.inv
    if not ended and (one.ret is not None or one.type != "info"):
        raise ValueError(f"it begins at {one.inv} and ends at {one.ret}")
    for step in one.steps:
        if step.f not in ("append", "read") or type(step.session) is not str:
            raise ValueError(f"{step.f!r} of {step.session!r} is no append or read of a session")
        if step.f == "append" and step.ids is None:
            raise ValueError("an append has ids")
