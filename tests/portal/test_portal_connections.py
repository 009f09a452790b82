"""Connections: settings, exhaustion, forks, closing, lost servers, many writers at once."""

from __future__ import annotations

import subprocess
import sys
import threading
import traceback
from collections import Counter
from pathlib import Path

import pytest
from sqlalchemy import event, text

from sessionproof.contract.errors import Conflict, Indefinite, Refused
from sessionproof.faults.servers.postgres import PrivateServer
from sessionproof.portal import NewMessage, PoolSize, Portal
from sessionproof.portal.engine import BEGIN

MESSAGE = [NewMessage("user", "hello")]


def test_the_preset_is_the_documented_one(portal):
    """Ten connections are kept, twenty more made when needed, none is older than an hour."""
    assert portal.database.pool == PoolSize(size=10, overflow=20, recycle_s=3600)
    pool = portal.database.engine.pool
    assert (pool.size(), pool._max_overflow, pool._recycle) == (10, 20, 3600)


def test_keys_are_on_in_every_connection_of_the_pool(opened, place):
    """Pooled and overflow connections alike enforce references and wait for locks."""
    if place.path is None:
        pytest.skip("PostgreSQL has no connection without")
    portal = opened(pool=PoolSize(size=2, overflow=3))
    engine = portal.database.engine
    held = [engine.connect() for _ in range(5)]
    try:
        names = ("foreign_keys", "journal_mode", "synchronous", "busy_timeout")
        seen = {
            tuple(
                one.connection.driver_connection.execute(f"PRAGMA {n}").fetchone()[0] for n in names
            )
            for one in held
        }
        assert seen == {(1, "wal", 2, 10_000)}
    finally:
        for one in held:
            one.close()


def test_an_exhausted_pool_is_told_in_a_line_and_loses_nothing(opened):
    """With one connection in use a call is refused after its wait; afterwards all goes on."""
    portal = opened(pool=PoolSize(size=1, overflow=0, wait_s=0.05))
    user = portal.users.add("ann@example.org")
    conversation = portal.conversations.create(user.id)
    with portal.database.engine.connect():
        for call in (
            lambda: portal.messages.append(conversation.id, MESSAGE),
            lambda: portal.users.get(user.id),
        ):
            with pytest.raises(Refused, match="all 1 connections were busy") as told:
                call()
            assert len(str(told.value).splitlines()) == 1
    assert portal.messages.append(conversation.id, MESSAGE) == (1,)
    assert len(portal.messages.read(conversation.id)) == 1


def test_the_preset_ends_at_thirty(opened):
    """Ten and twenty connections are given out, and whoever wants one more is told so."""
    portal = opened(pool=PoolSize(wait_s=0.05))
    engine, begin = portal.database.engine, {BEGIN: "BEGIN"}
    held = [engine.connect().execution_options(**begin) for _ in range(30)]
    try:
        with pytest.raises(Refused, match="all 30 connections were busy"):
            portal.users.by_email("ann@example.org")
    finally:
        for one in held:
            one.close()
    assert portal.users.by_email("ann@example.org") is None


def test_more_threads_than_connections_wait_their_turn(opened):
    """With two connections twelve threads are all served, each append once."""
    portal = opened(pool=PoolSize(size=1, overflow=1))
    conversation = portal.conversations.create(portal.users.add("ann@example.org").id)
    wrong = _together(12, lambda n: portal.messages.append(conversation.id, MESSAGE))
    assert wrong == []
    assert portal.conversations.get(conversation.id).message_count == 12


def test_writers_on_one_conversation_get_numbers_without_a_hole(opened, user):
    """Threads with handles of their own: numbers 1 to n, batches whole, counts right."""
    conversation = opened().conversations.create(user.id)
    portals = [opened() for _ in range(3)]

    def client(number: int) -> None:
        session = portals[number % 3].auth.resume(portals[number % 3].auth.begin(user.id))
        for batch in range(10):
            marks = [NewMessage("user", f"{number}.{batch}.{n}", 1) for n in range(3)]
            portals[number % 3].messages.append(
                conversation.id, marks, auth_session_id=session.id if batch % 2 else None
            )

    assert _together(6, client) == []
    found = portals[0].messages.read(conversation.id)
    assert [m.seq for m in found] == list(range(1, 181))
    whole = [m.content.rpartition(".")[0] for m in found]
    assert all(len(set(whole[n : n + 3])) == 1 for n in range(0, 180, 3))
    kept = portals[0].conversations.get(conversation.id)
    assert (kept.message_count, kept.total_tokens, kept.next_seq) == (180, 180, 181)


def test_one_address_makes_one_user(opened, rows):
    """Of clients that add the same address at the same moment one has it, the others a conflict."""
    told: Counter[str] = Counter()

    def client(number: int) -> None:
        try:
            opened().users.add("ann@example.org")
        except Conflict:
            told["taken"] += 1

    assert _together(4, client) == []
    assert told == {"taken": 3}
    assert rows("SELECT count(*) FROM users") == [(1,)]


def test_an_append_asks_little(portal, user, conversation):
    """A batch is one statement to a server, with its auth session too; to a file they are two."""
    session = portal.auth.resume(portal.auth.begin(user.id))
    asked: list[str] = []
    engine = portal.database.engine
    event.listen(engine, "before_cursor_execute", lambda *given: asked.append(given[2]))
    event.listen(engine, "begin", lambda *given: asked.append("begin"))

    portal.messages.append(conversation.id, MESSAGE * 50)
    assert len(asked) - asked.count("begin") == 1
    asked.clear()
    portal.messages.append(conversation.id, MESSAGE * 50, auth_session_id=session.id)
    on_file = portal.database.dialect == "sqlite"
    assert len(asked) - asked.count("begin") == (2 if on_file else 1)


def test_work_that_others_were_faster_than_is_done_again(opened, place):
    """What a server undoes for the sake of others is done anew, and told after many times."""
    if place.path is not None:
        pytest.skip("a file has one writer at a time")
    portal, done = opened(), []
    undone = text(
        "DO $$ BEGIN RAISE EXCEPTION 'others were faster' USING ERRCODE = '40001'; END $$"
    )

    def work(session, times):
        session.execute(text("INSERT INTO users (id, email, created_at_us) VALUES ('u', 'e', 1)"))
        done.append(1)
        if len(done) <= times:
            session.execute(undone)

    portal.database.write(lambda session: work(session, 3))
    assert len(done) == 4
    assert portal.users.get("u").email == "e"
    portal.users.delete("u")
    with pytest.raises(Conflict, match="others were faster"):
        portal.database.write(lambda session: work(session, 1_000))
    assert portal.users.by_email("e") is None


def test_a_deletion_beside_appends_leaves_no_orphan(opened, user, rows):
    """Users deleted while others write to what is theirs: all is gone, nobody waits for ever."""
    portals = [opened() for _ in range(2)]
    victims = [portals[0].users.add(f"{n}@example.org") for n in range(6)]
    places = [portals[0].conversations.create(one.id).id for one in victims]
    sessions = [portals[0].auth.resume(portals[0].auth.begin(one.id)).id for one in victims]

    def client(number: int) -> None:
        if number == 0:
            for one in victims:
                portals[0].users.delete(one.id)
            return
        for _ in range(15):
            for place, auth in zip(places, sessions, strict=True):
                try:
                    portals[1].messages.append(place, MESSAGE * 2, auth_session_id=auth)
                except Refused:
                    continue

    assert _together(3, client) == []
    assert rows("SELECT count(*) FROM messages") == [(0,)]
    assert rows("SELECT count(*) FROM auth_sessions") == [(0,)]
    assert rows("SELECT count(*) FROM users") == [(1,)]


def test_two_sweepers_tell_each_end_once(opened, user, clock):
    """Sweeps at the same time share what has run out between them."""
    portal = opened()
    ids = [portal.auth.resume(portal.auth.begin(user.id, idle_us=5)).id for _ in range(40)]
    clock.move(5)
    told: Counter[str] = Counter()
    assert _together(4, lambda n: told.update(opened().auth.sweep())) == []
    assert told == Counter(ids)


def test_a_closed_portal_refuses_and_gives_everything_back(opened, user, place):
    """After close every call is refused in a line, and no file of the portal stays open."""
    portal = opened()
    portal.users.get(user.id)
    portal.close()
    portal.close()
    with pytest.raises(Refused, match="closed"):
        portal.users.get(user.id)
    assert portal.database.engine.pool.checkedin() == 0


def test_files_are_given_back(tmp_path):
    """Opening, using and closing leaves the same descriptors as before."""

    def once() -> None:
        with Portal(f"sqlite:///{tmp_path}/x.db") as portal:
            portal.users.by_email("ann@example.org")

    once()
    before = len(list(Path("/proc/self/fd").iterdir()))
    for _ in range(3):
        once()
    assert len(list(Path("/proc/self/fd").iterdir())) == before


FORKED = """
import os, sys
from sessionproof.contract.errors import Refused
from sessionproof.portal import Portal
portal = Portal(sys.argv[1], schema=sys.argv[2] or None)
portal.users.add("parent@example.org")
(kept,) = [one.dbapi_connection for one in portal.database.engine.pool._pool.queue]
child = os.fork()
if not child:
    try:
        portal.users.by_email("parent@example.org")
        os._exit(1)
    except Refused as error:
        portal.close()
        os._exit(0 if "forked" in str(error) else 2)
status = os.waitpid(child, 0)[1]
portal.users.add("again@example.org")
assert [one.dbapi_connection for one in portal.database.engine.pool._pool.queue] == [kept]
sys.exit(os.waitstatus_to_exitcode(status))
"""


def test_a_forked_child_is_refused_and_the_parent_goes_on(place):
    """A child does not use its parent's connections, and ends none by closing or leaving."""
    done = subprocess.run(
        [sys.executable, "-c", FORKED, place.url, place.schema or ""], timeout=60, check=False,
        capture_output=True, encoding="utf-8",
    )  # fmt: skip
    assert (done.returncode, done.stderr) == (0, "")


def test_errors_show_no_value_and_no_statement(portal):
    """What a database says of a failure goes on without the values that people gave."""
    given = {"x": "".join(("confi", "dential"))}  # the source is in a traceback, too
    with pytest.raises(Refused) as told:
        portal.database.read(lambda session: session.execute(text("SELECT :x FROM no"), given))
    shown = "".join(traceback.format_exception(told.value))
    assert "confidential" not in shown
    assert len(str(told.value).splitlines()) == 1


def test_a_moment_is_one_moment(opened, user):
    """All reads within see the same, whatever is committed meanwhile; and it changes nothing."""
    portal, other = opened(), opened()
    count = text("SELECT count(*) FROM users")

    def look(session):
        before = session.execute(count).scalar()
        other.users.add("bob@example.org")
        return before, session.execute(count).scalar()

    assert portal.database.moment(look) == (1, 1)
    assert portal.database.read(lambda session: session.execute(count).scalar()) == 2


def test_work_that_fails_leaves_nothing(portal, rows):
    """What was written before an error of the caller's own is undone."""

    def work(session):
        session.execute(text("INSERT INTO users (id, email, created_at_us) VALUES ('u', 'e', 1)"))
        raise KeyError("the caller's own")

    with pytest.raises(KeyError):
        portal.database.write(work)
    assert rows("SELECT count(*) FROM users") == [(0,)]


def test_a_locked_file_is_told_and_nothing_is_stored(opened, place, user, foreign, monkeypatch):
    """Where another program holds the write lock beyond the wait, the append is refused."""
    if place.path is None:
        pytest.skip("PostgreSQL locks rows")
    monkeypatch.setattr("sessionproof.portal.engine.WAIT_S", 0.05)
    portal = opened()
    conversation = portal.conversations.create(user.id)
    foreign.execute("BEGIN IMMEDIATE")
    with pytest.raises(Refused, match="locked by another"):
        portal.messages.append(conversation.id, MESSAGE)
    foreign.execute("ROLLBACK")
    assert portal.messages.append(conversation.id, MESSAGE) == (1,)


def test_a_server_that_comes_back_is_used_again(opened, place, server):
    """Connections that the server ended are not used: reads and writes go on with new ones."""
    if place.path is not None:
        pytest.skip("a file has no server")
    portal = opened()
    conversation = portal.conversations.create(portal.users.add("ann@example.org").id)
    _cut_all(server)
    assert portal.messages.append(conversation.id, MESSAGE) == (1,)
    _cut_all(server)
    assert len(portal.messages.read(conversation.id)) == 1


def test_a_connection_lost_within_a_write_is_told_as_what_it_is(opened, place, server):
    """Lost in a transaction: done again. Lost in a statement that commits: open, and told so."""
    if place.path is not None:
        pytest.skip("a file has no server")
    portal, cuts = opened(), []

    def work(session):
        session.execute(text("INSERT INTO users (id, email, created_at_us) VALUES ('u', 'e', 1)"))
        if not cuts:
            cuts.append(_cut_all(server))
        session.execute(text("SELECT 1"))

    portal.database.write(work)
    assert portal.users.get("u").email == "e"
    with pytest.raises(Indefinite, match="open"):
        portal.database.write_once(
            lambda session: session.execute(text("SELECT pg_terminate_backend(pg_backend_pid())"))
        )
    assert portal.users.get("u").email == "e"


def _cut_all(server: PrivateServer) -> None:
    import psycopg

    with psycopg.connect(server.url, autocommit=True) as db:
        db.execute(
            "SELECT pg_terminate_backend(pid, 5000) FROM pg_stat_activity "
            "WHERE pid <> pg_backend_pid() AND backend_type = 'client backend' "
            "AND query NOT LIKE '%pg_stat_activity%' AND application_name = ''"
        )


def _together(clients: int, work) -> list[str]:
    """Errors of threads that begin at the same moment."""
    wrong: list[str] = []
    start = threading.Barrier(clients)

    def one(number: int) -> None:
        try:
            start.wait(30)
            work(number)
        except Exception:  # noqa: BLE001 - any at all is what a test looks for
            wrong.append(traceback.format_exc())

    threads = [threading.Thread(target=one, args=(n,)) for n in range(clients)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(120)
    assert not any(thread.is_alive() for thread in threads), "a client waits for ever"
    return wrong
