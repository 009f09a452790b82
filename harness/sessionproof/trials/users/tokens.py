"""Tokens that ran out, were signed out or were never given; passwords that are wrong."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import TypeAlias

from hypothesis import strategies as st

from sessionproof.trials.clocks import ZONES, zone
from sessionproof.trials.single import Trial
from sessionproof.trials.users.accounts import Accounts
from sessionproof.workload.schedules import DAY_US, HOUR_US, MINUTE_US, SECOND_US
from sessionproof.workload.users import (
    ACTIVATE,
    ADD,
    ELSEWHERE,
    OTHER,
    REMOVE,
    RENAME,
    REOPEN,
    SIGN_IN,
    SIGN_OUT,
    SPOILT,
    WHOSE,
    Step,
)

_FAR_US = 400 * DAY_US
_WAITED_US = 400_000  # limits of stores that have the machine's clock
_LIMITS_US = (2, SECOND_US - 1, 30 * MINUTE_US, HOUR_US + 1, DAY_US)
_WAYS = tuple(how for how in SPOILT if how)
_OF_PASSWORDS = tuple(how for how in _WAYS if "pattern" not in how)

Move: TypeAlias = tuple[str, int, int]
"""What is done, the number of a user or token, and how long it is since the move before."""


def refused(trial: Trial) -> None:
    """SEC-04: only a name with its password, and a token that lives, lets anybody in."""
    accounts = Accounts(trial, lambda seen: seen.attempts)
    for steps in (_signed_out(), _shut_out(), _removed(), _guessed(), _altered(), _renamed()):
        accounts.run(steps)
    accounts.run(_seen_elsewhere(HOUR_US if accounts.settable else 0))
    if not accounts.settable:
        with zone(trial, ZONES["Tokyo"]) as tz:
            Accounts(trial, accounts.count, zone=tz).run(_waited())
        return
    for limit_us in (30 * MINUTE_US, SECOND_US + 1):
        accounts.run(_idle(limit_us))
        accounts.run(_hard(limit_us))
    accounts.run(_only_one_limit())
    for name in ("Tokyo", "New York"):
        with zone(trial, ZONES[name]) as tz:
            Accounts(trial, accounts.count, zone=tz).run(_idle(HOUR_US))
    whats = st.sampled_from((SIGN_IN, SIGN_IN, WHOSE, WHOSE, WHOSE, SIGN_OUT, ACTIVATE, REOPEN))
    gaps = sorted({0, *(limit + by for limit in _LIMITS_US for by in (-1, 0, 1))})
    move = st.tuples(whats, st.integers(0, 3), st.sampled_from(gaps))
    accounts.search(st.lists(move, min_size=3, max_size=12).map(_drawn))


def _users(*users: str) -> list[Step]:
    names = ("ada", "ben", "eve")
    return [
        Step(ADD, user=user, name=name, knows=user)
        for user, name in zip(users, names, strict=False)
    ]


def _in(user: str, token: str, idle_us: int = _FAR_US, hard_us: int = _FAR_US) -> Step:
    """The user signs in."""
    name = {"u0": "ada", "u1": "ben", "u2": "eve"}[user]
    return Step(SIGN_IN, name=name, knows=user, key=token, idle_us=idle_us, hard_us=hard_us)


def _asked(*tokens: str, by: str = "") -> list[Step]:
    """Whose they are: by the handle, a second one and another process, unless it is said."""
    steps = [Step(WHOSE, key=token) for token in tokens]
    if by:
        return [replace(one, by=by) for one in steps]
    return [*steps, *_asked(*tokens, by=OTHER)]


def _at(at_us: int, *steps: Step) -> list[Step]:
    return [replace(one, at_us=at_us) for one in steps]


def _again(*tokens: str) -> list[Step]:
    """The same after closing and opening."""
    return [Step(REOPEN), *_asked(*tokens)]


def _signed_out() -> list[Step]:
    """By this handle and by another one; the others of the user, and of others, live on."""
    return [
        *_users("u0", "u1"),
        _in("u0", "t0"), _in("u0", "t1"), _in("u0", "t2"), _in("u1", "t3"),
        *_asked("t0", "t1", "t2", "t3"),
        Step(SIGN_OUT, key="t0"),
        Step(SIGN_OUT, key="t2", by=OTHER),
        *_asked("t0", "t1", "t2", "t3"),
        Step(SIGN_OUT, key="t0"),
        *_again("t0", "t1", "t2", "t3"),
    ]  # fmt: skip


def _shut_out() -> list[Step]:
    """Nobody who is not active gets in, nor do his tokens; his password is good afterwards."""
    return [
        *_users("u0", "u1"), _in("u0", "t0"), _in("u1", "t1"),
        Step(ACTIVATE, user="u0", active=False),
        *_asked("t0", "t1"), _in("u0", "t2"),
        *_again("t0", "t1"), _in("u0", "t2"),
        Step(ACTIVATE, user="u0", active=True),
        _in("u0", "t3"), *_asked("t3", "t1"),
    ]  # fmt: skip


def _removed() -> list[Step]:
    """What was a removed user's opens nothing, also when another one has his name."""
    return [
        *_users("u0", "u1"), _in("u0", "t0"), _in("u1", "t1"),
        Step(REMOVE, user="u0"), *_asked("t0", "t1"), _in("u0", "t2"),
        Step(ADD, user="u2", name="ada", knows="u2"), *_asked("t0", "t1"), _in("u0", "t2"),
        *_again("t0", "t1"),
    ]  # fmt: skip


def _guessed() -> list[Step]:
    """Passwords that are nearly right, or somebody else's; names that are nobody's."""
    wrong = Step(SIGN_IN, name="ada", knows="u0", key="g")
    return [
        *_users("u0", "u1"),
        *(replace(wrong, spoilt=how) for how in _OF_PASSWORDS),
        Step(SIGN_IN, name="ada", knows="u1", key="g"),
        Step(SIGN_IN, name="zoe", knows="u0", key="g"),
        Step(REOPEN),
        Step(SIGN_IN, name="ben", knows="u0", key="g"),
        _in("u0", "t0"),
    ]


def _altered() -> list[Step]:
    """Tokens that are nearly right."""
    altered = [Step(WHOSE, key="t0", spoilt=how) for how in _WAYS]
    return [*_users("u0", "u1"), _in("u0", "t0"), _in("u1", "t1"), *altered, *_asked("t0", "t1")]


def _renamed() -> list[Step]:
    """The name that somebody had opens nothing."""
    return [
        *_users("u0"), _in("u0", "t0"), Step(RENAME, user="u0", name="zoe"), _in("u0", "t1"),
        Step(REOPEN), _in("u0", "t1"), Step(SIGN_IN, name="zoe", knows="u0", key="t2"),
        *_asked("t0", "t2"),
    ]  # fmt: skip


def _seen_elsewhere(idle_us: int) -> list[Step]:
    """What ends here has ended for another process that knew it; a limit that is 0 is left out."""
    tokens = ("t0", "t1", "t2", "t3")
    users = ("u0", "u0", "u1", "u2")
    ended = [
        Step(SIGN_OUT, key="t1"), Step(ACTIVATE, user="u1", active=False), Step(REMOVE, user="u2"),
    ]  # fmt: skip
    steps = [
        *_users("u0", "u1", "u2"),
        *(_in(user, token, idle_us or _FAR_US) for user, token in zip(users, tokens, strict=True)),
        *_asked(*tokens, by=ELSEWHERE),
        *ended,
        *_asked(*tokens, by=ELSEWHERE),
        *(replace(_in(user, f"g{user}"), by=ELSEWHERE) for user in ("u1", "u2")),
    ]
    return [*steps, *_at(idle_us, *_asked("t0", by=ELSEWHERE))]


def _idle(limit_us: int) -> list[Step]:
    """To the microsecond; each look is activity, and what has run out stays so."""
    return [
        *_users("u0"), *(_in("u0", f"t{number}", idle_us=limit_us) for number in range(3)),
        *_at(limit_us - 1, *_asked("t0", by="here")),
        *_at(limit_us, *_asked("t0", "t1", by="here"), *_asked("t1", by=OTHER)),
        *_at(2 * limit_us - 1, *_asked("t0", by="here")),
        *_at(3 * limit_us - 2, *_asked("t0", by="here")),
        *_at(4 * limit_us - 2, *_asked("t0", "t1"), Step(REOPEN), *_asked("t0", "t1", "t2")),
        *_at(4 * limit_us + 9 * HOUR_US, *_asked("t0", "t2")),
    ]  # fmt: skip


def _hard(limit_us: int) -> list[Step]:
    """Whoever is busy has to sign in again, at this microsecond."""
    busy = [
        one
        for part in range(1, 8)
        for one in _at(part * limit_us // 8, *_asked("t0", by="here"))
    ]  # fmt: skip
    return [
        *_users("u0"),
        _in("u0", "t0", idle_us=limit_us, hard_us=limit_us),
        _in("u0", "t1", idle_us=4 * limit_us, hard_us=limit_us),
        *busy,
        *_at(limit_us - 1, *_asked("t0", "t1")),
        *_at(limit_us, *_asked("t0", "t1"), Step(REOPEN), *_asked("t0", "t1"), _in("u0", "t2")),
        *_at(limit_us, *_asked("t2")),
    ]


def _only_one_limit() -> list[Step]:
    """Each kind by itself comes at the latest when it was said."""
    return [
        *_users("u0"),
        Step(SIGN_IN, name="ada", knows="u0", key="t0", idle_us=HOUR_US),
        Step(SIGN_IN, name="ada", knows="u0", key="t1", hard_us=HOUR_US),
        *_at(HOUR_US, *_asked("t0", "t1")),
    ]


def _waited() -> list[Step]:
    """By the machine's clock: what has run out is refused, what has not is not."""
    return [
        *_users("u0"),
        _in("u0", "t0", idle_us=_WAITED_US), _in("u0", "t1", hard_us=_WAITED_US), _in("u0", "t2"),
        *_asked("t0", "t1", "t2"),
        *_at(2 * _WAITED_US, *_asked("t0", "t1", "t2"), Step(REOPEN), *_asked("t0", "t1", "t2")),
    ]  # fmt: skip


def _drawn(moves: Sequence[Move]) -> list[Step]:
    """Two users, and what is drawn for them."""
    steps, now, tokens = _users("u0", "u1"), 0, 0
    active = {"u0": True, "u1": True}
    for what, number, gap in moves:
        now += gap
        user = f"u{number % 2}"
        if what == SIGN_IN:
            idle_us, hard_us = _LIMITS_US[number], _LIMITS_US[-1 - number // 2]
            made = _in(user, f"t{tokens}", idle_us=idle_us, hard_us=hard_us)
            tokens += 1
        elif what == ACTIVATE:
            active[user] = not active[user]
            made = Step(ACTIVATE, user=user, active=active[user])
        elif what == REOPEN:
            made = Step(REOPEN)
        else:
            made = Step(what, key=f"t{number}")
        steps += _at(now, made)
    asked = [Step(WHOSE, key=f"t{number}") for number in range(tokens)]
    return [*steps, *_at(now, *asked)]
