"""A finding as straight-line Python: what was called, with its real values, and what must hold.

The lines use an open ``store`` and nothing of the harness. They fail as long as the store is
broken, and run through once it is mended, also where the mended store answers otherwise within the
contract: where it may refuse, a refusal is right, too.
"""

from __future__ import annotations

import ast
import builtins
from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import groupby

from sessionproof.checks.rules import Asserts, IdsOf, Numbers, OneManner, SameAs
from sessionproof.checks.transcript import Fault
from sessionproof.contract.anomalies import Anomaly
from sessionproof.contract.claims import Claims
from sessionproof.contract.operations import (
    HANG,
    MALFORMED,
    Append,
    AppendWithState,
    Completed,
    Create,
    DeleteMessage,
    EditMessage,
    Read,
    ReadPages,
    Reopen,
    session_of,
)
from sessionproof.oracle.model import EMPTY, Worlds, answers, expect
from sessionproof.scripts import assertions
from sessionproof.scripts.blocks import indented
from sessionproof.scripts.clients import START
from sessionproof.scripts.expressions import TEXT_MOST, Unwritable, call, count_of, expression, loop
from sessionproof.scripts.wellformed import well_formed

OPEN, CLOSE = "store = open_store(location)", "store.close()"
_RAISED_MOST = 120
_WORLDS_MOST = 64  # each emptying of an unknown session leaves two
_VARIABLE = "id_of_"  # of a session that the store names
_STORES = ("store", "other", "again")  # the names by which lines call an open store


@dataclass(frozen=True)
class _Scene:
    """What the lines of one transcript depend on. ``names`` are expressions of sessions' ids."""

    transcript: Sequence[Completed]
    fault: Fault
    claims: Claims
    names: Mapping[str, str]
    answer_s: float = 0.0
    last_store: str = "store"

    @property
    def last(self) -> Completed:
        """The operation that went wrong."""
        return self.transcript[self.fault.index]


def script_of(
    transcript: Sequence[Completed],
    fault: Fault,
    claims: Claims,
    *,
    ids: Mapping[str, str] | None = None,
    answer_s: float = 20.0,
) -> list[str]:
    """The lines that show the fault; raises Unwritable where no such lines do.

    ``ids`` are the ids that logical sessions were given; the others are called by their names.
    ``answer_s`` is how many seconds a call that hung is given.
    """
    scene = _Scene(transcript, fault, claims, _names(transcript, claims, ids or {}), answer_s)
    return [*_before(scene), *_last(scene)]


def by_another_handle(transcript: Sequence[Completed], fault: Fault, claims: Claims) -> list[str]:
    """The lines where the last operation is that of another handle on the same location."""
    names = _names(transcript, claims, {})
    scene = _Scene(transcript, fault, claims, names, last_store="other")
    return [*_before(scene), "other = open_store(location)", *_last(scene), "other.close()"]


def by_another_process(transcript: Sequence[Completed], fault: Fault, claims: Claims) -> list[str]:
    """The lines where the last operation is that of another process, after the store was closed.

    The script starts itself again, with the location as its argument.
    """
    scene = _Scene(transcript, fault, claims, _names(transcript, claims, {}))
    made = sorted(name for name in {*scene.names.values()} if name.startswith(_VARIABLE))
    handed = ", ".join(["sys.executable", "__file__", "location.root", *made])
    again = f"sys.exit(subprocess.run([{handed}]).returncode)"
    return [
        "if not sys.argv[1:]:  # written here, read in a process of its own",
        *indented([*_before(scene), CLOSE, again]),
        *(f"{name} = sys.argv[{at}]" for at, name in enumerate(made, 2)),
        *_last(scene),
    ]


def lines_of(
    transcript: Sequence[Completed], claims: Claims
) -> tuple[list[str], Mapping[str, str]]:
    """A transcript in which nothing went wrong as lines, and its sessions' ids as expressions."""
    names = _names(transcript, claims, {})
    nothing = Fault(index=len(transcript), anomaly=Anomaly.WRONG_ANSWER, expected="", seen="")
    return [*_before(_Scene(transcript, nothing, claims, names))], names


def whole(lines: Sequence[str], awaited: Collection[str]) -> tuple[str, ...]:
    """The lines with the store opened and closed, and with what it answers awaited.

    Lines of many clients, which open their stores themselves, stay as they are.
    ``awaited`` names the methods that answer awaitables, and ``open`` where opening does. Raises
    Unwritable when all of it is too long for a person.
    """
    if START in lines:
        return tuple(lines)
    text = with_awaits("\n".join([OPEN, *lines, CLOSE]), awaited)
    if len(text) > TEXT_MOST:
        raise Unwritable(f"it would be {len(text):,} characters long")
    return tuple(text.split("\n"))


def must_refuse(called: str, message: str) -> list[str]:
    """A call that must raise: ``message`` is what is said when it does not."""
    return [
        "try:",
        f"    {called}",
        "except Exception:",
        "    pass",
        "else:",
        f"    raise AssertionError({expression(message)})",
    ]


def suppressed(lines: Sequence[str], why: str = "") -> list[str]:
    """The lines, where an error is right, too."""
    return [f"with suppress(Exception):{why and '  # '}{why}", *indented(lines)]


def pages(session: str, limit: int) -> list[str]:
    """All pages of a session, in ``pages``."""
    return [
        "pages, cursor = [], None",
        "while cursor is not None or not pages:",
        f"    page = store.page({session}, cursor=cursor, limit={limit})",
        "    pages.append(page.messages)",
        "    cursor = page.next",
        "    assert len(pages) < 1_000, 'paging never ends'",
    ]


def _names(
    transcript: Sequence[Completed], claims: Claims, ids: Mapping[str, str]
) -> dict[str, str]:
    """The expression of each session's id: a literal, or a variable that creating it sets."""
    names: dict[str, str] = {}
    for done in transcript:
        session = session_of(done.operation)
        names.setdefault(session, expression(ids.get(session, session)))
        if isinstance(done.operation, Create) and done.outcome.type == "ok":
            asked = ids.get(session, f"-{session}")
            if claims.session_ids == "store" or not str(done.outcome.value).endswith(asked):
                names[session] = f"{_VARIABLE}{session}"
    return names


def _before(scene: _Scene) -> Iterator[str]:
    """The lines of all operations before the last one."""
    if isinstance(scene.fault.rule, Asserts):
        yield from scene.fault.rule.first
    steps = [*range(scene.fault.index)]
    if isinstance(scene.fault.rule, OneManner):
        steps.pop()  # it is the same operation, and stands in the last lines
    steps = [at for at in steps if not _is_part_of_the_next(scene, at)]
    for key, group in groupby(steps, lambda at: _batch_key(scene, at)):
        together = [*group]
        made = None
        if key is not None:
            operations = [scene.transcript[at].operation for at in together]
            made = loop([one.messages for one in operations if isinstance(one, Append)])
        if key is not None and made is not None:
            yield made[0]
            yield f"    store.append({scene.names[key[0]]}, {made[1]})"
        else:
            for at in together:
                yield from _step(scene, at)


def _batch_key(scene: _Scene, at: int) -> tuple[str, int, int] | None:
    """What appends that may be one loop have in common; None for any other step."""
    done = scene.transcript[at]
    plain = done.outcome.type == "ok" and at not in scene.fault.refusable
    if isinstance(scene.fault.rule, Numbers | IdsOf) or not plain:
        return None
    match done.operation:
        case Append(session, messages) if messages:
            size = len(messages)
            return session, size, (count_of(messages[0]) or 0) - size * at
        case _:
            return None


def _is_part_of_the_next(scene: _Scene, at: int) -> bool:
    """Whether a read is the one that names the message which is deleted or edited next."""
    if at + 1 == len(scene.transcript):
        return False
    one, other = scene.transcript[at].operation, scene.transcript[at + 1].operation
    return (
        isinstance(one, Read)
        and isinstance(other, DeleteMessage | EditMessage)
        and one.session == other.session
        and scene.transcript[at].outcome.type == "ok"
        and bool(scene.transcript[at].outcome.value)
    )


def _step(scene: _Scene, at: int) -> list[str]:
    done, rule = scene.transcript[at], scene.fault.rule
    lines = _calls(scene, at)
    if isinstance(rule, SameAs) and rule.index == at:
        fields = assertions.telling(
            done.outcome.value, scene.last.outcome.value, scene.claims.keeps
        )
        return [f"earlier = {assertions.values_of(lines[0], fields)}"]
    if isinstance(rule, IdsOf) and rule.index == at:
        return [f"earlier = {lines[0]}"]
    if isinstance(rule, Numbers) and at == assertions.numbered_by(scene.transcript, scene.fault):
        return [f"earlier = {lines[0]}"]
    if at in scene.fault.refusable:
        return _refusable(scene, at, lines)
    if done.outcome.failure is not None or _may_be_refused(scene, at):
        return suppressed(lines)
    return lines


def _refusable(scene: _Scene, at: int, lines: list[str]) -> list[str]:
    """An operation that a store may also refuse: what is right afterwards depends on it."""
    if scene.last.outcome.failure is not None:
        return suppressed(lines, "it may be refused")
    if _in_one_session(scene):
        return [
            f"{_taken(at)} = False",
            *suppressed(
                [*lines, f"{_taken(at)} = True"], "it may be refused, and then nothing is written"
            ),
        ]
    if scene.transcript[at].outcome.failure is not None:
        return suppressed(lines)
    return [
        "try:",
        *indented(lines),
        "except Exception as error:",
        "    sys.exit(print('holds now: it is refused:', error))",
    ]


def _taken(at: int) -> str:
    return f"taken_{at}"


def _in_one_session(scene: _Scene) -> bool:
    return len({session_of(done.operation) for done in scene.transcript} - {""}) == 1


def _calls(scene: _Scene, at: int) -> list[str]:
    """The operation as lines: one for each but those that take a loop or two."""
    done = scene.transcript[at]
    operation = done.operation
    session = scene.names.get(session_of(operation), "")
    match operation:
        case Reopen():
            return [CLOSE, OPEN]
        case ReadPages(_, limit):
            return pages(session, limit)
        case Create(name, _) if session == f"{_VARIABLE}{name}":
            asked = "" if scene.claims.session_ids == "store" else expression(name)
            return [f"{session} = {call(operation, asked)}"]
        case DeleteMessage(_, index) | EditMessage(_, index, _):
            return [call(operation, session, at=_place(scene, at, index))]
        case _:
            store = scene.last_store if at == scene.fault.index else "store"
            return [call(operation, session, store=store)]


def _place(scene: _Scene, at: int, index: int) -> int:
    """The place of the chosen message in the read that comes before."""
    read = next(
        done.outcome.value
        for done in reversed(scene.transcript[:at])
        if isinstance(done.operation, Read) and done.outcome.type == "ok"
    )
    return index % len(read) if read else 0


def _last(scene: _Scene) -> list[str]:
    """The operation that went wrong, and what must hold of it."""
    done, fault = scene.last, scene.fault
    lines = _calls(scene, fault.index)
    if isinstance(fault.rule, OneManner):
        return assertions.one_manner(lines)
    failure = done.outcome.failure
    if isinstance(fault.rule, Asserts):
        return [*lines, *fault.rule.lines]
    if failure is None:
        return _answered(scene, lines)
    if failure.type == HANG:
        stop = f"faulthandler.dump_traceback_later({scene.answer_s:g}, exit=True)  # no answer"
        return [stop, *lines, "faulthandler.cancel_dump_traceback_later()"]
    if failure.type == MALFORMED:
        return well_formed(done, lines, failure.text, scene.names)
    if fault.anomaly is Anomaly.WRONG_ANSWER and hasattr(builtins, failure.type):
        return assertions.no_accident(lines, failure.type)
    raised = ascii(str(failure))[1:-1]
    return [*lines[:-1], f"{lines[-1]}  # raised {raised[:_RAISED_MOST]}"]


def _answered(scene: _Scene, lines: list[str]) -> list[str]:
    fault = scene.fault
    if fault.rule is not None:
        return assertions.of_rule(scene.transcript, fault, lines, scene.claims)
    worlds = _worlds(scene, scene.fault.index)
    operation = scene.last.operation
    expected = [expect(world, operation, scene.claims) for world in worlds]
    if any(one.refusal != "must" and answers(scene.last, one, scene.claims) for one in expected):
        raise Unwritable("what is wrong does not show in the answers alone")
    if expected[0].refusal == "must" and isinstance(operation, Append | AppendWithState | Create):
        return must_refuse(lines[-1], "it was accepted, and must be refused")
    conditions: dict[int, str] = {}
    if _in_one_session(scene):
        for at in fault.refusable:
            sent = scene.transcript[at].operation
            if isinstance(sent, Append | AppendWithState | Create):
                conditions |= {id(message): _taken(at) for message in sent.messages}
    return assertions.by_the_oracle(
        scene.last, lines, expected, scene.claims, scene.names, conditions
    )


def _may_be_refused(scene: _Scene, at: int) -> bool:
    """Whether the contract leaves it to the store to refuse what this store did."""
    operation = scene.transcript[at].operation
    worlds = _worlds(scene, at)
    return any(expect(world, operation, scene.claims).refusal != "never" for world in worlds)


def _worlds(scene: _Scene, before: int) -> Worlds:
    """What may be there before an operation, with all that may be refused accepted."""
    worlds: Worlds = EMPTY
    one_session = _in_one_session(scene)
    for at, done in enumerate(scene.transcript[:before]):
        refused = done.outcome.failure is not None
        if refused and not (one_session and at in scene.fault.refusable):
            continue
        steps = [expect(world, done.operation, scene.claims) for world in worlds]
        worlds = (
            *(one.after for one in steps),
            *(one.or_else for one in steps if one.or_else is not None),
        )[:_WORLDS_MOST]
    return worlds


def with_awaits(source: str, awaited: Collection[str]) -> str:
    """The source with ``await`` at each call of a method that answers an awaitable."""
    inserted: list[tuple[int, str]] = []
    starts = [0]
    data = source.encode("utf-8", "surrogatepass")
    for line in data.split(b"\n"):
        starts.append(starts[-1] + len(line) + 1)
    tree = ast.parse(source)
    alone = {id(node.value) for node in ast.walk(tree) if isinstance(node, ast.Expr | ast.Assign)}
    for node in ast.walk(tree):
        if not isinstance(node, ast.Call) or _called(node.func) not in awaited:
            continue
        first = starts[node.lineno - 1] + node.col_offset
        last = starts[(node.end_lineno or 0) - 1] + (node.end_col_offset or 0)
        inserted += [(first, "await ")] if id(node) in alone else [(first, "(await "), (last, ")")]
    for place, word in sorted(inserted, reverse=True):
        data = data[:place] + word.encode() + data[place:]
    return data.decode("utf-8", "surrogatepass")


def _called(function: ast.expr) -> str | None:
    """The store's method that an expression names, ``open`` for opening it, None for any other."""
    match function:
        case ast.Name("open_store"):
            return "open"
        case ast.Attribute(ast.Name(name), method) if name in _STORES:
            return method
        case _:
            return None
