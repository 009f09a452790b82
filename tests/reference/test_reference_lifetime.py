"""Limits, warnings, sweeps: when a session of the reference ends, and who is told."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path

import pytest

from sessionproof import Expired, Message, NotFound, Refused
from sessionproof.contract.clock import VirtualClock
from sessionproof.contract.lifetime import Swept
from sessionproof.reference import ReferenceStore, steps
from sessionproof.reference.timeouts import LONGEST_US, Timeouts

MINUTE = 60_000_000
NOTHING = Swept()


def say(text: str = "x") -> list[Message]:
    return [Message("user", text)]


@contextmanager
def calls_of(store: ReferenceStore) -> Iterator[list[str]]:
    """The statements that the writer is given meanwhile."""
    real, seen = store._writer._connection, list[str]()

    class Watched:
        def execute(self, sql: str, *values: object) -> sqlite3.Cursor:
            seen.append(sql)
            return real.execute(sql, *values)

    store._writer._connection = Watched()
    yield seen
    store._writer._connection = real


def status(store: ReferenceStore, session_id: str = "s") -> str | None:
    info = store.get(session_id)
    assert info is not None
    return info.status


@pytest.fixture
def limited(store: ReferenceStore) -> ReferenceStore:
    """A session ``s`` with an idle limit of ten minutes, of which it is warned after five."""
    store.append("s", say())
    store.set_limits("s", idle_us=10 * MINUTE)
    return store


@pytest.mark.parametrize("limit", [1, 2, 999, MINUTE, 10 * MINUTE, LONGEST_US])
@pytest.mark.parametrize("name", ["idle_us", "hard_us"])
def test_a_limit_runs_out_when_the_clock_shows_it(store, clock: VirtualClock, name, limit):
    """One microsecond before the session takes messages, at the limit it takes none."""
    store.append("s", say())
    store.set_limits("s", **{name: limit})
    clock.move(limit - 1)
    assert status(store) == "active"
    assert store.sweep().expired == ()
    clock.move(1)
    assert status(store) == "expired"
    with pytest.raises(Expired):
        store.append("s", say())
    assert store.count("s") == 1
    assert store.sweep() == Swept(expired=("s",))
    assert store.sweep() == NOTHING


def test_the_earlier_limit_counts(store: ReferenceStore, clock: VirtualClock):
    """Activity moves the idle limit, and the hard one comes all the same."""
    store.append("s", say())
    store.set_limits("s", idle_us=10, hard_us=35)
    for _ in range(3):
        clock.move(9)
        store.append("s", say())
    clock.move(7)
    store.touch("s")
    clock.move(1)
    assert status(store) == "expired"


@pytest.mark.parametrize(
    ("call", "is_activity"),
    [
        (lambda s: s.append("s", say()), True),
        (lambda s: s.append("s", say() * 60), True),
        (lambda s: s.append_with_state("s", say(), {"k": 1}), True),
        (lambda s: s.touch("s"), True),
        (lambda s: s.replace("s", say()), True),
        (lambda s: s.set_limits("s", idle_us=10 * MINUTE), True),
        (lambda s: s.append("s", []), False),
        (lambda s: s.get("s"), False),
        (lambda s: s.read("s"), False),
        (lambda s: s.read_last("s", 1), False),
        (lambda s: s.page("s"), False),
        (lambda s: s.count("s"), False),
        (lambda s: s.verify("s"), False),
        (lambda s: s.delete_message("s", s.read("s")[0].id), False),
        (lambda s: s.edit_message("s", s.read("s")[0].id, say("y")[0]), False),
        (lambda s: s.pop_last("s"), False),
        (lambda s: s.clear("s"), False),
        (lambda s: s.replace("s", []), False),
        (lambda s: s.set_state("s", "k", 1), False),
        (lambda s: s.append_with_state("s", [], {"k": 1}), False),
        (lambda s: s.get_state("s", "k"), False),
        (lambda s: s.update("s", title="t"), False),
        (lambda s: s.set_llm_model("s", "m"), False),
        (lambda s: s.set_status("s", "idle"), False),
        (lambda s: s.sweep(), False),
        (lambda s: s.list(), False),
    ],
)
def test_activity_is_what_is_declared(limited: ReferenceStore, clock, call, is_activity):
    """Messages that come, touching, and new limits; of a session that was warned of as well."""
    clock.move(6 * MINUTE)
    assert limited.sweep() == Swept(warned=("s",))
    clock.move(MINUTE)
    before = limited.get("s").last_activity_us
    call(limited)
    after = limited.get("s").last_activity_us
    assert (after == clock.now_us()) is is_activity
    assert (after == before) is not is_activity
    assert status(limited) == ("active" if is_activity else "idle")
    clock.move(3 * MINUTE)
    assert status(limited) == ("active" if is_activity else "expired")


def test_the_claim_names_all_activities():
    """What the tests above show is what the store says."""
    assert ReferenceStore.claims.activity == {"append", "touch", "replace"}


@pytest.mark.parametrize("wrong", [0, -1, True, 1.5, "1", 2**63])
@pytest.mark.parametrize("name", ["idle_us", "hard_us"])
def test_limits_below_one_are_refused(limited: ReferenceStore, clock, name, wrong):
    """Nothing changes: a limit of nothing is neither for ever nor at once."""
    with pytest.raises(Refused, match=name):
        limited.set_limits("s", **{name: wrong})
    clock.move(10 * MINUTE)
    assert status(limited) == "expired"


def test_none_is_no_limit(limited: ReferenceStore, clock: VirtualClock):
    """Both None let the session live for ever, and no sweep looks at it again."""
    limited.set_limits("s")
    clock.move(LONGEST_US)
    assert limited.sweep() == NOTHING
    limited.append("s", say())
    assert limited.verify().ok


def test_the_longest_limits_do_not_overflow(limited: ReferenceStore, clock: VirtualClock):
    """What is beyond 73,000 years is as good as no limit, and the sums stay integers."""
    limited.set_limits("s", idle_us=2**63 - 2, hard_us=2**63 - 2)
    clock.move(LONGEST_US - 1)
    assert (status(limited), limited.sweep().expired) == ("active", ())
    assert limited.verify().ok


@pytest.mark.parametrize("method", ["set_limits", "touch"])
def test_an_unknown_session_is_not_found(store: ReferenceStore, method: str):
    """Nobody is made by being limited, touched or moved."""
    with pytest.raises(NotFound):
        getattr(store, method)("nobody")
    with pytest.raises(NotFound):
        store.set_status("nobody", "active")
    assert store.list() == []


def test_an_append_is_one_statement_with_limits(limited: ReferenceStore, clock: VirtualClock):
    """The deadline is looked at by the statement that appends, so no sweep comes in between."""
    with calls_of(limited) as seen:
        limited.append("s", say())
    assert [text.split()[0] for text in seen] == ["INSERT"]
    clock.move(10 * MINUTE)
    with pytest.raises(Expired):
        limited.append("s", say() * 60)
    assert not limited._writer._connection.in_transaction


@pytest.mark.parametrize(
    "make",
    [
        lambda s: s.append("s", say()),
        lambda s: s.append("s", say() * 120),
        lambda s: s.create("s", title="t", metadata={"k": 1}, messages=say()),
        lambda s: s.set_state("s", "k", 1),
        lambda s: s.append_with_state("s", say(), {"k": 1}),
        lambda s: s.replace("s", say()),
    ],
)
def test_new_sessions_get_the_limits_of_the_store(tmp_path: Path, clock: VirtualClock, make):
    """However they come to be; the sums of what a session says of itself have them in."""
    timeouts = Timeouts(idle_us=10 * MINUTE, hard_us=15 * MINUTE)
    with ReferenceStore(tmp_path, durability="process", clock=clock, timeouts=timeouts) as store:
        make(store)
        clock.move(10 * MINUTE - 1)
        assert status(store) == "active"
        store.touch("s")
        clock.move(5 * MINUTE)
        assert status(store) == "active"
        clock.move(1)
        assert status(store) == "expired"
        assert store.verify().ok


def test_by_default_nothing_ends(store: ReferenceStore, clock: VirtualClock):
    """Nobody's chat ends because he took a default."""
    store.append("s", say())
    clock.move(100 * 365 * 24 * 60 * MINUTE)
    assert (store.sweep(), status(store)) == (NOTHING, "active")
    assert (Timeouts().idle_us, Timeouts().hard_us, Timeouts().warn_us) == (
        60 * MINUTE, 24 * 60 * MINUTE, 5 * MINUTE,
    )  # fmt: skip


@pytest.mark.parametrize(
    "wrong", [{"idle_us": 0}, {"hard_us": -1}, {"warn_us": -1}, {"idle_us": True}, {"hard_us": 1.0}]
)
def test_timeouts_that_mean_nothing_are_an_error(wrong):
    """They are told before a store is opened, by their name."""
    with pytest.raises(ValueError, match=next(iter(wrong))):
        Timeouts(**wrong)


@pytest.mark.parametrize("wrong", [("expired",), "expiry", (1,)])
def test_unknown_snapshots_are_an_error(tmp_path: Path, wrong):
    """A word that is mistaken would never take one."""
    with pytest.raises(ValueError, match="snapshots_before names"):
        ReferenceStore(tmp_path, snapshots_before=wrong)
    assert not (tmp_path / "sessions.db").exists()


@pytest.mark.parametrize("back", [1, 30_000_000, 60_000_000])
def test_a_late_writer_does_not_move_the_activity_back(limited: ReferenceStore, clock, back: int):
    """Who was up to a minute late shortens nobody's life."""
    before = limited.get("s").last_activity_us
    clock.move(-back)
    limited.append("s", say())
    limited.touch("s")
    assert limited.get("s").last_activity_us == before


@pytest.mark.parametrize("call", ["append", "touch", "set_limits"])
def test_a_leap_forth_and_back_makes_nobody_immortal(limited: ReferenceStore, clock, call: str):
    """A clock that was a year ahead counts no more as soon as the session is active again."""
    year = 365 * 24 * 60 * MINUTE
    limited.set_limits("s", idle_us=2 * year)
    clock.move(year)
    limited.append("s", say())
    clock.move(-year)
    {
        "append": lambda: limited.append("s", say()),
        "touch": lambda: limited.touch("s"),
        "set_limits": lambda: limited.set_limits("s", idle_us=2 * year),
    }[call]()
    assert limited.get("s").last_activity_us == clock.now_us()
    clock.move(2 * year)
    assert status(limited) == "expired"


def test_stepping_back_expires_nobody(limited: ReferenceStore, clock: VirtualClock):
    """And what expired by the clock as it was stays so once a sweep has told it."""
    clock.move(-365 * 24 * 60 * MINUTE)
    assert limited.sweep() == NOTHING
    limited.append("s", say())
    clock.move(365 * 24 * 60 * MINUTE)
    assert limited.sweep() == Swept(expired=("s",))
    clock.move(-365 * 24 * 60 * MINUTE)
    assert status(limited) == "expired"


def test_a_file_of_the_step_before_is_taken_over(tmp_path: Path, clock: VirtualClock, monkeypatch):
    """Limits of sessions that were there count, and there is no warning where none was set."""
    shipped = steps.shipped()
    monkeypatch.setattr(steps, "shipped", lambda: shipped[:3])
    path = tmp_path / "sessions.db"
    with closing(sqlite3.connect(path, isolation_level=None)) as old:
        old.execute("PRAGMA journal_mode = WAL")
        steps.upgrade(old, shipped[:3])
        old.execute(
            "INSERT INTO sessions (session_id, created_at_us, last_activity_us, idle_timeout_us) "
            "VALUES ('s', ?, ?, ?)",
            (clock.now_us(), clock.now_us(), MINUTE),
        )
    monkeypatch.undo()
    with ReferenceStore(tmp_path, durability="process", clock=clock) as store:
        clock.move(MINUTE - 1)
        assert store.sweep() == NOTHING
        store.append("s", say())
        clock.move(MINUTE)
        assert store.sweep() == Swept(expired=("s",))
        assert store.verify().ok


def test_limits_outlive_recovery(limited: ReferenceStore, clock: VirtualClock, tmp_path: Path):
    """What is saved of a file expires and is warned of as it would have been."""
    limited.close()
    (tmp_path / "new").mkdir()
    ReferenceStore.recover(tmp_path, tmp_path / "new")
    with ReferenceStore(tmp_path / "new", durability="process", clock=clock) as store:
        clock.move(5 * MINUTE)
        assert store.sweep() == Swept(warned=("s",))
        clock.move(5 * MINUTE)
        assert store.sweep() == Swept(expired=("s",))


def test_strangers_limits_count(store: ReferenceStore, foreign, clock: VirtualClock):
    """What another program sets is looked at as everything else, and nonsense is refused."""
    store.append("s", say())
    foreign.execute("UPDATE sessions SET idle_timeout_us = 10, warn_us = 100")
    assert store.sweep() == Swept(warned=("s",))
    with pytest.raises(sqlite3.IntegrityError):
        foreign.execute("UPDATE sessions SET warn_us = -1")
    with pytest.raises(sqlite3.IntegrityError):
        foreign.execute("UPDATE sessions SET idle_timeout_us = 0")
