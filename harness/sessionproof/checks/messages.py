"""Two lists of messages compared: what was expected, what was seen, and the anomaly's name."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence, Set
from dataclasses import dataclass

from sessionproof.contract.anomalies import Anomaly
from sessionproof.contract.message import Message, canonical
from sessionproof.contract.operations import message_call
from sessionproof.oracle.model import ASSIGNED, differing

_FIRST = "; first difference at "
_CHANGE_MOST = 200  # characters: a longer one is no name of a cause


@dataclass(frozen=True, kw_only=True)
class Elsewhere:
    """Messages that would explain a surplus: of other sessions, deleted ones, refused ones."""

    others: Sequence[Message] = ()
    deleted: Sequence[Message] = ()
    refused: Sequence[Message] = ()
    batches: Sequence[Sequence[Message]] = ()


@dataclass(frozen=True)
class Difference:
    """An anomaly, and two sentences: what was expected, what was seen.

    ``change`` is the one change of one field that is all the difference, as in
    "metadata: None became {}"; empty where there is more, or other messages came.
    """

    anomaly: Anomaly
    expected: str
    seen: str
    change: str = ""


def compare(
    expected: Sequence[Message],
    seen: Sequence[Message],
    keeps: Set[str],
    elsewhere: Elsewhere | None = None,
) -> Difference | None:
    """The difference between two lists of messages in the kept fields, or None. Linear."""
    pairs = zip(expected, seen, strict=False)
    if len(expected) == len(seen) and not any(differing(a, b, keeps) for a, b in pairs):
        return None
    # Fields that the store may assign cannot serve as identity, unless the client set them.
    identity = keeps - ASSIGNED or keeps
    wanted = [_key(message, identity) for message in expected]
    had = [_key(message, identity) for message in seen]
    want, have = Counter(wanted), Counter(had)
    missing, surplus = want - have, have - want
    anomaly = _anomaly(want, missing, surplus, identity, elsewhere or Elsewhere())
    if not missing and not surplus:
        anomaly = Anomaly.CHANGED if wanted == had else Anomaly.REORDER
    # A message that was sent as well came in another's place: then no field was changed.
    changed = anomaly is Anomaly.CHANGED and not surplus.keys() & want.keys()
    change = _change(expected, seen, keeps) if changed else ""
    told = _seen(expected, seen, keeps, missing, surplus)
    return Difference(anomaly, _told(expected), told, change)


def briefly(seen: str) -> str:
    """The first difference alone, where what was seen tells one."""
    _, found, difference = seen.partition(_FIRST)
    return f"at {difference}" if found else seen


def _anomaly(
    want: Counter[str],
    missing: Counter[str],
    surplus: Counter[str],
    keeps: Set[str],
    elsewhere: Elsewhere,
) -> Anomaly:
    if missing and surplus and missing.total() == surplus.total():
        extra = _within(surplus, elsewhere, keeps)
        return extra or Anomaly.CHANGED
    if surplus:
        if all(key in want for key in surplus) and not missing:
            return Anomaly.DUPLICATE
        return _within(surplus, elsewhere, keeps) or Anomaly.PHANTOM
    return Anomaly.TORN_BATCH if _torn(missing, elsewhere, keeps) else Anomaly.LOST_MESSAGE


def _within(surplus: Counter[str], elsewhere: Elsewhere, keeps: Set[str]) -> Anomaly | None:
    places = (
        (Anomaly.ABORTED_READ, elsewhere.refused),
        (Anomaly.LEAK, elsewhere.others),
        (Anomaly.RESURRECTION, elsewhere.deleted),
    )
    for anomaly, messages in places:
        if messages and surplus.keys() <= {_key(message, keeps) for message in messages}:
            return anomaly
    return None


def _torn(missing: Counter[str], elsewhere: Elsewhere, keeps: Set[str]) -> bool:
    for batch in elsewhere.batches:
        keys = [_key(message, keeps) for message in batch]
        lost = sum(key in missing for key in keys)
        if 0 < lost < len(keys):
            return True
    return False


def _key(message: Message, keeps: Iterable[str]) -> str:
    return canonical([getattr(message, name) for name in sorted(keeps)])


def _told(messages: Sequence[Message]) -> str:
    if not messages:
        return "no messages"
    shown = "; ".join(f"{number}: {message_call(m)}" for number, m in _edges(messages))
    return f"{_number(len(messages))}: {shown}"


def _edges(messages: Sequence[Message], most: int = 6) -> list[tuple[int, Message]]:
    numbered = list(enumerate(messages, 1))
    return numbered if len(numbered) <= most else numbered[: most - 2] + numbered[-2:]


def _seen(
    expected: Sequence[Message],
    seen: Sequence[Message],
    keeps: Set[str],
    missing: Counter[str],
    surplus: Counter[str],
) -> str:
    parts = [_told(seen)]
    at = _first_difference(expected, seen, keeps)
    if at is not None:
        parts.append(at)
    if len(expected) == len(seen) and at is not None:
        return "; ".join(parts)
    if missing:
        parts.append(f"{_number(missing.total())} missing")
    if surplus:
        parts.append(f"{_number(surplus.total())} too many")
    return "; ".join(parts)


def _first_difference(
    expected: Sequence[Message], seen: Sequence[Message], keeps: Set[str]
) -> str | None:
    for number, (want, have) in enumerate(zip(expected, seen, strict=False), 1):
        fields = differing(want, have, keeps)
        if fields:
            name = fields[0]
            return (
                f"first difference at message {number}, {name}: "
                f"{_value(want, name)} became {_value(have, name)}"
            )
    return None


def _change(expected: Sequence[Message], seen: Sequence[Message], keeps: Set[str]) -> str:
    """The change that all messages share which differ; empty where there are several."""
    changes = {
        f"{name}: {_whole(want, name)} became {_whole(have, name)}"
        for want, have in zip(expected, seen, strict=True)
        for name in differing(want, have, keeps)
    }
    change = changes.pop() if len(changes) == 1 else ""
    return change if len(change) <= _CHANGE_MOST else ""


def _value(message: Message, name: str) -> str:
    text = _whole(message, name)
    return text if len(text) <= 160 else f"{text[:100]} … {len(text):,} characters … {text[-40:]}"


def _whole(message: Message, name: str) -> str:
    value = getattr(message, name)
    return ascii(value) if isinstance(value, str) and not value.isprintable() else repr(value)


def _number(count: int) -> str:
    return f"{count} message{'' if count == 1 else 's'}"
