"""Sweeps beside clients, and beside each other."""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from functools import partial

from sessionproof.checks.sweeping import Told, Used, ended_in_use, never_told, told_again
from sessionproof.contract.operations import MALFORMED, Outcome
from sessionproof.scripts.sweeps import Setting, beside_lines, together_lines
from sessionproof.trials.limit_lines import setting_of
from sessionproof.trials.limited import (
    LIMIT_US,
    Experiment,
    Sessions,
    in_races,
    status_of,
    text_of,
)
from sessionproof.trials.single import Trial
from sessionproof.workload import lifetime
from sessionproof.workload.racers import Ask, Did, Racers

_WRITERS, _SWEEPERS = 3, 3
_SESSIONS = 8  # of a race
_TOUCHES = 0.3  # of the activities, where a store has them
_SHORT_US = 300_000  # a limit that is waited for
_EARLY_NS, _LATE_NS = 2_000_000, 2_000_000  # before and behind its limit a session is used
_SWEEPS, _PAUSE_NS = 40, 500_000  # of a race by real time, and from one to the next
_LONGEST_WAIT_S = 1.3  # for a clock of whole seconds to come by a limit of a microsecond
_LEAST_US = 1
_SWEEPS_MOST = 50


def beside_appends(trial: Trial) -> None:
    """Sessions reach their limit while some are used and all are swept; raises Broken."""
    made = Experiment(
        play=_beside,
        clients=_WRITERS + 1,
        did="appended to sessions at their limit while one swept",
        expected="every acknowledged message is there, and no session that was used within its "
        "limit has ended",
        lines=lambda _: _lines(trial, beside_lines),
    )
    in_races(trial, made)


def two_at_once(trial: Trial) -> None:
    """Sessions past their limit are swept by several at once; raises Broken."""
    made = Experiment(
        play=_together,
        clients=_SWEEPERS,
        did="swept at once after the limit of some sessions",
        expected="each session is expired once, told to one of them, and kept once",
        lines=lambda kind: _lines(trial, partial(together_lines, processes=kind == "processes")),
    )
    in_races(trial, made)


def _lines(trial: Trial, made: Callable[[Setting], list[str]]) -> list[str]:
    setting = setting_of(trial)
    return [] if setting is None else made(setting)


def _beside(sessions: Sessions, one: Racers) -> tuple[str, int]:
    return (_at_the_limit if sessions.virtual else _around_the_limit)(sessions, one)


def _at_the_limit(sessions: Sessions, one: Racers) -> tuple[str, int]:
    """The users' clocks are a microsecond before the limit, the sweeper's is at it."""
    trial, now_us = sessions.trial, sessions.now_us
    sessions.set_clock(now_us)
    ids = sessions.made(_SESSIONS, idle_us=LIMIT_US)
    before_us, at_us = now_us + LIMIT_US - 1, now_us + LIMIT_US
    sessions.set_clock(before_us)
    used = sessions.random.sample(ids, 2)
    sessions.used(used)
    sessions.set_clock(at_us)
    users = one.number - 1
    clocks = [before_us] * users + [at_us]
    trial.require_ok(one.set_clocks(clocks), "set the clock")
    others = [name for name in ids if name not in used]
    programs = [_uses(sessions, others) for _ in range(users)]
    calls = sum(map(len, programs))
    turns = sorted(sessions.random.randrange(calls) for _ in range(2))
    done = one.race([*programs, [Ask("sweep", after=turn) for turn in turns]])
    race = _Race.of(done)
    safe = [Used(name, 0, 0) for name in used]
    wrong = _wrong(sessions, race, [*safe, *race.uses], limit_ns=math.inf)
    if not wrong:
        in_use = {use.session for use in race.uses} | set(used)
        ended = [name for name in in_use if status_of(trial.handle(), name) == "expired"]
        if ended:
            wrong = (
                f"{ended[0]!r} was used within its limit, which was acknowledged, and its status "
                "is expired"
            )
    return wrong, int(race.met and bool(race.uses))


def _around_the_limit(sessions: Sessions, one: Racers) -> tuple[str, int]:
    """The same on the machine's own clock: each session is used once, at about its limit."""
    ids = sessions.made(2 * _SESSIONS, idle_us=_SHORT_US)
    due_ns = {name: sessions.limited_ns[name] + _SHORT_US * 1_000 for name in ids}
    users: list[list[Ask]] = [[] for _ in range(one.number - 1)]
    for ask in _uses(sessions, ids):
        at_ns = due_ns[ask.arguments[0]] + sessions.random.randrange(-_EARLY_NS, _LATE_NS)
        sessions.random.choice(users).append(replace(ask, not_before_ns=at_ns))
    programs = [sorted(program, key=lambda ask: ask.not_before_ns) for program in users]
    first_ns = min(due_ns.values()) - _EARLY_NS
    sweeps = [Ask("sweep", not_before_ns=first_ns + at * _PAUSE_NS) for at in range(_SWEEPS)]
    race = _Race.of(one.race([*programs, sweeps]))
    wrong = _wrong(sessions, race, race.uses, limit_ns=_SHORT_US * 1_000 / 2)
    return wrong, race.meetings if race.uses else 0


def _uses(sessions: Sessions, ids: Sequence[str]) -> list[Ask]:
    """An activity on each of these, in an order of its own."""
    trial, chance = sessions.trial, sessions.random
    touches = "touch" in trial.capabilities and "touch" in trial.claims.activity
    asks = [
        Ask("touch", (name,))
        if touches and chance.random() < _TOUCHES
        else Ask("append", (name, [sessions.message()]))
        for name in ids
    ]
    chance.shuffle(asks)
    return asks


@dataclass(frozen=True)
class _Race:
    """What came of a race: the activities that were acknowledged, and what sweeps told.

    ``odd`` are sweeps whose answers are none.
    """

    acknowledged: Sequence[Did]
    sweeps: Sequence[Did]
    beside: Sequence[Did]
    odd: Sequence[Did]

    @staticmethod
    def of(done: Sequence[Sequence[Did]]) -> _Race:
        calls = [did for client in done for did in client]
        good = [did for did in calls if did.outcome.type == "ok"]
        return _Race(
            acknowledged=[did for did in good if did.ask.method != "sweep"],
            sweeps=[did for did in good if did.ask.method == "sweep"],
            beside=[did for did in calls if did.ask.method != "sweep"],
            odd=[did for did in calls if _is_malformed(did.outcome)],
        )

    @property
    def uses(self) -> list[Used]:
        """The activities, as checks take them."""
        return [Used(one.ask.arguments[0], one.began_ns, one.ended_ns) for one in self.acknowledged]

    @property
    def meetings(self) -> int:
        """How many sweeps ran while a session was used."""
        return sum(any(sweep.overlaps(one) for one in self.beside) for sweep in self.sweeps)

    @property
    def met(self) -> bool:
        """Whether any did."""
        return self.meetings > 0


def _is_malformed(outcome: Outcome) -> bool:
    return outcome.failure is not None and outcome.failure.type == MALFORMED


def told_of(sweeps: Sequence[Did]) -> list[Told]:
    """The answers of sweeps, as checks take them."""
    return [
        Told(one.outcome.value.warned, one.outcome.value.expired, one.began_ns, one.ended_ns)
        for one in sweeps
    ]


def _wrong(sessions: Sessions, race: _Race, uses: Sequence[Used], *, limit_ns: float) -> str:
    """What is wrong with a race of users and sweeps; empty for nothing."""
    for odd in race.odd:
        sessions.trial.require_ok(odd.outcome, "swept while others appended")
    told = told_of(race.sweeps)
    found = ended_in_use(uses, told, limit_ns=limit_ns)
    if found is not None:
        use, sweep = found
        when = "before the sweep began" if use.ended_ns <= sweep.began_ns else "during the sweep"
        return f"{use.session!r} was used {when}, which was acknowledged, and the sweep expired it"
    return _lost(sessions, race, {name for one in told for name in one.expired})


def _lost(sessions: Sessions, race: _Race, ended: set[str]) -> str:
    """That an acknowledged message is gone. A store may hide those of a session that has ended."""
    claims = sessions.trial.claims
    hidden, keeps = claims.after_expiry == "gone", claims.limits.retention
    sent: dict[str, list[str]] = {}
    for one in race.acknowledged:
        if one.ask.method == "append":
            session, (message,) = one.ask.arguments
            sent.setdefault(session, []).append(text_of(message))
    for session, texts in sent.items():
        if hidden and (session in ended or not sessions.virtual):
            continue  # by real time it may have ended since
        there = set(sessions.texts(session))
        missing = [text for text in texts if text not in there]
        if len(missing) > max(0, len(texts) - (len(texts) if keeps is None else keeps)):
            return f"{len(missing)} of {len(texts)} acknowledged messages of {session!r} are gone"
    return ""


def _together(sessions: Sessions, one: Racers) -> tuple[str, int]:
    """Several sweep at the last moment before the limit, then at the limit."""
    trial, now_us, virtual = sessions.trial, sessions.now_us, sessions.virtual
    sessions.set_clock(now_us)
    ids = sessions.made(_SESSIONS, idle_us=LIMIT_US if virtual else _LEAST_US)
    told: list[Told] = []
    moments = [LIMIT_US - 1, LIMIT_US] if trial.claims.warns and virtual else [LIMIT_US]
    for moment_us in moments:
        if virtual:
            done = one.set_clocks([now_us + moment_us] * one.number)
            trial.require_ok(done, "set the clock")
        else:
            time.sleep(sessions.waits_s)
        swept = one.race([[Ask("sweep")]] * one.number)
        calls = [did for client in swept for did in client]
        good = [did for did in calls if did.outcome.type == "ok"]
        told += told_of(good)
        wrong = _twice(told, ids)
        if wrong:
            return wrong, 0
    unknown = any(did.outcome.type == "info" for did in calls)
    sessions.set_clock(now_us + LIMIT_US)
    told += _rest(trial)
    wrong = _twice(told, ids) or _kept_twice(trial, ids)
    if not wrong and virtual and not unknown:
        wrong = _untold(trial, told, ids)
    expired = {name for sweep in told_of(good) for name in sweep.expired}
    if not virtual and not expired & set(ids):
        sessions.waits_s = min(4 * sessions.waits_s + 0.02, _LONGEST_WAIT_S)
    return wrong, int(bool(expired & set(ids)) and _overlapped(good))


def _twice(told: Sequence[Told], ids: Sequence[str]) -> str:
    again = {name: often for name, often in told_again(told).items() if name in ids}
    if not again:
        return ""
    name, (warned, expired) = next(iter(again.items()))
    how = f"expired {expired} times" if expired > 1 else f"warned of {warned} times"
    return f"{len(again)} of {len(ids)} sessions were told more than once: {name!r} was {how}"


def _rest(trial: Trial) -> list[Told]:
    """What the trial's own handle sweeps until nothing is left; raises Broken."""
    told: list[Told] = []
    while len(told) < _SWEEPS_MOST:
        outcome: Outcome = lifetime.sweep(trial.handle())
        trial.require_ok(outcome, "swept")
        told.append(Told(outcome.value.warned, outcome.value.expired, 0, 0))
        if not told[-1].warned and not told[-1].expired:
            break
    return told


def _untold(trial: Trial, told: Sequence[Told], ids: Sequence[str]) -> str:
    """That a session was expired and nobody was told, or has no such status."""
    never = never_told(told, ids)
    if never:
        return f"{len(never)} of {len(ids)} sessions past their limit were told to nobody"
    for name in ids:
        status = status_of(trial.handle(), name)
        if status not in (None, "expired"):
            return f"{name!r} was told as expired, and its status is {status}"
    return ""


def _kept_twice(trial: Trial, ids: Sequence[str]) -> str:
    """That an expiry is kept more than once."""
    if "snapshots" not in trial.capabilities:
        return ""
    for name in ids:
        outcome = lifetime.snapshots(trial.handle(), name)
        if outcome.type == "ok":
            number = sum(one.kind == "expiry" for one in outcome.value)
            if number > 1:
                return f"{name!r} expired once, and has {number} snapshots of it"
    return ""


def _overlapped(done: Sequence[Did]) -> bool:
    return any(one.overlaps(other) for at, one in enumerate(done) for other in done[at + 1 :])
