"""Upkeep on PostgreSQL: what is due is done once, by one, and written down."""

import threading
from contextlib import nullcontext
from types import SimpleNamespace

import pytest

from sessionproof.contract.errors import Refused
from sessionproof.contract.message import Message
from sessionproof.reference.chores.plan import Plan
from sessionproof.reference.maintenance import Maintenance
from sessionproof.reference.postgres import maintenance
from sessionproof.reference.postgres.chores import tasks
from sessionproof.reference.postgres.chores.runs import alone
from sessionproof.reference.postgres.place import Place
from sessionproof.reference.timeouts import Timeouts

DAY_US = 86_400_000_000
ALWAYS = ["sweep", "search", "optimize", "verify", "health"]


def test_what_is_due_is_done(opened, clock):
    """All of it at first, nothing at once afterwards, and again when its interval is over."""
    store = opened()
    store.append("a", [Message("user", "x")])
    assert store.maintain() == ALWAYS
    assert opened().maintain() == []
    clock.move(3_600_000_000 * 2)
    assert opened().maintain() == ["sweep", "search", "health"]
    clock.move(DAY_US * 2)
    assert store.maintain() == ALWAYS
    assert {one.name: one.severity for one in store.health().checks}["upkeep"] == "ok"


def test_sessions_expire_and_words_are_found(opened, clock, foreign):
    """The tasks do what they are for."""
    store = opened(timeouts=Timeouts(idle_us=60_000_000))
    store.append("a", [Message("user", "word")])
    clock.move(DAY_US)
    store.maintain()
    assert store.get("a").status == "expired"
    assert foreign.execute("SELECT count(*) FROM search_again").fetchone() == (0,)
    assert foreign.execute("SELECT sessions, messages FROM health_sizes").fetchall() == [(1, 1)]


def test_by_one_at_a_time(store, server):
    """While somebody is at it, others do nothing; when that process is gone, they do."""
    with alone(Place(server.url, store.schema)) as nobody_else:
        assert nobody_else
        assert store.maintain() == []
        with alone(Place(server.url, "another")) as free:
            assert free
    assert store.maintain() == ALWAYS


def test_the_next_one_finds_it_free(store, server, foreign):
    """Though the server may not have seen yet that the connection is gone."""
    place = Place(server.url, store.schema)
    still_there = SimpleNamespace(
        schema=store.schema, connected=lambda *, writes: nullcontext(foreign)
    )
    for one in (still_there, place, still_there):
        with alone(one) as nobody_else:
            assert nobody_else


def test_backups_and_drills(store, tmp_path):
    """With a folder backups are made, and the newest one is tried."""
    store.append("a", [Message("user", "x")] * 4)
    runs = {one.task: one for one in maintenance.due_runs(store, Plan(backups=tmp_path, keep=1))}
    assert runs["drill"].text.startswith("4 messages of ")
    list(maintenance.due_runs(store, Plan(backups=tmp_path, keep=1), all_now=True))
    assert len(list(tmp_path.iterdir())) == 1


def test_what_fails_does_not_stop_the_rest(store, foreign, tmp_path):
    """Every task is tried; what failed is raised at the end, written down, and told by health."""
    store.append("a", [Message("user", "x")])
    foreign.execute("UPDATE sessions SET total_tokens = 7")
    with pytest.raises(Refused, match="verify: 1 kind of problem"):
        store.maintain(plan=Plan(backups=tmp_path / "nowhere"))
    found = {one.name: one for one in store.health().checks}
    assert (found["upkeep"].severity, found["last verify"].severity) == ("warning", "critical")
    done = foreign.execute("SELECT task, failed FROM maintenance_runs ORDER BY id").fetchall()
    assert [task for task, _ in done] == [
        "sweep", "search", "optimize", "verify", "backup", "drill", "health",
    ]  # fmt: skip
    assert {task for task, failed in done if failed} == {"verify", "backup", "drill", "health"}


def test_tables_that_changed_are_analysed(store, foreign):
    """Statistics of a table that has changed much are renewed, and dead rows are removed."""
    foreign.execute("ALTER TABLE llm_models SET (autovacuum_enabled = off)")
    foreign.execute("INSERT INTO llm_models (name) SELECT n::text FROM generate_series(1, 3000) n")
    foreign.execute("DELETE FROM llm_models")
    foreign.execute("SELECT pg_stat_force_next_flush()")
    foreign.execute("SELECT 1")
    assert tasks.optimize(store, Plan()).text == "1 tables analysed, 1 of them vacuumed"
    row = foreign.execute(
        "SELECT last_vacuum IS NOT NULL, last_analyze IS NOT NULL FROM pg_stat_user_tables "
        "WHERE schemaname = %s AND relname = 'llm_models'",
        (store.schema,),
    ).fetchone()
    assert row == (True, True)


def test_slow_calls_are_written_down_once(store, foreign):
    """Those of this handle are kept for others to see, each once, however often upkeep looks."""
    store._pace.slowly(250_000_000)
    for _ in range(2):
        list(maintenance.due_runs(store, Plan(), all_now=True))
    kept = foreign.execute("SELECT count(*) FROM health_slow WHERE took_us = 250000").fetchone()
    assert kept == (1,)


def test_a_thread_does_it(opened):
    """The thread of the reference does the upkeep of this store, too."""
    store, done = opened(), threading.Event()

    class Told(Plan):
        """Says when the last task is asked for."""

        def interval_s(self, task):
            """As the plan has it."""
            if task == "health":
                done.set()
            return super().interval_s(task)

    with Maintenance(store, plan=Told()) as upkeep:
        assert done.wait(60)
        assert store.schema in upkeep.where
    assert "sweep" in {task for (task,) in store._read(_tasks)}


def _tasks(db):
    return db.execute("SELECT task FROM maintenance_runs").fetchall()
