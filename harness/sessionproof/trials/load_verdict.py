"""What a recorded load shows: messages that nobody recorded, several clocks, and the verdict."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from sessionproof.checks.history import judge_history, together
from sessionproof.checks.incidents import Incident, Judged
from sessionproof.contract.anomalies import Anomaly
from sessionproof.contract.claims import Claims
from sessionproof.contract.operations import MALFORMED
from sessionproof.history import files, npz
from sessionproof.history.clocks import SAME, Bounds, on_clock
from sessionproof.history.columns import NEVER, NONE, ROW, F, History, Phase, Type
from sessionproof.history.overlap import overlapping
from sessionproof.history.parts import taken
from sessionproof.trials.recorded_load import SHARDS, Part, Recorded
from sessionproof.trials.rounds import answers_badly
from sessionproof.trials.windows import Scene, labelled
from sessionproof.workload.rounds import Call
from sessionproof.workload.slices import here, number_of, origins_of, parts_of
from sessionproof.workload.waves import Plot, drawn

_BESIDE_LEAST = 100  # operations beside another client's on the same session
_ANSWERED_LEAST = 0.1  # of the operations, and of the appends
_ALWAYS = frozenset(
    {
        Anomaly.LOST_MESSAGE, Anomaly.LOST_SESSION, Anomaly.PHANTOM, Anomaly.LEAK,
        Anomaly.CHANGED, Anomaly.DUPLICATE, Anomaly.ABORTED_READ, Anomaly.TORN_BATCH,
        Anomaly.INTERMEDIATE_READ, Anomaly.WRITE_ORDER, Anomaly.REORDER, Anomaly.COUNTER_DRIFT,
        Anomaly.DUPLICATE_SEQUENCE, Anomaly.SEQUENCE_GAP, Anomaly.SEQUENCE_ORDER,
    }
)  # fmt: skip
_OF_A_CLIENT = frozenset({Anomaly.READ_YOUR_WRITES, Anomaly.NON_MONOTONIC})


@dataclass(frozen=True)
class Told:
    """An incident with what is needed of its part of the history; ``clock`` names its folder."""

    incident: Incident
    session: str
    sentence: str
    clock: str
    operations: tuple[dict[str, Any], ...]


@dataclass
class LoadVerdict:
    """``breaks`` are incidents that the claims rule out, ``others`` those that they allow.

    ``beside`` counts operations beside another client's on the same session, ``unrecorded`` the
    appends that were read and that no attempt recorded. ``appends`` says how appends ended,
    ``failures`` what was answered where an operation failed. ``malformed`` are answers that the
    contract does not allow. ``histories`` are the folders that were judged, one for each clock.
    """

    breaks: list[Told] = field(default_factory=list)
    others: list[Told] = field(default_factory=list)
    judged: Judged = field(default_factory=Judged)
    unknown: list[str] = field(default_factory=list)
    beside: int = 0
    ended: Counter[Type] = field(default_factory=Counter)
    appends: Counter[Type] = field(default_factory=Counter)
    failures: Counter[str] = field(default_factory=Counter)
    malformed: int = 0
    unrecorded: int = 0
    histories: tuple[Path, ...] = ()


def judged_load(recorded: Recorded, plot: Plot, folder: Path) -> LoadVerdict:
    """Judge what was recorded into this folder, shard by shard, once on each clock.

    Several clocks make a folder for each below it. Raises HistoryError.
    """
    lost = unrecorded(recorded, plot)
    if len(lost):
        path = folder / "unrecorded.npz"
        npz.write(lost, path, shards=SHARDS)
        recorded.clients += len(lost)
        recorded.parts.append(Part(path, "", here().boot, SAME, origins_of(lost.lists.ids)))
    verdict = LoadVerdict(unrecorded=len(lost), unknown=[*recorded.unknown])
    verdict.histories = tuple(_by_clock(recorded, folder)) if recorded.parts else ()
    for at, path in enumerate(verdict.histories):
        _judge(verdict, path, plot.claims, first=at == 0)
    _doubt(verdict, recorded)
    return verdict


def unrecorded(recorded: Recorded, plot: Plot) -> History:
    """Appends that were read, and that a slice was to make, in an attempt that nobody recorded.

    Each is one of unknown outcome, by a client of its own, begun when the slice was submitted. An
    id that no slice can have written is none of them.
    """
    strange = [part for part in recorded.parts if len(_strange(part.origins, recorded))]
    found = [_strange(files.read(part.path).lists.ids, recorded) for part in strange]
    ids = np.unique(np.concatenate([np.zeros(0, np.uint64), *found]))
    programs: dict[tuple[int, int], tuple[tuple[Call, ...], ...]] = {}
    rows: dict[int, tuple[int, Call, int, int]] = {}
    parts = zip(ids.tolist(), *(part.tolist() for part in parts_of(ids)), strict=True)
    for number, at, attempt, place in parts:
        one = recorded.slices[at]
        if one.wave is None:
            continue
        key = (one.wave.number, one.wave.turns)
        if key not in programs:
            programs[key] = drawn(plot, *key).programs
        program = programs[key][one.client]
        if place < len(program) and program[place].f is F.APPEND:
            call = program[place]
            first = number_of(at, attempt, place) << 8
            if number - first < call.n:
                rows[first] = (first, call, one.wave.first + call.session, one.submitted_ns)
    return History(_unknown(recorded, list(rows.values())))


def _strange(ids: npt.NDArray[np.uint64], recorded: Recorded) -> npt.NDArray[np.uint64]:
    """Those of slices that were submitted, and of attempts that are not recorded."""
    numbers, attempts, _ = parts_of(ids)
    most = max(recorded.slices, default=0)
    came = np.full(most + 1, -2, np.int64)
    for number, one in recorded.slices.items():
        came[number] = one.attempt
    there = (numbers > 0) & (numbers <= most)
    now = came[np.where(there, numbers, 0)]
    strange: npt.NDArray[np.uint64] = ids[there & (now != -2) & (now != attempts)]
    return strange


def _unknown(recorded: Recorded, found: list[tuple[int, Call, int, int]]) -> npt.NDArray[np.void]:
    rows = np.zeros(len(found), ROW)
    for at, (first, call, session, submitted_ns) in enumerate(found):
        row = rows[at]
        row["id"], row["inv"], row["ret"], row["value"] = first, submitted_ns, NEVER, NONE
        row["client"], row["session"], row["n"] = recorded.clients + at, session, call.n
        row["f"], row["type"], row["phase"] = F.APPEND, Type.INFO, call.phase
    return rows


def _by_clock(recorded: Recorded, folder: Path) -> Iterator[Path]:
    """A folder for each clock, with all of the history on it; one clock needs no other folder."""
    boots = [*dict.fromkeys(part.boot for part in recorded.parts if part.wave)]
    if boots in ([], [here().boot]):
        files.name_sessions(folder, recorded.names)
        yield folder
        return
    for at, boot in enumerate(boots, start=1):
        own = folder / f"clock-{at}"
        own.mkdir()
        _write_on(boot, recorded, own)
        files.name_sessions(own, recorded.names)
        yield own
    for part in recorded.parts:
        part.path.unlink()


def _write_on(boot: str, recorded: Recorded, folder: Path) -> None:
    """All parts of the history, as the clock of this boot would have timed them."""
    mine = {part.wave: part.bounds for part in recorded.parts if part.boot == boot}
    ever: Bounds | None = None
    for one in mine.values():
        ever = one if ever is None else ever.hull(one)
    client = recorded.clients
    for part in recorded.parts:
        history = files.read(part.path)
        if part.boot != boot:
            ours = mine.get(part.wave, ever) or SAME
            history = on_clock(history, theirs=part.bounds, ours=ours, first_client=client)
            client += len(history)
        npz.write(history, folder / part.path.name, shards=SHARDS)


def _judge(verdict: LoadVerdict, path: Path, claims: Claims, *, first: bool) -> None:
    known = {_what(told) for told in (*verdict.breaks, *verdict.others)}
    beside = 0
    odd: Told | None = None
    for part in files.shards(path):
        judged = judge_history(part, claims)
        for incident in judged.incidents:
            told = _told(incident, part, path.name)
            if _what(told) not in known:
                kept = verdict.breaks if breaks(incident, part, claims) else verdict.others
                kept.append(told)
        if first:
            _count(verdict, part)
            odd = odd or _odd(part, path.name)
        beside += _beside(part)
        # Every clock shows the same operations: they are counted once.
        verdict.judged = together(
            [verdict.judged, judged if first else replace(judged, examined={})]
        )
    verdict.beside = beside if first else min(verdict.beside, beside)
    if odd is not None and answers_badly(verdict.malformed, verdict.ended.total()):
        verdict.breaks.insert(0, odd)


def _count(verdict: LoadVerdict, part: History) -> None:
    """Add how the operations of a part ended."""
    rows = part.rows
    working = rows[rows["phase"] != Phase.FINAL]
    appends = working[working["f"] == F.APPEND]
    for sort in Type:
        verdict.ended[sort] += int((working["type"] == sort).sum())
        verdict.appends[sort] += int((appends["type"] == sort).sum())
    errors, often = np.unique(rows["error"][rows["type"] != Type.OK], return_counts=True)
    for error, number in zip(errors.tolist(), often.tolist(), strict=True):
        verdict.failures[part.errors[error] or "no answer"] += number
    verdict.malformed += len(_malformed(part))


def _malformed(part: History) -> npt.NDArray[np.intp]:
    """The operations that answered what the contract does not allow."""
    wrong = [at for at, text in enumerate(part.errors) if text.startswith(MALFORMED)]
    return np.flatnonzero(np.isin(part.rows["error"], wrong))


def _odd(part: History, clock: str) -> Told | None:
    """One such answer."""
    wrong = _malformed(part)
    if not len(wrong):
        return None
    row = part.rows[wrong[0]]
    call, text = F(int(row["f"])).name.lower(), part.errors[int(row["error"])]
    sentence = f"{call}: {text.removeprefix(MALFORMED).lstrip(': ')}."
    incident = Incident(Anomaly.MALFORMED, int(row["session"]), (int(wrong[0]),), sentence)
    return _told(incident, part, clock)


def _what(told: Told) -> tuple[Any, ...]:
    """The same incident may be seen on several clocks."""
    return told.incident.anomaly, told.incident.session, *(one["id"] for one in told.operations)


def _beside(part: History) -> int:
    """Operations that were served beside another client's; others have no end, or show nothing."""
    rows = part.rows
    working = taken(part, (rows["type"] == Type.OK) & (rows["phase"] != Phase.FINAL))
    return int(overlapping(working).sum()) if len(working) else 0


def breaks(incident: Incident, history: History, claims: Claims) -> bool:
    """Whether the claims rule it out; what was measured by other clocks was made longer before."""
    if incident.anomaly in _ALWAYS or claims.at_least("consistency", "linearizable"):
        return True
    if not claims.at_least("consistency", "session"):
        return False
    clients = history.rows["client"][[*incident.rows[:2]]]
    return incident.anomaly in _OF_A_CLIENT and len(set(clients.tolist())) == 1


def _told(incident: Incident, part: History, clock: str) -> Told:
    rows: list[Mapping[str, Any]] = [part.rows[at] for at in incident.rows]
    return Told(
        incident,
        part.sessions[incident.session],
        labelled(Scene(part, incident.session), incident.sentence),
        clock,
        tuple(
            {
                "client": int(row["client"]),
                "call": F(int(row["f"])).name.lower(),
                "id": int(row["id"]),
                "inv_ns": int(row["inv"]),
                "ret_ns": None if row["type"] == Type.INFO else int(row["ret"]),
            }
            for row in rows
        ),
    )


def _doubt(verdict: LoadVerdict, recorded: Recorded) -> None:
    """Say what keeps it from being told that all is right: what is of single sessions at last."""
    ended = verdict.ended
    if verdict.beside < _BESIDE_LEAST:
        verdict.unknown.append(
            f"{verdict.beside} operations ran beside another client's on the same session, "
            f"{_BESIDE_LEAST} are needed"
        )
    if ended[Type.OK] < _ANSWERED_LEAST * ended.total():
        verdict.unknown.append(f"{ended[Type.OK]:,} of {ended.total():,} operations were answered")
    appends = verdict.appends
    if appends[Type.OK] < max(1, _ANSWERED_LEAST * appends.total()):
        verdict.unknown.append(
            f"{appends[Type.OK]:,} of {appends.total():,} appends were acknowledged"
        )
    if 2 * ended[Type.INFO] > ended.total():
        verdict.unknown.append(
            f"nobody knows the outcome of {ended[Type.INFO]:,} of {ended.total():,} operations"
        )
    if recorded.interrupted:
        verdict.unknown.append("it was interrupted")
    verdict.unknown += [one for one in verdict.judged.unknown if one not in verdict.unknown]
