"""Recording a store: programs are carried out under a tracer, and the trace becomes changes.

One program has one client, in as many processes one after the other as it opens the store. Two
programs have two at the same time, in rounds: both are asked, both answers awaited, and then the
session that they share is read, so that its order is known.
"""

from __future__ import annotations

import math
import os
import shutil
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, replace
from functools import partial
from itertools import zip_longest
from pathlib import Path

from sessionproof.contract.clock import monotonic_s
from sessionproof.contract.location import Location
from sessionproof.contract.operations import Create, Read, Reopen, Request, session_of
from sessionproof.faults.crashes.images import Image
from sessionproof.faults.recording import Acted, CannotTrace, Recording
from sessionproof.faults.tracing.asking import Answer, Asked, Client, command_of
from sessionproof.faults.tracing.calls import calls
from sessionproof.faults.tracing.following import NOTHING_THERE, Followed, follow
from sessionproof.faults.tracing.kept import tracer_of_its_own, tracer_that_imported
from sessionproof.faults.tracing.saving import DATA, save
from sessionproof.faults.tracing.strace import why_not
from sessionproof.workload.answers import texts_of
from sessionproof.workload.execute import Names, StoreUnderTest
from sessionproof.workload.profiles import Deadlines
from sessionproof.workload.threads import Stopped, Threads

FILES = "files"
"""The folder below a recording's own in which the store worked: its files at the end."""

_PREFIX = "p1-"
_ROUND_S = 3_600.0  # the clients' own deadlines end all that hangs
_Round = tuple[Request | None, ...]
_Orders = dict[int, tuple[str, ...]]


@dataclass(frozen=True, kw_only=True)
class Place:
    """What lies below the folder that is traced, and where in it the clients open the store.

    A ``location`` such as ``../other`` is beside that folder, and what is done there is not seen.
    """

    there: Image = NOTHING_THERE
    location: str = ""


EMPTY = Place()


def record(
    store: StoreUnderTest,
    programs: Sequence[Sequence[Request]],
    *,
    folder: Path,
    sessions: Sequence[str],
    deadline_s: float,
    place: Place = EMPTY,
    imported: bool = False,
) -> Recording:
    """Carry the programs out, one or two, on a location below ``folder``; it is saved there.

    The location is empty and traced whole, unless ``place`` says otherwise. ``imported``: a Python
    store is imported once, and its processes are forks: seconds less, but what it made when it was
    imported is the same in all of them, so what is found wrong then is to be recorded again.
    ``sessions`` are the logical names of sessions that two clients share. Nothing is asked any more
    ``deadline_s`` after the store was opened. A store that does not open, hangs or dies ends the
    recording early; that it does not open is told by a Reopen of unknown outcome.
    Raises CannotTrace.
    """
    reason = why_not()
    if reason is not None:
        raise CannotTrace(reason)
    for reads in (False, True):
        with suppress(FileNotFoundError):
            shutil.rmtree(folder / FILES)
        done = _done(
            store, programs, folder, {*sessions}, deadline_s, place, reads=reads, imported=imported
        )
        if not done.followed.unsure:
            break
    made = _recording(store, done, folder)
    save(made)
    return made


@dataclass(frozen=True, kw_only=True)
class _Done:
    clients: Sequence[Client]
    followed: Followed
    asked: Sequence[Asked]
    orders: _Orders


def _done(
    store: StoreUnderTest,
    programs: Sequence[Sequence[Request]],
    folder: Path,
    shared: set[str],
    deadline_s: float,
    place: Place,
    *,
    reads: bool,
    imported: bool,
) -> _Done:
    root = folder / FILES
    root.mkdir(parents=True)
    place.there.write(root)
    location = Path(os.path.normpath(root / place.location))
    location.mkdir(exist_ok=True)
    deadlines = _within(store.deadlines, deadline_s)
    names = Names(_PREFIX, by_store=store.claims.session_ids == "store", ids=None)
    number = sum(1 + sum(isinstance(one, Reopen) for one in program) for program in programs)
    name = store.spec.name
    if imported and not name.startswith("cmd:"):
        traced = tracer_that_imported(name, reads=reads)
    else:
        traced = tracer_of_its_own(command_of(name), folder, reads=reads)
    with traced as tracer:
        started_in = tracer.begin()
        clients = [
            Client(
                at, name=name, tracer=tracer, location=Location(location), names=names,
                deadlines=deadlines, root=root,
            )
            for at in range(len(programs))
        ]  # fmt: skip
        tracer.prepare(min(number, 2))
        asked, orders = _carried_out(clients, programs, shared, deadline_s)
        pipes = {one.pipe: client.number for client in clients for one in client.processes}
        pids = {one.pid: client.number for client in clients for one in client.processes}
        tracer.finish()
        followed = follow(
            calls(tracer.lines()), root=root, started_in=started_in, pipes=pipes, clients=pids,
            data=folder / DATA, reads=reads, there=place.there,
        )  # fmt: skip
    return _Done(clients=clients, followed=followed, asked=asked, orders=orders)


def _within(deadlines: Deadlines, most_s: float) -> Deadlines:
    return replace(deadlines, operation_s=min(deadlines.operation_s, most_s))


def _carried_out(
    clients: Sequence[Client],
    programs: Sequence[Sequence[Request]],
    shared: set[str],
    deadline_s: float,
) -> tuple[list[Asked], _Orders]:
    """What was asked; and by places in it the orders that were read behind each round."""
    threads = Threads(len(clients))
    asked: list[Asked] = []
    orders: _Orders = {}
    try:
        for client in clients:
            client.begin()
            asked += client.asked
        until = monotonic_s() + deadline_s
        for turns in _rounds(programs, shared):
            if any(client.ended for client in clients) or monotonic_s() > until:
                break
            begun = len(asked)
            asked += _round(threads, clients, turns)
            if len(clients) > 1 and not clients[0].ended:
                orders |= _orders(clients, shared, asked, begun)
        for client in clients:
            client.close()
    except Stopped:
        pass  # a client's own deadlines are far shorter: the machine stood still
    finally:
        threads.close()
    return asked, orders


def _rounds(programs: Sequence[Sequence[Request]], shared: set[str]) -> Iterator[_Round]:
    """Who does what at the same time; making a shared session is nothing to share."""
    waiting = [[*program] for program in programs]
    for client, program in enumerate(waiting):
        while len(waiting) > 1 and program and isinstance(program[0], Create):
            if session_of(program[0]) not in shared:
                break
            first = program.pop(0)
            yield tuple(first if at == client else None for at in range(len(waiting)))
    yield from zip_longest(*waiting)


def _round(threads: Threads, clients: Sequence[Client], turns: _Round) -> list[Asked]:
    before = [len(client.asked) for client in clients]
    awaited = _awaited(clients)
    jobs = [
        partial(client.ask, turn, awaited) if turn is not None else _nothing
        for client, turn in zip(clients, turns, strict=True)
    ]
    threads.together(jobs, deadline_s=_ROUND_S)
    return [one for client, at in zip(clients, before, strict=True) for one in client.asked[at:]]


def _awaited(clients: Sequence[Client]) -> tuple[Answer, ...]:
    return tuple(client.last for client in clients if client.last is not None)


def _nothing() -> None:
    """What a client does that has no turn."""


def _orders(clients: Sequence[Client], shared: set[str], asked: list[Asked], begun: int) -> _Orders:
    """Read the sessions that the round was about; the orders, by places in ``asked``."""
    reader = clients[0]
    round_ = [*enumerate(asked)][begun:]
    orders: _Orders = {}
    for session in sorted({session_of(one.operation) for _, one in round_} & shared):
        at = len(reader.asked)
        reader.ask(Read(session), _awaited(clients))
        asked += reader.asked[at:]
        outcome = reader.asked[-1].outcome if len(reader.asked) > at else None
        if outcome is not None and outcome.type == "ok":
            order = tuple(texts_of(outcome.value))
            orders |= {at: order for at, one in round_ if session_of(one.operation) == session}
    return orders


def _recording(store: StoreUnderTest, done: _Done, folder: Path) -> Recording:
    followed, clients = done.followed, done.clients
    hidden = followed.hidden
    if not hidden and any(
        answer[1] >= len(followed.answers[answer[0]])
        for one in done.asked
        for answer in (*one.after, *([one.answered] if one.answered else []))
    ):
        hidden = "it does not write its answers itself, so that their order is not known"
    openings = [one for one in done.asked if isinstance(one.operation, Reopen)]
    if not hidden and followed.ringless and any(one.outcome.type != "ok" for one in openings):
        hidden = "it does not open without io_uring, whose writes cannot be traced"
    acts = [
        _acted(one, {} if hidden else followed.answers, done.orders.get(at, ()))
        for at, one in enumerate(done.asked)
    ]
    end = len(followed.changes)
    return Recording(
        store=store.spec.name,
        claims=store.claims,
        capabilities=clients[0].capabilities,
        clients=len(clients),
        acts=tuple(sorted(acts, key=lambda act: end if act.answered is None else act.answered)),
        changes=followed.changes,
        folder=folder,
        hidden=hidden,
        opened_s=_usual(client.opened_s for client in clients),
    )


def _usual(opened_s: Iterable[float]) -> float:
    shortest = min(opened_s)
    return 0.0 if math.isinf(shortest) else shortest


def _acted(one: Asked, answers: Mapping[str, tuple[int, ...]], order: tuple[str, ...]) -> Acted:
    def place(answer: Answer) -> int:
        return answers[answer[0]][answer[1]] if answers else -1

    return Acted(
        client=one.client,
        operation=one.operation,
        outcome=one.outcome,
        session_id=one.session_id,
        after=max(map(place, one.after), default=-1),
        answered=place(one.answered) if one.answered and answers else None,
        order=order,
    )
