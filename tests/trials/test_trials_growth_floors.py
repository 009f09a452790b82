"""Growth beside floors: raw SQLite as full as the store, and the steps that SQLite takes."""

import pytest

from sessionproof.bench.floors import Floor
from sessionproof.reference.store import ReferenceStore
from sessionproof.trials import growth
from sessionproof.trials.filled import Place, along_messages, at_sizes
from sessionproof.trials.growth_floors import _load, floor_arms
from sessionproof.trials.growth_steps import counted
from sessionproof.workload.profiles import Profile

SMALL = Profile(
    name="small", share_s=0.5, shrink_s=0.5, messages=(100, 300, 1_000, 3_000),
    sessions=(30, 100, 300),
)  # fmt: skip


@pytest.mark.night
def test_floors_and_steps_stand_beside_a_store_on_sqlite(trial_of):
    """A floor for each size, and about the same steps at each, as all look-ups go by an index."""
    made = trial_of("SCALE-02", ReferenceStore, profile=SMALL)
    growth.of_looks_along_messages(made)
    growth.of_looks_along_sessions(made)
    for one in made.measured:
        assert (one.floor_us is None) == (one.operation == "count")
        assert one.floor_us is None or min(one.floor_us) > 0
    made = trial_of("SCALE-01", ReferenceStore, profile=SMALL)
    growth.of_appends(made)
    assert len(made.measured[0].floor_us) == len(SMALL.messages)
    with at_sizes(made, SMALL.messages, along_messages, ["append", "get"]) as places:
        steps = counted(made, places, ["append", "get"])
    assert {name: len(set(each)) for name, each in steps.items()} == {"append": 1, "get": 1}
    parent = made.store.location.root.parent
    assert not list(parent.glob("floors-*"))


def test_a_floor_is_as_full_as_the_store(tmp_path):
    """All sessions are there; those that are asked have as many messages as the store's."""
    _load(tmp_path / "floor", 30, ["session-1", "session-16"], 60, "x")
    floor = Floor(tmp_path / "floor", synchronous="NORMAL")
    assert [floor.count(f"session-{number}") for number in (1, 2, 16, 30)] == [60, 1, 60, 1]
    assert floor.page("session-16", 54, 50) == [(n, "user", "x") for n in range(55, 61)]
    assert floor.get("session-30")
    assert floor.get("session-31") is None
    floor.close()


def test_a_very_large_size_has_no_floor(trial_of):
    """It would take longer to fill than it tells."""
    made = trial_of("SCALE-01")
    place = Place(100_001, made.store, ["s"], 100_001, 0.0, 0.0, 0.0, "")
    with floor_arms(made, "messages", [place], ["append"]) as arms:
        assert arms == {}
