"""Executors by name: processes of this machine, clusters, and what is said where there is none."""

import multiprocessing
import os
import signal
import sys
import time
from concurrent.futures.process import BrokenProcessPool
from dataclasses import replace

import pytest

from sessionproof.contract.location import Location
from sessionproof.history.columns import F
from sessionproof.reference.store import ReferenceStore
from sessionproof.workload.executors import NoExecutor, clients_beside, workers
from sessionproof.workload.profiles import Deadlines
from sessionproof.workload.rounds import Call
from sessionproof.workload.slices import Order, Slice, packed


def order(tmp_path, number=1):
    """One append by each of so many clients."""
    return Order(
        store="reference",
        location=Location(tmp_path),
        claims=ReferenceStore.claims,
        deadlines=Deadlines(),
        first=0,
        sessions=("a",),
        ids=("a",),
        slices=tuple(Slice(at + 1, packed([Call(F.APPEND, 0, 1)])) for at in range(number)),
        budget_s=10.0,
    )


def submit_for_ever(hired, asked):
    """Until the pool has noticed that a process is gone."""
    while True:
        hired.submit(asked).result()


@pytest.mark.parametrize(("url", "together", "places"), [("threads", 2, 1), ("processes", 1, 2)])
def test_an_order_is_carried_out_elsewhere(url, together, places, tmp_path):
    """The store runs in another process, with as many threads as clients are to share it."""
    with workers(url, clients=2) as hired:
        assert (hired.together, hired.places) == (together, places)
        carried = hired.submit(order(tmp_path, together)).result()
        assert carried.where.pid != os.getpid()
        assert not carried.refused
        assert hired.look() == []  # its clock is ours


def test_a_process_that_is_killed_is_replaced(tmp_path):
    """Its order is lost, which is told by the future; afterwards there are processes again."""
    with workers("processes", clients=1) as hired:
        first = hired.submit(order(tmp_path)).result()
        os.kill(first.where.pid, signal.SIGKILL)
        with pytest.raises(BrokenProcessPool):
            submit_for_ever(hired, order(tmp_path))
        assert hired.mend()
        assert hired.submit(order(tmp_path)).result().where.pid != first.where.pid


def test_a_process_that_lets_no_thread_run_is_ended(tmp_path, monkeypatch):
    """Closing does not wait for a call that no deadline can reach."""
    (tmp_path / "stuck.py").write_text(
        "import ctypes\n"
        "from sessionproof.reference import ReferenceStore\n"
        "class Store(ReferenceStore):\n"
        "    def append(self, session_id, messages):\n"
        f"        open({str(tmp_path / 'began')!r}, 'w').close()\n"
        "        ctypes.PyDLL(None).sleep(100_000)\n",
        "utf-8",
    )
    monkeypatch.syspath_prepend(tmp_path)
    with workers("processes", clients=1) as hired:
        stuck = hired.submit(replace(order(tmp_path), store="stuck:Store"))
        while not (tmp_path / "began").exists():
            time.sleep(0.01)
    assert isinstance(stuck.exception(), BrokenProcessPool)
    assert not multiprocessing.active_children()


def test_who_has_the_store_open_at_once_depends_on_the_executor():
    """Workers of a cluster are processes."""
    assert clients_beside("threads") == "threads"
    assert clients_beside("processes") == clients_beside("dask://host:1") == "processes"


def test_another_name_is_told_which_there_are():
    """A typing mistake is one line."""
    with pytest.raises(NoExecutor, match=r"no executor 'ray'.*threads, processes, dask://"):
        workers("ray", clients=1).__enter__()


def test_a_cluster_needs_its_package(monkeypatch):
    """Without it, the line says what to install."""
    monkeypatch.setitem(sys.modules, "distributed", None)
    with pytest.raises(NoExecutor, match=r"pip install 'sessionproof\[dask\]'"):
        workers("dask://127.0.0.1:1", clients=1).__enter__()


@pytest.mark.parametrize("address", ["nowhere", "", ":1", "127.0.0.1:x", "tcp://127.0.0.1:1"])
def test_an_address_is_a_host_and_a_port(address):
    """One line says what it looks like, before anybody is asked."""
    with pytest.raises(NoExecutor, match=r"has no HOST:PORT: use dask://127\.0\.0\.1:8786"):
        workers(f"dask://{address}", clients=1).__enter__()


@pytest.mark.parametrize("address", ["127.0.0.1:1", "nowhere.invalid:1", "[::1]:1"])
def test_a_cluster_that_is_not_there_is_told(address, monkeypatch):
    """Nobody answers, and one line says how to start a scheduler."""
    pytest.importorskip("distributed")
    monkeypatch.setattr("sessionproof.workload.executors._CONNECT_S", 1.0)
    with pytest.raises(NoExecutor, match="no scheduler answers"):
        workers(f"dask://{address}", clients=1).__enter__()
