"""Small histories of transactions: of stores that isolate well or badly, some of them falsified."""

from __future__ import annotations

from dataclasses import replace
from random import Random

from sessionproof.history.transactions import Step, Transaction

SESSIONS = ("a", "b", "c")


def drawn(random: Random, *, final: bool) -> tuple[Transaction, ...]:
    """Two to five transactions on two or three sessions, with reads of each session at the end.

    ``final`` says whether the last reads are marked as such; otherwise some are left out.
    """
    sessions = SESSIONS[: random.randrange(2, 4)]
    programs = [_program(random, sessions, number) for number in range(random.randrange(2, 6))]
    made = _played(random, programs, random.choice(("serial", "snapshot", "committed", "cached")))
    made = [_doubtful(random, one) for one in made]
    end = max(one.ret or one.inv for one in made)
    state = _state_of(made, random)
    for number, session in enumerate(sessions):
        if final or random.random() < 0.8:
            ids = tuple(state.get(session, ()))
            step = Step("read", session, ids)
            at = end + 2 + 2 * number
            made.append(Transaction(90 + number, at, at + 1, "ok", (step,), final=final))
    if random.random() < 0.5:
        made = _falsified(random, made)
    return tuple(made)


def _program(random: Random, sessions: tuple[str, ...], number: int) -> list[Step]:
    steps = []
    for place in range(random.randrange(1, 5)):
        session = random.choice(sessions)
        if random.random() < 0.5:
            ids = tuple(
                100 * number + 10 * place + 1 + at for at in range(random.choice((1, 1, 2)))
            )
            steps.append(Step("append", session, ids))
        else:
            steps.append(Step("read", session, None))
    return steps


def _played(random: Random, programs: list[list[Step]], how: str) -> list[Transaction]:
    """Begins, steps and ends in a drawn order; what a read answers depends on how."""
    begun = sorted(random.sample(range(40), len(programs)))
    lengths = [random.choice((1, 3, 9, 25)) for _ in programs]
    events = []
    for at, program in enumerate(programs):
        first, last = begun[at], begun[at] + lengths[at]
        if how == "serial":
            moments = [random.uniform(first, last)] * len(program)
        else:
            moments = sorted(random.uniform(first, last) for _ in program)
        events += [(moment, at, place) for place, moment in enumerate(moments)]
    events.sort()
    world: dict[str, tuple[int, ...]] = {}
    snapshots: dict[int, dict] = {}
    old = dict(world)
    answers: dict[tuple[int, int], tuple[int, ...]] = {}
    for _, at, place in events:
        step = programs[at][place]
        if at not in snapshots:
            snapshots[at] = dict(old if how == "cached" else world)
        seen = snapshots[at] if how in ("snapshot", "cached") else world
        if step.f == "read":
            answers[at, place] = seen.get(step.session, ())
        else:
            for state in (world, snapshots[at]):
                state[step.session] = state.get(step.session, ()) + (step.ids or ())
        if random.random() < 0.3:
            old = dict(world)
    made = []
    for at, program in enumerate(programs):
        steps = [
            replace(step, ids=answers[at, place]) if step.f == "read" else step
            for place, step in enumerate(program)
        ]
        inv, ret = 10 * begun[at], 10 * (begun[at] + lengths[at])
        made.append(Transaction(at, inv, ret, "ok", tuple(steps)))
    return made


def _doubtful(random: Random, one: Transaction) -> Transaction:
    kind = random.choices(("ok", "info", "fail"), (10, 1.5, 0.5))[0]
    if kind == "ok":
        return one
    steps = tuple(replace(step, ids=None) if step.f == "read" else step for step in one.steps)
    return replace(one, type=kind, steps=steps, ret=None if kind == "info" else one.ret)


def _state_of(made: list[Transaction], random: Random) -> dict[str, list[int]]:
    """In the order of the longest read; what nobody read comes behind, or is left out."""
    state: dict[str, list[int]] = {}
    for one in made:
        for step in one.steps:
            if step.f == "read" and step.ids and len(step.ids) > len(state.get(step.session, ())):
                state[step.session] = list(step.ids)
    for one in sorted(made, key=lambda one: one.ret or 0):
        took_place = one.type == "ok" or (one.type == "info" and random.random() < 0.7)
        for step in one.steps if took_place else ():
            if step.f == "append":
                has = state.setdefault(step.session, [])
                has += [number for number in step.ids or () if number not in has]
    return state


def _falsified(random: Random, made: list[Transaction]) -> list[Transaction]:
    """With one read that is shorter, or of another place, or with two messages exchanged."""
    places = [
        (at, place)
        for at, one in enumerate(made)
        for place, step in enumerate(one.steps)
        if step.f == "read" and step.ids
    ]
    if not places:
        return made
    at, place = random.choice(places)
    steps = list(made[at].steps)
    ids = list(steps[place].ids or ())
    match random.randrange(4):
        case 0 | 1:
            ids = ids[: random.randrange(len(ids))]
        case 2:
            random.shuffle(ids)
        case 3:
            del ids[random.randrange(len(ids))]
    steps[place] = replace(steps[place], ids=tuple(ids))
    return [*made[:at], replace(made[at], steps=tuple(steps)), *made[at + 1 :]]
