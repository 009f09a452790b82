"""Connections of a handle: who has them, what becomes of dead ones, and how a call ends."""

import os
import signal
import threading
import time
from dataclasses import replace

import pytest

from sessionproof.contract.errors import Indefinite, Refused
from sessionproof.contract.message import Message
from sessionproof.engine.machine import fast_folder
from sessionproof.faults.servers.cutting import Cut, CuttingProxy, Moment
from sessionproof.faults.servers.postgres import PrivateServer
from sessionproof.reference.postgres import pool as pools
from sessionproof.reference.postgres.pool import Pool, transaction
from sessionproof.reference.postgres.store import PostgresStore
from sessionproof.reference.presets import preset_named

CLI = preset_named("cli")
HELLO = Message("user", "hello")


@pytest.fixture
def pool(server):
    """One connection at a time."""
    made = Pool(server.url, "public", CLI, synchronous=False, where="here")
    yield made
    made.close()


def pid_of(db):
    """The server's process of a connection."""
    return db.execute("SELECT pg_backend_pid()").fetchone()[0]


def test_a_connection_is_kept_for_the_next_call(pool):
    """Calls one after the other share a connection."""
    assert pool.read(pid_of) == pool.write(pid_of)
    assert pool.statistics() == {"busy": 0, "idle": 1, "waiting": 0}


def test_one_that_died_while_it_was_idle_costs_no_error(server, pool):
    """A connection that the server ended is noticed before it is used, also for a write."""
    first = pool.read(pid_of)
    server.terminate_backends()
    while first in server.backends():
        time.sleep(0.01)
    assert pool.write(pid_of) != first


def test_an_old_one_is_closed_when_it_comes_back(server):
    """A connection that is older than its preset allows is not kept."""
    pool = Pool(server.url, "public", replace(CLI, recycle_s=-1), synchronous=False, where="here")
    pool.read(pid_of)
    assert pool.statistics()["idle"] == 0
    pool.close()


def test_extra_ones_are_closed_when_nobody_used_them_for_long(server, monkeypatch):
    """Beyond the readers of the preset, what lay idle is closed, the longest first."""
    preset = replace(CLI, extra_readers=1)
    pool = Pool(server.url, "public", preset, synchronous=False, where="here")
    pool.read(lambda _: pool.read(pid_of))
    assert pool.statistics()["idle"] == 2
    monkeypatch.setattr(pools, "_IDLE_S", -1.0)
    pool.read(pid_of)
    assert pool.statistics()["idle"] == 1
    pool.close()


def test_whoever_waits_longest_is_next(pool):
    """Places are handed on in the order of coming, so nobody is passed over."""
    order, threads = [], []
    held, go = threading.Event(), threading.Event()

    def hold(_):
        held.set()
        go.wait()

    threads.append(threading.Thread(target=pool.read, args=(hold,)))
    threads[0].start()
    held.wait()
    for number in range(5):
        work = threading.Thread(target=pool.read, args=(lambda _, n=number: order.append(n),))
        threads.append(work)
        work.start()
        while pool.statistics()["waiting"] != number + 1:
            time.sleep(0.001)
    go.set()
    for thread in threads:
        thread.join()
    assert order == [*range(5)]
    assert pool.statistics()["busy"] == 0


def test_a_full_queue_ends_in_a_refusal_and_leaves_the_place(pool, monkeypatch):
    """Who waits in vain is refused in time, and nobody's place is lost or won by that."""
    monkeypatch.setattr(pools, "QUEUE_S", 0.05)

    def beside(_):
        with pytest.raises(Refused, match="all 1 connections are busy"):
            pool.read(pid_of)

    pool.read(beside)
    assert pool.statistics() == {"busy": 0, "idle": 1, "waiting": 0}
    assert pool.read(pid_of)


def test_after_close_nothing_is_called_and_nothing_is_left(server, pool):
    """A closed pool refuses; a connection that was in use meanwhile is closed, too."""
    kept = []

    def close_beside(db):
        kept.append(db)
        pool.close()

    pool.read(close_beside)
    assert kept[0].closed
    with pytest.raises(Refused, match="closed"):
        pool.read(pid_of)
    pool.close()
    assert pool.statistics()["idle"] == 0


def test_a_forked_child_is_refused_and_the_parent_goes_on(pool):
    """The child does not end what belongs to its parent."""
    before = pool.read(pid_of)
    child = os.fork()
    if child == 0:
        try:
            pool.read(pid_of)
        except Refused:
            pool.close()
            os._exit(0)
        os._exit(1)
    assert os.waitpid(child, 0)[1] == 0
    assert pool.read(pid_of) == before


def test_a_child_of_a_busy_parent_is_told_at_once(pool, monkeypatch):
    """Nobody in the child gives the connections back, and nobody there releases the lock."""
    monkeypatch.setattr(pools, "QUEUE_S", 60.0)

    def beside(_db):
        with pool._lock:
            child = os.fork()
            if child == 0:
                signal.alarm(30)  # a hang ends here, and not as 0
                try:
                    pool.read(pid_of)
                except Refused:
                    os._exit(0)
                os._exit(1)
        return os.waitpid(child, 0)[1]

    assert pool.read(beside) == 0


@pytest.mark.parametrize("begin", ["BEGIN", "BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY"])
def test_one_that_was_left_within_a_transaction_is_not_used_again(pool, begin):
    """An interrupt between two lines: what is done next is seen by others, and sees them."""

    def interrupted(db):
        db.execute(begin)
        raise KeyboardInterrupt

    left = []
    with pytest.raises(KeyboardInterrupt):
        pool.read(lambda db: (left.append(pid_of(db)), interrupted(db)))
    assert pool.read(pid_of) != left[0]


def test_a_server_that_is_away_is_waited_for(tmp_path):
    """Calls that meet a server on its way up are answered as soon as it is there."""
    with PrivateServer.start(fast_folder()) as server:
        store = PostgresStore(url=server.url, schema="waits")
        store.append("s", [HELLO])
        server.kill()
        answers = []
        client = threading.Thread(target=lambda: answers.append(store.append("s", [HELLO])))
        client.start()
        server.restart()
        client.join()
        assert [one.seqs for one in answers] == [(2,)]
        assert store.count("s") == 2
        store.close()


def test_a_server_that_stays_away_ends_in_a_refusal(tmp_path, monkeypatch):
    """Nothing hangs: the error is definite, and names the server without a traceback's length."""
    monkeypatch.setattr(pools, "QUEUE_S", 0.1)
    with PrivateServer.start(fast_folder()) as server:
        store = PostgresStore(url=server.url, schema="away")
        server.kill()
        for call in (lambda: store.append("s", [HELLO]), lambda: store.read("s")):
            with pytest.raises(Refused, match="no connection within") as raised:
                call()
            assert not isinstance(raised.value, Indefinite)
            assert "\n" not in str(raised.value)
        with pytest.raises(Refused):
            PostgresStore(url=server.url, schema="away")
        store.close()


@pytest.fixture
def cut(server):
    """A proxy that cuts as ``cut.plan`` says, from the next connection on."""
    plan = []
    with CuttingProxy(server.socket, lambda: plan.pop(0) if plan else None) as proxy:
        proxy.plan = plan
        proxy.url = server.url_through(proxy.folder)
        proxy.armed = True
        yield proxy


SET_UP = 1  # request, by which a connection is set up


def test_a_read_whose_connection_is_lost_is_done_again(cut):
    """A read changes nothing, so one cut costs no error; the second one does."""
    pool = Pool(cut.url, "public", CLI, synchronous=False, where="here")
    cut.plan += [Cut(Moment.SENT, SET_UP + 1), None]
    assert pool.read(pid_of)
    pool.close()
    pool = Pool(cut.url, "public", CLI, synchronous=False, where="here")
    cut.plan += [Cut(Moment.SENT, SET_UP + 1)] * 2
    with pytest.raises(Refused, match="cannot be read"):
        pool.read(pid_of)
    pool.close()


@pytest.mark.parametrize("moment", [*Moment])
def test_a_statement_that_was_cut_is_open_and_is_not_repeated(cut, server, moment):
    """An append in autocommit may have taken effect: it is told as open, and sent once."""
    schema = f"cut_{moment.name.lower()}"
    with PostgresStore(url=server.url, schema=schema) as store:
        store.append("s", [HELLO])
        pool = Pool(cut.url, schema, CLI, synchronous=True, where="here")
        cut.plan.append(Cut(moment, SET_UP + 1))
        added = "UPDATE sessions SET title = coalesce(title, '') || 'x'"
        with pytest.raises(Indefinite, match="whether the write took effect is open"):
            pool.write(lambda db: db.execute(added).rowcount)
        pool.close()
        assert store.get("s").title in (None, "x")
        if moment in (Moment.UNANSWERED, Moment.HALF_ANSWERED):
            assert store.get("s").title == "x"


def test_a_transaction_that_was_cut_before_its_end_is_done_again(cut, server):
    """Nothing of it has remained, so it is carried out once more, and takes effect once."""
    with PostgresStore(url=server.url, schema="again") as store:
        store.append("s", [HELLO])
        pool = Pool(cut.url, "again", CLI, synchronous=True, where="here")
        cut.plan += [Cut(Moment.SENT, SET_UP + 2), None]

        def work(db):
            with transaction(db):
                db.execute("UPDATE sessions SET title = coalesce(title, '') || 'x'")

        pool.write(work)
        assert store.get("s").title == "x"
        cut.plan += [Cut(Moment.SENT, SET_UP + 2)] * 2
        pool.close()
        pool = Pool(cut.url, "again", CLI, synchronous=True, where="here")
        with pytest.raises(Refused, match="nothing was stored"):
            pool.write(work)
        assert store.get("s").title == "x"
        pool.close()


def test_a_commit_that_was_cut_is_open(cut, server):
    """Whether the end of a transaction took effect is not known without its answer."""
    with PostgresStore(url=server.url, schema="ends") as store:
        store.append("s", [HELLO])
        pool = Pool(cut.url, "ends", CLI, synchronous=True, where="here")
        cut.plan.append(Cut(Moment.UNANSWERED, SET_UP + 1))

        def work(db):
            with transaction(db):
                db.execute("UPDATE sessions SET title = 'done'")

        with pytest.raises(Indefinite):
            pool.write(work)
        assert store.get("s").title == "done"
        pool.close()
