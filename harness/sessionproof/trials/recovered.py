"""What a recovery may show of a damaged store: judged by what was there, and what is read."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from itertools import groupby

from sessionproof.contract.anomalies import Anomaly
from sessionproof.contract.message import Message, canonical, to_json
from sessionproof.contract.upkeep import Recovered
from sessionproof.oracle.model import ASSIGNED, differing

_TOKEN = re.compile(r"mark\d{4}word\d{4}")
_TOKEN_BYTES = re.compile(rb"mark\d{4}word\d{4}")

Sessions = Mapping[str, Sequence[Message]]
"""Messages by the id of their session."""


@dataclass(frozen=True)
class Placed:
    """A message with its token, its session and its place there."""

    token: str
    message: Message
    session: str
    place: int


def placed(sessions: Sessions) -> list[Placed]:
    """All messages, session by session."""
    return [
        Placed(token_of(one), one, session, place)
        for session, messages in sessions.items()
        for place, one in enumerate(messages)
    ]


@dataclass(frozen=True, kw_only=True)
class Recovery:
    """A recovery of a damaged store.

    ``before`` is what the store had, by token. ``saved`` is what is read of the new one: all of it
    where it can list its sessions (``listed``, their ids), else what the old ids show. ``there``
    are the tokens, ``names`` the ids of sessions that can be read in the damaged files, ``deleted``
    the tokens of what was deleted before. ``shows`` says whether the files show that something is
    missing: a log that was cut shows an earlier time.
    """

    before: Mapping[str, Placed]
    saved: Sequence[Placed]
    told: Recovered
    there: frozenset[str]
    names: frozenset[str]
    deleted: frozenset[str]
    keeps: frozenset[str]
    listed: frozenset[str] | None
    shows: bool
    checksums: bool

    @cached_property
    def good(self) -> frozenset[str]:
        """The tokens of the messages that are read as they were."""
        return frozenset(one.token for one in self.saved if self.is_good(one))

    def is_good(self, one: Placed) -> bool:
        """Whether it is read as it was appended."""
        keeps = self.keeps - ASSIGNED or self.keeps
        known = self.before.get(one.token)
        return known is not None and not differing(known.message, one.message, keeps)


@dataclass(frozen=True)
class Wrong:
    """What is wrong with a recovery."""

    anomaly: Anomaly
    expected: str
    seen: str


def tokens_in(data: bytes) -> set[str]:
    """All tokens in these bytes."""
    return {found.decode() for found in _TOKEN_BYTES.findall(data)}


def token_of(message: Message) -> str:
    """The word that no other message has; empty where there is none, or several."""
    said = message.content
    found = {*_TOKEN.findall(said if isinstance(said, str) else canonical(to_json(message)))}
    return found.pop() if len(found) == 1 else ""


def judged(recovery: Recovery) -> Wrong | None:
    """The first thing that is wrong with it."""
    return next(
        (wrong for look in (_invented, _moved, _missing, _told) for wrong in look(recovery)), None
    )


def _invented(recovery: Recovery) -> Iterator[Wrong]:
    back = [one for one in recovery.saved if one.token in recovery.deleted]
    if back and recovery.shows:
        yield Wrong(
            Anomaly.RESURRECTION,
            "what was deleted before the damage stays deleted",
            f"{back[0].token} of session {back[0].session!r} is back, and {len(back) - 1} others",
        )
    changed = [
        one
        for one in recovery.saved
        if one.token not in recovery.deleted and not recovery.is_good(one)
    ]
    lost = len(recovery.before) - len(recovery.good)
    if changed and (recovery.checksums or len(changed) > lost):
        yield Wrong(
            Anomaly.CHANGED if changed[0].token in recovery.before else Anomaly.PHANTOM,
            "only messages that were appended, as they were",
            f"{len(changed)} others; the first is {canonical(changed[0].message.content)[:80]}",
        )
    times = Counter(one.token for one in recovery.saved if one.token)
    for token, number in times.most_common(1):
        if number > 1:
            yield Wrong(Anomaly.DUPLICATE, "each message once", f"{token} is read {number} times")


def _moved(recovery: Recovery) -> Iterator[Wrong]:
    """Messages stay in their session and in their order; a session that lost its name has one."""
    known = [one for one in recovery.saved if one.token in recovery.before]
    names = {one.session for one in recovery.before.values()}
    for session, group in groupby(known, lambda one: one.session):
        was = [recovery.before[one.token] for one in group]
        homes = {one.session for one in was}
        if len(homes) > 1 or (session in names and homes != {session}):
            other = next(home for home in sorted(homes) if home != session)
            seen = f"session {session!r} has messages of {other!r}"
            yield Wrong(Anomaly.LEAK, "messages of one session in each", seen)
        renamed = homes & recovery.names - {session}
        if renamed:
            yield Wrong(
                Anomaly.LOST_SESSION,
                "sessions whose names can be read keep them",
                f"messages of session {min(renamed)!r} are in session {session!r}",
            )
        places = [one.place for one in was]
        if places != sorted(places):
            yield Wrong(
                Anomaly.REORDER,
                "messages in the order in which they were appended",
                f"session {session!r} has them in the order {places[:12]}",
            )


def _missing(recovery: Recovery) -> Iterator[Wrong]:
    read = {one.session for one in recovery.saved}
    missing = [
        recovery.before[token]
        for token in sorted(recovery.there & recovery.before.keys() - recovery.good)
        if recovery.listed is not None or recovery.before[token].session in read
    ]
    if missing:
        yield Wrong(
            Anomaly.UNSAVED,
            f"the {len(recovery.there)} messages that can be read in the damaged files",
            f"{len(missing)} of them were not saved, {missing[0].token} of session "
            f"{missing[0].session!r} first",
        )


def _told(recovery: Recovery) -> Iterator[Wrong]:
    told, read = recovery.told, len(recovery.saved)
    if recovery.listed is not None and told.messages != read:
        yield Wrong(
            Anomaly.WRONG_ANSWER,
            f"messages={read}, which is what can be read afterwards",
            f"recover answered messages={told.messages}",
        )
    filled = len({one.session for one in recovery.saved})
    if recovery.listed is not None and not filled <= told.sessions <= len(recovery.listed):
        yield Wrong(
            Anomaly.WRONG_ANSWER,
            f"sessions={len(recovery.listed)}, which is how many are listed afterwards",
            f"recover answered sessions={told.sessions}",
        )
    lost = len(recovery.before) - len(recovery.good)
    if recovery.shows and lost and not told.lost:
        yield Wrong(
            Anomaly.UNNOTICED,
            "recover says what was lost",
            f"{lost} of {len(recovery.before)} messages are lost, and it said that nothing is",
        )
