"""The proxy that cuts connections: what goes through it, and what each cut leaves."""

import socket
import threading
from pathlib import Path

import pytest

from sessionproof.engine.machine import fast_folder
from sessionproof.faults.servers.binaries import find_binaries, missing
from sessionproof.faults.servers.cutting import Cut, CuttingProxy, Moment
from sessionproof.faults.servers.postgres import PrivateServer

psycopg = pytest.importorskip("psycopg")
pytestmark = pytest.mark.skipif(find_binaries() is None, reason=missing())

TOOK_EFFECT = {Moment.SENT, Moment.UNANSWERED, Moment.HALF_ANSWERED}


@pytest.fixture(scope="module")
def server():
    """A server with a table."""
    with PrivateServer.start(fast_folder()) as started:
        with psycopg.connect(started.url, autocommit=True) as connection:
            connection.execute("CREATE TABLE said (body text)")
        yield started


def rows_of(server, body):
    """How many rows have this text."""
    with psycopg.connect(server.url) as connection:
        return connection.execute("SELECT count(*) FROM said WHERE body = %s", [body]).fetchone()[0]


def through(server, proxy):
    """A connection through the proxy."""
    return psycopg.connect(server.url_through(proxy.folder), autocommit=True)


def test_what_is_not_cut_goes_through(server):
    """Requests and answers of any size pass, in both directions, also while it is armed."""
    text = "é" * 300_000
    with CuttingProxy(server.socket, lambda: None) as proxy:
        proxy.armed = True
        with through(server, proxy) as connection:
            assert connection.execute("SELECT %s", [text]).fetchone() == (text,)
        assert not proxy.done


@pytest.mark.parametrize("moment", [*Moment])
def test_each_moment_cuts_where_it_says(server, moment):
    """The client hears of an error; the change is there exactly where the server had the request.

    What was sent whole is carried out though nobody waits for it any more.
    """
    body = f"at {moment}"
    with CuttingProxy(server.socket, lambda: Cut(moment, 3, 0.5)) as proxy:
        proxy.armed = True
        with through(server, proxy) as connection:
            for number in range(2):
                connection.execute("SELECT %s", [number])
            with pytest.raises(psycopg.OperationalError):
                connection.execute("INSERT INTO said VALUES (%s)", [body])
            assert connection.closed
        assert proxy.done == {moment: 1}
    wait_for_backends(server)
    assert rows_of(server, body) == (moment in TOOK_EFFECT)


def test_a_cut_that_has_begun_is_made_as_it_was_drawn(server, monkeypatch):
    """Its client hears of it first, and may close all: the server has the request all the same."""
    shut, first = socket.socket.shutdown, iter([0.3])

    def slowly(one, how):
        shut(one, how)
        threading.Event().wait(next(first, 0.0))

    with CuttingProxy(server.socket, lambda: Cut(Moment.SENT, 1)) as proxy:
        proxy.armed = True
        connection = through(server, proxy)
        monkeypatch.setattr(socket.socket, "shutdown", slowly)
        with connection, pytest.raises(psycopg.OperationalError):
            connection.execute("INSERT INTO said VALUES ('behind its back')")
    wait_for_backends(server)
    assert rows_of(server, "behind its back") == 1


def test_the_answer_to_a_commit_is_cut_and_not_those_before(server):
    """In a transaction nothing is done before COMMIT: its answer is the one that never comes."""
    with CuttingProxy(server.socket, lambda: Cut(Moment.UNANSWERED, 1)) as proxy:
        proxy.armed = True
        with through(server, proxy) as connection:
            connection.execute("BEGIN")
            connection.execute("INSERT INTO said VALUES ('in a transaction')")
            assert connection.execute("SELECT 1").fetchone() == (1,)
            with pytest.raises(psycopg.OperationalError):
                connection.execute("COMMIT")
    assert rows_of(server, "in a transaction") == 1


def test_nothing_is_cut_while_it_is_not_armed(server):
    """A link whose cut is due lives on until the proxy is armed."""
    with CuttingProxy(server.socket, lambda: Cut(Moment.BEFORE, 1)) as proxy:
        with through(server, proxy) as connection:
            assert connection.execute("SELECT 1").fetchone() == (1,)
            proxy.armed = True
            with pytest.raises(psycopg.OperationalError):
                connection.execute("SELECT 1")
        assert proxy.done == {Moment.BEFORE: 1}


def test_a_server_that_is_away_refuses_through_it_too(tmp_path):
    """Where nobody listens, a connection ends at once, and the proxy stays."""
    with CuttingProxy(tmp_path / ".s.PGSQL.5432", lambda: None) as proxy:
        for _ in range(2):
            with pytest.raises(psycopg.OperationalError):
                psycopg.connect(f"postgresql:///postgres?host={proxy.folder}&user=nobody")


def test_it_leaves_nothing_behind(server):
    """Once it is closed its links are cut, and neither threads nor its folder are left."""
    before = threading.active_count()
    with CuttingProxy(server.socket, lambda: None) as proxy:
        connection = through(server, proxy)
        folder = Path(proxy.folder)
    with connection, pytest.raises(psycopg.OperationalError):
        connection.execute("SELECT 1")
    assert threading.active_count() == before
    assert not folder.exists()


def wait_for_backends(server):
    """Wait until nobody works for a client that has gone."""
    while server.backends():
        threading.Event().wait(0.01)
