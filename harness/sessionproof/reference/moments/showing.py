"""Snapshots for people and programs: decoded, and what two moments have otherwise."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, fields
from typing import Any

from sessionproof.contract.errors import Refused
from sessionproof.contract.message import Json, Message, SessionInfo, canonical, to_json
from sessionproof.contract.snapshots import SnapshotInfo
from sessionproof.reference.codec import decode, from_json_text, from_value
from sessionproof.reference.moments.contents import Contents

_INFO = {item.name for item in fields(SessionInfo)}
_AS_READ = (
    "role", "content", "content_json", "kind", "name", "call_id", "arguments", "tokens",
    "duration_us",
)  # fmt: skip
_UNREADABLE = (ValueError, TypeError, AttributeError, RecursionError, KeyError)


@dataclass(frozen=True, slots=True, kw_only=True)
class Moment:
    """A session as it was: its facts, limits, messages with their numbers, and state.

    ``snapshot`` is None for a session as it is now. ``idle_us`` is the limit, ``hard_deadline_us``
    the time, each in integer microseconds, None without.
    """

    snapshot: SnapshotInfo | None
    session: SessionInfo
    idle_us: int | None
    hard_deadline_us: int | None
    seqs: tuple[int, ...]
    messages: tuple[Message, ...]
    state: Mapping[str, Json]


@dataclass(frozen=True, slots=True)
class Changed:
    """A value that was one thing and is another; None where it was or is not there."""

    before: Any
    after: Any


@dataclass(frozen=True, slots=True, kw_only=True)
class Difference:
    """What is otherwise at another moment of a session: messages, facts and state by their names.

    Messages are the same if their ids are. Times of activity and the next number are no facts.
    """

    added: tuple[Message, ...] = ()
    removed: tuple[Message, ...] = ()
    edited: tuple[Changed, ...] = ()
    facts: Mapping[str, Changed]
    state: Mapping[str, Changed]

    @property
    def none(self) -> bool:
        """Whether nothing is otherwise."""
        return not (self.added or self.removed or self.edited or self.facts or self.state)


def moment(contents: Contents, snapshot: SnapshotInfo | None) -> Moment:
    """The session decoded; raises ``Refused`` for what was damaged before it was kept."""
    facts = contents.facts
    try:
        messages = list(_messages(contents))
        state = {
            str(from_value(row["key"])): from_json_text(row["value"])
            for row in contents.state.named()
        }
        session = SessionInfo(
            **{name: from_value(facts[name]) for name in _INFO - {"metadata"}},
            metadata=from_json_text(facts["metadata"]),
        )
    except _UNREADABLE as error:
        raise Refused(
            f"what the snapshot holds cannot be read ({type(error).__name__}): it was damaged "
            "before it was taken; it can be restored as it is"
        ) from error
    return Moment(
        snapshot=snapshot,
        session=session,
        idle_us=facts["idle_timeout_us"],
        hard_deadline_us=facts["hard_deadline_us"],
        seqs=tuple(seq for seq, _ in messages),
        messages=tuple(message for _, message in messages),
        state=state,
    )


def difference(before: Moment, after: Moment) -> Difference:
    """What ``after`` has otherwise than ``before``."""
    old = {one.id: one for one in before.messages}
    new = {one.id: one for one in after.messages}
    both = [name for name in old if name in new]
    return Difference(
        added=tuple(new[name] for name in new if name not in old),
        removed=tuple(old[name] for name in old if name not in new),
        edited=tuple(
            Changed(old[name], new[name]) for name in both if _told(old[name]) != _told(new[name])
        ),
        facts=_changed(_facts(before), _facts(after)),
        state=_changed(before.state, after.state),
    )


def _messages(contents: Contents) -> Iterator[tuple[int, Message]]:
    tag = contents.facts["tag"]
    for row in contents.messages.named():
        told: dict[str, Any] = row
        created = told["created_at_us"]
        name = told["message_id"]
        yield told["seq"], decode((
            *(told[one] for one in _AS_READ),
            told["appended_at_us"] if created is None else created,
            f"{tag}.{told['seq']}" if name is None else name,
            told["metadata"],
        ))  # fmt: skip


def _told(message: Message) -> str:
    return canonical(to_json(message))


def _facts(one: Moment) -> dict[str, Any]:
    named = ("status", "owner", "title", "llm_model", "metadata")
    facts = {name: getattr(one.session, name) for name in named}
    return facts | {"idle_us": one.idle_us, "hard_deadline_us": one.hard_deadline_us}


_ABSENT = object()


def _changed(before: Mapping[str, Any], after: Mapping[str, Any]) -> dict[str, Changed]:
    """Names whose values differ; JSON values by their text, so that 1 and true do."""
    out = {}
    for name in {**before, **after}:
        old, new = before.get(name, _ABSENT), after.get(name, _ABSENT)
        if _as_text(old) != _as_text(new):
            out[name] = Changed(*(None if one is _ABSENT else one for one in (old, new)))
    return out


def _as_text(value: object) -> str:
    return "" if value is _ABSENT else canonical(value)
