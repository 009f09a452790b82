"""What health is made of, piece by piece: limits, pace, pool, plans, locks, sizes, metrics."""

from __future__ import annotations

import os
import threading
from pathlib import Path

import pytest

from sessionproof import Message, Refused
from sessionproof.reference import ReferenceStore
from sessionproof.reference import store as store_module
from sessionproof.reference.health import report
from sessionproof.reference.vitals import locks, pace, plans, settings, sizes
from sessionproof.reference.vitals.metrics import exposition
from sessionproof.reference.vitals.pace import SLOW_NS, Pace
from sessionproof.reference.vitals.pool import pool
from sessionproof.reference.vitals.thresholds import Limit, Thresholds


def severities(health) -> dict[str, str]:
    return {one.name: one.severity for one in health.checks}


def bad(health) -> set[str]:
    return {one.name for one in health.checks if one.severity in ("warning", "critical")}


def test_limits_are_reached_by_their_own_value():
    """At the warning it warns, at the critical value it is critical, just below neither."""
    limit = Limit(1, 10)
    assert [limit.of(value) for value in (0, 0.99, 1, 9.99, 10, 11)] == [
        "ok", "ok", "warning", "warning", "critical", "critical",
    ]  # fmt: skip
    for wrong in ((2, 1), (-1, 1)):
        with pytest.raises(ValueError, match="comes before"):
            Limit(*wrong)


def test_a_setting_that_this_sqlite_lacks_is_unknown():
    """A build without memory maps answers nothing to the pragma."""
    values = {one.name: one.reader for one in settings.SETTINGS}
    found = settings.settings({**values, "mmap_size": None}, values, synchronous=1)
    assert {one.name: one.severity for one in found}["pragma mmap_size"] == "unknown"


def test_the_pace_of_calls_is_known(store):
    """The average is that of the ring, and a slow call is remembered by the name of its method."""
    store.append("s", [Message("user", "x")])
    store.read_last("s", 1)
    assert len(store._pace.took_ns) == 2

    def slow(db):
        store._took = lambda took_ns: store._pace.slowly(took_ns + SLOW_NS)
        return db.execute("SELECT 1").fetchall()

    store._read(slow)
    assert [one.operation for one in store._pace.slow] == ["test_the_pace_of_calls_is_known"]
    del store._took
    text = pace.slow(store._pace).text
    assert text.startswith("1 remembered; the newest: test_the_pace")


def test_slow_calls_are_told_while_others_are_slow(store):
    """A call that turns out slow during the look does not end the look."""

    class During(pace.Slow):
        def __getattribute__(self, name: str):
            if name == "operation":
                store._pace.slow.append(pace.Slow(2, "append", 200_000))
            return super().__getattribute__(name)

    store._pace.slow.append(During(1, "read", 200_000))
    assert "read 200 ms" in pace.slow(store._pace).text


def test_an_export_says_nothing_of_other_calls(store, tmp_path, monkeypatch):
    """It reads everything, so it is remembered as slow, and is no part of the average."""
    monkeypatch.setattr(store_module, "SLOW_NS", 0)
    store.export_sessions(tmp_path / "out")
    assert store._pace.slow[-1].operation == "export_sessions"
    assert not store._pace.took_ns


def test_a_log_that_goes_meanwhile_has_no_size(store, tmp_path):
    """Whoever closes the database last removes it, at any moment."""
    file = tmp_path / "sessions.db"
    store.create("s")
    assert store._read(lambda db: sizes.size_of(db, file, 1)).log_bytes > 0
    (tmp_path / "other.db").touch()
    assert store._read(lambda db: sizes.size_of(db, tmp_path / "other.db", 1)).log_bytes == 0


def test_the_slow_calls_are_bounded_and_kept_once(store):
    """A hundred in memory, a hundred in the table, however often they are written down."""
    for number in range(250):
        store._pace.slow.append(pace.Slow(number, "append", 200_000))
    for _ in range(2):
        store._write(lambda db: pace.keep_slow(db, store._pace.slow))
    rows = store._read(lambda db: db.execute("SELECT at_us FROM health_slow").fetchall())
    assert rows == [(number,) for number in range(150, 250)]
    assert "100 remembered" in store._read(pace.slow_kept).text


def test_an_average_needs_calls_and_leaves_out_backups(clock):
    """Nothing is said of no calls; a backup reads everything and says nothing of the others."""
    own = Pace(clock)
    assert pace.average(own, Thresholds()).severity == "unknown"
    own.took_ns.extend([2 * SLOW_NS] * 19)
    assert pace.average(own, Thresholds()).severity == "ok"
    own.took_ns.append(2 * SLOW_NS)
    assert pace.average(own, Thresholds()).severity == "warning"

    def backup(pace: Pace) -> None:
        _through(pace)

    def _through(pace: Pace) -> None:
        pace.slowly(SLOW_NS)

    backup(own)
    assert (len(own.took_ns), own.slow[0].operation) == (20, "backup")


def test_a_full_pool_and_waits_are_told(tmp_path):
    """With all readers busy the pool is critical; who waited for one is told with the time."""
    with ReferenceStore(tmp_path, durability="process") as store:
        most, inside, go_on = store._readers.most, threading.Semaphore(0), threading.Event()

        def stay(_db):
            inside.release()
            assert go_on.wait(30)

        threads = [threading.Thread(target=store._read, args=(stay,)) for _ in range(most + 1)]
        for thread in threads:
            thread.start()
        for _ in range(most):
            assert inside.acquire(timeout=30)
        use, _ = pool(store._readers, store._writer, Thresholds())
        assert (use.severity, use.text) == ("critical", f"{most} of {most} readers are busy")
        assert "pool use" in bad(store.health())
        go_on.set()
        for thread in threads:
            thread.join()
        _, waits = pool(store._readers, store._writer, Thresholds(wait_ms=Limit(0, 1e9)))
        assert waits.severity == "warning"
        assert "for readers, the longest" in waits.text
        assert store._readers.busy == 0


def test_waits_of_long_ago_say_nothing(store):
    """Only those of this hour count."""
    store._readers.waited.append((-1e6, 60.0))
    assert pool(store._readers, store._writer, Thresholds()) is not None
    assert "pool waits" not in bad(store.health())


def test_plans_without_their_index_warn(store):
    """A statement that walks through a table is named; all hot ones find their rows."""
    assert store._read(plans.plans).severity == "ok"
    hot = {"by content": "SELECT 1 FROM messages WHERE content = ? AND kind = ?"}
    found = store._read(lambda db: plans.plans(db, hot))
    assert (found.severity, found.text) == ("warning", "by content: SCAN messages")
    assert [plans.marks_in(sql) for sql in ("?, ?", "?1 ?1 ?3", "?2 ?", "")] == [2, 3, 3, 0]


def test_who_holds_a_lock_is_named(tmp_path, store):
    """This process has it open; while it writes, it is the one that writes."""
    store.append("s", [Message("user", "x")])
    path = Path(store.tables().path)
    found = locks.holders(path)
    if found is None or os.getpid() not in found.opened:
        pytest.skip("this system does not show locks")
    assert found.writing == ()

    def look(db):
        db.execute("BEGIN IMMEDIATE")
        try:
            return locks.holders(path)
        finally:
            db.execute("ROLLBACK")

    assert store._writer.run(look).writing == (os.getpid(),)
    assert f"open in processes {os.getpid()}" in locks.locks(path, open_here=True).text


def test_a_system_that_shows_no_locks_is_unknown(store, monkeypatch, tmp_path):
    """Where the table is missing, or does not name us, nothing is said."""
    path = Path(store.tables().path)
    monkeypatch.setattr(locks, "_TABLE", tmp_path / "none")
    assert locks.locks(path, open_here=True).severity == "unknown"
    (tmp_path / "empty").write_text("")
    monkeypatch.setattr(locks, "_TABLE", tmp_path / "empty")
    assert locks.locks(path, open_here=True).severity == "unknown"
    assert locks.locks(path, open_here=False).text == "no process has it open"


def test_sizes_that_are_kept_are_bounded(store, monkeypatch):
    """Old ones go as new ones come."""
    monkeypatch.setattr(sizes, "KEPT", 5)
    for number in range(9):
        store._write(lambda db, at=number: sizes.kept(db, sizes.Size(at, 1, 1, 1, 1)))
    rows = store._read(lambda db: db.execute("SELECT at_us FROM health_sizes").fetchall())
    assert rows == [(4,), (5,), (6,), (7,), (8,)]


def test_a_large_file_is_not_read_for_the_sizes_of_tables(store, monkeypatch):
    """Every page would be; then they are unknown."""
    assert severities(store.health())["table sizes"] in ("ok", "unknown")
    monkeypatch.setattr(sizes, "_READ_MOST", 10)
    assert severities(store.health())["table sizes"] == "unknown"


def test_the_numbers_are_metrics(store):
    """Each severity and each number, in the text that Prometheus reads; it parses."""
    from prometheus_client.parser import text_string_to_metric_families

    store.append("s", [Message("user", "x")] * 3)
    families = {one.name: one for one in text_string_to_metric_families(exposition(report(store)))}
    assert families["sessionproof_messages"].samples[0].value == 3
    health = {
        (one.labels["check"], one.labels["severity"]): one.value
        for one in families["sessionproof_health"].samples
    }
    assert health["orphans", "ok"] == 1
    assert health["orphans", "critical"] == 0
    assert len(families["sessionproof_waits"].samples) == 2


def test_without_their_library_metrics_are_refused(store, monkeypatch):
    """One line that says what to install."""
    monkeypatch.setitem(__import__("sys").modules, "prometheus_client", None)
    with pytest.raises(Refused, match=r"sessionproof\[metrics\]"):
        exposition(report(store))
