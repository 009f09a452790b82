"""Crash models: what is enumerated is what the models allow, each state once."""

from __future__ import annotations

import pytest
from drawn_changes import Disk, drawn
from plain_crashes import files_after, losable

from sessionproof.contract.seed import generator
from sessionproof.faults.changes import Kind
from sessionproof.faults.crashes.images import Images
from sessionproof.faults.crashes.models import acknowledged, chosen, number_of, states
from sessionproof.faults.crashes.states import KILL, MODELS, POWER_ORDERED, POWER_STRICT, State

CHANCE = 7


def _all(changes, model):
    return list(states(changes, model, generator=generator(CHANCE)))


def _said(changes, state, path="a"):
    files = {name: data for name, data, _ in files_after(changes, state)[1]}
    return files.get(path)


@pytest.mark.parametrize("model", MODELS)
@pytest.mark.parametrize("seed", range(6))
def test_every_state_is_there_once_and_its_digest_is_its_images(model: str, seed: int) -> None:
    """Digests equal those of the images, and no two states have files and answers in common."""
    changes = drawn(seed, length=22)
    images, answered = Images(changes), acknowledged(changes)
    found = _all(changes, model)
    assert [images.image(state).digest for state in found] == [state.digest for state in found]
    keys = {(answered[state.point], files_after(changes, state)) for state in found}
    assert len(keys) == len(found) == number_of(changes, model)
    assert [state.point for state in found] == sorted(state.point for state in found)


@pytest.mark.parametrize("model", [POWER_ORDERED, POWER_STRICT])
@pytest.mark.parametrize("seed", range(10))
def test_nothing_is_lost_that_a_model_keeps(model: str, seed: int) -> None:
    """What is lost in a state is a set that the plain model allows, and what is torn is pending."""
    changes = drawn(100 + seed, length=16)
    allowed: dict[int, set[frozenset[int]]] = {}
    for state in _all(changes, model):
        point = state.point
        if point not in allowed:
            allowed[point] = set(losable(changes, point, model))
        assert frozenset(state.lost) in allowed[point]
        torn = state.cut or state.sectors
        if torn is not None:
            assert any(torn[0] in lost for lost in allowed[point])
            assert torn[0] not in state.lost
    assert allowed


@pytest.mark.parametrize("seed", range(10))
def test_each_pending_change_is_lost_alone_and_kept_alone(seed: int) -> None:
    """The strict model's extremes are all among its states, at every point."""
    changes = drawn(200 + seed, length=14)
    answered = acknowledged(changes)
    found = {
        (answered[one.point], files_after(changes, one)) for one in _all(changes, POWER_STRICT)
    }
    for point in range(len(changes) + 1):
        sets = list(losable(changes, point, POWER_STRICT))
        most = max(map(len, sets))
        for lost in sets:
            if len(lost) in {0, 1, most - 1, most}:
                state = State(POWER_STRICT, point, tuple(lost))
                assert (answered[point], files_after(changes, state)) in found


@pytest.mark.parametrize("seed", range(10))
def test_names_up_to_each_and_files_up_to_each_are_tried(seed: int) -> None:
    """Of the ordered model, all that differs from everything in one file or in names is there."""
    changes = drawn(300 + seed, length=14)
    answered = acknowledged(changes)
    found = {
        (answered[one.point], files_after(changes, one)) for one in _all(changes, POWER_ORDERED)
    }
    for point in range(len(changes) + 1):
        sets = list(losable(changes, point, POWER_ORDERED))
        every = max(sets, key=len)
        for lost in sets:
            if lost == every or len({int(changes.rows[one]["file"]) for one in lost}) <= 1:
                if lost != every and _names_and_bytes(changes, lost):
                    continue
                state = State(POWER_ORDERED, point, tuple(lost))
                assert (answered[point], files_after(changes, state)) in found


def _names_and_bytes(changes, lost) -> bool:
    """Whether a name is lost together with bytes of the same file, but not with all of them."""
    kinds = {Kind(changes.rows[one]["kind"]) for one in lost}
    return bool(kinds & {Kind.WRITTEN, Kind.SIZED}) and bool(kinds - {Kind.WRITTEN, Kind.SIZED})


@pytest.mark.parametrize("seed", range(10))
def test_milder_models_lose_less(seed: int) -> None:
    """Without cuts, what a kill leaves is among what either loss of power may leave."""
    changes = drawn(400 + seed, length=20)
    killed = {one.digest for one in _all(changes, KILL) if one.cut is None}
    for model in (POWER_ORDERED, POWER_STRICT):
        assert killed <= {one.digest for one in _all(changes, model)}


def test_a_kill_cuts_a_write_at_page_edges_only() -> None:
    """Of 10,000 bytes written at 100 a kill leaves 0, 3,996, 8,092, or all."""
    disk = Disk()
    disk.make("a")
    disk.write("a", 100, b"x" * 10_000)
    changes = disk.changes()
    sizes = {len(_said(changes, one) or b"") for one in _all(changes, KILL) if one.point == 2}
    assert sizes == {4096, 8192, 10_100}
    assert {len(_said(changes, one) or b"") for one in _all(changes, KILL)} == sizes | {0}


def test_a_small_write_is_never_cut_by_a_kill() -> None:
    """A line that lies in one page is there or not."""
    disk = Disk()
    disk.make("a")
    disk.write("a", 0, b"x" * 4096)
    disk.write("a", 4096, b"y" * 200)
    assert not [one for one in _all(disk.changes(), KILL) if one.cut]


def test_an_answer_without_a_change_is_a_state_of_its_own() -> None:
    """The same files count twice when one more operation was acknowledged."""
    disk = Disk()
    disk.make("a")
    disk.answer()
    disk.answer()
    assert [one.point for one in _all(disk.changes(), KILL)] == [0, 1, 2, 3]


def _saved(*, synced: bool, folder: bool):
    """A file replaced by way of a second one; the last change is the answer."""
    disk = Disk()
    disk.make("a")
    disk.write("a", 0, b"old")
    disk.sync_all()
    disk.make("new")
    disk.write("new", 0, b"changed")
    if synced:
        disk.sync("new")
    disk.rename("new", "a")
    if folder:
        disk.sync("")
    disk.answer()
    return disk.changes()


@pytest.mark.parametrize(
    ("synced", "folder", "ordered", "strict"),
    [
        (True, True, {b"changed"}, {b"changed"}),
        (True, False, {b"old", b"changed"}, {b"old", b"changed"}),
        (False, False, {b"old", b"changed"}, {b"old", b"changed", b"", bytes(7)}),
        (False, True, {b"changed"}, {b"changed", b"", bytes(7)}),
    ],
)
def test_a_replaced_file_needs_both_syncs(synced, folder, ordered, strict) -> None:
    """What is left after the answer: the new bytes surely only with both syncs."""
    changes = _saved(synced=synced, folder=folder)
    end = len(changes)
    for model, wanted in ((POWER_ORDERED, ordered), (POWER_STRICT, strict)):
        found = {_said(changes, one) for one in _all(changes, model) if one.point == end}
        whole = {one for one in found if one not in _torn(b"changed")}
        assert whole == wanted


def _torn(data: bytes) -> set[bytes]:
    return {data[:kept] for kept in range(1, len(data))}


def test_a_sync_of_a_file_brings_its_names_in_the_ordered_model_alone() -> None:
    """A new file that was synced keeps its name on ordered disks; POSIX promises none."""
    disk = Disk()
    disk.make("a")
    disk.write("a", 0, b"1")
    disk.sync("a")
    disk.answer()
    changes = disk.changes()
    end = len(changes)
    left = {
        model: {_said(changes, one) for one in _all(changes, model) if one.point == end}
        for model in (POWER_ORDERED, POWER_STRICT)
    }
    assert left == {POWER_ORDERED: {b"1"}, POWER_STRICT: {b"1", None}}


def test_a_file_may_grow_by_zeros_in_the_strict_model() -> None:
    """The length of a file may be there before its bytes."""
    disk = Disk()
    disk.make("a")
    disk.write("a", 0, b"x" * 600)
    disk.sync_all()
    disk.write("a", 600, b"y" * 600)
    changes = disk.changes()
    found = {_said(changes, one) for one in _all(changes, POWER_STRICT)}
    assert b"x" * 600 + bytes(600) in found
    assert b"x" * 600 + bytes(424) + b"y" * 176 in found  # the second of its sectors alone
    grown = {_said(changes, one) for one in _all(changes, POWER_ORDERED)}
    assert not any(one and b"\0" in one for one in grown)


def test_most_takes_states_from_everywhere() -> None:
    """A few states of many are spread over the points, in the order of points, by the seed."""
    disk = Disk()
    disk.make("a")
    for number in range(30):
        disk.write("a", 100 * number, b"%03d" % number)
        disk.answer()
    changes = disk.changes()
    few = list(states(changes, POWER_STRICT, generator=generator(1), most=60))
    again = list(states(changes, POWER_STRICT, generator=generator(1), most=60))
    other = list(states(changes, POWER_STRICT, generator=generator(2), most=60))
    assert few == again != other
    assert len(few) == 60
    assert len({one.point for one in few}) > 30
    assert {one.digest for one in other} <= {one.digest for one in _all(changes, POWER_STRICT)}


@pytest.mark.parametrize("model", [POWER_ORDERED, POWER_STRICT])
def test_what_was_acknowledged_too_early_is_looked_for_first(model: str) -> None:
    """Of many states few are chosen, and the one answer before its sync is among them."""
    disk = Disk()
    disk.make("a")
    disk.sync("")
    for number in range(40):
        disk.write("a", 100 * number, b"%03d" % number * 30)
        if number == 23:
            disk.answer()
            early = len(disk)
            disk.sync("a")
        else:
            disk.sync("a")
            disk.answer()
    changes = disk.changes()
    assert number_of(changes, model) > 120
    for seed in range(5):
        few = states(changes, model, generator=generator(seed), most=10)
        assert any(one.point == early and one.lost for one in few)


def test_a_kill_is_looked_for_where_transactions_end() -> None:
    """Behind a journal that goes, between two transactions of one operation, and before a sync."""
    disk = Disk()
    disk.make("a")
    ends, before = [], []
    for number in range(8):
        disk.make("a-journal")
        for at in range(10):
            disk.write("a-journal", 100 * at, b"%03d" % number)
        before.append(len(disk))
        disk.sync("a-journal")
        for at in range(10):
            disk.write("a", 100 * at, b"%03d" % number)
        disk.remove("a-journal")
        ends.append(len(disk))
        if number % 2:
            disk.answer()
    changes = disk.changes()
    assert number_of(changes, KILL) > 150
    for seed in range(5):
        for most, wanted in ((16, ends), (32, ends + before)):
            few = {one.point for one in states(changes, KILL, generator=generator(seed), most=most)}
            assert few >= set(wanted)
            assert len(few) > len(wanted)


def test_all_states_are_taken_when_most_is_enough() -> None:
    """A limit above their number leaves out nothing."""
    changes = drawn(1, length=20)
    most = number_of(changes, POWER_STRICT)
    assert list(states(changes, POWER_STRICT, generator=generator(3), most=most)) == _all(
        changes, POWER_STRICT
    )


@pytest.mark.parametrize("model", MODELS)
def test_the_chosen_come_with_how_many_there_are(model: str) -> None:
    """One enumeration answers the same states and the same number as two."""
    changes = drawn(5, length=20)
    some, number = chosen(changes, model, generator=generator(4), most=9)
    assert some == list(states(changes, model, generator=generator(4), most=9))
    assert number == number_of(changes, model) > len(some) == 9
