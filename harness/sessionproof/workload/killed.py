"""Clients in processes that are killed while they work: a queue of them, and how each ended."""

from __future__ import annotations

import atexit
import json
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import asdict, dataclass, replace
from typing import Any

from sessionproof.contract.location import Location, location_to_json
from sessionproof.contract.operations import CRASH, HANG, Failure, Outcome
from sessionproof.workload.client import Job
from sessionproof.workload.pool import Pool
from sessionproof.workload.profiles import Deadlines
from sessionproof.workload.seats import Setting, setting_to_json

_GRACE_S = 5.0  # beyond every deadline of a client's own
_POOL = Pool("sessionproof.workload.killed_main")
atexit.register(_POOL.close)


@dataclass(frozen=True)
class Death:
    """When a client's process is killed: ``wait_us`` after it came to its call number ``after``.

    -1 is before it opens the store, 0 before its first call. With ``everyone`` all who are alive
    die with it.
    """

    after: int
    wait_us: int
    everyone: bool = False


@dataclass(frozen=True)
class Life:
    """One process: the job of each of its threads, and its death, if it is to die."""

    jobs: tuple[Job, ...]
    death: Death | None = None


@dataclass(frozen=True)
class Ended:
    """How a process ended: ``killed`` by us, or it came to its end.

    ``refused`` says why it could not open the store. ``stopped`` is a hang, or that the process
    ended without being killed.
    """

    killed: bool
    refused: str = ""
    stopped: Outcome | None = None


class Impossible(Exception):
    """No process can be forked and killed here; the text says why, in a line."""


class Killer:
    """The process that forks and kills. Used by one thread at a time."""

    def __init__(self, store: str, deadlines: Deadlines) -> None:
        """``store`` is its name, by which the process finds it; raises Impossible."""
        self._store = store
        self._deadlines = deadlines
        try:
            (self._process,) = _POOL.take(1)
        except RuntimeError as error:
            raise Impossible(str(error)) from None

    def work(
        self, lives: Sequence[Life], *, beside: int, setting: Setting, location: Location
    ) -> list[Ended]:
        """Let these processes live on this location, so many at the same time, the rest in turn.

        The ids of ``setting`` are filled in. Raises Impossible, and what the contract's process
        raises when the one that forks does not answer.
        """
        child_s = self._child_s(lives)
        request = {
            "store": self._store,
            **location_to_json(location),
            "operation_s": self._deadlines.operation_s,
            "open_s": self._deadlines.open_s,
            "child_s": child_s,
            **setting_to_json(setting),
            "beside": beside,
            "clients": [_ordered(life) for life in lives],
        }
        line = json.dumps(request).encode() + b"\n"
        last_s = (len(lives) + 1) * child_s + self._deadlines.open_s
        answer = json.loads(self._process.exchange(line, "a queue of clients", deadline_s=last_s))
        if "impossible" in answer:
            raise Impossible(answer["impossible"])
        for ended in answer["ended"]:
            for place, session in enumerate(ended.get("ids", ())):
                setting.ids[place] = session or setting.ids[place]
        return [_ended(one) for one in answer["ended"]]

    def give_back(self) -> None:
        """Keep the process for the next who asks: a store may take seconds to be imported."""
        _POOL.give([self._process])

    def close(self) -> None:
        """End the process; nothing that it forked is left."""
        self._process.kill()

    def _child_s(self, lives: Sequence[Life]) -> float:
        """The longest life: every call has its deadline, so that only what is stuck gets here."""
        budget_s = max((job.budget_s for life in lives for job in life.jobs), default=0.0)
        return self._deadlines.open_s + budget_s + 2 * self._deadlines.operation_s + _GRACE_S


@contextmanager
def killer(store: str, deadlines: Deadlines) -> Iterator[Killer]:
    """A process that forks and kills, for as long as it is wanted; raises Impossible."""
    made = Killer(store, deadlines)
    try:
        yield made
    except BaseException:  # it may be in the middle of something
        made.close()
        raise
    made.give_back()


def _ordered(life: Life) -> dict[str, Any]:
    jobs, death = list(life.jobs), life.death
    if death is not None and death.after > 0:
        jobs[0] = replace(jobs[0], meets=death.after, meets_until=death.after + 1)
    return {
        "jobs": [vars(job) for job in jobs],
        "death": None if death is None else asdict(death),
    }


def _ended(told: dict[str, Any]) -> Ended:
    if "error" in told:
        raise RuntimeError(f"a client that was to be killed failed by itself: {told['error']}")
    if told["killed"]:
        return Ended(killed=True)
    stopped = None
    if told["late"]:
        text = "its process did not come to its end, though every call has a deadline"
        stopped = Outcome("info", failure=Failure(HANG, text))
    elif told["status"] != 0:
        text = f"its process ended by itself, with status {told['status']}"
        stopped = Outcome("info", failure=Failure(CRASH, text))
    elif told.get("stopped") is not None:
        given = told["stopped"]
        stopped = Outcome(given["type"], failure=Failure(*given["failure"]))
    return Ended(killed=False, refused=told.get("refused", ""), stopped=stopped)
