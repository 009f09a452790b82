"""How a status moves: along the declared moves, and with a snapshot before where one is wanted."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from sessionproof import Expired, Message, Refused
from sessionproof.contract.clock import VirtualClock
from sessionproof.contract.lifetime import STATUSES, Swept
from sessionproof.reference import ReferenceStore, snapshots
from sessionproof.reference.transitions import MOVES, TRANSITIONS

PAGE = (Path(__file__).parents[2] / "docs" / "lifecycle.md").read_text("utf-8")


def say(text: str = "x") -> list[Message]:
    return [Message("user", text)]


def seen(store: ReferenceStore) -> tuple[str | None, int | None]:
    info = store.get("s")
    assert info is not None
    return info.status, info.last_activity_us


def put(store: ReferenceStore, status: str, set_status) -> None:
    """A session ``s`` with this status."""
    store.append("s", say())
    set_status("s", status)


def test_every_status_has_its_moves():
    """The table is whole, and says what the claim says."""
    assert tuple(MOVES) == STATUSES
    assert all({*others} <= {*STATUSES} - {one} for one, others in MOVES.items())
    assert ReferenceStore.claims.transitions == TRANSITIONS
    assert "idle" not in {other for others in MOVES.values() for other in others}


@pytest.mark.parametrize("other", STATUSES)
@pytest.mark.parametrize("one", STATUSES)
def test_a_status_moves_as_declared(store, set_status, clock: VirtualClock, one: str, other: str):
    """Each pair: taken when it is declared, nothing when it is the same, else refused."""
    put(store, one, set_status)
    before = seen(store)
    clock.move(5)
    if other in MOVES[one]:
        store.set_status("s", other)
        assert seen(store) == (other, clock.now_us() if other == "active" else before[1])
    elif one == other:
        store.set_status("s", other)
        assert seen(store) == before
    else:
        with pytest.raises(Refused, match=f"is {one}: it can become"):
            store.set_status("s", other)
        assert seen(store) == before
    assert store.verify().ok


@pytest.mark.parametrize("status", STATUSES)
def test_active_and_idle_sessions_take_messages(store: ReferenceStore, set_status, status: str):
    """The others refuse them, whole batches too, and are read as ever."""
    put(store, status, set_status)
    calls = (
        lambda: store.append("s", say()),
        lambda: store.append("s", say() * 60),
        lambda: store.append_with_state("s", say(), {"k": 1}),
        lambda: store.replace("s", say()),
        lambda: store.touch("s"),
    )
    for call in calls:
        if status in ("active", "idle"):
            call()
            assert seen(store)[0] == "active"
            continue
        with pytest.raises(Expired, match=status):
            call()
        assert [message.content for message in store.read("s")] == ["x"]
        assert store.get_state("s", "k") is None


@pytest.mark.parametrize("word", ["Active", "", "deleted", "active "])
def test_unknown_words_are_refused(store: ReferenceStore, word: str):
    """The five words are told."""
    store.append("s", say())
    with pytest.raises(Refused, match="use active, idle, paused, archived, expired"):
        store.set_status("s", word)


@pytest.mark.parametrize("status", ["paused", "archived"])
def test_paused_and_archived_sessions_do_not_expire(store, clock: VirtualClock, status: str):
    """Their time stands: opened again, the idle limit begins anew."""
    store.append("s", say())
    store.set_limits("s", idle_us=100)
    store.set_status("s", status)
    clock.move(1_000)
    assert (store.sweep(), seen(store)[0]) == (Swept(), status)
    store.set_status("s", "active")
    clock.move(99)
    assert seen(store)[0] == "active"
    clock.move(1)
    assert seen(store)[0] == "expired"


@pytest.mark.parametrize("swept", [True, False])
def test_an_expired_session_is_opened_again(store: ReferenceStore, clock, swept: bool):
    """That is activity, whether or not a sweep had told of it."""
    store.append("s", say())
    store.set_limits("s", idle_us=100)
    clock.move(100)
    if swept:
        assert store.sweep() == Swept(expired=("s",))
    store.set_status("s", "expired")  # as it is
    store.set_status("s", "active")
    assert store.sweep() == Swept()
    store.append("s", say())
    clock.move(50)
    assert store.sweep() == Swept(warned=("s",))


@pytest.mark.parametrize("status", ["paused", "archived", "expired"])
def test_past_the_hard_limit_nobody_is_opened_without_new_limits(store, clock, status: str):
    """New limits leave the status as it is, and let it be opened again."""
    store.append("s", say())
    store.set_limits("s", hard_us=100)
    store.set_status("s", status)
    clock.move(100)
    with pytest.raises(Expired, match="set limits anew"):
        store.set_status("s", "active")
    store.set_limits("s", hard_us=50)
    assert seen(store)[0] == status
    store.set_status("s", "active")
    store.append("s", say())
    clock.move(50)
    assert seen(store)[0] == "expired"


def test_new_limits_do_not_revive(store: ReferenceStore, clock: VirtualClock):
    """A session that has run out stays expired, though no sweep had come."""
    store.append("s", say())
    store.set_limits("s", idle_us=100)
    clock.move(100)
    store.set_limits("s", idle_us=100)
    assert seen(store)[0] == "expired"
    with pytest.raises(Expired):
        store.append("s", say())
    assert store.verify().ok


def kinds(store: ReferenceStore) -> list[str | None]:
    return [one.kind for one in store.snapshots("s")]


@pytest.fixture
def keeping(tmp_path: Path, clock: VirtualClock):
    before = ("warning", "expiry", "archive", "delete")
    with ReferenceStore(
        tmp_path, durability="process", clock=clock, snapshots_before=before
    ) as store:
        store.append("s", say())
        store.set_limits("s", idle_us=100)
        yield store


def test_snapshots_are_taken_before(keeping: ReferenceStore, clock: VirtualClock):
    """One of each kind, at its time, of the session as it was; they outlive it."""
    clock.move(50)
    assert keeping.sweep() == Swept(warned=("s",))
    clock.move(50)
    assert keeping.sweep() == Swept(expired=("s",))
    assert keeping.sweep() == Swept()
    keeping.set_status("s", "archived")
    keeping.delete("s")
    keeping.delete("s")
    assert kinds(keeping) == ["delete", "archive", "expiry", "warning"]
    keeping.restore_snapshot(keeping.snapshots("s")[-1].snapshot_id)
    assert [message.content for message in keeping.read("s")] == ["x"]


@pytest.mark.parametrize(
    "call",
    [
        lambda s: s.set_limits("s", idle_us=100),
        lambda s: (s.set_status("s", "active"), s.set_status("s", "expired")),
    ],
)
def test_an_end_without_a_sweep_is_kept_as_well(keeping: ReferenceStore, clock, call):
    """By new limits after the deadline, or on purpose."""
    clock.move(100)
    call(keeping)
    assert kinds(keeping) == ["expiry"]


@pytest.mark.parametrize(
    "call",
    [lambda s: s.sweep(), lambda s: s.set_status("s", "archived"), lambda s: s.delete("s")],
)
def test_without_its_snapshot_nothing_happens(keeping, clock, monkeypatch, call):
    """Both are one transaction: a session whose snapshot fails is as it was."""

    def fail(*_given: object, **_named: object) -> str:
        raise Refused("no room")

    monkeypatch.setattr(snapshots, "take", fail)
    clock.move(50)
    with pytest.raises(Refused, match="no room"):
        call(keeping)
    monkeypatch.undo()
    assert seen(keeping)[0] == "active"
    assert keeping.sweep() == Swept(warned=("s",))
    assert kinds(keeping) == ["warning"]


def test_only_what_is_wanted_is_kept(tmp_path: Path, clock: VirtualClock):
    """By default nothing is; with one kind, that alone."""
    for folder, before, expected in (("a", (), []), ("b", ["archive"], ["archive"])):
        (tmp_path / folder).mkdir()
        with ReferenceStore(
            tmp_path / folder, durability="process", clock=clock, snapshots_before=before
        ) as store:
            store.append("s", say())
            store.set_limits("s", idle_us=100)
            clock.move(50)
            store.sweep()
            store.set_status("s", "archived")
            store.delete("s")
            assert kinds(store) == expected


def test_the_page_draws_these_moves():
    """The table of the page has the moves that are declared, and what takes messages."""
    table = PAGE.partition("\n## Status\n")[2].partition("\n## ")[0]
    rows = re.findall(r"^\| `(\w+)` \| (.+?) \| (\w+) \|", table, re.MULTILINE)
    drawn = {one: tuple(re.findall(r"`(\w+)`", others)) for one, others, _ in rows}
    assert drawn == dict(MOVES)
    assert [one for one, _, takes in rows if takes == "yes"] == ["active", "idle"]
