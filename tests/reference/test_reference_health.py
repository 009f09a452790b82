"""Health: nothing bad of a store that is well, each kind of trouble by its own check."""

from __future__ import annotations

import asyncio
import sqlite3
from contextlib import closing
from pathlib import Path

import pytest

from sessionproof import Message, Refused
from sessionproof.contract.clock import VirtualClock
from sessionproof.reference import AsyncReferenceStore, ReferenceStore, steps
from sessionproof.reference.chores.plan import DAY_S, Plan
from sessionproof.reference.health import report, report_of_file
from sessionproof.reference.vitals import data, settings
from sessionproof.reference.vitals.thresholds import Limit, Thresholds, thresholds_of

PRAGMAS = {
    "foreign_keys", "journal_mode", "synchronous", "busy_timeout", "cache_size", "temp_store",
    "mmap_size", "wal_autocheckpoint",
}  # fmt: skip


def severities(health) -> dict[str, str]:
    return {one.name: one.severity for one in health.checks}


def bad(health) -> set[str]:
    return {one.name for one in health.checks if one.severity in ("warning", "critical")}


def past_the_guards(path: str, *statements: str) -> None:
    """Change rows as no writer could: without triggers, which are there afterwards."""
    with closing(sqlite3.connect(path, isolation_level=None)) as db:
        triggers = db.execute(
            "SELECT name, sql FROM sqlite_schema WHERE type = 'trigger'"
        ).fetchall()
        for name, _ in triggers:
            db.execute(f"DROP TRIGGER {name}")
        for statement in statements:
            db.execute(statement)
        for _, sql in triggers:
            db.execute(sql)


@pytest.mark.parametrize("preset", ["cli", "web"])
@pytest.mark.parametrize("durability", ["power", "process"])
def test_nothing_is_wrong_with_a_store_that_is_well(tmp_path, durability, preset):
    """New, filled, or with one reader alone: no check warns, and data is told to be right."""
    with ReferenceStore(tmp_path, durability=durability, preset=preset) as store:
        assert bad(store.health()) == set()
        store.append("s", [Message("user", "x", tokens=2)] * 20)
        store.set_state("s", "k", 1)
        store.set_llm_model("s", "large")
        found = store.health()
        assert bad(found) == set()
        assert found.severity == "ok"
        told = severities(found)
        assert {told["orphans"], told["counters"], told["plans"], told["file size"]} == {"ok"}
        assert {one for one in told if one.startswith("pragma ")} == {
            f"pragma {name}" for name in PRAGMAS
        }
        assert all(one.text.isprintable() for one in found.checks)


@pytest.mark.parametrize(
    ("statement", "name"),
    [
        ("INSERT INTO messages (sid, seq, appended_at_us) VALUES (999, 1, 0)", "orphans"),
        ("INSERT INTO state (sid, key, value) VALUES (999, 'k', '1')", "orphans"),
        ("DELETE FROM llm_models", "orphans"),
        ("DELETE FROM sessions", "orphans"),
        ("UPDATE sessions SET message_count = 1", "counters"),
        ("UPDATE sessions SET total_tokens = 1", "counters"),
        ("UPDATE sessions SET total_duration_us = 1", "counters"),
        ("DELETE FROM messages WHERE seq = 2", "counters"),
    ],
)
def test_rows_that_contradict_are_told(tmp_path, statement, name):
    """By the open store and from outside, each by the check that is about it."""
    with ReferenceStore(tmp_path, durability="process") as store:
        store.append("s", [Message("user", "x", tokens=2, duration_us=3)] * 4)
        store.set_llm_model("s", "large")
        path = store.tables().path
    past_the_guards(path, statement)
    assert name in bad(report_of_file(path).health)
    with ReferenceStore(tmp_path) as store:
        assert name in bad(store.health())


def test_limits_may_be_other_ones(store):
    """Of the same file one says ok, and the other critical."""
    store.append("s", [Message("user", "x" * 5_000)] * 40)
    assert severities(store.health())["file size"] == "ok"
    small = thresholds_of(["file_mb=0.01,0.02", "log_mb=0,0.001"])
    told = severities(store.health(thresholds=small))
    assert (told["file size"], told["log size"]) == ("critical", "critical")
    for text, word in (("files=1,2", "use orphans"), ("file_mb=1", "two numbers")):
        with pytest.raises(ValueError, match=word):
            thresholds_of([text])


def test_a_setting_that_is_not_the_stores_own_is_critical(store):
    """Each setting is read from the connections that are used, and has its reason."""
    store._writer.run(lambda db: db.execute("PRAGMA foreign_keys = OFF").close())
    store._readers.run(lambda db: db.execute("PRAGMA cache_size = -64000").close())
    found = store.health()
    assert bad(found) == {"pragma foreign_keys", "pragma cache_size"}
    text = next(one.text for one in found.checks if one.name == "pragma cache_size")
    assert "-64000" in text
    assert "-2000" in text
    assert {one.name for one in settings.SETTINGS} == PRAGMAS
    assert all(len(one.why) > 20 for one in settings.SETTINGS)


def test_a_look_from_outside_changes_nothing(tmp_path, store):
    """Beside the open store and after it: the same answers of data, the same bytes."""
    store.append("s", [Message("user", "x")] * 20)
    script = "import sys; from sessionproof.reference.health import report_of_file as look; "
    script += "print(look(sys.argv[1]).health.severity)"
    import subprocess
    import sys

    ended = subprocess.run(
        [sys.executable, "-c", script, str(tmp_path)],
        check=False, capture_output=True, encoding="utf-8", timeout=60,
    )  # fmt: skip
    assert (ended.stdout, ended.stderr) == ("ok\n", "")
    store.close()
    before = {one: one.read_bytes() for one in tmp_path.iterdir()}
    found = report_of_file(tmp_path).health
    assert bad(found) == set()
    assert severities(found)["pragmas"] == "unknown"
    assert severities(found)["plans"] == "ok"
    assert {one: one.read_bytes() for one in tmp_path.iterdir()} == before


def test_a_file_of_an_earlier_release_is_not_upgraded(tmp_path):
    """From outside it is looked at as it is: what it has not is unknown, the rest is told."""
    with closing(sqlite3.connect(tmp_path / "sessions.db", isolation_level=None)) as db:
        steps.upgrade(db, steps.shipped()[:1])
    before = (tmp_path / "sessions.db").read_bytes()
    told = severities(report_of_file(tmp_path).health)
    assert (told["counters"], told["file size"], told["upkeep"]) == ("ok", "ok", "unknown")
    assert (tmp_path / "sessions.db").read_bytes() == before


def test_a_wrong_path_makes_nothing(tmp_path):
    """No database, another program's, a text: one line each, and nothing is there afterwards."""
    other = tmp_path / "other.db"
    with closing(sqlite3.connect(other)) as db:
        db.execute("CREATE TABLE t (a)")
    (tmp_path / "text.db").write_text("no database")
    for name, word in (("none", "does not exist"), ("other.db", "audit"), ("text.db", "no SQLite")):
        with pytest.raises(Refused, match=word):
            report_of_file(tmp_path / name)
    assert {one.name for one in tmp_path.iterdir()} == {"other.db", "text.db"}


def test_a_damaged_file_is_critical_and_raises_nothing(tmp_path):
    """A page of zeros in the middle is told by what could not be read."""
    with ReferenceStore(tmp_path, durability="process") as store:
        for number in range(50):
            store.append(f"s{number}", [Message("user", "x" * 900)] * 5)
        path = Path(store.tables().path)
        (root,) = store._read(
            lambda db: db.execute(
                "SELECT rootpage FROM sqlite_schema WHERE name = 'sqlite_autoindex_messages_1'"
            ).fetchone()
        )
    content = bytearray(path.read_bytes())
    content[(root - 1) * 4096 : root * 4096] = bytes(4096)
    path.write_bytes(content)
    assert report_of_file(path).health.severity == "critical"
    with ReferenceStore(tmp_path) as store:
        assert store.health().severity == "critical"


def test_a_file_that_is_gone_is_critical(store):
    """Removed under an open store: it is answered, as everything that is wrong."""
    store.append("s", [Message("user", "x")])
    Path(store.tables().path).unlink()
    found = store.health()
    assert found.severity == "critical"
    assert "file" in bad(found)


def test_a_closed_store_is_refused(store):
    """One line, as for every operation."""
    store.close()
    with pytest.raises(Refused, match="closed"):
        store.health()


def test_growth_is_told_from_stored_sizes(tmp_path):
    """Unknown at first; then bytes a day; a warning when the file is too large soon."""
    clock = VirtualClock()
    with ReferenceStore(tmp_path, durability="process", clock=clock) as store:
        store.maintain()
        assert severities(store.health())["growth"] == "unknown"
        clock.move(int(2 * DAY_S * 1e6))
        store.append("s", [Message("user", "x" * 4_000)] * 500)
        store._write(lambda db: db.execute("PRAGMA wal_checkpoint").fetchall())
        found = {one.name: one for one in report(store).vitals}["growth"]
        assert found.severity == "ok"
        assert 0.9e6 < found.numbers[0].value < 1.5e6
        soon = store.health(thresholds=Thresholds(file_mb=Limit(5, 20)))
        assert severities(soon)["growth"] == "warning"
        later = store.health(thresholds=Thresholds(file_mb=Limit(50, 200)))
        assert severities(later)["growth"] == "ok"


def test_the_last_verify_is_told(tmp_path):
    """Unknown, good, and critical with the number of problems alone: no user's text is kept."""
    with ReferenceStore(tmp_path, durability="process") as store:
        assert severities(store.health())["last verify"] == "unknown"
        store.append("secret name", [Message("user", "x")])
        store.maintain()
        assert severities(store.health())["last verify"] == "ok"
        path = store.tables().path
    past_the_guards(path, "UPDATE sessions SET message_count = 0")
    with ReferenceStore(tmp_path, durability="process") as store:
        with pytest.raises(Refused, match="verify: 1 kind of problem"):
            store.maintain(plan=Plan(verify_s=0.0))
        assert "last verify" in bad(store.health())
        texts = store._read(lambda db: db.execute("SELECT text FROM maintenance_runs").fetchall())
        assert not any("secret" in text for (text,) in texts)


def test_the_async_store_tells_the_same(tmp_path):
    """The method is there, with its keyword."""

    async def main():
        async with AsyncReferenceStore(tmp_path, durability="process") as store:
            await store.append("s", [Message("user", "x")])
            found = await store.health(thresholds=Thresholds(file_mb=Limit(0, 1e9)))
            return severities(found)["file size"]

    assert asyncio.run(main()) == "warning"


def test_many_orphans_are_critical(tmp_path):
    """One is a warning, ten are critical, as counted over all tables."""
    with ReferenceStore(tmp_path, durability="process") as store:
        for number in range(10):
            store.append(f"s{number}", [Message("user", "x")])
        path = store.tables().path
    for number, wanted in ((1, "warning"), (10, "critical")):
        past_the_guards(path, f"DELETE FROM sessions WHERE id <= {number}")
        with closing(sqlite3.connect(path)) as db:
            assert data.orphans(db, Thresholds()).severity == wanted


def test_a_missing_index_is_told_by_the_plans(tmp_path):
    """A file whose index somebody dropped, from outside: the sweep would look at all sessions."""
    with ReferenceStore(tmp_path, durability="process") as store:
        store.append("s", [Message("user", "x")])
        path = store.tables().path
    with closing(sqlite3.connect(path)) as db:
        db.execute("DROP INDEX sessions_by_due")
    found = {one.name: one for one in report_of_file(path).vitals}["plans"]
    assert found.severity == "warning"
    assert "sweep" in found.text
