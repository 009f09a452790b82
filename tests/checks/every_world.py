"""A second judge of what survives a crash: every order of all operations, on plain lists.

It shares no code with the checks. A world maps names to ``[texts, state, made]``.
"""

from __future__ import annotations

from copy import deepcopy
from itertools import combinations, permutations

from sessionproof.contract.operations import (
    Append,
    AppendWithState,
    Clear,
    Create,
    Delete,
    DeleteMessage,
    EditMessage,
    PopLast,
    Read,
    Replace,
    SetState,
)

LOOKS = (Read,)


def apply(world, operation):
    """Carry the operation out on the world; answers what the store answers."""
    name = operation.session
    if isinstance(operation, Read):
        return tuple(world[name][0]) if name in world else ()
    if isinstance(operation, Delete):
        world.pop(name, None)
        return None
    if isinstance(operation, PopLast):
        return world[name][0].pop() if name in world and world[name][0] else None
    if isinstance(operation, DeleteMessage | EditMessage):
        texts = world[name][0] if name in world else []
        if texts:
            at = operation.index % len(texts)
            texts[at : at + 1] = (
                [operation.message.content] if isinstance(operation, EditMessage) else []
            )
        return None
    if isinstance(operation, Create) and name in world and not empty(world[name]):
        return None
    session = world.setdefault(name, [[], {}, False])
    if isinstance(operation, Clear):
        session[0], session[2] = [], False
    elif isinstance(operation, SetState):
        session[1][operation.key] = operation.value
    else:
        texts = [message.content for message in operation.messages]
        session[0] = session[0] + texts if not isinstance(operation, Create | Replace) else texts
        session[2] = session[2] or isinstance(operation, Create)
        if isinstance(operation, AppendWithState):
            session[1].update(operation.state)
    return None


def empty(session):
    """Whether a store may know nothing of it any more."""
    return not session[0] and not session[1] and not session[2]


def beginnings(operation, *, atomic):
    """The operation, and what else may be there of it after a crash."""
    yield operation
    if atomic or not isinstance(operation, Append | AppendWithState | Create):
        return
    first = 0 if isinstance(operation, Create) else 1
    for length in range(first, len(operation.messages)):
        kind = Create if isinstance(operation, Create) else Append
        yield kind(operation.session, operation.messages[:length])


def allowed(acts, point, *, atomic):
    """All worlds after a crash behind ``point`` changes: each order that time and answers allow."""
    there = [at for at, act in enumerate(acts) if act.asked < point]
    done = [at for at in there if acts[at].answered is not None and acts[at].answered < point]
    flying = [at for at in there if at not in done]
    worlds = []
    for number in range(len(flying) + 1):
        for some in combinations(flying, number):
            for order in permutations([*done, *some]):
                if in_time(acts, order):
                    worlds += carried_out(acts, order, {*done}, atomic=atomic)
    return worlds


def in_time(acts, order):
    """Whether no operation stands before one that had been answered when it was asked for."""
    return not any(
        acts[later].answered is not None and acts[later].answered <= acts[earlier].asked
        for place, earlier in enumerate(order)
        for later in order[place + 1 :]
    )


def carried_out(acts, order, done, *, atomic):
    """The worlds after these operations in this order; none where an answer is another."""
    worlds = [{}]
    for at in order:
        act = acts[at]
        following = []
        kinds = beginnings(act.done.operation, atomic=atomic or at in done)
        for operation in kinds:
            for world in deepcopy(worlds):
                answer = apply(world, operation)
                if at not in done or answered(act) == answer:
                    following.append(world)
        worlds = following
    return worlds


def answered(act):
    """What the operation answered, in plain values."""
    value = act.done.outcome.value
    if isinstance(act.done.operation, Read):
        return tuple(message.content for message in value)
    return value.content if isinstance(act.done.operation, PopLast) and value else None


def fits(world, shown):
    """Whether a store in this world may show all of this."""
    for name, outcome in shown.reads.items():
        session = world.get(name, [[], {}, False])
        if outcome.type == "ok":
            if [message.content for message in outcome.value] != session[0]:
                return False
        elif not empty(session):
            return False
        count, facts = shown.counts.get(name), shown.facts.get(name)
        if count is not None and count.type == "ok" and count.value != len(session[0]):
            return False
        if facts is not None:
            known = facts.type == "ok" and facts.value is not None
            if known and (name not in world or facts.value.message_count != len(session[0])):
                return False
            if not known and not empty(session):
                return False
        for (owner, key), state in shown.states.items():
            if owner == name and session[1].get(key) != (
                state.value if state.type == "ok" else None
            ):
                return False
    if shown.listed is None:
        return True
    listed = shown.listed.value
    must = {name for name, session in world.items() if session[0] or session[2]}
    return must <= {*listed} <= {*world} and len({*listed}) == len(listed)
