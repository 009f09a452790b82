"""What a recovery may show of a damaged store: judged by what was there, and what is read."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

from sessionproof.contract.anomalies import Anomaly
from sessionproof.contract.message import Message, canonical, to_json
from sessionproof.contract.upkeep import Recovered
from sessionproof.oracle.model import ASSIGNED, differing

_TOKEN = re.compile(r"mark\d{4}word\d{4}")

Sessions = Mapping[str, Sequence[Message]]
"""Messages by the id of their session."""


@dataclass(frozen=True, kw_only=True)
class Recovery:
    """A recovery of a damaged store.

    ``before`` is what the store had, ``saved`` what is read of the new one: all of it where it can
    list its sessions (``listed``), else what the old ids show. ``there`` are the tokens that can
    be read in the damaged files, ``deleted`` those that were deleted before. ``shows`` says whether
    the files show that something is missing: a log that was cut shows an earlier time.
    """

    before: Sessions
    saved: Sessions
    told: Recovered
    there: frozenset[str]
    deleted: frozenset[str]
    keeps: frozenset[str]
    listed: bool
    shows: bool
    checksums: bool


@dataclass(frozen=True)
class Wrong:
    """What is wrong with a recovery."""

    anomaly: Anomaly
    expected: str
    seen: str


def token_of(message: Message) -> str:
    """The word that no other message has; empty where there is none, or several."""
    found = {*_TOKEN.findall(canonical(to_json(message)))}
    return found.pop() if len(found) == 1 else ""


def judged(recovery: Recovery) -> Wrong | None:
    """The first thing that is wrong with it."""
    return next(
        (wrong for look in (_invented, _moved, _missing, _told) for wrong in look(recovery)), None
    )


def good_tokens(recovery: Recovery) -> frozenset[str]:
    """The tokens of the messages that are read as they were."""
    before = _by_token(recovery.before)
    return frozenset(
        token
        for messages in recovery.saved.values()
        for one in messages
        if (token := token_of(one)) in before and _same(before[token][1], one, recovery.keeps)
    )


def _invented(recovery: Recovery) -> Iterator[Wrong]:
    before = _by_token(recovery.before)
    changed: list[Message] = []
    for session, messages in recovery.saved.items():
        for one in messages:
            token = token_of(one)
            if token in recovery.deleted and recovery.shows:
                yield Wrong(
                    Anomaly.RESURRECTION,
                    "what was deleted before the damage stays deleted",
                    f"{token} of session {session!r} is back",
                )
            if token in recovery.deleted:
                continue
            if token not in before or not _same(before[token][1], one, recovery.keeps):
                changed.append(one)
    lost = sum(map(len, recovery.before.values())) - len(good_tokens(recovery))
    if changed and (recovery.checksums or len(changed) > lost):
        text = canonical(changed[0].content)
        anomaly = Anomaly.CHANGED if token_of(changed[0]) in before else Anomaly.PHANTOM
        yield Wrong(
            anomaly,
            "only messages that were appended, as they were",
            f"{len(changed)} others; the first is {text[:80]}",
        )
    every = Counter(token_of(one) for messages in recovery.saved.values() for one in messages)
    twice = [token for token, times in every.items() if token and times > 1]
    if twice:
        seen = f"{twice[0]} is read {every[twice[0]]} times"
        yield Wrong(Anomaly.DUPLICATE, "each message once", seen)


def _moved(recovery: Recovery) -> Iterator[Wrong]:
    """Messages stay in their session and in their order; a session that lost its name has one."""
    before = _by_token(recovery.before)
    for session, messages in recovery.saved.items():
        known = [before[token] for one in messages if (token := token_of(one)) in before]
        homes = {home for home, _, _ in known}
        if len(homes) > 1 or (session in recovery.before and not homes <= {session}):
            other = next(home for home in sorted(homes) if home != session)
            yield Wrong(
                Anomaly.LEAK,
                "messages of one session in each",
                f"session {session!r} has messages of {other!r}",
            )
        places = [place for _, _, place in known]
        if places != sorted(places):
            yield Wrong(
                Anomaly.REORDER,
                "messages in the order in which they were appended",
                f"session {session!r} has them in the order {places[:12]}",
            )


def _missing(recovery: Recovery) -> Iterator[Wrong]:
    before, good = _by_token(recovery.before), good_tokens(recovery)
    missing = [
        token
        for token in sorted(recovery.there & before.keys() - good)
        if recovery.listed or recovery.saved.get(before[token][0])
    ]
    if missing:
        yield Wrong(
            Anomaly.UNSAVED,
            f"the {len(recovery.there)} messages that can be read in the damaged files",
            f"{len(missing)} of them were not saved, {missing[0]} of session "
            f"{before[missing[0]][0]!r} first",
        )


def _told(recovery: Recovery) -> Iterator[Wrong]:
    told, read = recovery.told, sum(map(len, recovery.saved.values()))
    filled = sum(1 for messages in recovery.saved.values() if messages)
    if recovery.listed and told.messages != read:
        yield Wrong(
            Anomaly.WRONG_ANSWER,
            f"messages={read}, which is what can be read afterwards",
            f"recover answered messages={told.messages}",
        )
    if recovery.listed and not filled <= told.sessions <= len(recovery.saved):
        yield Wrong(
            Anomaly.WRONG_ANSWER,
            f"sessions={len(recovery.saved)}, which is how many are listed afterwards",
            f"recover answered sessions={told.sessions}",
        )
    all_of_it = sum(map(len, recovery.before.values()))
    good = len(good_tokens(recovery))
    if recovery.shows and good < all_of_it and not told.lost:
        yield Wrong(
            Anomaly.UNNOTICED,
            "recover says what was lost",
            f"{all_of_it - good} of {all_of_it} messages are lost, and it said that nothing is",
        )


def _by_token(sessions: Sessions) -> dict[str, tuple[str, Message, int]]:
    """Session, message and place of each message that has a token."""
    return {
        token: (session, one, place)
        for session, messages in sessions.items()
        for place, one in enumerate(messages)
        if (token := token_of(one))
    }


def _same(one: Message, other: Message, keeps: frozenset[str]) -> bool:
    return not differing(one, other, keeps - ASSIGNED or keeps)
