"""Recordings and what is shown after them, drawn: a store in memory that a crash may damage."""

from __future__ import annotations

from copy import deepcopy
from dataclasses import dataclass, replace

from every_world import apply

from sessionproof.checks.flaws import Shown
from sessionproof.checks.survivable import Act
from sessionproof.contract.message import Message, SessionInfo
from sessionproof.contract.operations import (
    Append,
    AppendWithState,
    Clear,
    Completed,
    Create,
    Delete,
    DeleteMessage,
    EditMessage,
    Failure,
    Outcome,
    PopLast,
    Read,
    Replace,
    SetState,
)

SESSIONS = ("s0", "s1")
KEYS = ("theme", "step")
_REFUSED = Outcome("fail", failure=Failure("NotFound", "no such session"))


@dataclass(frozen=True)
class Crashed:
    """A recording, the number of changes before the crash, and what is shown after it."""

    acts: tuple[Act, ...]
    point: int
    shown: Shown


class _Texts:
    def __init__(self):
        self.given = 0

    def batch(self, size):
        """Messages with texts of their own."""
        self.given += size
        return tuple(
            Message("user", f"t{number}") for number in range(self.given - size, self.given)
        )


def drawn(random, *, clients, length):
    """A crash of a recording with so many clients and operations, often with some damage."""
    acts, worlds = recorded(random, clients=clients, length=length)
    last = max((act.answered or 0 for act in acts), default=0)
    point = random.randint(0, last + 2)
    world = deepcopy(random.choice(worlds))
    if random.random() < 0.5:
        damage(random, world, acts)
    shown = shown_of(random, world)
    if random.random() < 0.25:
        shown = misreported(random, shown)
    return Crashed(tuple(acts), point, shown)


def recorded(random, *, clients, length):
    """Operations of clients at once, and all worlds that there were meanwhile."""
    texts, world, worlds = _Texts(), {}, [{}]
    place, known, acts = 0, -1, []
    flying: dict[int, dict] = {}
    while length or flying:
        client = random.randrange(clients)
        one = flying.get(client)
        place += random.randint(0, 2)
        if one is None:
            if not length:
                place += 1
                if random.random() < 0.2:
                    break
                continue
            length -= 1
            flying[client] = {"operation": operation(random, texts), "asked": known}
        elif "value" not in one:
            one["value"] = apply(world, one["operation"])
            worlds.append(deepcopy(world))
        else:
            place += 1
            known = place
            acts.append(act_of(client, one, place))
            del flying[client]
    acts += [act_of(client, one, None) for client, one in flying.items()]
    return acts, worlds


def act_of(client, one, answered):
    """What the recorder would have written."""
    operation, value = one["operation"], one.get("value")
    if isinstance(operation, Read):
        value = tuple(Message("user", text) for text in value or ())
    elif isinstance(operation, PopLast):
        value = None if value is None else Message("user", value)
    outcome = Outcome("ok", value) if answered is not None else Outcome("info")
    done = Completed(operation, outcome, operation.session)
    return Act(client=client, done=done, asked=one["asked"], answered=answered)


def operation(random, texts):
    """Any operation on any session."""
    name = random.choice((*SESSIONS, SESSIONS[0]))
    size = random.choice((1, 1, 2, 3))
    kinds = (
        lambda: Append(name, texts.batch(size)),
        lambda: Append(name, texts.batch(size)),
        lambda: Append(name, texts.batch(size)),
        lambda: Create(f"n{texts.given}", texts.batch(size)),
        lambda: Delete(name),
        lambda: Clear(name),
        lambda: PopLast(name),
        lambda: DeleteMessage(name, random.randrange(4)),
        lambda: EditMessage(name, random.randrange(4), *texts.batch(1)),
        lambda: Replace(name, texts.batch(size)),
        lambda: SetState(name, random.choice(KEYS), random.randrange(9)),
        lambda: AppendWithState(name, texts.batch(size), {random.choice(KEYS): texts.given}),
        lambda: Read(name),
    )
    return random.choice(kinds)()


def damage(random, world, acts):
    """Do to the world what a crash may do."""
    names = [name for name in world if world[name][0]]
    if not names:
        return
    texts = world[random.choice(names)][0]
    at = random.randrange(len(texts))
    match random.randrange(8):
        case 0:
            del texts[at]
        case 1:
            texts.insert(at, texts[at])
        case 2:
            texts.reverse()
        case 3:
            texts[at] = "torn"
        case 4:
            del texts[at:]
        case 5:
            name = random.choice([*world])
            world[name][1][random.choice(KEYS)] = 99
        case 6:
            del world[random.choice([*world])]
        case _:
            sent = [act for act in acts if getattr(act.done.operation, "messages", ())]
            if sent:
                some = random.choice(sent).done.operation
                part = some.messages[: random.randint(1, len(some.messages))]
                session = world.setdefault(some.session, [[], {}, False])
                session[0] += [message.content for message in part]


def shown_of(random, world):
    """What a store in this world shows; where it is left to the store, anything."""
    reads, counts, facts, states, listed = {}, {}, {}, {}, []
    for name in (*SESSIONS, *(one for one in world if one not in SESSIONS)):
        texts, state, made = world.get(name, ([], {}, False))
        there = bool(texts or state or made)
        refused = not there and random.random() < 0.5
        messages = tuple(Message("user", text) for text in texts)
        reads[name] = _REFUSED if refused else Outcome("ok", messages)
        counts[name] = _REFUSED if refused else Outcome("ok", len(texts))
        info = SessionInfo(session_id=name, message_count=len(texts)) if there else None
        facts[name] = _REFUSED if refused else Outcome("ok", info)
        for key in KEYS:
            states[name, key] = _REFUSED if refused else Outcome("ok", state.get(key))
        if texts or made or (name in world and random.random() < 0.5):
            listed.append(name)
    return Shown(
        reads=reads, counts=counts, facts=facts, states=states, listed=Outcome("ok", tuple(listed))
    )


def misreported(random, shown):
    """The same with something that does not agree with the messages."""
    name = random.choice([*shown.reads])
    match random.randrange(4):
        case 0:
            return replace(shown, counts={**shown.counts, name: Outcome("ok", 17)})
        case 1:
            wrong = Outcome("ok", SessionInfo(session_id=name, message_count=17))
            return replace(shown, facts={**shown.facts, name: wrong})
        case 2:
            listed = tuple(one for one in shown.listed.value if one != name)
            return replace(shown, listed=Outcome("ok", listed))
        case _:
            listed = (*shown.listed.value, name)
            return replace(shown, listed=Outcome("ok", listed))
