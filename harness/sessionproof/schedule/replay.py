"""A schedule that was found, carried out again: for scripts that show a finding."""

from __future__ import annotations

import tempfile
from collections.abc import Callable, Iterable, Iterator
from contextlib import ExitStack, contextmanager
from functools import partial
from pathlib import Path
from typing import Any

from sessionproof.contract.location import Location
from sessionproof.contract.lookup import StoreSpec, spec_of
from sessionproof.contract.message import Message
from sessionproof.schedule.control import Controller
from sessionproof.schedule.decisions import Key
from sessionproof.schedule.imports import imported
from sessionproof.schedule.plain import NAMES
from sessionproof.schedule.points import controlled
from sessionproof.schedule.program import Kind, Program, Run, Setup
from sessionproof.schedule.runner import Runner
from sessionproof.schedule.strategies import Replay
from sessionproof.workload.rounds import Call
from sessionproof.workload.speech import Speech

CLIENTS = 3
"""Clients of which schedules are searched, and so those that are there in a replay."""

_SAMPLE = Message("user", "x")
_CALLS = {name: f for f, name in NAMES.items()}

Row = tuple[int, str, int, int]
"""A call: its number, its name, the place of its session, and how many messages, or 0."""


def program_of(
    clients: Iterable[Iterable[Row]], *, before: Iterable[Row] = (), sessions: int = 1
) -> Program:
    """The program of these calls of each client; raises ValueError for an unknown name."""
    own = tuple(tuple(map(_numbered, one)) for one in clients)
    return Program(own, sessions, tuple(map(_numbered, before)))


def _numbered(row: Row) -> tuple[int, Call]:
    number, name, session, n = row
    if name not in _CALLS:
        raise ValueError(f"there is no call {name!r}; calls are {', '.join(_CALLS)}")
    return number, Call(_CALLS[name], session, n)


def as_plain(program: Program, schedule: Iterable[tuple[Key, int]]) -> dict[str, Any]:
    """The program and its schedule as JSON has them.

    ``clients`` and ``before`` hold rows as ``program_of`` takes them, ``schedule`` a list of task,
    operation, point, and who goes on, for each decision that is not as usual.
    """
    return {
        "clients": [list(map(_row, one)) for one in program.clients],
        "before": list(map(_row, program.before)),
        "sessions": program.sessions,
        "schedule": [[*key, then] for key, then in schedule],
    }


def _row(numbered: tuple[int, Call]) -> list[int | str]:
    number, call = numbered
    return [number, NAMES[call.f], call.session, call.n]


def replays(
    store: str | Callable[[Location], Any],
    program: Program,
    schedule: Iterable[tuple[tuple[int, int, int], int]],
    *,
    kind: Kind = "threads",
    times: int = 20,
    clients: int = CLIENTS,
    sample: Message = _SAMPLE,
    counted: bool = False,
    timed: bool = False,
    creates: bool = False,
    by_store: bool = False,
    lines: bool = False,
    shared: bool = False,
) -> list[Run]:
    """Carry the program out so many times under this schedule, each on a location of its own.

    ``store`` is named as on the command line, or is a class or function that takes a location. A
    name is better: the store's module is then imported under control. ``schedule`` has, for each
    decision that is not as usual (task, operation, which of its points), the task that goes on.
    ``clients`` are opened, as many as when it was found; those of the program act.
    ``sample``, ``counted`` and ``timed`` say what is sent, as in ``Speech``; the rest is as in
    ``Setup``. Raises StoreNotFound, and RuntimeError where the store cannot be opened.
    """
    deviations = tuple((Key(*key), then) for key, then in schedule)
    with ExitStack() as stack:
        # What a store keeps for its files is told by their real path.
        made = stack.enter_context(tempfile.TemporaryDirectory(prefix="sessionproof-"))
        root = Path(made).resolve()
        stack.enter_context(controlled([root]))
        controller = Controller()
        setup = Setup(
            _opened(controller, store),
            kind,
            max(clients, len(program.clients)),
            Speech(sample, counted, timed),
            creates=creates,
            by_store=by_store,
            lines=lines,
            shared=shared,
        )
        runner = stack.enter_context(_running(setup, root, controller))
        runs = []
        for _ in range(times):
            run = runner.run(program, Replay(deviations), fresh=True)
            if run.problem:
                raise RuntimeError(f"the store cannot be used: {run.problem}")
            runs.append(run)
        return runs


@contextmanager
def _running(setup: Setup, root: Path, controller: Controller) -> Iterator[Runner]:
    locations = partial(tempfile.mkdtemp, dir=root)
    runner = Runner(setup, lambda: Location(Path(locations())), controller=controller)
    try:
        yield runner
    finally:
        runner.close()
        runner.controller.give_up()


def _opened(controller: Controller, store: str | Callable[[Location], Any]) -> StoreSpec:
    """The store; what its modules took by name from others is under control, too."""
    if isinstance(store, str):
        return imported(store, controller)
    own = getattr(store, "__module__", None)
    return imported(partial(spec_of, _name(store), store), controller, modules=[own] if own else [])


def _name(store: Callable[[Location], Any]) -> str:
    return getattr(store, "__qualname__", type(store).__name__)
