"""What each call about users owes, out of what is known of users, tokens and sessions.

The meaning of each call is that of ``contract/users.py``. A token's end is that of a session
(``oracle/lifetime.py``); what the contract leaves open is left open here, too.
"""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import Any, Literal

from sessionproof.contract.claims import Claims
from sessionproof.oracle.lifetime import Life, Span, acted, is_due, shown
from sessionproof.workload.users import MESSAGES, OWNED, RENAME, SIGN_OUT, Done, Step

ANYTHING: Any = object()
_FRESH_US = 1_000_000  # no store's own limit is so short


@dataclass(frozen=True)
class Person:
    """A user; ``there`` until he is deleted."""

    name: str
    there: bool = True
    active: bool = True


@dataclass(frozen=True)
class Token:
    """A token; ``loose``: a limit of the store's own may end it.

    ``doubtful``: it may be over, by such a limit or with what happened to its user.
    """

    user: str
    life: Life
    began: Span
    loose: bool
    ended: bool = False
    doubtful: bool = False


@dataclass
class World:
    """What must be there. ``owners`` are of the sessions that are, empty for nobody's.

    Sessions are given to users only where ``on_delete_user`` is claimed: who is removed without
    that claim has none.
    """

    claims: Claims
    people: dict[str, Person] = field(default_factory=dict)
    tokens: dict[str, Token] = field(default_factory=dict)
    owners: dict[str, str] = field(default_factory=dict)
    said: dict[str, tuple[str, str]] = field(default_factory=dict)  # of what is wrong

    def owner_of(self, name: str) -> str | None:
        """The user who signs in with this name."""
        for label, person in self.people.items():
            if person.there and person.name == name:
                return label
        return None

    def owned_by(self, user: str) -> tuple[str, ...]:
        """The sessions of a user."""
        return tuple(sorted(name for name, owner in self.owners.items() if owner == user))


@dataclass(frozen=True)
class Owed:
    """What a step owes: to succeed with this answer, to be refused, or either (``may``)."""

    word: Literal["succeeds", "refused", "conflict", "nothing", "may"]
    why: str = ""
    answer: Any = ANYTHING


_MAY = Owed("may")


def shows(world: World, now: Span) -> None:
    """The clock shows this time, at which tokens may end."""
    for label, token in world.tokens.items():
        late = token.loose and now.latest - token.began.earliest > _FRESH_US
        life, doubtful = shown(token.life, now), token.doubtful or late
        world.tokens[label] = replace(token, life=life, doubtful=doubtful)


def owed_by(world: World, one: Done) -> Owed:
    """What a step owes in this world."""
    step = one.step
    match step.what:
        case "add_user" | "rename_user":
            return _naming(world, step)
        case "sign_in":
            return _signing_in(world, step)
        case "whose":
            return _asking_whose(world, step, one.now)
        case "sign_out":
            return _signing_out(world, step, one.now)
        case "set_user_active":
            there = world.people[step.user].there
            return Owed("succeeds", f"{step.user} is a user") if there else _MAY
        case "delete_user":
            return _removing(world, step)
        case "set_owner" | "sessions_of":
            return _owning(world, step)
        case _:
            return _of_session(world, step)


def _naming(world: World, step: Step) -> Owed:
    if step.what == RENAME and not world.people[step.user].there:
        return Owed("refused", f"{step.user} was deleted")
    taken = world.owner_of(step.name)
    if taken == step.user:
        return _MAY
    if taken is not None:
        return Owed("conflict", f"{taken} has the name {step.name}")
    if step.what == RENAME:
        return Owed("succeeds", f"nobody has the name {step.name}")
    return Owed("succeeds", f"nobody has the name {step.name}, and ids are new", step.user)


def _signing_in(world: World, step: Step) -> Owed:
    user = world.owner_of(step.name)
    if user is None:
        return Owed("refused", f"nobody has the name {step.name}")
    if not world.people[user].active:
        return Owed("refused", f"{user} is not active")
    if step.spoilt:
        return Owed("refused", f"the password is given {step.spoilt}")
    if step.knows != user:
        return Owed("refused", f"the password is that of {step.knows}")
    return Owed("succeeds", f"name and password are those of {user}", step.key)


def _asking_whose(world: World, step: Step, now: Span) -> Owed:
    token = world.tokens[step.key]
    person = world.people[token.user]
    if step.spoilt:
        return Owed("refused", f"there is no such token: it is {step.key} {step.spoilt}")
    if not person.there:
        return Owed("refused", f"{token.user} was deleted")
    if token.ended:
        return Owed("refused", f"{step.key} was signed out")
    if not person.active:
        return Owed("refused", f"{token.user} is not active")
    due = is_due(token.life, now)
    if due == "yes" and token.life.end is not None:
        late = now.earliest - token.life.end.latest
        ran = f"{late:,} µs ago" if late else "at this microsecond"
        return Owed("refused", f"{step.key} ran out {ran}")
    if due == "maybe" or token.doubtful:
        return _MAY
    end = token.life.end
    left = "" if end is None else f", and ends {end.earliest - now.latest:,} µs later"
    return Owed("succeeds", f"{step.key} is a token of {token.user}{left}", token.user)


def _signing_out(world: World, step: Step, now: Span) -> Owed:
    token = world.tokens[step.key]
    person = world.people[token.user]
    over = token.ended or not person.there or not person.active or is_due(token.life, now) != "no"
    if step.spoilt or over or token.doubtful:
        return _MAY
    return Owed("succeeds", f"{step.key} is a token of {token.user}")


def _removing(world: World, step: Step) -> Owed:
    user, owned = step.user, world.owned_by(step.user)
    if not world.people[user].there:
        return _MAY
    if not owned:
        return Owed("succeeds", f"no session is {user}'s")
    if world.claims.on_delete_user == "refuses":
        return Owed("refused", f"{', '.join(owned)} are {user}'s, and that is claimed to refuse")
    return Owed("succeeds", f"{', '.join(owned)} are {user}'s, and are claimed to go with him")


def _owning(world: World, step: Step) -> Owed:
    if not world.people[step.user].there:
        return Owed("refused", f"{step.user} was deleted")
    if step.what == OWNED:
        return Owed("succeeds", "his sessions, each once", world.owned_by(step.user))
    if step.session not in world.owners:
        return Owed("refused", f"{step.session} was deleted")
    return Owed("succeeds", f"{step.session} and {step.user} are there")


def _of_session(world: World, step: Step) -> Owed:
    there = step.session in world.owners
    match step.what:
        case "read" | "count":
            if there:
                return Owed("succeeds", f"the {MESSAGES} messages of {step.session}", MESSAGES)
            return Owed("nothing", f"{step.session} was deleted")
        case "get":
            if there:
                return Owed("succeeds", f"{step.session} is there", 1)
            return Owed("nothing", f"{step.session} was deleted")
        case "search":
            return _MAY if there else Owed("nothing", f"{step.session} was deleted")
        case "list":
            return Owed("succeeds", "the sessions that are there", tuple(sorted(world.owners)))
        case "tables":
            return Owed("succeeds", "every row refers to rows that are there", ())
        case "delete" if not there:
            return _MAY  # whether that is refused, the contract leaves open
        case _:
            return Owed("succeeds", "nothing forbids it")


def after(world: World, one: Done) -> None:
    """What the step changed, as far as its outcome tells."""
    step, ok = one.step, one.outcome.type == "ok"
    match step.what:
        case "add_user" if ok:
            world.people[step.user] = Person(step.name)
        case "rename_user" if ok:
            world.people[step.user] = replace(world.people[step.user], name=step.name)
        case "set_user_active" if ok:
            world.people[step.user] = replace(world.people[step.user], active=step.active)
            if not step.active:  # they may end with it
                _doubt(world, step.user)
        case "delete_user" if ok:
            _removed(world, step.user)
        case "sign_in" if ok:
            hard = None if step.hard_us is None else one.now.later(step.hard_us)
            life = Life(one.now, idle_us=step.idle_us, hard=hard)
            world.tokens[step.key] = Token(step.knows, life, one.now, None in (step.idle_us, hard))
        case "whose" | "sign_out" if not step.spoilt:
            _used(world, one)
        case "set_owner" if ok:
            world.owners[step.session] = step.user
        case "begin" if ok:
            world.owners[step.session] = ""
        case "delete" if ok:
            world.owners.pop(step.session, None)


def _doubt(world: World, user: str) -> None:
    for label, token in world.tokens.items():
        if token.user == user:
            world.tokens[label] = replace(token, doubtful=True)


def _removed(world: World, user: str) -> None:
    world.people[user] = replace(world.people[user], there=False)
    for session in world.owned_by(user):  # where that is claimed to refuse, none is his
        del world.owners[session]


def _used(world: World, one: Done) -> None:
    """A token was asked about, which is activity where it counted, or signed out."""
    label, ok = one.step.key, one.outcome.type == "ok"
    token = world.tokens[label]
    if one.step.what == SIGN_OUT:
        world.tokens[label] = replace(token, ended=token.ended or ok)
    elif ok or is_due(token.life, one.now) != "yes":
        life = acted(token.life, one.now, certain=ok)
        world.tokens[label] = replace(token, life=life, doubtful=token.doubtful and not ok)
