"""A load carried out by workers, wave after wave, and recorded.

Workers may die, and their clocks may differ. Every order is submitted again when it was lost, and
every clock is asked before and after each wave. Nothing is judged here.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from concurrent.futures import FIRST_COMPLETED, CancelledError, Future, wait
from dataclasses import replace
from pathlib import Path

import numpy as np

from sessionproof.contract.clock import monotonic_ns, monotonic_s
from sessionproof.history import npz
from sessionproof.history.clocks import SAME, Bounds, agreed
from sessionproof.history.columns import F, History, Phase
from sessionproof.history.parts import joined
from sessionproof.trials.arrivals import Came, between
from sessionproof.trials.offered_load import Answers, Window, answered, due_orders, windows
from sessionproof.trials.recorded_load import SHARDS, Part, Recorded, Submitted, Wanted, Wave
from sessionproof.workload.executors import Workers, is_loss
from sessionproof.workload.rounds import Call
from sessionproof.workload.sessions import needs_create
from sessionproof.workload.slices import (
    CALLS_MOST,
    SLICES_MOST,
    Carried,
    Order,
    Slice,
    here,
    history_of,
    origins_of,
    packed,
)
from sessionproof.workload.waves import Drawn, creations, drawn

_WAVE_S = 3.0  # a wave is to take about so long
_LEAD_NS = 60_000_000  # from the order to the common start: all have opened the store by then
_DUE_LEAD_NS = 300_000_000  # the same where nobody may be late
_SLACK = 1.05  # of a pace: who is a little late comes to the next turn in time
_BUDGET_S = 15.0  # and no call of it begins later than this
_FASTER_MOST = 4  # times as long as the wave before
_QUIET_S = 120.0  # for the final reads of one order; each has its own deadline
_READ_TOGETHER = 400  # sessions of one order
_TRIES = 3  # of an order whose worker died
_FILE_ROWS = 60_000  # of a history's file, where one clock timed it
_GRACE_S = 60.0  # for workers to start, beyond every deadline of theirs
_LOOK_S = 0.25  # between two signs of life


class StoreRefused(Exception):
    """The first wave could not open the store; the text is one line."""


class Load:
    """One load; ``run`` may be called once."""

    def __init__(
        self,
        wanted: Wanted,
        workers: Workers,
        folder: Path,
        *,
        follow: Callable[[Recorded], None] = lambda _: None,
    ) -> None:
        """``folder`` takes the history's files, ``follow`` is told now and then how far it is."""
        self._wanted, self._workers, self._folder = wanted, workers, folder
        self._follow = follow
        self._plot = wanted.plot
        self._ids: list[str | None] = []
        self._waiting: list[History] = []  # what our own clock timed, and no file has yet
        self._used: set[int] = set()  # sessions that anybody called
        self._number = 0
        self._pace_ns = 0  # what the slowest needed for a turn
        self._known: set[tuple[str, int]] = set()  # processes that answered
        self._here = here().boot
        self.recorded = Recorded()

    def run(self) -> Recorded:
        """Play waves until it is enough, then read every session; raises StoreRefused.

        Whoever interrupts it says so in ``recorded``: the wave, which is short, comes to its end.
        """
        start_s = monotonic_s()
        before = self._looked()
        try:
            before = self._waves(start_s, before)
            if not self.recorded.stopped:
                self._read_all(before)
        except KeyboardInterrupt:
            self.recorded.interrupted = True
            self.recorded.unknown.append("sessions were not read at the end")
        self._flush("last")
        return self.recorded

    def _waves(self, start_s: float, before: dict[str, Bounds]) -> dict[str, Bounds]:
        """Play waves until it is enough; the bounds of the clocks at the end."""
        if self._wanted.rates:
            return self._offered(start_s, self._wave(1, before))  # the first one is to warm up
        turns = 1
        while (turns := self._fitting(turns)) and not self._over(start_s):
            wave_s = monotonic_s()
            before = self._wave(turns, before)
            self.recorded.seconds = monotonic_s() - start_s
            factor = min(_WAVE_S / max(monotonic_s() - wave_s, 1e-3), _FASTER_MOST)
            turns = max(1, int(turns * factor))
        return before

    def _offered(self, start_s: float, before: dict[str, Bounds]) -> dict[str, Bounds]:
        """Play the windows of each rate; the bounds of the clocks at the end."""
        wanted, plot = self._wanted, self._plot
        for rate in wanted.rates:
            for window in windows(rate, wanted.seconds, clients=plot.clients, seed=plot.seed):
                if self._ended():
                    return before
                if not self.recorded.rates or self.recorded.rates[-1].rate != rate:
                    self.recorded.rates.append(Answers(rate, window.window_ns))
                self.recorded.rates[-1].windows += 1
                before = self._wave(-(-window.longest // plot.calls), before, window)
                self.recorded.seconds = monotonic_s() - start_s
        return before

    def _ended(self) -> bool:
        done = self.recorded
        return bool(done.stopped or done.unknown or done.interrupted)

    def _over(self, start_s: float) -> bool:
        if self._ended():
            return True
        if self._wanted.operations is None:
            return monotonic_s() - start_s >= self._wanted.seconds
        return False

    def _fitting(self, turns: int) -> int:
        """So many turns, or fewer where that is too much; 0 where nothing is left to do."""
        most = CALLS_MOST // self._plot.calls
        if self._number + 3 * self._plot.clients > SLICES_MOST // 2:
            return 0  # numbers are left for final reads
        if self._wanted.operations is None:
            return min(turns, most)
        left = self._wanted.operations - self.recorded.made
        whole = -(-left // (self._plot.calls * self._plot.clients))
        return max(0, min(turns, most, whole))

    def _wave(
        self, turns: int, before: dict[str, Bounds], window: Window | None = None
    ) -> dict[str, Bounds]:
        """Carry one wave out, write it down; the bounds of the clocks afterwards."""
        done, plot = self.recorded, self._plot
        wave = Wave(done.waves, turns, len(done.names))
        made = drawn(plot, wave.number, turns)
        done.waves += 1
        done.names += made.sessions
        self._ids += self._first_ids(made)
        came: list[Came] = []
        if needs_create(plot.claims, plot.capabilities):
            came += self._done([self._order(wave, [(None, creations(len(made.sessions)), 0)])])
        parts = [(wave, program, at) for at, program in enumerate(made.programs)]
        together = self._workers.together
        orders = [
            self._order(wave, parts[at : at + together]) for at in range(0, len(parts), together)
        ]
        if window is None:
            orders = self._paced(orders, before)
        else:
            orders = due_orders(orders, self._begins(before, _DUE_LEAD_NS), window)
        worked = self._done(orders)
        needed = [
            one.carried.ended_ns - one.carried.began_ns - one.carried.waited_ns for one in worked
        ]
        self._pace_ns = int(_SLACK * max(needed, default=0) / turns)
        came += worked
        return self._kept(came, before, f"wave-{wave.number:06d}")

    def _paced(self, orders: Sequence[Order], bounds: dict[str, Bounds]) -> list[Order]:
        """The orders with the time at which all of them begin, and go on after each turn."""
        begins = self._begins(bounds, _LEAD_NS)
        return [
            replace(order, begins=begins, turn=self._plot.calls, pace_ns=self._pace_ns)
            for order in orders
        ]

    def _begins(self, bounds: dict[str, Bounds], lead_ns: int) -> tuple[tuple[str, int], ...]:
        """The time at which all begin, by every clock that is known."""
        begin_ns = monotonic_ns() + lead_ns
        clocks = {**bounds, self._here: SAME}
        return tuple((boot, begin_ns + one.offset_ns) for boot, one in clocks.items())

    def _first_ids(self, made: Drawn) -> list[str | None]:
        claims = self._plot.claims
        by_store = claims.session_ids == "store" and needs_create(claims, self._plot.capabilities)
        return [None if by_store else name for name in made.sessions]

    def _order(
        self,
        wave: Wave,
        parts: Iterable[tuple[Wave | None, Sequence[Call], int]],
        *,
        sessions: range | None = None,
        budget_s: float = _BUDGET_S,
    ) -> Order:
        """An order for the sessions of a wave, or for others; its slices are known from now on."""
        names = self.recorded.names
        places = range(wave.first, len(names)) if sessions is None else sessions
        slices = []
        for whose, program, client in parts:
            self._number += 1
            self.recorded.slices[self._number] = Submitted(whose, client, monotonic_ns())
            slices.append(Slice(self._number, packed(program)))
        return Order(
            store=self._wanted.store,
            location=self._wanted.location,
            claims=self._plot.claims,
            deadlines=self._wanted.deadlines,
            first=places.start,
            sessions=tuple(names[place] for place in places),
            ids=tuple(self._ids[place] for place in places),
            slices=tuple(slices),
            budget_s=budget_s,
        )

    def _done(self, orders: Sequence[Order]) -> list[Came]:
        """What came of the orders; those that were lost are submitted again."""
        came: list[Came] = []
        for attempt in range(_TRIES):
            if attempt and not self._workers.mend():
                break
            lost = self._submitted(orders, came)
            if not lost:
                return came
            if not self._known:  # nobody was asked who is there
                self.recorded.deaths.append(f"a process, with {len(lost)} orders")
            orders = [replace(order, ids=self._ids_of(order)) for order in lost]
        self.recorded.given_up += sum(len(order.slices) for order in orders)
        self.recorded.unknown.append(f"{len(orders)} orders were given up: their workers died")
        return came

    def _submitted(self, orders: Sequence[Order], came: list[Came]) -> list[Order]:
        """Submit and wait; the orders that were lost."""
        begun_ns = monotonic_ns()
        waiting: dict[Future[Carried], Order] = {
            self._workers.submit(order): order for order in orders
        }
        lost: list[Order] = []
        until_s = monotonic_s() + self._patience_s(orders)
        while waiting and monotonic_s() < until_s:
            ended, _ = wait(waiting, timeout=_LOOK_S, return_when=FIRST_COMPLETED)
            now_ns = monotonic_ns()
            for future in ended:
                order = waiting.pop(future)
                try:
                    carried = future.result()
                except (Exception, CancelledError) as error:  # noqa: BLE001 - told apart there
                    if is_loss(error):
                        lost.append(order)
                    else:
                        self._mistaken(order, error)
                    continue
                self._arrived(order, carried)
                came.append(Came(carried, order, begun_ns, now_ns))
            self._follow(self.recorded)
        if waiting:
            self.recorded.unknown.append(
                f"{len(waiting)} orders did not end in time: a call of the store may let no other "
                "thread run, or the workers are too few"
            )
            self.recorded.given_up += sum(len(order.slices) for order in waiting.values())
            for future in waiting:
                future.cancel()
        return lost

    def _patience_s(self, orders: Sequence[Order]) -> float:
        """As long as orders may take that are done again, one behind the other, by few workers."""
        deadlines = self._wanted.deadlines
        one_s = max((order.budget_s for order in orders), default=0.0)
        one_s += 2 * deadlines.operation_s + deadlines.open_s
        queued = -(-len(orders) // max(1, self._workers.places))
        return _TRIES * queued * one_s + _GRACE_S

    def _mistaken(self, order: Order, error: Exception) -> None:
        """A worker raised what no store can cause; raises StoreRefused where none can work."""
        said = " ".join(f"{type(error).__name__}: {error}".split())
        if isinstance(error, ImportError) and not self.recorded.made:
            raise StoreRefused(f"{said}: install sessionproof where the workers run") from None
        self.recorded.given_up += len(order.slices)
        self.recorded.unknown.append(f"a worker failed: {said}")

    def _arrived(self, order: Order, carried: Carried) -> None:
        done = self.recorded
        where = carried.where
        done.hosts.setdefault(where.boot, where.host)
        done.workers[f"{where.host} process {where.pid}"] += 1
        if carried.refused:
            if not done.made:
                raise StoreRefused(f"on {where.host}: {carried.refused}")
            done.unknown.append(f"a worker on {where.host} could not go on: {carried.refused}")
        if carried.stopped:
            done.stopped = done.stopped or carried.stopped
            done.evidence |= dict(carried.evidence)
        for one in order.slices:
            done.slices[one.number].attempt = carried.attempt
        for place, known in enumerate(carried.ids, order.first):
            self._ids[place] = known or self._ids[place]

    def _ids_of(self, order: Order) -> tuple[str | None, ...]:
        return tuple(self._ids[order.first : order.first + len(order.sessions)])

    def _kept(
        self, came: Sequence[Came], before: dict[str, Bounds], name: str
    ) -> dict[str, Bounds]:
        """Keep what came, by its clock; the bounds of the clocks now."""
        after = self._looked()
        by_boot: dict[str, list[History]] = {}
        bounds: dict[str, Bounds] = {}
        for one in came:
            history = history_of(one.carried, self._folder)
            if history is None:
                continue
            if self.recorded.rates:
                found = answered(one.order, one.carried, history.rows)
                self.recorded.rates[-1].slices += found
            boot = one.carried.where.boot
            by_boot.setdefault(boot, []).append(self._placed(history, one.order))
            bounds[boot] = between(one, before, after, bounds.get(boot))
        ours = by_boot.pop(self._here, [])
        for at, (boot, histories) in enumerate(by_boot.items()):
            self._write(histories, f"{name}-{at + 1}", name, boot, bounds[boot])
        several = len(self.recorded.hosts) > 1
        if several:  # other clocks drift: what they are apart is known wave by wave
            self._flush(f"before-{name}")
        self._waiting += ours
        if several or sum(map(len, self._waiting)) >= _FILE_ROWS:
            self._flush(name)
        return after

    def _flush(self, name: str) -> None:
        """Write down what waits: few files are read more quickly than many."""
        if self._waiting:
            waiting, self._waiting = self._waiting, []
            self._write(waiting, name, name, self._here, SAME)

    def _write(
        self, histories: Sequence[History], file: str, wave: str, boot: str, bounds: Bounds
    ) -> None:
        path = self._folder / f"{file}.npz"
        whole = joined(histories)
        npz.write(whole, path, shards=SHARDS)
        self.recorded.parts.append(Part(path, wave, boot, bounds, origins_of(whole.lists.ids)))

    def _placed(self, history: History, order: Order) -> History:
        """With the numbers of sessions and clients that hold for the whole history."""
        done = self.recorded
        rows = history.rows
        known, places = np.unique(rows["client"], return_inverse=True)
        rows["client"] = done.clients + places
        done.clients += len(known)
        rows["session"] += np.uint32(order.first)
        self._used |= set(np.unique(rows["session"]).tolist())
        done.made += int((rows["phase"] != Phase.FINAL).sum())
        return replace(history, rows=rows, sessions=())

    def _looked(self) -> dict[str, Bounds]:
        """How far each clock is from ours; and who is no longer there is told."""
        looks = self._workers.look()
        alive = {(look.where.host, look.where.pid) for look in looks}
        for host, pid in sorted(self._known - alive):
            self.recorded.deaths.append(f"{host} process {pid}")
        self._known = alive
        bounds: dict[str, list[Bounds]] = {}
        for look in looks:
            self.recorded.hosts.setdefault(look.where.boot, look.where.host)
            bounds.setdefault(look.where.boot, []).append(look.bounds)
        return {boot: agreed(several) for boot, several in bounds.items()}

    def _read_all(self, before: dict[str, Bounds]) -> None:
        """Read each session that was used, and count it where clients did."""
        used = sorted(self._used)
        counts = [name for name in ("get", "count") if name in self._plot.capabilities]
        counted = len(counts) if self._plot.mix in ("counts", "mixed") else 0
        runs = [used[at : at + _READ_TOGETHER] for at in range(0, len(used), _READ_TOGETHER)]
        orders = []
        for run in runs:
            calls = [Call(F.READ, at - run[0], phase=Phase.FINAL) for at in run]
            calls += [
                Call(F.COUNT, at - run[0], phase=Phase.FINAL) for at in run for _ in range(counted)
            ]
            wave = Wave(0, 0, run[0])
            sessions = range(run[0], run[-1] + 1)
            orders.append(
                self._order(wave, [(None, calls, 0)], sessions=sessions, budget_s=_QUIET_S)
            )
        self._kept(self._done(orders), before, "final")
