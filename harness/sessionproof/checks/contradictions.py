"""Contradictions that need no search: answers that no order of the operations can give.

Each rule is exact on its own: whatever else happened to the session, what it names is wrong.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from itertools import pairwise

import numpy as np
import numpy.typing as npt

from sessionproof.checks.incidents import Incident
from sessionproof.checks.models import READS, REMOVALS, Operation
from sessionproof.checks.operations import SENDS, Answers
from sessionproof.contract.anomalies import Anomaly
from sessionproof.history.columns import MISSING, F, History, Type


@dataclass(frozen=True)
class _Session:
    """``writers``: of each id, the operations that may have written it; ``reads`` with answers."""

    history: History
    atomic: bool
    operations: Sequence[Operation]
    writers: dict[int, list[Operation]]
    refused: dict[int, int]
    reads: Sequence[tuple[Operation, tuple[int, ...]]]

    @property
    def glimpses(self) -> Sequence[tuple[Operation, tuple[int, ...]]]:
        """Reads with answers, and the newest message alone of those whose answers are not known."""
        answered = {read.key for read, _ in self.reads}
        ends = [one for one in self.operations if one.f in READS and one.key not in answered]
        some = [(one, (one.last,)) for one in ends if one.length > 0 and one.f != F.COUNT]
        return (*self.reads, *some)

    def acknowledged(self, number: int) -> Operation | None:
        """The one operation that wrote this id, if it surely did."""
        found = self.writers.get(number, [])
        return found[0] if len(found) == 1 and found[0].must else None


_Said = tuple[Anomaly, tuple[int, ...], str, tuple[int, ...]]
_Rule = Callable[[_Session], Iterator[_Said]]


def contradictions(
    history: History,
    session: int,
    rows: npt.NDArray[np.int64],
    operations: Sequence[Operation],
    answers: Answers,
    *,
    atomic: bool,
) -> tuple[Incident, ...]:
    """All that is wrong by itself, one incident for each name, with the number of cases."""
    writers: dict[int, list[Operation]] = {}
    for one in operations:
        for number in one.ids:
            writers.setdefault(number, []).append(one)
    refused = {
        number: int(row)
        for row in rows
        if history.rows["type"][row] == Type.FAIL and history.rows["f"][row] in SENDS
        for number in range(
            int(history.rows["id"][row]), int(history.rows["id"][row]) + int(history.rows["n"][row])
        )
        if number not in writers
    }
    ordered = sorted(operations, key=lambda one: (one.ret, one.key))
    reads = [(one, answers[one.row]) for one in ordered if one.row in answers]
    seen = _Session(history, atomic, ordered, writers, refused, reads)
    found: dict[Anomaly, list[_Said]] = {}
    for rule in _RULES:
        for said in rule(seen):
            found.setdefault(said[0], []).append(said)
    return tuple(
        Incident(anomaly, session, all_said[0][1], all_said[0][2], all_said[0][3], len(all_said))
        for anomaly, all_said in found.items()
    )


def label(number: int) -> str:
    """A message by its id, as in its text."""
    return f"#{number:x}"


def _unsent(seen: _Session) -> Iterator[_Said]:
    """Ids that no client sent to this session, or that were refused."""
    for read, ids in seen.glimpses:
        for number in dict.fromkeys(ids):
            if number in seen.writers:
                continue
            if number in seen.refused:
                rows = (seen.refused[number], read.row)
                text = f"{_who(read)} holds {label(number)}, whose append was refused"
                yield Anomaly.ABORTED_READ, rows, text, (number,)
                continue
            foreign = _foreign(seen.history, number) if number else None
            if foreign is not None:
                text = f"{_who(read)} holds {label(number)}, which was sent to another session"
                yield Anomaly.LEAK, (foreign, read.row), text, (number,)
            else:
                anomaly, what = _stranger(seen.history, read.row, number)
                yield anomaly, (read.row,), f"{_who(read)} holds {what}", (number,)


def _stranger(history: History, row: int, number: int) -> tuple[Anomaly, str]:
    """A message that was sent by nobody, or that was sent in other words."""
    texts = [text for odd_row, text in history.odd if odd_row == row]
    if number or not texts:
        return Anomaly.PHANTOM, f"{label(number)}, which no client sent"
    for text in texts:
        head = text.partition(" ")[0].removeprefix("#")
        try:
            meant = int(head, 16)
        except ValueError:
            continue
        if text.startswith("#") and _foreign(history, meant) is not None:
            return Anomaly.CHANGED, f"{text!r}, which is not the text of {label(meant)}"
    return Anomaly.PHANTOM, f"{texts[0]!r}, which no client sent"


def _foreign(history: History, number: int) -> int | None:
    """The row that sent this id, in any session."""
    if number >= 2**64:
        return None
    rows, at = history.rows, np.uint64(number)
    sent = (rows["id"] <= at) & (at - rows["id"] < rows["n"])
    found = np.flatnonzero(sent & np.isin(rows["f"], [int(f) for f in SENDS]))
    return int(found[0]) if len(found) else None


def _repeated(seen: _Session) -> Iterator[_Said]:
    """One id twice in one answer."""
    for read, ids in seen.reads:
        twice = [number for at, number in enumerate(ids) if number and number in ids[:at]]
        if twice:
            text = f"{_who(read)} holds {label(twice[0])} {ids.count(twice[0])} times"
            sent = tuple(one.row for one in seen.writers.get(twice[0], ()))
            yield Anomaly.DUPLICATE, (*sent, read.row), text, (twice[0],)


def _torn(seen: _Session) -> Iterator[_Said]:
    """Batches that are not there as a whole, in one piece and in order."""
    for read, ids in seen.reads:
        if len(set(ids)) != len(ids):
            continue
        place = {number: at for at, number in enumerate(ids)}
        batches = (one.ids for number in ids for one in seen.writers.get(number, ()))
        for batch in dict.fromkeys(batches):
            there = [number for number in batch if number in place]
            first = place[there[0]]
            together = [place[number] for number in there] == list(range(first, first + len(there)))
            if together and len(there) == len(batch):
                continue
            newest = together and read.f == F.READ_LAST and not first
            if newest and there == list(batch[-len(there) :]):
                continue
            begun = together and there == list(batch[: len(there)])
            ends = begun and first + len(there) == len(ids)
            anomaly = Anomaly.INTERMEDIATE_READ if ends and not read.final else Anomaly.TORN_BATCH
            rows = (seen.writers[batch[0]][0].row, read.row)
            text = (
                f"{_who(read)} holds {len(there)} of the {len(batch)} messages of {label(batch[0])}"
            )
            if len(there) == len(batch):
                text = f"{_who(read)} holds the batch of {label(batch[0])} in pieces"
            yield anomaly, rows, text, batch


def _early(seen: _Session) -> Iterator[_Said]:
    """Answers that hold what was sent only afterwards."""
    for read, ids in seen.glimpses:
        for number in ids:
            sent = seen.writers.get(number)
            if sent and all(read.ret < one.inv for one in sent):
                text = (
                    f"{_who(read)} ended before the append of {label(number)} began, and holds it"
                )
                yield Anomaly.FUTURE_READ, (sent[0].row, read.row), text, (number,)
                break


def _back(seen: _Session) -> Iterator[_Said]:
    """What was there before a removal, and is there after it."""
    removals = [
        one for one in seen.operations if one.f in REMOVALS and one.must and not one.refused
    ]
    for read, ids in seen.glimpses:
        between = [one for one in removals if one.ret < read.inv]
        for number in ids:
            sent = seen.acknowledged(number)
            gone = next((one for one in between if sent and sent.ret < one.inv), None)
            if sent and gone:
                text = (
                    f"{label(number)} was acknowledged before the {_verb(gone)} of client "
                    f"{gone.client} began, and {_who(read)} holds it afterwards"
                )
                yield Anomaly.RESURRECTION, (gone.row, read.row, sent.row), text, (number,)
                break


def _lost(seen: _Session) -> Iterator[_Said]:
    """What was acknowledged before a read began, was not removed, and is not in its answer."""
    removals = [one for one in seen.operations if one.f in REMOVALS and not one.refused]
    sends = [one for one in seen.operations if one.ids]  # those of unknown outcome end last
    for read, ids in seen.reads:
        if read.f == F.READ_LAST and read.length != MISSING and len(ids) >= read.n:
            continue
        held = set(ids)
        for sent in sends:
            if sent.ret >= read.inv:
                break
            missing = next((number for number in sent.ids if number not in held), None)
            after = (one.inv <= read.ret and one.ret >= sent.inv for one in removals if one != sent)
            if missing is None or (any(after) and not _comes_back(seen, read, missing)):
                continue
            text = f"{label(missing)} was acknowledged before {_who(read)} began, which lacks it"
            yield _absence(seen, read, sent, missing), (sent.row, read.row), text, (missing,)
            break


def _comes_back(seen: _Session, read: Operation, number: int) -> bool:
    """Whether a later answer holds what a removal would have taken for ever."""
    return any(number in ids for other, ids in seen.reads if other.inv > read.ret)


def _absence(seen: _Session, read: Operation, sent: Operation, number: int) -> Anomaly:
    """The name of what a read lacks."""
    if read.length == MISSING:
        return Anomaly.LOST_SESSION
    if not any(number in ids for other, ids in seen.reads if other.ret > read.inv):
        return Anomaly.LOST_MESSAGE
    return Anomaly.READ_YOUR_WRITES if read.client == sent.client else Anomaly.STALE_READ


def _disagreeing(seen: _Session) -> Iterator[_Said]:
    """Two answers that hold two messages in opposite orders."""
    bases: list[tuple[Operation, dict[int, int]]] = []
    for read, ids in sorted(seen.reads, key=lambda one: -len(one[1])):
        if len(set(ids)) != len(ids):
            continue
        known = False
        for base, place in bases:
            common = [number for number in ids if number in place]
            known |= bool(common)
            for one, other in pairwise(common):
                if place[one] > place[other]:
                    text = (
                        f"{label(one)} stands before {label(other)} for {_who(read)}, "
                        f"and behind it for {_who(base)}"
                    )
                    yield Anomaly.REORDER, (base.row, read.row), text, (one, other)
                    break
        if not known:
            bases.append((read, {number: at for at, number in enumerate(ids)}))


def _against_time(seen: _Session) -> Iterator[_Said]:
    """Messages that stand before others whose append had ended when theirs began."""
    for read, ids in seen.reads:
        latest: Operation | None = None
        for number in ids:
            sent = seen.acknowledged(number)
            if sent and latest and sent.ret < latest.inv:
                same = sent.client == latest.client
                text = (
                    f"the append of {label(latest.ids[0])} began after that of {label(number)} had "
                    f"ended, and stands before it for {_who(read)}"
                )
                anomaly = Anomaly.WRITE_ORDER if same else Anomaly.REAL_TIME
                pair = (latest.ids[0], number)
                yield anomaly, (sent.row, latest.row, read.row), text, pair
                break
            writers = seen.writers.get(number, ())
            if len(writers) == 1 and (latest is None or writers[0].inv > latest.inv):
                latest = writers[0]


def _out_of_order(seen: _Session) -> Iterator[_Said]:
    """Messages of one batch in another order than it was sent, where a batch may be in pieces."""
    for read, ids in seen.reads if not seen.atomic else ():
        newest: dict[int, int] = {}
        for number in ids:
            sent = seen.acknowledged(number)
            if sent and number < newest.get(sent.row, number):
                text = (
                    f"{label(number)} was sent before {label(newest[sent.row])}, and stands behind "
                    f"it for {_who(read)}"
                )
                yield Anomaly.WRITE_ORDER, (sent.row, read.row), text, (number, newest[sent.row])
                break
            if sent:
                newest[sent.row] = number


def _who(read: Operation) -> str:
    """A read, for people."""
    kind = "the final read" if read.final else f"a {_verb(read)}"
    return f"{kind} of client {read.client}"


def _verb(operation: Operation) -> str:
    """An operation's name in words."""
    return operation.f.name.lower().replace("_", " ")


_RULES: tuple[_Rule, ...] = (
    _unsent,
    _repeated,
    _torn,
    _early,
    _back,
    _lost,
    _disagreeing,
    _against_time,
    _out_of_order,
)
