"""PERF: the performance table, and what costs more than it must."""

import pytest

from sessionproof.trials import load, plans, speed
from sessionproof.trials.single import Trial

guarantee = pytest.mark.guarantee


@guarantee("PERF-01")
@pytest.mark.timed
def test_operations_cost_what_is_claimed(trial: Trial) -> None:
    """Each operation costs at most what the store claims, against raw SQLite in the same rounds."""
    speed.single_client(trial)


@guarantee("PERF-01")
@pytest.mark.timed
def test_the_throughput_of_many_clients(trial: Trial) -> None:
    """Threads and processes that append at the same time, and calls at a rate of their own."""
    load.many_clients(trial)


@guarantee("PERF-02")
def test_hot_paths_neither_scan_nor_sort(trial: Trial) -> None:
    """No query of an append, a look-up or a page scans a table or sorts in a temporary tree."""
    plans.hot_paths(trial)


@guarantee("PERF-04")
def test_statements_do_not_grow_with_the_rows(trial: Trial) -> None:
    """To list sessions or to read messages takes as many statements for many rows as for few."""
    plans.constant_statements(trial)
