"""Upkeep on its intervals: a method of ``ReferenceStore``, and a thread that does it."""

from __future__ import annotations

import logging
import sqlite3
import threading
from collections.abc import Callable, Iterable, Iterator
from types import TracebackType
from typing import TYPE_CHECKING, Any

from sessionproof.contract.errors import Refused, StoreError
from sessionproof.reference.chores.alone import alone
from sessionproof.reference.chores.plan import Plan, is_due
from sessionproof.reference.chores.runs import Run, last_good_runs, last_runs, store_run
from sessionproof.reference.connections import transaction
from sessionproof.reference.failures import ERRORS, as_store_error, one_line

if TYPE_CHECKING:
    from sessionproof.reference.aio import AsyncReferenceStore
    from sessionproof.reference.postgres.aio import AsyncPostgresStore
    from sessionproof.reference.postgres.store import PostgresStore
    from sessionproof.reference.store import ReferenceStore

DEFAULT = Plan()

_LOOK_S = 5.0
_log = logging.getLogger("sessionproof.maintenance")


def maintain(store: ReferenceStore, *, plan: Plan = DEFAULT) -> list[str]:
    """Do what is due now; answers the names of what was done.

    Nothing is done, and nothing answered, while another thread or process is at it. What fails does
    not stop the rest, and is raised at the end as ``Refused``.
    """
    return names_of(due_runs(store, plan), str(store._path))


def names_of(runs: Iterable[Run], where: str) -> list[str]:
    """The names of the tasks, once all are done; Refused where some failed."""
    done = tuple(runs)
    failed = [run for run in done if run.failed]
    if failed:
        others = f" and {len(failed) - 1} more" if len(failed) > 1 else ""
        raise Refused(f"upkeep of {where}: {failed[0].task}: {failed[0].text}{others}")
    return [run.task for run in done]


def due_runs(
    store: ReferenceStore,
    plan: Plan,
    *,
    all_now: bool = False,
    told: Callable[[str], None] = lambda _: None,
) -> Iterator[Run]:
    """Do what is due, or ``all_now`` that the plan has, and answer each run when it is over.

    Each run is stored before it is answered, also one that failed. ``told`` hears the name of a
    task before it begins.
    """
    if store.ended:
        raise Refused(store.ended)
    from sessionproof.reference.chores.tasks import TASKS

    with alone(store._path.parent) as nobody_else:
        if not nobody_else:
            return
        last, good = store._read(lambda db: (last_runs(db), last_good_runs(db)))
        now_us = store._clock.now_us()
        for task in TASKS:
            wanted = plan.interval_s(task) is not None
            if wanted and (all_now or is_due(task, plan, now_us, last, good, store._path)):
                told(task)
                yield _run(store, plan, task)


def _run(store: ReferenceStore, plan: Plan, task: str) -> Run:
    """Carry out one task and write it down."""
    from sessionproof.reference.chores.tasks import TASKS

    begun_us = store._clock.now_us()
    try:
        text, failed = TASKS[task](store, plan)
    except Exception as error:  # whatever it is, the other tasks are to be done
        if store.ended:
            raise Refused(store.ended) from error
        text, failed = _told(store, task, error), True
    run = Run(task, begun_us, store._clock.now_us(), failed, text)

    def keep(db: sqlite3.Connection) -> None:
        with transaction(db):
            store_run(db, run)

    store._write(keep)
    return run


def _told(store: ReferenceStore, task: str, error: Exception) -> str:
    """Why a task failed, in a line. An error that nobody foresaw may quote a user: it is logged."""
    if isinstance(error, ERRORS):
        return one_line(as_store_error(error, path=store._path, writes=True))
    if isinstance(error, StoreError | OSError):
        return one_line(error)
    _log.error("%s: %s", store._path, task, exc_info=error)
    return f"{type(error).__name__}, which is a defect of sessionproof: its log has it"


class Maintenance:
    """A thread that does what is due, from ``with`` to its end; it ends after the task under way.

    Several processes may have one for the same directory: one of them does it. Failures are logged
    to ``sessionproof.maintenance``, and told by ``health``. Ended before the store is closed.
    """

    def __init__(
        self,
        store: ReferenceStore | AsyncReferenceStore | PostgresStore | AsyncPostgresStore,
        *,
        plan: Plan = DEFAULT,
    ) -> None:
        own: Any = store  # an asynchronous one has another that it carries everything out by
        self._store: Any = getattr(own, "_store", own)
        self.where = getattr(self._store, "where", None) or str(self._store._path.parent)
        self._plan = plan
        self._due = _due_of(self._store)
        self._ending = threading.Event()
        self._thread = threading.Thread(
            target=self._work, name="sessionproof-maintenance", daemon=True
        )

    def __enter__(self) -> Maintenance:
        self._thread.start()
        return self

    def __exit__(
        self,
        _type: type[BaseException] | None,
        _error: BaseException | None,
        _traceback: TracebackType | None,
    ) -> None:
        self.stop()

    def stop(self) -> None:
        """End the thread after the task under way; a second time does nothing."""
        self._ending.set()
        if self._thread.is_alive():
            self._thread.join()

    def _work(self) -> None:
        while not self._ending.is_set():
            try:
                for run in self._due(self._store, self._plan):
                    if run.failed:
                        _log.warning("%s: %s: %s", self.where, run.task, run.text)
                    if self._ending.is_set():
                        break
            except StoreError as error:
                if self._store.ended:
                    return
                _log.warning("%s: %s", self.where, error)
            self._ending.wait(_LOOK_S)


def _due_of(store: Any) -> Callable[[Any, Plan], Iterator[Run]]:
    """What does the upkeep of this kind of store."""
    if hasattr(store, "_path"):
        return due_runs
    from sessionproof.reference.postgres import maintenance

    return maintenance.due_runs
