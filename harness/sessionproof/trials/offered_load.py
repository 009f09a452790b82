"""Rates that are offered to a store: when calls are due, and what came of them.

A client that waits for each answer asks less, the slower the store is. Here calls are due at times
that are drawn beforehand, and each is timed from then: also one whose client was still busy, and
one that was never begun. The calls of a window are dealt out to the clients in turn; so many of
them can be under way at the same time, and no more.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field, replace

import numpy as np
import numpy.typing as npt

from sessionproof.bench.offered import offer
from sessionproof.bench.statistics import latency
from sessionproof.contract.measurements import OfferedRate
from sessionproof.contract.seed import derive
from sessionproof.history.columns import NEVER, Type
from sessionproof.workload.slices import Carried, Order, parts_of

WINDOW_S = 5.0
_GRACE = 1.0  # windows after the end in which calls are still begun
_ALLOWANCE = 0.05  # of the window, for the answers of the last calls

Times = npt.NDArray[np.int64]


@dataclass(frozen=True)
class Window:
    """Calls at one rate for ``window_ns``: for each client, when its calls are due from then on."""

    rate: float
    window_ns: int
    due_ns: tuple[Times, ...]

    @property
    def longest(self) -> int:
        """How many calls the busiest client has."""
        return max(map(len, self.due_ns))


def windows(rate: float, seconds: float, *, clients: int, seed: int) -> Iterator[Window]:
    """Windows of about ``WINDOW_S`` that take so long together, each with calls of its own."""
    number = max(1, round(seconds / WINDOW_S))
    for at in range(number):
        drawn = offer(rate, window_s=seconds / number, seed=derive(seed, "window", rate, at))
        due = np.array(drawn.due_ns, np.int64)
        yield Window(
            rate, drawn.window_ns, tuple(due[client::clients] for client in range(clients))
        )


def due_orders(
    orders: Sequence[Order], begins: tuple[tuple[str, int], ...], window: Window
) -> list[Order]:
    """The orders with so many calls as are due in the window, each at its time from ``begins`` on.

    Their slices are those of the window's clients, in this order.
    """
    due = iter(window.due_ns)
    made = []
    for order in orders:
        slices = tuple(
            replace(one, program=one.program[: len(times)], due_ns=times)
            for one, times in zip(order.slices, due, strict=False)
        )
        budget_s = window.window_ns / 1e9 * (1 + _GRACE)
        made.append(replace(order, begins=begins, budget_s=budget_s, slices=slices))
    return made


@dataclass(frozen=True)
class Answered:
    """The calls of a slice, in the order in which they were due, in nanoseconds.

    ``took`` counts from when a call was due, ``alone`` from when it began. ``type`` is that of the
    history, and -1 for a call that was never begun: it counts until the slice had ended.
    """

    due: Times
    took: Times
    alone: Times
    type: Times


@dataclass
class Answers:
    """What came of a rate, window after window."""

    rate: float
    window_ns: int
    windows: int = 0
    slices: list[Answered] = field(default_factory=list)


def answered(order: Order, carried: Carried, rows: npt.NDArray[np.void]) -> list[Answered]:
    """What came of each slice of the order that has due times; ``rows`` are of its history."""
    slices, _, places = parts_of(rows["id"])
    return [
        _of_slice(one.due_ns, places[mine], rows[mine], carried)
        for one in order.slices
        if one.due_ns is not None
        for mine in (slices == one.number,)
    ]


def rates_of(every: Iterable[Answers]) -> list[OfferedRate]:
    """Each rate in figures; those without an answer are left out."""
    return [rate for one in every if (rate := rate_of(one)) is not None]


def _of_slice(due: Times, places: Times, rows: npt.NDArray[np.void], carried: Carried) -> Answered:
    ended = carried.ended_ns - carried.due_from_ns
    took, alone = np.maximum(ended - due, 0), np.zeros(len(due), np.int64)
    types = np.full(len(due), -1, np.int64)
    for at in np.argsort(rows["ret"], kind="stable"):  # of attempts at a call the last counts
        place, ret = places[at], int(rows["ret"][at])
        types[place] = rows["type"][at]
        if ret != NEVER:
            took[place] = ret - carried.due_from_ns - due[place]
            alone[place] = ret - rows["inv"][at]
    return Answered(due, took, alone, types)


def rate_of(answers: Answers) -> OfferedRate | None:
    """The rate in figures; None where no call of it has a time."""
    due, took, alone, types = (
        np.concatenate([getattr(one, name) for one in answers.slices] or [np.zeros(0, np.int64)])
        for name in ("due", "took", "alone", "type")
    )
    timed = types != Type.INFO
    if not timed.any():
        return None
    done = types == Type.OK
    # A call that takes long by itself is no backlog.
    usual = float(np.median(alone[done])) if done.any() else 0.0
    end = answers.window_ns + max(_ALLOWANCE * answers.window_ns, usual)
    seconds = answers.windows * answers.window_ns / 1e9
    return OfferedRate(
        offered_per_s=len(due) / seconds,
        done_per_s=float((done & (due + took <= end)).sum()) / seconds,
        seconds=seconds,
        latency=latency(took[timed]),
        failed=int((types == Type.FAIL).sum()),
        unknown=int((types == Type.INFO).sum()),
        missed=int((types == -1).sum()),
    )
