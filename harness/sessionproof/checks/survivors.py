"""What a store shows after a crash against what it may show: the flaws, or none.

Each aspect of what is shown is judged by itself, as the guarantees ask for different ones: the
messages by the worlds that the acknowledged operations leave, the counters by the messages that
were read, and what is shown later by what was shown first.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace

from sessionproof.checks.counters import FACTS, kept_facts, real_value
from sessionproof.checks.flaws import NEWEST, Flaw, Shown, When, many, told_of, unreadable
from sessionproof.checks.messages import Difference, compare
from sessionproof.checks.survivable import Survivable, Timeline
from sessionproof.checks.survivor_contents import (
    NOTHING,
    contents_flaw,
    fits,
    last_of,
    method_at,
    values,
)
from sessionproof.contract.anomalies import Anomaly
from sessionproof.contract.claims import Claims
from sessionproof.contract.message import Message, canonical
from sessionproof.contract.operations import Get, GetState, Outcome
from sessionproof.oracle.model import (
    Session,
    World,
    expect,
    listing_problems,
    same_messages,
)

_NAME = "s"  # of a session that is looked at by itself
_PARTS = 10**9  # a total of durations may be off by one of so many


def judge_survivors(
    shown: Shown, timeline: Timeline, point: int, *, losing: bool = False
) -> tuple[Flaw, ...]:
    """The flaws of what was shown after a crash behind ``point`` changes, one for each aspect.

    ``losing`` says that changes before the point did not survive: then what is there and has been
    before is taken for lost operations, otherwise for one that was half done.
    """
    survivable, claims = timeline.at(point), timeline.claims
    fitting = [world for world in survivable.worlds if _fit(world, shown, claims)]
    stated = [world for world in fitting if _states_fit(world, shown, claims)]
    found = (
        None if fitting else contents_flaw(shown, timeline, survivable, losing=losing),
        _state_flaw(shown, timeline, survivable, fitting),
        _sessions_flaw(shown, timeline, survivable, stated or fitting),
        agreement_flaw(shown, claims),
        newest_flaw(shown, claims),
    )
    return tuple(flaw for flaw in found if flaw is not None)


def judge_again(before: Shown, after: Shown, claims: Claims) -> Flaw | None:
    """What changed between two looks although nobody changed it, or None."""
    for name, outcome in before.reads.items():
        later = after.reads[name]
        if outcome.type != "ok" or later == outcome:
            continue
        if later.type != "ok":
            found = unreadable(name, later, len(outcome.value), when="go on")
            return replace(found, aspect="going on")
        difference = compare(outcome.value, later.value, claims.keeps)
        if difference is not None:
            return Flaw(
                anomaly=difference.anomaly,
                aspect="going on",
                expected=f"what was read before: {difference.expected}",
                seen=difference.seen,
                when="go on",
                session=name,
            )
    return None


def newest_flaw(shown: Shown, claims: Claims) -> Flaw | None:
    """The first session whose newest messages are not the last that are read, or None."""
    for name, outcome in shown.newest.items():
        read = shown.reads[name]
        if read.type != "ok" or (outcome.type == "fail" and not read.value):
            continue
        expected = read.value[-NEWEST:]
        if outcome.type == "ok":
            difference = compare(expected, outcome.value, claims.keeps)
        else:
            difference = Difference(Anomaly.UNREADABLE, many(len(expected)), told_of(outcome))
        if difference is not None:
            return Flaw(
                anomaly=Anomaly.WRONG_ANSWER if outcome.type == "ok" else difference.anomaly,
                aspect="read",
                expected=f"read_last({NEWEST}) answers the end of what is read: "
                f"{difference.expected}",
                seen=difference.seen,
                session=name,
            )
    return None


def agreement_flaw(shown: Shown, claims: Claims, *, when: When = "read") -> Flaw | None:
    """The first count or total that is not that of the messages read, or None."""
    for name, outcome in shown.reads.items():
        if outcome.type == "info":
            continue
        for sentence, seen in _disagreements(name, outcome.value or (), shown, claims):
            return Flaw(
                anomaly=Anomaly.COUNTER_DRIFT,
                aspect="counters",
                expected=sentence,
                seen=seen,
                when=when,
                session=name,
            )
    return None


def _disagreements(
    name: str, messages: Sequence[Message], shown: Shown, claims: Claims
) -> Iterator[tuple[str, str]]:
    count, facts = shown.counts.get(name), shown.facts.get(name)
    if count is not None and count.type == "ok" and count.value != len(messages):
        yield f"count {len(messages)}: so many messages are read", f"count {count.value}"
    if facts is not None and facts.type == "ok" and facts.value is not None:
        for fact in kept_facts(FACTS, claims):
            kept, real = getattr(facts.value, fact), real_value(fact, messages)
            tolerated = real // _PARTS if fact == "total_duration_us" else 0
            if kept is not None and abs(kept - real) > tolerated:
                given = f"by the {many(len(messages))} read"
                yield f"{fact} {real}, {given}", f"{fact} {kept}"


def _fit(world: World, shown: Shown, claims: Claims) -> bool:
    return all(fits(world, name, outcome, claims) for name, outcome in shown.reads.items())


def _state_flaw(
    shown: Shown, timeline: Timeline, survivable: Survivable, fitting: Sequence[World]
) -> Flaw | None:
    """State that no moment had whose messages are there, or that is missing."""
    for name in dict.fromkeys(session for session, _ in shown.states):
        states = {key: one for (session, key), one in shown.states.items() if session == name}
        read, claims = shown.reads[name], timeline.claims
        right = [world for world in survivable.worlds if fits(world, name, read, claims)]
        now = values(right, name)
        if any(_state_fits(one, states, claims) for one in now):
            continue
        past = [
            one or NOTHING
            for one in survivable.earlier.get(name, ())
            if read.type == "ok"
            and same_messages((one or NOTHING).messages, read.value, claims.keeps)
        ]
        together = any(_state_fits(one, states, claims) for one in past)
        if not fitting and (together or not past):
            continue  # the messages are wrong already, and the state is of their time
        return _state_told(name, states, (*now, *past)[0], timeline, survivable, lost=together)
    return None


def _state_told(
    name: str,
    states: Mapping[str, Outcome],
    wanted: Session,
    timeline: Timeline,
    survivable: Survivable,
    *,
    lost: bool,
) -> Flaw:
    broken = any(one.type == "info" for one in states.values())
    at = last_of(name, survivable.interrupted, timeline, state=True)
    at = last_of(name, survivable.answered, timeline, state=True) if at is None else at
    kept = {key: wanted.state.get(key) for key in states}
    seen = {key: one.value if one.type == "ok" else told_of(one) for key, one in states.items()}
    anomaly = Anomaly.UNREADABLE if broken else Anomaly.STALE_READ if lost else Anomaly.PARTIAL
    return Flaw(
        anomaly=anomaly,
        aspect="state",
        expected=f"with these messages the state of {name} is {kept}",
        seen=f"it is {seen}",
        session=name,
        act=at,
        method=method_at(timeline, at),
        lost=lost and not broken,
    )


def _states_fit(world: World, shown: Shown, claims: Claims) -> bool:
    return all(
        _state_fits(world.get(name, NOTHING), {key: one}, claims)
        for (name, key), one in shown.states.items()
    )


def _state_fits(session: Session, states: Mapping[str, Outcome], claims: Claims) -> bool:
    """Whether these are the values of a session: what is refused is unset, what fails is unknown.

    A failure fits where the session need not be there, as it does when messages are read.
    """
    for key, one in states.items():
        expected = expect({_NAME: session}, GetState(_NAME, key), claims)
        if one.type == "info" and expected.refusal == "never":
            return False
        if canonical(expected.answer) != canonical(one.value):
            return False
    return True


def _sessions_flaw(
    shown: Shown, timeline: Timeline, survivable: Survivable, fitting: Sequence[World]
) -> Flaw | None:
    """Sessions that are known and should not be, or that are unknown and should be."""
    found = [_session_problems(world, shown, timeline.claims) for world in fitting]
    problems = min(found, key=len) if found else _unlisted(shown)
    if not problems:
        return None
    name, anomaly, seen = problems[0]
    at = last_of(name, survivable.interrupted, timeline)
    been = [one for one in survivable.earlier.get(name, ()) if one is not None]
    if at is not None and anomaly is not Anomaly.UNREADABLE:
        anomaly = Anomaly.PARTIAL
    elif anomaly is Anomaly.PHANTOM_SESSION and been:
        anomaly = Anomaly.RESURRECTION
    return Flaw(
        anomaly=anomaly,
        aspect="sessions",
        expected="the sessions that were made are known, and no others",
        seen=seen,
        session=name,
        act=at,
        method=method_at(timeline, at),
    )


_Problem = tuple[str, Anomaly, str]


def _session_problems(world: World, shown: Shown, claims: Claims) -> list[_Problem]:
    """What is wrong in this world with the sessions that are known: session, anomaly, sentence."""
    found: list[_Problem] = []
    if shown.listed is not None and shown.listed.type == "ok":
        listed: Sequence[str] = shown.listed.value
        for sentence in listing_problems(world, listed):
            name = sentence.partition(" ")[0]
            surplus = name not in world
            repeated = name in listed and not surplus
            anomaly = Anomaly.PHANTOM_SESSION if surplus else Anomaly.LOST_SESSION
            anomaly = Anomaly.DUPLICATE if repeated else anomaly
            found.append((name, anomaly, f"in the list of sessions, {sentence}"))
    elif shown.listed is not None:
        found.append(("", Anomaly.UNREADABLE, f"list: {told_of(shown.listed)}"))
    for name, outcome in shown.facts.items():
        known = outcome.type == "ok" and outcome.value is not None
        if known and name not in world:
            found.append((name, Anomaly.PHANTOM_SESSION, f"{name} has facts: {outcome.value}"))
        elif not known and expect(world, Get(name), claims).refusal == "never":
            seen = "none" if outcome.type == "ok" else told_of(outcome)
            found.append((name, Anomaly.LOST_SESSION, f"the facts of {name}: {seen}"))
    return found


def _unlisted(shown: Shown) -> list[_Problem]:
    """Sessions whose messages are read, and that no list has."""
    if shown.listed is None or shown.listed.type != "ok":
        return []
    return [
        (name, Anomaly.LOST_SESSION, f"{name} has messages, and is not in the list of sessions")
        for name, one in shown.reads.items()
        if one.type == "ok" and one.value and name not in shown.listed.value
    ]
