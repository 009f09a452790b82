"""Upkeep on its intervals, as on SQLite: a method of ``PostgresStore``."""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

import psycopg

from sessionproof.contract.errors import Refused, StoreError
from sessionproof.reference.chores.plan import Plan, is_due
from sessionproof.reference.chores.runs import Run, last_good_runs, last_runs
from sessionproof.reference.maintenance import names_of
from sessionproof.reference.postgres.chores.runs import alone, store_run
from sessionproof.reference.postgres.chores.tasks import TASKS
from sessionproof.reference.postgres.failures import as_store_error, one_line
from sessionproof.reference.postgres.place import Place
from sessionproof.reference.postgres.pool import Connection, transaction

if TYPE_CHECKING:
    from sessionproof.reference.postgres.store import PostgresStore

DEFAULT = Plan()

_log = logging.getLogger("sessionproof.maintenance")


def maintain(store: PostgresStore, *, plan: Plan = DEFAULT) -> list[str]:
    """Do what is due now; answers the names of what was done.

    Nothing is done, and nothing answered, while another thread or process is at it. What fails does
    not stop the rest, and is raised at the end as ``Refused``.
    """
    return names_of(due_runs(store, plan), store.where)


def due_runs(
    store: PostgresStore,
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
    with alone(Place(store.url, store.schema)) as nobody_else:
        if not nobody_else:
            return
        last, good = store._read(_both)
        now_us, name = store._clock.now_us(), Path(store.schema)
        for task in TASKS:
            wanted = plan.interval_s(task) is not None
            if wanted and (all_now or is_due(task, plan, now_us, last, good, name)):
                told(task)
                yield _run(store, plan, task)


def _both(db: Connection) -> tuple[dict[str, Run], dict[str, Run]]:
    any_db: Any = db  # a statement without values, which both databases take alike
    return last_runs(any_db), last_good_runs(any_db)


def _run(store: PostgresStore, plan: Plan, task: str) -> Run:
    """Carry out one task and write it down."""
    begun_us = store._clock.now_us()
    try:
        text, failed = TASKS[task](store, plan)
    except Exception as error:  # whatever it is, the other tasks are to be done
        if store.ended:
            raise Refused(store.ended) from error
        text, failed = _told(store, task, error), True
    run = Run(task, begun_us, store._clock.now_us(), failed, text)

    def keep(db: Connection) -> None:
        with transaction(db):
            store_run(db, run)

    store._write(keep)
    return run


def _told(store: PostgresStore, task: str, error: Exception) -> str:
    """Why a task failed, in a line. An error that nobody foresaw may quote a user: it is logged."""
    if isinstance(error, psycopg.Error):
        return one_line(as_store_error(error, where=store.where, writes=True))
    if isinstance(error, StoreError | OSError):
        return one_line(error)
    _log.error("%s: %s", store.where, task, exc_info=error)
    return f"{type(error).__name__}, which is a defect of sessionproof: its log has it"
