"""Messages that one statement adds are counted at once, and guarded as each alone is."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import psycopg
import pytest

from sessionproof import Message
from sessionproof.contract.clock import VirtualClock
from sessionproof.reference.postgres.store import PostgresStore

TOGETHER = "SELECT set_config('sessionproof.together', 'on', true)"
INSERT = "INSERT INTO messages (sid, seq, content, tokens, appended_at_us) "
ROW = "SELECT id, next_seq + {}, 'x', 2, last_activity_us FROM sessions WHERE session_id = '{}'"
UPDATES = "SELECT pg_stat_get_xact_tuples_updated('sessions'::regclass)"


def rows(session_id: str, *places: int) -> str:
    """An insertion of rows so far behind the session's next number."""
    return INSERT + " UNION ALL ".join(ROW.format(place, session_id) for place in places)


def insert(foreign: Any, sql: str, *, together: bool = True) -> None:
    """Carry the statement out in a transaction that says how it is to be counted."""
    with foreign.transaction():
        if together:
            foreign.execute(TOGETHER)
        foreign.execute(sql)


@pytest.mark.parametrize("number", [2, 3, 100])
def test_a_batch_is_counted_as_its_messages_would_be(
    opened: Callable[..., PostgresStore], clock: VirtualClock, number: int
) -> None:
    """The session's counters and times are the same, whichever way the messages came."""
    store = opened()
    messages = [Message("user", "x", tokens=place, duration_us=place) for place in range(number)]
    for name in ("batch", "singles"):
        store.create(name)
        store.set_limits(name, idle_us=10**9)
    clock.move(7)
    store.append("batch", messages)
    for message in messages:
        store.append("singles", [message])
    batch, singles = (store.get(name) for name in ("batch", "singles"))
    assert batch is not None
    assert singles is not None
    assert batch.message_count == number
    for name in ("message_count", "total_tokens", "total_duration_us", "last_activity_us"):
        assert getattr(batch, name) == getattr(singles, name)
    assert store.verify().ok
    assert len(store.search("x", session_id="batch", limit=1_000)) == number


def test_a_batch_changes_its_session_once(store: PostgresStore, foreign: Any) -> None:
    """A hundred messages leave one version of their session behind, and not a hundred."""
    store.append("a", [Message("user", "x")])
    for settings, versions in (([TOGETHER], 1), ([], 100)):
        with foreign.transaction():
            for one in settings:
                foreign.execute(one)
            before = foreign.execute(UPDATES).fetchone()[0]
            foreign.execute(rows("a", *range(100)))
            assert foreign.execute(UPDATES).fetchone()[0] - before == versions
    assert store.count("a") == 201


@pytest.mark.parametrize("together", [True, False])
@pytest.mark.parametrize("places", [(1,), (-1,), (0, 2), (0, 1, 3), (-1, 0), (0, 1, -1)], ids=str)
def test_numbers_that_are_not_the_next_are_refused(
    store: PostgresStore, foreign: Any, places: tuple[int, ...], together: bool
) -> None:
    """Gaps and numbers that were given before are refused, alone or among others."""
    store.append("a", [Message("user", "x")] * 3)
    store.pop_last("a")
    store.pop_last("a")
    with pytest.raises(psycopg.Error) as raised:
        insert(foreign, rows("a", *places), together=together)
    assert raised.value.sqlstate == "SP001"
    assert store.count("a") == 1
    assert store.verify().ok


def test_one_session_that_takes_none_refuses_the_whole_statement(
    store: PostgresStore, foreign: Any
) -> None:
    """Of a statement for several sessions all is counted, or nothing of it is there."""
    for name in "ab":
        store.append(name, [Message("user", "x")])
    both = f"{INSERT}{ROW.format(0, 'a')} UNION ALL {ROW.format(0, 'b')}"
    insert(foreign, both)
    assert (store.count("a"), store.count("b")) == (2, 2)
    store.set_status("b", "archived")
    with pytest.raises(psycopg.Error, match="not the next number"):
        insert(foreign, both)
    assert (store.count("a"), store.count("b")) == (2, 2)
    assert store.verify().ok


def test_counting_at_once_ends_with_the_transaction(store: PostgresStore, foreign: Any) -> None:
    """Who says it in one transaction has not said it for the next ones of the connection."""
    store.append("a", [Message("user", "x")])
    insert(foreign, rows("a", 0, 1))
    assert (
        foreign.execute("SELECT current_setting('sessionproof.together', true)").fetchone()[0] == ""
    )
    foreign.execute(rows("a", 0))
    assert store.count("a") == 4
    assert store.verify().ok
