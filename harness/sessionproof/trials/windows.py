"""What a check of a history found, for people: sentences, and the part of the history around it."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from functools import cached_property

import numpy as np
import numpy.typing as npt

from sessionproof.checks.incidents import Incident
from sessionproof.contract.anomalies import MEANINGS, Anomaly
from sessionproof.contract.verdicts import Finding, Interval, Seen, Window
from sessionproof.history.columns import BATCH, MISSING, NONE, F, History, Phase, Type, digest_of

_AROUND = 50  # operations of a window
_READS = 8
_CELLS = 40  # messages of a read that are shown
_LISTED = 6  # labels in a sentence
_SENDS = (F.APPEND, F.CREATE, F.REPLACE)
_ANSWERS = (F.READ, F.READ_LAST, F.PAGES)
_OUTCOMES = {Type.OK: "ok", Type.FAIL: "fail", Type.INFO: "info"}
_NAMES = {
    F.APPEND: "append", F.READ: "read", F.READ_LAST: "read_last", F.PAGES: "pages",
    F.COUNT: "count", F.CREATE: "create", F.DELETE: "delete", F.CLEAR: "clear",
    F.REPLACE: "replace",
}  # fmt: skip

_ID = re.compile(r"#([0-9a-f]+)\b")
_CLIENT = re.compile(r"\bclient (\d+)\b")

Ids = npt.NDArray[np.uint64]


@dataclass(frozen=True)
class Scene:
    """One session of a history, in the order in which its operations began.

    ``rows`` are their places in the history. The labels of messages are those of their client and
    their place among its messages in the session: c1·3 is the third message of client 1.
    """

    history: History
    session: int

    @cached_property
    def rows(self) -> list[int]:
        """Places of the session's operations, by the time of their invocation."""
        places = np.flatnonzero(self.history.rows["session"] == self.session)
        return [int(at) for at in places[np.argsort(self.history.rows["inv"][places])]]

    @cached_property
    def clients(self) -> dict[int, str]:
        """What each client is called; one that goes on after an unknown outcome has a stroke more.

        Who reads when all is quiet has the highest of the numbers at the beginning.
        """
        numbers = np.unique(self.history.rows["client"])
        others = self.history.rows["client"][self.history.rows["phase"] == Phase.FINAL]
        control = int(others.min()) if len(others) else int(numbers.max(initial=0)) + 1
        return {
            int(one): "quiet" if one == control else _client(int(one), control) for one in numbers
        }

    @cached_property
    def labels(self) -> dict[int, str]:
        """The label of each message that was sent to the session, by its id."""
        sent: dict[str, int] = {}
        labels: dict[int, str] = {}
        for at in self.rows:
            row = self.history.rows[at]
            first = int(row["id"])
            if row["f"] not in _SENDS or first in labels:  # an attempt that is repeated
                continue
            client = self.clients[int(row["client"])]
            for place in range(int(row["n"])):
                sent[client] = sent.get(client, 0) + 1
                labels[first + place] = f"{client}·{sent[client]}"
        return labels

    def label(self, number: int) -> str:
        """The label of a message; one of another session, or that nobody sent, says so."""
        if number in self.labels:
            return self.labels[number]
        rows = self.history.rows
        writers = rows[rows["id"] // BATCH == number // BATCH]
        elsewhere = [int(row["session"]) for row in writers if row["f"] in _SENDS]
        if number == 0 or not elsewhere or elsewhere[0] == self.session:
            return "nobody's"
        return f"{self.name(elsewhere[0])}: {number:x}"

    def name(self, session: int) -> str:
        """The session's name."""
        names = self.history.sessions
        return names[session] if session < len(names) else f"session {session}"

    @cached_property
    def order(self) -> Ids:
        """The longest read when all was quiet: the order that reads should agree with."""
        longest = np.zeros(0, np.uint64)
        for at in self.rows:
            row, answer = self.history.rows[at], self.history.lists.of(at)
            whole = row["f"] in (F.READ, F.PAGES) and row["phase"] == Phase.FINAL
            if whole and answer is not None and len(answer) > len(longest):
                longest = answer
        return longest

    def answer(self, at: int) -> Ids | None:
        """What a read answered: as it was kept, or as its digest says; None where neither does."""
        row = self.history.rows[at]
        if row["type"] != Type.OK or row["f"] not in _ANSWERS or row["length"] == MISSING:
            return None
        kept = self.history.lists.of(at)
        if kept is not None:
            return kept
        begin = self.order[: int(row["length"])]
        same = len(begin) == row["length"] and digest_of(begin) == int(row["digest"])
        return begin if same else None

    def call(self, at: int) -> str:
        """The call in short."""
        return _call(self, at)

    def said(self, at: int) -> str:
        """What it answered, in short."""
        return _said(self, at)


def _client(number: int, control: int) -> str:
    times, place = divmod(number, control + 1)
    return f"c{place + 1}{'′' * times}"


def window_of(incident: Incident, history: History, *, most: int = _AROUND) -> Window:
    """The part of the incident's session around it, at most so many operations."""
    scene = Scene(history, incident.session)
    chosen = _around(scene.rows, incident.rows, most)
    start = min((int(history.rows["inv"][at]) for at in chosen), default=0)
    guilty = {*incident.rows}
    order, cut = _order(scene, incident)
    return Window(
        session=scene.name(incident.session),
        sentence=labelled(scene, incident.sentence),
        intervals=tuple(_interval(scene, at, start, at in guilty) for at in chosen),
        reads=tuple(
            _seen(scene, at, start, cut, short=at in guilty and _misses(scene, at, incident))
            for at in _reads(scene, chosen, incident)
        ),
        order=order,
        left_out=len(scene.rows) - len(chosen),
    )


def finding_of(incident: Incident, history: History, *, did: str) -> Finding:
    """The incident as a finding: what was done, expected and seen, and its window."""
    scene = Scene(history, incident.session)
    more = f" ({incident.flagged} operations are wrong by it)" if incident.flagged > 1 else ""
    return Finding(
        anomaly=incident.anomaly,
        did=did,
        expected=EXPECTED.get(incident.anomaly, f"not that {MEANINGS[incident.anomaly]}"),
        seen=f"{_what(scene, incident)}{more}",
        window=window_of(incident, history),
    )


def with_history(finding: Finding, file: str) -> Finding:
    """The finding, with the file that keeps the whole history."""
    if finding.window is None:
        return finding
    return replace(finding, window=replace(finding.window, history=file))


def labelled(scene: Scene, sentence: str) -> str:
    """The sentence of a check with the labels of the messages and clients that it names."""
    labelled = _ID.sub(lambda found: scene.label(int(found[1], 16)), sentence)
    return _CLIENT.sub(lambda found: scene.clients.get(int(found[1]), found[0]), labelled)


def _around(rows: Sequence[int], guilty: Sequence[int], most: int) -> list[int]:
    """The guilty operations, and the nearest to them in the order of beginning."""
    place = {at: number for number, at in enumerate(rows)}
    centres = [place[at] for at in guilty if at in place] or [len(rows) - 1]
    near = sorted(range(len(rows)), key=lambda at: min(abs(at - one) for one in centres))
    return [rows[at] for at in sorted(near[:most])]


def _interval(scene: Scene, at: int, start: int, guilty: bool) -> Interval:
    row = scene.history.rows[at]
    unknown = row["type"] == Type.INFO
    return Interval(
        client=scene.clients[int(row["client"])],
        call=_call(scene, at),
        began_us=(int(row["inv"]) - start) / 1e3,
        ended_us=None if unknown else (int(row["ret"]) - start) / 1e3,
        outcome=_OUTCOMES[Type(int(row["type"]))],
        said=_said(scene, at),
        guilty=guilty,
    )


def _call(scene: Scene, at: int) -> str:
    """The call in short: ``append(c1·3)``, ``read_last(5)``, ``read()``."""
    row = scene.history.rows[at]
    name = _NAMES[F(int(row["f"]))]
    if row["f"] in _SENDS:
        sent = (scene.label(int(row["id"]) + place) for place in range(int(row["n"])))
        return f"{name}({_listed([*sent])})"
    return f"{name}({int(row['n']) if row['n'] else ''})"


def _said(scene: Scene, at: int) -> str:
    """What the operation answered, in short."""
    row, errors = scene.history.rows[at], scene.history.errors
    if row["type"] != Type.OK:
        error = errors[int(row["error"])] if row["error"] < len(errors) else ""
        return error or "no answer"
    if row["length"] == MISSING:
        return "no such session"
    f = F(int(row["f"]))
    if f in _ANSWERS:
        answer = scene.answer(at)
        length = f"{int(row['length'])} messages"
        return length if answer is None else _listed([scene.label(int(one)) for one in answer])
    if f == F.COUNT:
        total = f", {int(row['value'])} tokens" if row["value"] != NONE else ""
        return f"{int(row['length'])}{total}"
    if f == F.APPEND and row["value"] != NONE:
        return f"number {int(row['value'])}"
    return "ok"


def _listed(labels: Sequence[str]) -> str:
    """Some labels: all of few, the first and the last of many."""
    if len(labels) <= _LISTED:
        return ", ".join(labels)
    return f"{', '.join(labels[:2])}, … {labels[-1]} ({len(labels)} messages)"


def _reads(scene: Scene, chosen: Sequence[int], incident: Incident) -> list[int]:
    """Reads worth comparing: guilty ones, the last one, then those that contradict the order."""
    known = [at for at in scene.rows if scene.answer(at) is not None]
    guilty = [at for at in incident.rows if at in known]
    final = [at for at in known if scene.history.rows["phase"][at] == Phase.FINAL]
    wrong = [at for at in known if _wrong(scene, at)]
    near = [at for at in chosen if at in known and not guilty]
    picked = dict.fromkeys([*guilty, *final[-1:], *wrong, *near])
    return sorted([*picked][:_READS], key=scene.rows.index)


def _wrong(scene: Scene, at: int) -> list[int]:
    """The places of a whole read that are not as in the order."""
    answer, order = scene.answer(at), scene.order
    if answer is None or scene.history.rows["f"][at] == F.READ_LAST:
        return []
    return [
        place
        for place, one in enumerate(answer)
        if place >= len(order) or one != order[place] or int(one) not in scene.labels
    ]


def _misses(scene: Scene, at: int, incident: Incident) -> bool:
    """Whether a read lacks, at its end, a message that the incident is about."""
    answer = scene.answer(at)
    if answer is None or len(answer) >= len(scene.order):
        return False
    return bool({*incident.ids} & {int(one) for one in scene.order[len(answer) :]})


def _order(scene: Scene, incident: Incident) -> tuple[tuple[str, ...], int]:
    """Labels of the order, and how many messages at its beginning are left out of all reads."""
    reads = [at for at in scene.rows if at in incident.rows and scene.answer(at) is not None]
    lengths = [len(answer) for at in reads if (answer := scene.answer(at)) is not None]
    places = [place for at in reads for place in _wrong(scene, at)[:1]]
    least = min([*places, *lengths, len(scene.order)])
    cut = max(0, least - _CELLS // 2) if len(scene.order) > _CELLS else 0
    shown = [scene.label(int(one)) for one in scene.order[cut : cut + _CELLS]]
    return (*_more(cut), *shown), cut


def _more(cut: int) -> tuple[str, ...]:
    """The cell that stands for what is left out at the beginning."""
    return (f"… {cut}",) if cut else ()


def _seen(scene: Scene, at: int, start: int, cut: int, *, short: bool) -> Seen:
    """A read beside the others; one that is ``short`` is wrong behind its last message."""
    row, answer = scene.history.rows[at], scene.answer(at)
    ids = [] if answer is None else [int(one) for one in answer]
    newest = row["f"] == F.READ_LAST  # where they stand is not known
    skipped = 0 if newest else cut
    labels = tuple(scene.label(one) for one in ids[skipped : skipped + _CELLS])
    shift = len(_more(skipped)) - skipped
    wrong = [place + shift for place in _wrong(scene, at) if place >= skipped]
    shown = (*_more(skipped), *labels)
    if short and not newest:
        wrong = [*wrong, len(ids) + shift]
    return Seen(
        client=scene.clients[int(row["client"])],
        call=_call(scene, at),
        ended_us=(int(row["ret"]) - start) / 1e3,
        labels=shown,
        wrong=tuple(place for place in wrong if place <= len(shown)),
    )


EXPECTED: dict[Anomaly, str] = {
    Anomaly.LOST_MESSAGE: "every acknowledged message is in the last read",
    Anomaly.LOST_SESSION: "a session that was made, and not deleted, is there",
    Anomaly.DUPLICATE: "each message is there once",
    Anomaly.REORDER: "all reads agree on the order of the messages",
    Anomaly.PHANTOM: "only what was sent is read",
    Anomaly.LEAK: "a session has its own messages alone",
    Anomaly.CHANGED: "messages are read as they were sent",
    Anomaly.ABORTED_READ: "what was refused is never read",
    Anomaly.TORN_BATCH: "a batch is there whole, and in one piece",
    Anomaly.INTERMEDIATE_READ: "a read has all of a batch, or nothing of it",
    Anomaly.RESURRECTION: "what was deleted stays away",
    Anomaly.COUNTER_DRIFT: "count and total are those of the messages",
    Anomaly.SEQUENCE_GAP: "the numbers rise by one",
    Anomaly.DUPLICATE_SEQUENCE: "no two messages share a number",
    Anomaly.SEQUENCE_ORDER: "the numbers rise in the order in which messages are read",
    Anomaly.STALE_READ: "a read has all that was acknowledged before it began",
    Anomaly.READ_YOUR_WRITES: "a client reads what it has written",
    Anomaly.NON_MONOTONIC: "a read has all that an earlier one had",
    Anomaly.FUTURE_READ: "a read has only what was sent before it ended",
    Anomaly.REAL_TIME: "what was acknowledged stands before what was sent afterwards",
    Anomaly.WRITE_ORDER: "the messages of a client stay in the order in which it sent them",
    Anomaly.NOT_LINEARIZABLE: "one order of the operations explains what they answered",
}


def _what(scene: Scene, incident: Incident) -> str:
    """What was seen, with the labels of the messages and the calls that it is about."""
    calls = [*_calls(scene, incident.rows[:2])]
    about = _listed([scene.label(one) for one in incident.ids])
    meaning = MEANINGS[incident.anomaly]
    parts = [meaning if not about else f"{meaning}: {about}"]
    return "; ".join([*parts, *calls])


def _calls(scene: Scene, rows: Sequence[int]) -> Iterator[str]:
    for at in rows:
        client = scene.clients[int(scene.history.rows["client"][at])]
        yield f"{client} {_call(scene, at)} → {_said(scene, at)}"
