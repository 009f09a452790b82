"""Users who are removed while sessions are theirs: refused, or the sessions go, as claimed."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TypeAlias

from hypothesis import strategies as st

from sessionproof.trials.single import NotClaimed, Trial
from sessionproof.trials.users.accounts import Accounts, looks, require
from sessionproof.workload.users import (
    ADD,
    BEGIN,
    DELETE,
    ELSEWHERE,
    OTHER,
    OWN,
    OWNED,
    READ,
    REMOVE,
    RENAME,
    REOPEN,
    SIGN_IN,
    WHOSE,
    Step,
)

_NAMES = ("ada", "ben", "eve")
_SESSIONS = ("s0", "s1", "s2")
Move: TypeAlias = tuple[str, int, int]
"""What is done, and the numbers of a user and of a session."""


def in_use(trial: Trial) -> None:
    """FK-07: what removing a user does to what is his, and to nothing else; raises Broken."""
    require(trial, "add_user", "delete_user", "set_owner")
    if trial.claims.on_delete_user is None:
        raise NotClaimed("the store does not claim on_delete_user")
    accounts = Accounts(trial, lambda seen: seen.removals)
    for moves in _CERTAIN:
        accounts.run(_program(moves))
    accounts.run([*_program(_CERTAIN[0]), *_looked_at_by_others()])
    whats = (OWN, OWN, OWN, REMOVE, REMOVE, SIGN_IN, ADD, DELETE, RENAME, REOPEN)
    move = st.tuples(st.sampled_from(whats), st.integers(0, 2), st.integers(0, 2))
    accounts.search(st.lists(move, min_size=2, max_size=10).map(_program))


_CERTAIN: tuple[tuple[Move, ...], ...] = (
    ((OWN, 0, 0), (OWN, 0, 1), (OWN, 1, 2), (SIGN_IN, 0, 0), (SIGN_IN, 1, 0), (REMOVE, 0, 0),
     (REOPEN, 0, 0), (ADD, 0, 0)),
    ((SIGN_IN, 0, 0), (REMOVE, 0, 0), (ADD, 0, 0), (SIGN_IN, 0, 0), (REOPEN, 0, 0)),
    ((OWN, 0, 0), (OWN, 1, 0), (REMOVE, 0, 0), (REMOVE, 1, 0), (REOPEN, 0, 0)),
    ((OWN, 0, 0), (OWN, 0, 1), (DELETE, 0, 0), (DELETE, 0, 1), (REMOVE, 0, 0)),
    ((OWN, 0, 0), (REMOVE, 0, 0), (OWN, 0, 1), (RENAME, 1, 0)),
)  # fmt: skip


def _program(moves: Sequence[Move]) -> list[Step]:
    """Two users and three sessions, then the moves; everything is looked at after each removal.

    A user who is made anew gets a label of his own, and the name of the one before him.
    """
    newest = {0: "u0", 1: "u1"}
    users, tokens = ["u0", "u1"], list[str]()
    steps = [Step(BEGIN, session=name) for name in _SESSIONS]
    steps += [_added(label, number) for number, label in newest.items()]
    for what, number, at in moves:
        user = newest.get(number, "u0")
        if what == ADD:
            user = f"u{len(users)}"
            users.append(user)
            newest[number] = user
            steps.append(_added(user, number))
        elif what == SIGN_IN:
            tokens.append(f"t{len(tokens)}")
            steps.append(Step(SIGN_IN, name=_NAMES[number], knows=user, key=tokens[-1]))
        elif what == RENAME:
            steps.append(Step(RENAME, user=user, name=_NAMES[at]))
        elif what == OWN:
            steps.append(Step(OWN, user=user, session=_SESSIONS[at]))
        elif what == DELETE:
            steps.append(Step(DELETE, session=_SESSIONS[at]))
        else:
            steps.append(Step(what, user=user if what == REMOVE else ""))
        if what in (REMOVE, REOPEN):
            steps += looks(users, tokens, _SESSIONS)
    return [*steps, *looks(users, tokens, _SESSIONS)]


def _added(user: str, number: int) -> Step:
    return Step(ADD, user=user, name=_NAMES[number], knows=user)


def _looked_at_by_others() -> list[Step]:
    """The same seen by another handle, and by another process."""
    asked = [
        Step(WHOSE, key="t0"), Step(WHOSE, key="t1"), Step(OWNED, user="u0"),
        Step(OWNED, user="u1"), Step(READ, session="s0"), Step(READ, session="s2"),
    ]  # fmt: skip
    return [
        Step(one.what, user=one.user, key=one.key, session=one.session, by=by)
        for by in (OTHER, ELSEWHERE)
        for one in asked
    ]
