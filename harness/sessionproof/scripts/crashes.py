"""Scripts of crashes: the files that a crash left, and what must be there when they are opened.

The files are those of the store as it was. Where they show the break, the script lets the store do
the same again under the tracer: one that was mended leaves other files now.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass, fields

from sessionproof.contract.claims import Claims, as_python
from sessionproof.contract.message import MESSAGE_FIELDS, Message
from sessionproof.contract.operations import Operation, Program
from sessionproof.oracle.model import ASSIGNED
from sessionproof.scripts.blocks import indented
from sessionproof.scripts.carried import carried
from sessionproof.scripts.expressions import Unwritable, expression, values
from sessionproof.scripts.program import CLOSE, OPEN, with_awaits

_TEXT_MOST = 60_000  # characters of a script that carries files
_AGAIN = "sessionproof.trials.crashes.again"
_TELLING = ("content", "call_id")


@dataclass(frozen=True, kw_only=True)
class Left:
    """What a crash left, and what must hold of it.

    ``folders`` and ``files`` are paths below the location. ``checks`` are lines with an open
    ``store``. ``programs`` are what its clients were asked for, to be recorded again; ``model``,
    ``point`` and ``anomaly`` name the crash and what was wrong. ``claims`` are given where they
    are not the store's own. ``answer_s`` bounds all of it where a call hung, None where none did.
    """

    folders: Collection[str]
    files: Mapping[str, bytes]
    checks: Sequence[str]
    programs: Sequence[Program]
    model: str
    anomaly: str
    point: int
    claims: Claims | None = None
    awaited: Collection[str] = ()
    answer_s: float | None = None


def crash_script(left: Left) -> tuple[str, ...]:
    """The lines of the script; raises Unwritable for one that is too long for a file of text."""
    text = with_awaits("\n".join(_lines(left)), left.awaited)
    if len(text) > _TEXT_MOST:
        raise Unwritable(f"with the files that the crash left it has {len(text):,} characters")
    return tuple(text.split("\n"))


def _lines(left: Left) -> Iterator[str]:
    yield from carried(left.folders, left.files, "as the crash left them")
    if left.answer_s is not None:
        yield f"faulthandler.dump_traceback_later({left.answer_s:g}, exit=True)  # no answer"
    yield "try:"
    yield from indented([OPEN, *left.checks, CLOSE])
    yield "except Exception as error:  # is it still so? It does the same again, and is traced"
    yield from indented(_again(left))
    if left.answer_s is not None:
        yield "faulthandler.cancel_dump_traceback_later()"


def _again(left: Left) -> Iterator[str]:
    yield f"from {_AGAIN} import still_breaks"
    if kinds := {type(step).__name__ for program in left.programs for step in program}:
        yield f"from sessionproof.contract.operations import {', '.join(sorted(kinds))}"
    yield "programs = ["
    for program in left.programs:
        yield from indented(["[", *(f"    {operation(step)}," for step in program), "],"])
    yield "]"
    asked = f"STORE, programs, model={left.model!r}, anomaly={left.anomaly!r}, point={left.point}"
    if left.claims is not None:
        asked += f", {as_python(left.claims).replace(' ', '', 2)}"
    yield f"if not still_breaks({asked}):"
    yield "    sys.exit(print('holds now: a crash leaves it other files'))"
    yield "raise AssertionError(f'after the crash: {error}') from error"


def operation(step: Operation) -> str:
    """The operation as the expression that makes it again."""
    parts = (expression(getattr(step, item.name)) for item in fields(step))
    return f"{type(step).__name__}({', '.join(parts)})"


def reads_one_of(
    name: str,
    allowed: Sequence[Sequence[Message]],
    claims: Claims,
    *,
    everything: bool = False,
) -> list[str]:
    """That a session has the messages of one of these lists; ``name`` is the expression of its id.

    Messages are told apart by their texts and calls, or by ``everything`` that the store keeps. A
    session that may be empty may also be unknown.
    """
    told = told_fields([message for one in allowed for message in one], claims, everything)
    wanted = [[fields_of(message, told) for message in one] for one in allowed]
    return [*_read(name, told, may_be_unknown=[] in wanted), *_is_in(wanted)]


def knows_one_of(
    name: str, known: str, allowed: Sequence[tuple[bool, Sequence[Message]]], claims: Claims
) -> list[str]:
    """That a session is known or not, and what it has then, is one of these.

    ``known`` is the expression that tells it, which may raise ``NotFound`` for no.
    """
    told = told_fields([message for _, one in allowed for message in one], claims, everything=False)
    return [
        *_read(name, told, may_be_unknown=True),
        "known = False",
        "with suppress(NotFound):",
        f"    known = {known}",
        "seen = (known, seen)",
        *_is_in([(there, [fields_of(message, told) for message in one]) for there, one in allowed]),
    ]


def told_fields(sent: Sequence[Message], claims: Claims, everything: bool) -> list[str]:
    """The fields by which messages are told apart."""
    return [
        field
        for field in MESSAGE_FIELDS
        if field in claims.keeps and field not in ASSIGNED and (everything or field in _TELLING)
        if any(getattr(message, field) is not None for message in sent)
    ] or sorted(claims.keeps)[:1]


def _read(name: str, told: Sequence[str], *, may_be_unknown: bool) -> list[str]:
    """A read of the session into ``seen``, by these fields."""
    picked = ", ".join(f"m.{field}" for field in told)
    read = f"seen = [{picked if len(told) == 1 else f'({picked})'} for m in store.read({name})]"
    if may_be_unknown:
        return ["seen = []", "with suppress(NotFound):  # it may be unknown", f"    {read}"]
    return [read]


def is_one_of(called: str, allowed: Sequence[object]) -> list[str]:
    """That an expression has one of these values."""
    return [f"seen = {called}", *_is_in(allowed)]


def _is_in(allowed: Sequence[object]) -> list[str]:
    """The assertion that ``seen`` is one of these values."""
    each: list[object] = []
    for one in allowed:
        if one not in each:
            each.append(one)
    written = [values(one) if isinstance(one, list) else expression(one) for one in each]
    if len(written) == 1:
        return [f"assert seen == {written[0]}, seen"]
    return ["allowed = [", *(f"    {one}," for one in written), "]", "assert seen in allowed, seen"]


def fields_of(message: Message, names: Sequence[str]) -> object:
    """The values of these fields; of a single one, its value."""
    picked = [getattr(message, name) for name in names]
    return picked[0] if len(picked) == 1 else tuple(picked)
