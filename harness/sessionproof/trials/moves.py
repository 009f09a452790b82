"""Moves of a status: every pair of them, then walks that are drawn."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence

from hypothesis import strategies as st

from sessionproof.checks.statuses import judged
from sessionproof.contract.claims import Claims
from sessionproof.contract.lifetime import STATUSES
from sessionproof.trials.single import Trial
from sessionproof.trials.timelines import Timed
from sessionproof.workload.schedules import MINUTE_US
from sessionproof.workload.timelines import BEGIN, LIMITS, REOPEN, STATUS, SWEEP, Step, Timeline

_WORDS = (*STATUSES, "no such status", "")
_LIMIT_US = 30 * MINUTE_US


def declared(trial: Trial) -> None:
    """TMO-10: each move from each status that can be reached, then longer walks; raises Broken."""
    timed = Timed(trial, judge=judged)
    for timeline in trial.within_time([*_pairs(trial)]):
        trial.count("moves", timed.run(timeline).moves)
    said = [*_WORDS, "append", *([REOPEN] if _lasts(trial.claims) else [])]
    walk = st.lists(st.tuples(st.sampled_from(said), st.integers(0, 1)), min_size=1, max_size=10)
    timed.search(walk.map(lambda words: _walk(trial, words)), lambda seen: seen.moves)


def _lasts(claims: Claims) -> bool:
    return claims.at_least("durability", "process")


def _pairs(trial: Trial) -> Iterator[Timeline]:
    """From each status that moves lead to, and from each that limits lead to, to every other."""
    ways = _ways(trial.claims)
    for word in _WORDS:
        for way in ways.values():
            moves = [Step(0, STATUS, "s0", status=one) for one in [*way, word]]
            yield (Step(0, BEGIN, "s0"), *moves, *_looks(trial, 0))
    if "set_limits" not in trial.capabilities or "set_clock" not in trial.capabilities:
        return
    sweeps = SWEEP in trial.capabilities
    limited = (Step(0, BEGIN, "s0"), Step(0, LIMITS, "s0", _LIMIT_US))
    for word in _WORDS:
        for late, is_shown in ((_LIMIT_US, sweeps or trial.claims.expires == "at_once"),
                               (_LIMIT_US - 1, sweeps and trial.claims.warns)):  # fmt: skip
            if is_shown:
                swept = [Step(late, SWEEP)] if sweeps else []
                looked = [Step(late, "get", "s0")] if "get" in trial.capabilities else []
                move = Step(late, STATUS, "s0", status=word)
                yield (*limited, *swept, *looked, move, *_looks(trial, late))
    for status in sorted(ways.keys() & {"paused", "archived", "expired"}):  # limits are no move
        moves = [Step(0, STATUS, "s0", status=one) for one in ways[status]]
        yield (Step(0, BEGIN, "s0"), *moves, Step(0, LIMITS, "s0", _LIMIT_US), *_looks(trial, 0))
    for status in ("paused", "archived"):  # they do not expire
        if status in ways:
            moves = [Step(0, STATUS, "s0", status=one) for one in ways[status]]
            back = Step(2 * _LIMIT_US, STATUS, "s0", status="active")
            swept = [Step(2 * _LIMIT_US, SWEEP)] if sweeps else []
            looked = _looks(trial, 2 * _LIMIT_US)
            yield (*limited, *moves, *swept, *looked, back, *looked)


def _ways(claims: Claims) -> Mapping[str, tuple[str, ...]]:
    """For each status that declared moves lead to, the shortest way from active."""
    ways: dict[str, tuple[str, ...]] = {"active": ()}
    waiting = ["active"]
    while waiting:
        status = waiting.pop(0)
        for other in STATUSES:
            if other not in ways and f"{status}>{other}" in claims.transitions:
                ways[other] = (*ways[status], other)
                waiting.append(other)
    return ways


def _looks(trial: Trial, at_us: int, name: str = "s0") -> list[Step]:
    """What shows a status: what is told of it, whether a message is taken, what is there then."""
    told = [Step(at_us, "get", name)] if "get" in trial.capabilities else []
    return [*told, Step(at_us, "append", name), *told, Step(at_us, "read", name)]


def _walk(trial: Trial, words: Sequence[tuple[str, int]]) -> Timeline:
    """Two sessions that are moved by turns."""
    steps = [Step(0, BEGIN, "s0"), Step(0, BEGIN, "s1")]
    for word, session in words:
        name = f"s{session}"
        if word == REOPEN:
            steps.append(Step(0, REOPEN))
        elif word == "append":
            steps.append(Step(0, "append", name))
        else:
            steps.append(Step(0, STATUS, name, status=word))
            steps += [Step(0, "get", name)] if "get" in trial.capabilities else []
    return (*steps, *_looks(trial, 0, "s0"), *_looks(trial, 0, "s1"))
