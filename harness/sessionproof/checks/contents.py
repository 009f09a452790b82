"""What is wrong with one answer by itself: messages that should not be there, or not so."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np

from sessionproof.checks.positions import Order, Places
from sessionproof.checks.table import PLACE, SHIFT, Flags, Ids, Rows, Table
from sessionproof.checks.wording import amount, labels
from sessionproof.contract.anomalies import Anomaly
from sessionproof.history.columns import F, Phase, Type

_TOKEN = re.compile(r"#([0-9a-f]+)")


@dataclass(frozen=True)
class Surprise:
    """Something wrong in the answer of ``row``. ``about`` is the row of the writer, -1 for none."""

    anomaly: Anomaly
    row: int
    about: int
    ids: tuple[int, ...]
    words: str


def doubtful_sessions(table: Table, order: Order, places: Places) -> Flags:
    """Sessions whose order holds anything but whole batches of its own writers, once each."""
    doubtful = np.zeros(table.names, np.bool_)
    ids, writer, session = order.ids, order.writer, order.session
    if not len(ids):
        return doubtful
    place = (ids & PLACE).astype(np.int64)
    n = table.n[writer]
    wrong = (writer < 0) | (table.session[writer] != session)
    wrong |= (table.type[writer] == Type.FAIL) | ~table.writes[writer]
    begins = np.zeros(len(ids) + 1, np.bool_)
    begins[order.start] = True
    goes_on = np.zeros(len(ids), np.bool_)
    goes_on[1:] = (ids[1:] == ids[:-1] + np.uint64(1)) & (place[1:] != 0)
    goes_on &= ~begins[:-1]
    wrong |= ~goes_on & (place != 0)
    # Where one batch ends, its last message must have come.
    ends = np.append(~goes_on[1:], True)
    wrong |= ends & (place != n - 1)
    doubtful[session[wrong]] = True
    twice = np.flatnonzero(places.count > table.n)
    doubtful[table.session[twice]] = True
    return doubtful


def surprises(
    table: Table, row: int, ids: Ids, *, atomic: bool, complete: Flags
) -> Iterator[Surprise]:
    """Everything wrong with one answer, each kind once for each writer.

    ``complete`` says of each row that the order has all of its messages: then an answer that ends
    within its batch saw it too early.
    """
    session = int(table.session[row])
    yield from _strange(table, row, ids)
    writer = table.writer(ids)
    place = (ids & PLACE).astype(np.int64)
    sent = (writer >= 0) & table.writes[writer] & (place < table.n[writer])
    for about in _suspects(table, session, ids[sent], writer[sent]):
        mine = ids[sent & (writer == about)]
        numbers = tuple(map(int, np.unique(mine)))
        if table.session[about] != session:
            words = "was sent to another session"
            yield Surprise(Anomaly.LEAK, row, int(about), numbers, words)
        elif table.type[about] == Type.FAIL:
            yield Surprise(Anomaly.ABORTED_READ, row, int(about), numbers, "was refused")
        if len(mine) > len(numbers):
            values, times = np.unique(mine, return_counts=True)
            twice = tuple(map(int, values[times > 1]))
            words = f"is there {int(times.max())} times{_again(table, int(about))}"
            yield Surprise(Anomaly.DUPLICATE, row, int(about), twice, words)
        once = _once(mine)
        if table.f[row] != F.READ_LAST and (once[1:] < once[:-1]).any():
            words = "is a batch, and its messages are not in their order"
            yield Surprise(Anomaly.WRITE_ORDER, row, int(about), numbers, words)
    own = sent & (table.session[writer] == session)
    if table.f[row] != F.READ_LAST:
        yield from _torn(table, row, _once(ids[own]), complete, atomic=atomic)


def _suspects(table: Table, session: int, ids: Ids, writer: Rows) -> Rows:
    """The writers that should not be here, and those whose messages do not rise."""
    wrong = (table.session[writer] != session) | (table.type[writer] == Type.FAIL)
    by = np.argsort(writer, kind="stable")
    falls = (writer[by][1:] == writer[by][:-1]) & (ids[by][1:] <= ids[by][:-1])
    return np.unique(np.concatenate([writer[wrong], writer[by][1:][falls]]))


def _again(table: Table, about: int) -> str:
    times = len(table.attempts(about)) - int(table.type[about] == Type.FAIL)
    return f"; it was sent again after {times} refusal{'s' * (times != 1)}" if times else ""


def _strange(table: Table, row: int, ids: Ids) -> Iterator[Surprise]:
    """Messages that nobody sent."""
    writer, place = table.writer(ids), (ids & PLACE).astype(np.int64)
    never = (ids != 0) & ((writer < 0) | ~table.writes[writer] | (place >= table.n[writer]))
    if never.any():
        numbers = tuple(map(int, np.unique(ids[never])))
        yield Surprise(Anomaly.PHANTOM, row, -1, numbers, "was sent by nobody")
    unnamed = int(np.count_nonzero(ids == 0))
    if not unnamed:
        return
    at = int(table.at[row])
    texts = [text for place_, text in table.history.odd if place_ == at]
    changed = [(number, text) for text in texts for number in _ours(table, text)]
    for number, text in changed[:1]:
        words = f"came back as {_short(text)}"
        yield Surprise(Anomaly.CHANGED, row, -1, (number,), words)
    if unnamed > len(changed):
        shown = next((text for text in texts if not any(_ours(table, text))), None)
        words = f"{_short(shown)} was sent by nobody" if shown is not None else (
            f"{amount(unnamed - len(changed), 'text')} that nobody sent"
        )  # fmt: skip
        yield Surprise(Anomaly.PHANTOM, row, -1, (), words)


def _ours(table: Table, text: str) -> list[int]:
    """The message that a text was once, if its token is one of ours."""
    found = _TOKEN.search(text)
    if found is None or (number := int(found[1], 16)) >= 2**64:
        return []
    writer = int(table.writer(np.array([number], np.uint64))[0])
    return [number] if writer >= 0 and table.writes[writer] else []


def _short(text: str) -> str:
    return repr(text if len(text) <= 60 else f"{text[:59]}…")


def _once(ids: Ids) -> Ids:
    """The same messages, each where it stands first."""
    _, first = np.unique(ids, return_index=True)
    return ids[np.sort(first)]


def _torn(table: Table, row: int, ids: Ids, complete: Flags, *, atomic: bool) -> Iterator[Surprise]:
    """Batches of which a part is there, or that do not stand together.

    Of one that is not ``atomic`` the first messages may be there alone, and others between.
    """
    op, place = ids >> SHIFT, (ids & PLACE).astype(np.int64)
    writer = table.writer(ids)
    follows = np.zeros(len(ids) + 1, np.bool_)
    follows[1:-1] = (op[1:] == op[:-1]) & (place[1:] == place[:-1] + 1)
    wrong = (place > 0) & ~follows[:-1]
    wrong |= (place < table.n[writer] - 1) & ~follows[1:]
    for about in np.unique(writer[wrong]):
        have = np.flatnonzero(writer == about)
        numbers = tuple(map(int, ids[have]))
        n = int(table.n[about])
        part = f"is a batch of which {len(have)} of {n} messages"
        first = set(map(int, place[have])) == set(range(len(have)))
        at_end = first and len(have) < n and have[0] == len(ids) - len(have)
        if not atomic:
            if not first:
                words = f"{part} are there, but not its first ones"
                yield Surprise(Anomaly.TORN_BATCH, row, int(about), numbers, words)
        elif at_end and (complete[about] or table.phase[row] != Phase.FINAL):
            yield Surprise(
                Anomaly.INTERMEDIATE_READ, row, int(about), numbers, f"{part} were there"
            )
        elif len(have) < n:
            yield Surprise(Anomaly.TORN_BATCH, row, int(about), numbers, f"{part} are there")
        else:
            words = "is a batch whose messages do not stand together in their order"
            yield Surprise(Anomaly.TORN_BATCH, row, int(about), numbers, words)


def disagreement(table: Table, row: int, ids: Ids, order: Order) -> str | None:
    """How an answer disagrees with the order beyond its strange messages, None if it does not."""
    session = int(table.session[row])
    log = _own(table, order.ids[order.start[session] : order.start[session + 1]], session)
    have = _own(table, ids, session)
    if table.f[row] == F.READ_LAST:
        return _window(table, row, have, log, whole=len(have) == len(ids))
    want = log[: len(have)]
    if len(have) <= len(log) and (have == want).all():
        return None
    common = np.intersect1d(have, log)
    seen, there = have[np.isin(have, common)], log[np.isin(log, common)]
    if (seen != there).any():
        if len(have) <= len(log) and set(map(int, have)) == set(map(int, want)):
            return "has the same messages in another order"
        return "has messages in another order"
    if len(common) < len(have):
        return "has messages that the other one does not have, and misses some that it has"
    return "misses messages in front of some that it has"


def _window(table: Table, row: int, have: Ids, log: Ids, *, whole: bool) -> str | None:
    """Whether the newest messages are those before the newest of them."""
    if not len(have):
        return None
    end = np.flatnonzero(log == have[-1])
    if not len(end):
        return "ends with a message that the other one does not have"
    after = int(end[0]) + 1
    n = min(int(table.n[row]), after) if whole else len(have)
    want = log[max(0, after - n) : after]
    if len(want) == len(have) and (want == have).all():
        return None
    last = labels([int(have[-1])])
    if len(want) != len(have):
        return f"has {amount(len(have), 'message')} up to {last}, and not {len(want)}"
    missing = [int(one) for one in want if one not in have]
    if not missing:
        return "has the messages before its last one in another order"
    stand = f"which stand{'s' * (len(missing) == 1)} before it"
    return f"ends with {last} but has not {labels(missing)}, {stand}"


def _own(table: Table, ids: Ids, session: int) -> Ids:
    """The messages of this session, once each, without what nobody sent or was refused."""
    writer = table.writer(ids)
    own = (writer >= 0) & (table.session[writer] == session)
    own &= table.type[writer] != Type.FAIL
    return _once(ids[own])
