"""An execution as a table: a column for each client, and one step a row.

A client runs alone from where it is given the token to where it is stopped, waits, or is done; so
the rows between two switches are one after the other in one column.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property
from itertools import chain

from sessionproof.contract.verdicts import ScheduleStep, ScheduleTable
from sessionproof.history.columns import BATCH, MISSING, NONE, F, Phase, Type
from sessionproof.schedule.decisions import QUIET, Ended, Step
from sessionproof.schedule.folding import folded, marked
from sessionproof.schedule.found import Found
from sessionproof.schedule.plain import (
    READS,
    SENDS,
    answer_of,
    counts_of,
    error_of,
    last_of,
    letters_of,
)
from sessionproof.schedule.program import OPERATION, Kind, Program, Run
from sessionproof.workload.rounds import Call

_LISTED = 12  # letters in a cell
_SAID = 100  # characters of an error
_ID = re.compile(r"#([0-9a-f]+)\b")
_CLIENT = re.compile(r"\bclient (\d+)\b")
_PASSES = "time passes"
_WAITS = re.compile(r"client (\d+) waits: (.*)", re.DOTALL)
_CALLS: dict[F, str] = {F.READ_LAST: "read_last({})", F.PAGES: "pages({})", F.SET_STATE: "set({})"}


def table_of(found: Found, *, kind: Kind = "threads") -> ScheduleTable:
    """The execution that shows what was found."""
    wrong = found.wrong
    sentence = told(found.program, wrong.sentence)
    return drawn(
        found.program, found.run, sentence, guilty=wrong.rows, kind=kind, lines=found.lines
    )


def told(program: Program, sentence: str) -> str:
    """A check's sentence with the letters of messages, and with the names of the columns."""
    clients, letters = len(program.clients), letters_of(program)

    def named(found: re.Match[str]) -> str:
        number = int(found[1]) % (clients + 1)
        return "the quiet one" if number == clients else f"client {number + 1}"

    def lettered(found: re.Match[str]) -> str:
        return letters.get(int(found[1], 16), found[0])

    return _ID.sub(lettered, _CLIENT.sub(named, sentence))


def drawn(
    program: Program,
    run: Run,
    sentence: str = "",
    *,
    guilty: Collection[int] = (),
    kind: Kind = "threads",
    lines: bool = False,
) -> ScheduleTable:
    """Any execution, with what is wrong with it; ``guilty`` are places in its history."""
    scene = _Scene(program, run, frozenset(guilty), kind)
    steps = marked([*_rows(scene)])
    return ScheduleTable(
        clients=tuple(scene.names.values()),
        steps=tuple(folded(steps)),
        sentence=sentence,
        before=tuple(scene.words(*one) for one in program.before),
        after=tuple(_after(scene)),
        interruptions=sum(step.kind == "stopped" for step, _ in steps),
        lines=lines,
        controlled=run.controlled,
    )


@dataclass(frozen=True)
class _Scene:
    """What the rows of a table depend on."""

    program: Program
    run: Run
    guilty: frozenset[int]
    kind: Kind

    @cached_property
    def steps(self) -> list[Step]:
        return [step for step in self.run.steps if step.key.task != QUIET]

    @cached_property
    def names(self) -> dict[int, str]:
        """The columns: clients in their order, then what the store began."""
        acting = {step.key.task for step in self.steps}
        clients = len(self.program.clients)
        thing = "task" if self.kind == "tasks" else "thread"
        others = sorted(task for task in acting if task >= clients)
        named = {at: f"client {at + 1}" for at in range(clients) if at in acting}
        words = {task: f"store's {thing} {at}" for at, task in enumerate(others, 1)}
        return named | words | dict.fromkeys(self.clocks & acting, "time")

    @cached_property
    def clocks(self) -> set[int]:
        """What only lets time pass; it is no task of the store's."""
        steps = [step for step in self.steps if step.key.task >= len(self.program.clients)]
        others = {step.key.task for step in steps}
        return others - {one.key.task for one in steps if not one.point.what.startswith(_PASSES)}

    @cached_property
    def numbers(self) -> dict[tuple[str, int], str]:
        """What tells locks and other things without a name apart, where there are several."""
        things: dict[str, list[int]] = {}
        for step in self.steps:
            what, on = step.point.what, step.point.on
            if isinstance(on, int) and on not in things.setdefault(what, []):
                things[what].append(on)
        return {
            (what, on): f" {number}"
            for what, every in things.items()
            for number, on in enumerate(every, 1)
            if len(every) > 1
        }

    def what(self, step: Step) -> str:
        """What a step does, in short."""
        on = step.point.on
        number = self.numbers.get((step.point.what, on), "") if isinstance(on, int) else ""
        return f"{step.point.what}{number}"

    @cached_property
    def letters(self) -> dict[int, str]:
        return letters_of(self.program)

    @cached_property
    def calls(self) -> dict[int, Call]:
        return dict(chain(self.program.before, *self.program.clients))

    @cached_property
    def places(self) -> dict[int, str]:
        """Client and place among its operations, by their numbers: 1.2."""
        return {
            number: f"{at + 1}.{place}"
            for at, calls in enumerate(self.program.clients)
            for place, (number, _) in enumerate(calls, 1)
        }

    @cached_property
    def attempts(self) -> dict[int, list[int]]:
        """Places in the history of each operation's attempts, one after the other."""
        rows = self.run.history.rows
        out: dict[int, list[int]] = {}
        for at in rows["inv"].argsort(kind="stable"):
            if rows["phase"][at] == Phase.LOAD:
                out.setdefault(int(rows["id"][at]) // BATCH, []).append(int(at))
        return out

    @cached_property
    def segments(self) -> list[tuple[int, int] | None]:
        """For each step the operation that it is a part of, and the attempt, from 0."""
        current: dict[int, tuple[int, int]] = {}
        out: list[tuple[int, int] | None] = []
        for step in self.steps:
            task, op = step.key.task, step.key.op
            if step.point.on == OPERATION:
                before = current.get(task, (op, -1))
                current[task] = (op, before[1] + 1 if before[0] == op else 0)
            out.append(current.get(task))
        return out

    @cached_property
    def ends(self) -> dict[int, int]:
        """By the place of a step, the place in the history of the operation that ends with it."""
        parts: dict[tuple[int, int], list[int]] = {}
        for at, segment in enumerate(self.segments):
            if segment is not None:
                parts.setdefault(segment, []).append(at)
        out = {}
        for (op, attempt), places in parts.items():
            made = self.attempts.get(op, [])
            if attempt >= len(made) or not self.ended(made[attempt]):
                continue
            while attempt + 1 < len(made) and len(places) > 1 and _sleeps(self.steps[places[-1]]):
                places.pop()  # the client waits before it tries again
            out[places[-1]] = made[attempt]
        return out

    def ended(self, at: int) -> bool:
        """Whether the operation did: what never did has neither an outcome nor an error."""
        row = self.run.history.rows[at]
        return bool(row["type"] != Type.INFO or row["error"])

    def words(self, number: int, call: Call) -> str:
        """The call in short: ``append a b``."""
        name = _CALLS.get(call.f, call.f.name.lower()).format(call.n)
        sent = range(call.n if call.f in SENDS else 0)
        session = f" in s{call.session}" if self.program.sessions > 1 else ""
        letters = [self.letters[number * BATCH + place] for place in sent]
        return f"{' '.join([name, *_listed(letters)])}{session}"

    def answered(self, at: int) -> str:
        """What the operation came to."""
        history = self.run.history
        row, error = history.rows[at], " ".join(error_of(history, at).split())[:_SAID]
        if row["type"] == Type.INFO:
            return f"ended, nobody knows how: {error}"
        if row["length"] == MISSING:
            return "answered: no such session"
        if row["type"] == Type.FAIL:
            return f"refused: {error}"
        f = F(int(row["f"]))
        if f in READS:
            answer = answer_of(history, at, self.letters)
            return f"answered {' '.join(_listed(answer)) or 'nothing'}"
        if f is F.COUNT:
            return f"answered {_counted(answer_of(history, at, {}))}"
        number = f", number {int(row['value'])}" if row["value"] != NONE else ""
        return f"acknowledged{number}"


def _listed(letters: Sequence[str]) -> list[str]:
    if len(letters) <= _LISTED:
        return [*letters]
    return [*letters[:3], "…", letters[-1], f"({len(letters)} messages)"]


def _counted(answer: tuple[int, int | None]) -> str:
    count, total = answer
    return f"{count}" if total is None else f"{count}, {total} tokens"


def _sleeps(step: Step) -> bool:
    return step.point.what.startswith("sleep ")


def _rows(scene: _Scene) -> Iterator[tuple[ScheduleStep, Step | None]]:
    """Every row, with the step that it shows if it shows one."""
    holder = None
    for at, step in enumerate(scene.steps):
        task = step.key.task
        switched = holder is not None and holder != task
        if switched:
            yield from _left(scene, at)
        holder = task
        yield _row(scene, at, switched), step
        if at in scene.ends:
            row = scene.ends[at]
            yield _cell(scene, at, "end", matters=row in scene.guilty), None
    yield from _forever(scene)


def _row(scene: _Scene, at: int, switched: bool) -> ScheduleStep:
    step = scene.steps[at]
    point, segment = step.point, scene.segments[at]
    if point.on == OPERATION and segment is not None:
        op, attempt = segment
        made = scene.attempts.get(op, [])[attempt:]
        return _cell(
            scene, at, "begin", switched=switched, matters=bool(scene.guilty & {*made[:1]})
        )
    return ScheduleStep(
        client=scene.names[step.key.task],
        kind="step",
        said=scene.what(step),
        operation=_place(scene, at),
        detail=point.detail if point.detail != point.what else "",
        switched=switched,
    )


def _cell(
    scene: _Scene, at: int, kind: str, *, switched: bool = False, matters: bool = False
) -> ScheduleStep:
    """The beginning or the end of an operation."""
    op = scene.steps[at].key.op
    words = scene.words(op, scene.calls[op])
    return ScheduleStep(
        client=scene.names[scene.steps[at].key.task],
        kind=kind,
        said=words if kind == "begin" else f"{words} {scene.answered(scene.ends[at])}",
        operation=_place(scene, at),
        switched=switched,
        matters=matters,
    )


def _place(scene: _Scene, at: int) -> str:
    key = scene.steps[at].key
    return scene.places.get(key.op, "") if key.task < len(scene.program.clients) else ""


def _left(scene: _Scene, at: int) -> Iterator[tuple[ScheduleStep, None]]:
    """Where the one who was at work before this step is left, if it comes back."""
    task = scene.steps[at - 1].key.task
    later = (place for place in range(at, len(scene.steps)) if _of(scene, place) == task)
    back = next(later, None)
    if back is None:
        return
    step = scene.steps[back]
    decided = {key for key, _ in scene.run.decisions}
    stopped = step.key in decided and not _sleeps(step)
    said = _row(scene, back, switched=False).said
    place = _place(scene, back)
    yield (
        ScheduleStep(
            client=scene.names[task],
            kind="stopped" if stopped else "waits",
            said=said,
            operation=place,
        ),
        None,
    )


def _of(scene: _Scene, at: int) -> int:
    return scene.steps[at].key.task


def _forever(scene: _Scene) -> Iterator[tuple[ScheduleStep, None]]:
    """Who waits for what in a deadlock."""
    for text in scene.run.waiting:
        found = _WAITS.fullmatch(text)
        task = int(found[1]) if found else QUIET
        last = [at for at in range(len(scene.steps)) if _of(scene, at) == task]
        if found is None or not last:
            continue
        step = scene.steps[last[-1]]
        said = scene.what(step) if step.point.what == found[2] else found[2]
        yield (
            ScheduleStep(
                client=scene.names[task],
                kind="waits",
                said=f"{said}, for ever",
                operation=_place(scene, last[-1]),
                matters=True,
            ),
            None,
        )


def _after(scene: _Scene) -> Iterator[str]:
    """What never ended, and what was there when all was quiet."""
    run, program = scene.run, scene.program
    for number, made in scene.attempts.items():
        if number in scene.places and not scene.ended(made[-1]):
            yield f"{scene.places[number]} {scene.words(number, scene.calls[number])} never ended"
    if run.ended is not Ended.DONE:
        yield f"the execution ended as {run.ended.value}"
        yield from (one for one in run.waiting if _WAITS.fullmatch(one) is None)
        return
    for session in range(program.sessions):
        of = f" in s{session}" if program.sessions > 1 else ""
        there = " ".join(_listed(last_of(program, run, session))) or "nothing"
        counts = "".join(f", counted {_counted(one)}" for one in counts_of(run, session))
        yield f"when all is quiet{of}: {there}{counts}"
