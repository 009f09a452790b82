"""Defects of earlier designs of such stores, each shown to be absent here."""

from __future__ import annotations

import sqlite3
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from pathlib import Path

import pytest

from sessionproof import Conflict, Message, NotFound, Refused
from sessionproof.contract.clock import VirtualClock
from sessionproof.reference import ReferenceStore, lifetime, statements

INSERT = "INSERT INTO messages (sid, seq, role, content, appended_at_us) VALUES "


def say(text: str, **fields) -> list[Message]:
    return [Message("user", text, **fields)]


def steps_of(store: ReferenceStore, call: Callable[[], object]) -> int:
    """How many instructions SQLite's machine runs for a write: a cost without noise."""
    counted = [0]

    def count() -> int:
        counted[0] += 1
        return 0

    store._writer.run(lambda db: db.set_progress_handler(count, 1))
    call()
    store._writer.run(lambda db: db.set_progress_handler(None, 0))
    return counted[0]


def test_a_model_need_not_be_known_and_can_be_forgotten(store: ReferenceStore):
    """A session names any model on a fresh database, and can let go of it."""
    store.create("s", llm_model="any-model")
    store.update("s", llm_model=None)
    assert store.get("s").llm_model is None
    store.delete_llm_model("any-model")


def test_no_session_without_an_id(store: ReferenceStore, foreign):
    """NULL is no session id: it would hide every orphan from a NOT IN."""
    with pytest.raises(sqlite3.IntegrityError):
        foreign.execute(
            "INSERT INTO sessions (session_id, created_at_us, last_activity_us) VALUES (NULL, 1, 1)"
        )


@pytest.mark.parametrize("column", ["status", "message_count", "total_tokens", "next_seq"])
def test_no_counter_or_status_is_null(store: ReferenceStore, foreign, column: str):
    """NULL escapes checks and comparisons, so counters and status never are."""
    store.append("s", say("a"))
    with pytest.raises(sqlite3.IntegrityError):
        foreign.execute(f"UPDATE sessions SET {column} = NULL")


@pytest.mark.parametrize("role", ["system", "user", "assistant", "tool", "developer", None])
def test_every_role_and_tool_calls_without_text(store: ReferenceStore, role: str | None):
    """All five roles are taken, and a tool call needs no content."""
    call = Message(role, None, kind="tool_call", name="f", arguments={}, call_id="c")
    store.append("s", [call])
    assert store.read("s")[0].role == role
    assert store.read("s")[0].content is None


def test_times_are_finer_than_seconds(store: ReferenceStore, clock: VirtualClock):
    """Appends a microsecond apart have times a microsecond apart."""
    for _ in range(5):
        store.append("s", say("x"))
        clock.move(1)
    times = [message.created_at_us for message in store.read("s")]
    assert times == list(range(times[0], times[0] + 5))
    assert store.get("s").last_activity_us == times[-1]


@pytest.mark.parametrize("value", ["'2024-01-01 10:00:00'", "1.5", "x'00'"])
def test_times_are_integers_alone(store: ReferenceStore, foreign, value: str):
    """Text and fractions cannot mix with integer times and sort wrongly."""
    store.append("s", say("x"))
    for column in ("messages SET appended_at_us", "sessions SET last_activity_us"):
        with pytest.raises(sqlite3.IntegrityError):
            foreign.execute(f"UPDATE {column} = {value}")


def test_explicit_times_stay_and_triggers_do_not_recurse(store: ReferenceStore, foreign):
    """What an importer writes is kept, also with recursive triggers."""
    foreign.execute("PRAGMA recursive_triggers = 1")
    foreign.execute(
        "INSERT INTO sessions (session_id, created_at_us, last_activity_us) VALUES ('s', 5, 6)"
    )
    foreign.execute("UPDATE sessions SET last_activity_us = 7")
    assert (store.get("s").created_at_us, store.get("s").last_activity_us) == (5, 7)
    foreign.execute(INSERT + "(1, 1, 'user', 'x', 9)")
    assert store.get("s").last_activity_us == 9


def test_the_cost_of_a_write_does_not_grow(store: ReferenceStore):
    """Appending, editing and popping cost the same in a session of 20 and of 4,000 messages."""
    store.append("s", say("x") * 20)
    mid = store.read("s")[5].id
    texts = iter("zwv")  # another one each time: an edit that changes nothing costs otherwise
    calls = (
        lambda: store.append("s", say("y")),
        lambda: store.edit_message("s", mid, Message("user", next(texts), tokens=1)),
        lambda: store.pop_last("s"),
    )
    for call in calls:
        call()  # a connection reads the settings of the search's index once
    before = [steps_of(store, call) for call in calls]
    store.append("s", say("x") * 4_000)
    after = [steps_of(store, call) for call in calls]
    assert before == pytest.approx(after, rel=0.02)
    assert min(before) > 20


def test_the_cost_of_clearing_is_linear(store: ReferenceStore):
    """Clearing and deleting ten times as many messages costs ten times as much, not a hundred."""
    costs = {}
    for size in (200, 2_000):
        store.append("s", say("x") * size)
        costs[size] = steps_of(store, lambda: store.clear("s"))
        store.append("t", say("x") * size)
        costs[-size] = steps_of(store, lambda: store.delete("t"))
    assert costs[2_000] < 11 * costs[200]
    assert costs[-2_000] < 11 * costs[-200]


def test_totals_follow_edits(store: ReferenceStore, foreign):
    """Editing tokens by the store or by anyone keeps the total."""
    store.append("s", say("a", tokens=10) + say("b", tokens=10))
    store.edit_message("s", store.read("s")[0].id, Message("user", "a", tokens=500))
    assert store.get("s").total_tokens == 510
    foreign.execute("UPDATE messages SET tokens = NULL WHERE seq = 2")
    assert store.get("s").total_tokens == 500


def test_durations_leave_no_residue(store: ReferenceStore):
    """After all messages are gone, the total duration is exactly 0."""
    for duration_us in (100_000, 200_000, 300_000, 1):
        store.append("s", say("x", duration_us=duration_us))
    while store.pop_last("s"):
        pass
    assert store.get("s").total_duration_us == 0
    assert type(store.get("s").total_duration_us) is int


def test_deleting_is_no_activity(store: ReferenceStore, clock: VirtualClock, set_status):
    """Removing old messages does not revive an idle session."""
    store.append("s", say("a") + say("b"))
    then = clock.now_us()
    set_status("s", "idle")
    clock.move(1_000)
    store.delete_message("s", store.read("s")[0].id)
    assert (store.get("s").status, store.get("s").last_activity_us) == ("idle", then)


def test_old_code_that_counts_by_hand_is_refused(store: ReferenceStore, foreign):
    """A manual ``message_count + 1`` beside the triggers fails instead of counting twice."""
    store.append("s", say("a"))
    with pytest.raises(sqlite3.IntegrityError):
        foreign.execute("UPDATE sessions SET message_count = message_count + 1")


def test_a_trigger_of_another_body_is_noticed(tmp_path: Path):
    """A trigger of the right name that does something else is not taken for ours."""
    with ReferenceStore(tmp_path) as store:
        path = store.tables().path
    with closing(sqlite3.connect(path)) as connection:
        connection.executescript(
            "DROP TRIGGER messages_after_insert;"
            "CREATE TRIGGER messages_after_insert AFTER INSERT ON messages BEGIN SELECT 1; END;"
        )
    with pytest.raises(Refused, match="messages_after_insert is changed"):
        ReferenceStore(tmp_path)


def test_no_index_is_a_prefix_of_another(store: ReferenceStore, foreign):
    """Every index earns its space."""
    for (table,) in foreign.execute("SELECT name FROM pragma_table_list WHERE strict").fetchall():
        keys = [
            tuple(row[0] for row in foreign.execute("SELECT name FROM pragma_index_info(?)", (i,)))
            for (i, partial) in foreign.execute(
                "SELECT name, partial FROM pragma_index_list(?)", (table,)
            ).fetchall()
            if not partial
        ]
        assert not [(a, b) for a in keys for b in keys if a != b and b[: len(a)] == a]


@pytest.mark.parametrize(("sql", "values"), [(lifetime.DUE, (1,)), (lifetime.SWEEP, (1, 2))])
def test_finding_what_expires_uses_its_index(store: ReferenceStore, foreign, sql, values):
    """What a sweep asks is answered by the index of what is due, without a scan or a sort."""
    plan = foreign.execute(f"EXPLAIN QUERY PLAN {sql}", values).fetchall()
    texts = [row[3] for row in plan]
    assert any("sessions_by_due (due_us<?)" in text for text in texts)
    assert not any(text.startswith("SCAN") or "TEMP B-TREE" in text for text in texts)


@pytest.mark.parametrize(
    ("idle", "hard", "expected"),
    [(None, None, None), (50, None, 150), (None, 120, 120), (50, 120, 120), (10, 120, 110)],
)
def test_the_deadline_is_never_out_of_step(store: ReferenceStore, foreign, idle, hard, expected):
    """The deadline is computed from the limits and the last activity, so no copy can be stale."""
    foreign.execute(
        "INSERT INTO sessions (session_id, created_at_us, last_activity_us, idle_timeout_us, "
        "hard_deadline_us) VALUES ('s', 100, 100, ?, ?)",
        (idle, hard),
    )
    assert foreign.execute("SELECT deadline_us FROM sessions").fetchone() == (expected,)


@pytest.mark.parametrize(
    ("column", "value"),
    [("tokens", -1), ("tokens", "many"), ("seq", 4.5), ("metadata", "{no json"), ("role", "robot")],
)
def test_values_are_checked(store: ReferenceStore, foreign, column: str, value):
    """Negative and text tokens, fractional numbers, bad JSON and unknown roles are refused."""
    store.append("s", say("x"))
    with pytest.raises(sqlite3.IntegrityError):
        foreign.execute(f"UPDATE messages SET {column} = ?", (value,))


def test_four_threads_with_handles_of_their_own(tmp_path: Path):
    """Four writers with their own handles lose no append and meet no lock."""

    def client(name: int) -> None:
        with ReferenceStore(tmp_path, durability="process") as store:
            for number in range(50):
                store.append("s", say(f"{name}.{number}"))

    with ThreadPoolExecutor(4) as pool:
        list(pool.map(client, range(4)))
    with ReferenceStore(tmp_path) as store:
        assert len({message.content for message in store.read("s")}) == 200
        assert store.append("s", say("next")).seqs == (201,)


def test_reading_before_writing_meets_no_stale_snapshot(tmp_path: Path):
    """What reads and then writes takes the lock first, so another's commit cannot fail it."""

    def client(name: int) -> None:
        with ReferenceStore(tmp_path, durability="process") as store:
            for number in range(40):
                store.append("s", say(f"{name}.{number}"))
                store.pop_last("s")
                store.replace("t", say(f"{name}"))

    with ThreadPoolExecutor(3) as pool:
        list(pool.map(client, range(3)))
    with ReferenceStore(tmp_path) as store:
        assert store.count("s") == 0
        assert store.count("t") == 1


def test_what_returned_is_committed(store: ReferenceStore, foreign):
    """Each write can be seen by another connection as soon as it returns."""
    store.create("s", messages=say("a"))
    assert foreign.execute("SELECT count(*) FROM messages").fetchone() == (1,)
    store.set_state("s", "k", 1)
    assert foreign.execute("SELECT value FROM state").fetchone() == ("1",)
    assert not store._writer.run(lambda db: db.in_transaction)


def test_connections_keep_the_default_cache(store: ReferenceStore):
    """No connection reserves tens of megabytes."""
    for run in (store._writer.run, store._readers.run):
        assert run(lambda db: db.execute("PRAGMA cache_size").fetchone()) == (-2000,)


def test_different_troubles_raise_different_errors(store: ReferenceStore, foreign):
    """A duplicate, an unknown message and a missing table cannot be mistaken for each other."""
    store.create("s")
    with pytest.raises(Conflict, match="session exists"):
        store.create("s")
    with pytest.raises(NotFound, match="has no message 'x'"):
        store.delete_message("s", "x")
    foreign.execute("DROP TABLE state")
    with pytest.raises(Refused, match="no such table"):
        store.set_state("s", "k", 1)


def test_deleting_with_foreign_keys_off_leaves_nothing(store: ReferenceStore, foreign):
    """A session that anyone deletes takes its messages and state along."""
    store.append("s", say("a"))
    store.set_state("s", "k", 1)
    foreign.execute("DELETE FROM sessions WHERE session_id = 's'")
    assert foreign.execute("SELECT count(*) FROM messages").fetchone() == (0,)
    assert foreign.execute("SELECT count(*) FROM state").fetchone() == (0,)


def test_a_statement_that_lost_sight_of_the_tables_is_made_ready_again(store: ReferenceStore):
    """SQLite may say so when another process changes the schema at a bad moment."""
    said: list[str] = []

    class Struck:
        """A connection that loses sight of a table, so often."""

        def __init__(self, times: int) -> None:
            self.times = times

        def execute(self, sql: str, values: object) -> sqlite3.Cursor:
            if self.times > len(said):
                said.append("no such table: sessions")
                raise sqlite3.OperationalError(said[-1])
            return store._writer.run(lambda db: db.execute(sql, values))

    store.create("s")
    assert statements.fetch(Struck(1), statements.COUNT, ("s",)) == [(0,)]
    with pytest.raises(sqlite3.OperationalError, match="no such table"):
        statements.fetch(Struck(9), statements.COUNT, ("s",))
