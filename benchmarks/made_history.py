"""Large histories of a correct store, made without one, with faults planted on request.

Each operation takes effect at a moment of its own; clients take turns at these moments, and an
operation of one lasts up to half the time until its next, before and after. Sessions live side by
side, eight at a time. Everything is computed as columns: ten million operations take seconds.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from sessionproof.contract.seed import derive
from sessionproof.history.columns import (
    NEVER,
    NONE,
    ROW,
    F,
    History,
    Lists,
    Phase,
    Type,
    digest_of,
    placed,
)

FAULTS = ("stale", "lost", "duplicate", "swap", "gap", "phantom", "aborted", "leak")
_TICK_NS = 1_000
_TOGETHER = 8


@dataclass(frozen=True)
class Made:
    """``planted`` are the sessions in which something is wrong, by the name of the fault."""

    history: History
    planted: dict[str, list[int]]


def made_history(
    operations: int,
    *,
    clients: int = 8,
    per_session: int = 100,
    batch: int = 1,
    unknown: float = 0.0,
    refused: float = 0.0,
    faults: dict[str, int] | None = None,
    part: int = 0,
    seed: int = 1,
) -> Made:
    """So many operations and a final read of each session; half are appends, half are reads.

    ``batch`` is the most messages of an append. ``unknown`` and ``refused`` are shares of appends;
    of the unknown ones half took effect. ``faults`` says how often each fault is planted, each in
    a session of its own. Parts of one history differ in ``part``: theirs are other sessions, ids,
    clients and times.
    """
    random = np.random.default_rng(derive(seed, "made history", part))
    count = max(1, operations // per_session)
    session = np.minimum(_sessions(random, operations, per_session), count - 1)
    append = random.random(operations) < 0.5
    fate = random.random(operations)
    info = append & (fate < unknown)
    fail = append & ~info & (fate < unknown + refused)
    effective = append & ~fail & ~(info & (random.random(operations) < 0.5))
    n = np.where(append, random.integers(1, batch + 1, operations), 0)

    first = 2 * operations * part + 1
    numbers = np.arange(first, first + operations, dtype=np.uint64) << 8
    order = np.argsort(session, kind="stable")  # by session, then by moment
    logs = _logs(session, order, numbers, np.where(effective, n, 0))
    rows = np.zeros(operations + count, ROW)
    body = rows[:operations]
    body["id"], body["session"], body["n"] = numbers, session, n
    body["f"] = np.where(append, F.APPEND, F.READ)
    body["type"] = np.where(info, Type.INFO, np.where(fail, Type.FAIL, Type.OK))
    body["phase"] = Phase.LOAD
    rows["value"] = NONE
    _timed(random, body, clients, info)
    _answered(body, np.flatnonzero(~append), logs)
    _finals(rows[operations:], first, operations, clients, logs)
    lists = Lists(np.arange(operations, operations + count), logs.start, logs.ids)
    names = tuple(f"s{one}" for one in range(count))
    made = History(rows, lists, names)
    return _planted(random, _moved(made, part, clients), faults or {})


@dataclass(frozen=True)
class _Logs:
    """The messages of all sessions, where each begins, running digests, and versions by row."""

    ids: npt.NDArray[np.uint64]
    start: npt.NDArray[np.int64]
    prefix: npt.NDArray[np.uint64]
    version: npt.NDArray[np.int64]


def _logs(
    session: npt.NDArray[np.int64],
    order: npt.NDArray[np.int64],
    numbers: npt.NDArray[np.uint64],
    grown: npt.NDArray[np.int64],
) -> _Logs:
    count = int(session.max()) + 1
    before = np.cumsum(grown[order]) - grown[order]
    starts = np.searchsorted(session[order], np.arange(count + 1))
    start = np.append(before, grown.sum())[starts]
    version = np.empty(len(session), np.int64)
    version[order] = before - start[session[order]]
    ids = _batches(numbers[order], grown[order])
    places = np.arange(len(ids)) - np.repeat(start[:-1], np.diff(start))
    prefix = np.zeros(len(ids) + 1, np.uint64)
    np.cumsum(placed(ids, places), out=prefix[1:])
    return _Logs(ids, start, prefix, version)


def _answered(rows: npt.NDArray[np.void], reads: npt.NDArray[np.int64], logs: _Logs) -> None:
    """What each read answered: the messages of its session at its moment."""
    version = logs.version[reads]
    base = logs.start[rows["session"][reads]]
    rows["length"][reads] = version
    rows["digest"][reads] = logs.prefix[base + version] - logs.prefix[base]
    rows["last"][reads] = np.where(version > 0, np.append(logs.ids, 0)[base + version - 1], 0)


def _moved(history: History, part: int, clients: int) -> History:
    """The same operations at another time, by other clients, on other sessions."""
    if not part:
        return history
    rows, count = history.rows, len(history.sessions)
    for column in ("inv", "ret"):
        rows[column][rows[column] != NEVER] += part * 2 * len(rows) * _TICK_NS
    rows["session"] += part * count
    rows["client"] += part * (clients + 1) * len(rows) // clients
    return History(rows, history.lists)


def _sessions(
    random: np.random.Generator, operations: int, per_session: int
) -> npt.NDArray[np.int64]:
    """The session of each operation, by moments; eight share a stretch of time."""
    block = np.arange(operations) // (per_session * _TOGETHER)
    return block * _TOGETHER + random.integers(0, _TOGETHER, operations)


def _batches(first: npt.NDArray[np.uint64], n: npt.NDArray[np.int64]) -> npt.NDArray[np.uint64]:
    place = np.arange(int(n.sum())) - np.repeat(np.cumsum(n) - n, n)
    return np.repeat(first, n) + place.astype(np.uint64)


def _timed(
    random: np.random.Generator,
    rows: npt.NDArray[np.void],
    clients: int,
    info: npt.NDArray[np.bool_],
) -> None:
    """Times around the moments, and clients, which have new numbers after unknown outcomes."""
    at = np.arange(len(rows), dtype=np.int64)
    moment = (at + clients) * _TICK_NS
    reach = clients * _TICK_NS // 2 - 1
    rows["inv"] = moment - random.integers(0, reach, len(rows))
    rows["ret"] = np.where(info, NEVER, moment + random.integers(0, reach, len(rows)))
    lane = at % clients
    for one in range(clients):
        mine = np.flatnonzero(lane == one)
        renewed = np.cumsum(info[mine]) - info[mine]
        rows["client"][mine] = one + (clients + 1) * renewed


def _finals(
    rows: npt.NDArray[np.void],
    first: int,
    operations: int,
    clients: int,
    logs: _Logs,
) -> None:
    """The final reads, by a client of their own, one after the other."""
    count = len(rows)
    rows["id"] = (np.arange(count, dtype=np.uint64) + first + operations) << 8
    rows["session"] = np.arange(count)
    rows["client"] = clients
    rows["f"], rows["type"], rows["phase"] = F.READ, Type.OK, Phase.FINAL
    rows["inv"] = (operations + 3 * clients + np.arange(count)) * _TICK_NS
    rows["ret"] = rows["inv"] + _TICK_NS // 2
    rows["length"] = np.diff(logs.start)
    rows["digest"] = logs.prefix[logs.start[1:]] - logs.prefix[logs.start[:-1]]


def _planted(random: np.random.Generator, history: History, faults: dict[str, int]) -> Made:
    """The same history with faults in the answers of some sessions with twenty messages or more."""
    rows, lists = history.rows.copy(), history.lists
    answers = {}
    planted: dict[str, list[int]] = {name: [] for name in faults}
    count = len(lists.row)
    large = np.flatnonzero(np.diff(lists.start) >= 20)
    chosen = iter(random.permutation(large).tolist())
    for name, times in faults.items():
        for _ in range(times):
            session = next(chosen)
            mine = np.flatnonzero(rows["session"][: len(rows) - count] == session)
            ids = lists.ids[lists.start[session] : lists.start[session + 1]].copy()
            planted[name].append(session)
            answers[session] = _falsified(name, rows, mine, ids)
    parts = [
        answers.get(one, lists.ids[lists.start[one] : lists.start[one + 1]])
        for one in (range(count) if answers else ())
    ]
    if answers:
        start = np.concatenate([[0], np.cumsum([len(part) for part in parts])]).astype(np.int64)
        lists = Lists(lists.row, start, np.concatenate(parts))
    for session, ids in answers.items():
        final = rows[len(rows) - count + session]
        final["length"], final["digest"] = len(ids), digest_of(ids)
        rows[len(rows) - count + session] = final
    return Made(History(rows, lists, history.sessions), planted)


def _falsified(
    name: str,
    rows: npt.NDArray[np.void],
    mine: npt.NDArray[np.int64],
    ids: npt.NDArray[np.uint64],
) -> npt.NDArray[np.uint64]:
    """The final answer of a session with this fault; a stale read changes another answer."""
    half = len(ids) // 2
    match name:
        case "stale":
            reads = mine[(rows["f"][mine] == F.READ) & (rows["length"][mine] > half)]
            row = int(reads[-1])
            rows["length"][row] = half // 2
            rows["digest"][row] = digest_of(ids[: half // 2])
            return ids
        case "lost":
            writer = (ids >> np.uint64(8)).astype(np.int64) - 1
            acknowledged = writer[rows["type"][writer] == Type.OK]
            return ids[writer != acknowledged[-1]]
        case "duplicate":
            return np.append(ids, ids[half])
        case "swap":
            ids[[half, half + 1]] = ids[[half + 1, half]]
            return ids
        case "gap":
            return np.delete(ids, half)
        case "phantom":
            return np.append(ids, np.uint64((len(rows) + 7) << 8))
        case "aborted":
            rows["type"][int(ids[-1] >> 8) - 1] = Type.FAIL
            return ids
        case "leak":
            other = np.flatnonzero(
                (rows["f"] == F.APPEND) & (rows["session"] != rows["session"][mine[0]])
            )
            return np.append(ids, rows["id"][other[0]])
    raise ValueError(f"there is no fault {name!r}; faults are {', '.join(FAULTS)}")
