"""Users whose names change: what is theirs stays theirs, and the old name opens nothing."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TypeAlias

from hypothesis import strategies as st

from sessionproof.trials.single import Trial
from sessionproof.trials.users.accounts import Accounts, looks
from sessionproof.workload.schedules import HOUR_US
from sessionproof.workload.users import (
    ADD,
    BEGIN,
    OTHER,
    OWN,
    OWNED,
    REMOVE,
    RENAME,
    REOPEN,
    SIGN_IN,
    WHOSE,
    Step,
)

_NAMES = ("ada", "ben", "eve", "zoe")
_USERS = ("u0", "u1")
_SESSIONS = ("s0", "s1")
Move: TypeAlias = tuple[str, int, int]
"""What is done, and the numbers of a user and of a name."""


def keeps_what_is_his(trial: Trial) -> None:
    """FK-08: sessions, tokens and passwords follow the user; raises Broken."""
    accounts = Accounts(trial, lambda seen: seen.renames)
    for moves in _CERTAIN:
        accounts.run(_program(moves))
    if accounts.settable:
        accounts.run(_limits_go_on())
    move = st.tuples(
        st.sampled_from((RENAME, RENAME, RENAME, ADD, REMOVE, SIGN_IN, REOPEN)),
        st.integers(0, 1),
        st.integers(0, len(_NAMES) - 1),
    )
    accounts.search(st.lists(move, min_size=1, max_size=6).map(_program))


_CERTAIN: tuple[tuple[Move, ...], ...] = (
    ((RENAME, 0, 2), (REOPEN, 0, 0)),
    ((RENAME, 0, 1), (REOPEN, 0, 0)),  # it is taken
    ((RENAME, 0, 2), (RENAME, 1, 0), (RENAME, 0, 1), (REOPEN, 0, 0)),  # they swap names
    ((RENAME, 0, 2), (ADD, 0, 0), (RENAME, 0, 0)),  # the old name is another's now
    ((REMOVE, 1, 0), (RENAME, 0, 1), (RENAME, 1, 3)),
    ((RENAME, 0, 2), (RENAME, 0, 0), (RENAME, 0, 3)),
)


def _program(moves: Sequence[Move]) -> list[Step]:
    """Two users who are signed in and own a session each; after each move all names are tried."""
    steps = [Step(BEGIN, session=name) for name in _SESSIONS]
    for number, user in enumerate(_USERS):
        steps += [
            Step(ADD, user=user, name=_NAMES[number], knows=user),
            Step(SIGN_IN, name=_NAMES[number], knows=user, key=f"t{number}"),
        ]
    steps.append(Step(OWN, user="u0", session="s0"))  # nothing is u1's: he can be removed
    users = [*_USERS]
    for turn, (what, number, name) in enumerate(moves):
        user = _USERS[number]
        if what == ADD:
            user = f"u{len(users)}"
            users.append(user)
            steps.append(Step(ADD, user=user, name=_NAMES[name], knows=user))
        elif what == REMOVE:
            steps.append(Step(REMOVE, user="u1"))
        elif what == RENAME:
            steps.append(Step(RENAME, user=user, name=_NAMES[name]))
        elif what == REOPEN:
            steps.append(Step(REOPEN))
        steps += _tried(users, turn)
    others = [Step(WHOSE, key="t0", by=OTHER), Step(OWNED, user="u0", by=OTHER)]
    return [*steps, *looks(users, ("t0", "t1"), _SESSIONS), *others]


def _tried(users: Sequence[str], turn: int) -> list[Step]:
    """Each name with each password: whoever gets in is told by his token."""
    steps = []
    for name in _NAMES:
        for user in users:
            token = f"{name}_{user}_{turn}"
            steps.append(Step(SIGN_IN, name=name, knows=user, key=token))
            steps.append(Step(WHOSE, key=token))
    return [*steps, *(Step(WHOSE, key=f"t{number}") for number in range(2))]


def _limits_go_on() -> list[Step]:
    """A token ends when it was to end, as if nothing had been renamed."""
    times = (HOUR_US - 1, 2 * HOUR_US - 2, 2 * HOUR_US - 1, 2 * HOUR_US)
    return [
        Step(ADD, user="u0", name="ada", knows="u0"),
        Step(SIGN_IN, name="ada", knows="u0", key="t0", idle_us=HOUR_US, hard_us=2 * HOUR_US),
        Step(RENAME, user="u0", name="eve", at_us=HOUR_US // 2),
        *(Step(WHOSE, key="t0", at_us=at_us) for at_us in times),
    ]
