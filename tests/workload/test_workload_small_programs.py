"""Small programs: what is drawn, how it is carried out several times, and what is smaller."""

import hypothesis
import pytest
from hypothesis import strategies

from sessionproof.contract.lookup import find_store
from sessionproof.history.columns import F, Phase, Type
from sessionproof.workload.crews import crew
from sessionproof.workload.execute import StoreUnderTest
from sessionproof.workload.profiles import Deadlines
from sessionproof.workload.rounds import Call
from sessionproof.workload.small_programs import (
    CLIENTS,
    LENGTH,
    SmallProgram,
    round_of_times,
    small_programs,
    smaller_ones,
)

APPEND, READ, OTHER = Call(F.APPEND, 0, 1), Call(F.READ, 0), Call(F.APPEND, 1, 2)
ALL = (F.APPEND, F.READ, F.READ_LAST, F.COUNT, F.PAGES, F.DELETE, F.REPLACE)
PROGRAM = SmallProgram((APPEND, OTHER), ((READ,), (APPEND, READ, APPEND), (READ, OTHER)))
KINDS = [
    ("crowded_stores:Right", "threads"),
    ("crowded_stores:Right", "shared"),
    ("crowded_stores:Right", "processes"),
    ("crowded_stores:InMemory", "tasks"),
]


@pytest.fixture
def played(tmp_path):
    """Carries a round out by a crew on a store, and answers its history."""

    def play(name, kind, made):
        spec = find_store(name)
        store = StoreUnderTest(
            spec, spec.claims, parent=tmp_path, deadlines=Deadlines(operation_s=20.0, open_s=20.0)
        )
        folder = tmp_path / "journals"
        folder.mkdir()
        try:
            with crew(kind, store, clients=len(made.programs)) as team:
                worked = team.work(made, folder)
        finally:
            store.close()
        assert worked.stopped is None
        return worked.history

    return play


@hypothesis.given(small_programs(ALL), strategies.integers(1, 4))
def test_programs_are_small(program, times):
    """Two or three clients make up to four calls each, on one session or two."""
    assert 2 <= len(program.clients) <= CLIENTS
    assert all(1 <= len(own) <= LENGTH for own in program.clients)
    assert program.sessions in (1, 2)
    made = round_of_times(program, times, first=1, prefix="r1-", seed=7)
    assert len(made.sessions) == times * program.sessions
    assert sum(map(len, made.programs)) == times * len(program.calls)
    assert len({len(one) for one in made.gathers}) == 1
    assert [len(one) for one in made.pauses] == [len(one) for one in made.programs]


@hypothesis.given(small_programs(ALL, batch=1, keeps=3))
def test_programs_keep_to_what_a_store_takes(program):
    """No batch where there are none, and no more messages than a session keeps."""
    sends = [call for call in program.calls if call.f in (F.APPEND, F.REPLACE)]
    assert all(call.n == 1 for call in sends)
    assert all(sum(call.session == one for call in sends) <= 3 for one in (0, 1))


def test_the_smallest_that_is_drawn_is_two_appends():
    """A search that fails whatever is drawn shrinks to nothing before and one call of each."""
    smallest = hypothesis.find(small_programs(ALL), lambda _: True)
    assert smallest == SmallProgram((), ((APPEND,), (APPEND,)))


@hypothesis.given(small_programs(ALL))
def test_each_smaller_one_is_smaller(program):
    """Every step takes a call or a message away, and leaves each of two clients a call."""

    def size(one):
        return sum(max(1, call.n) for call in one.calls)

    for fewer in smaller_ones(program):
        assert size(fewer) < size(program)
        assert len(fewer.clients) >= 2
        assert all(fewer.clients)
        assert len(fewer.calls) <= len(program.calls)


def test_the_smallest_program_has_none_that_is_smaller():
    """One call of each of two clients, with one message each."""
    assert [*smaller_ones(SmallProgram((), ((APPEND,), (READ,))))] == []


def test_the_same_seed_pauses_alike():
    """Rounds of one seed are the same; those of another pause elsewhere, or longer."""
    made = [round_of_times(PROGRAM, 5, first=1, prefix="x", seed=seed) for seed in (1, 1, 2)]
    assert made[0] == made[1] != made[2]
    assert round_of_times(PROGRAM, 5, first=1, prefix="x").pauses == ()


def test_a_single_time_says_what_comes_before():
    """The round knows how many calls the first client makes while the others wait."""
    assert round_of_times(PROGRAM, 1, first=1, prefix="x").before == 2
    alone = SmallProgram((), PROGRAM.clients)
    assert round_of_times(alone, 1, first=1, prefix="x").before == 0
    assert round_of_times(alone, 3, first=1, prefix="x").before == 0


def test_a_race_to_create_is_not_prepared():
    """Where clients create a session, nobody has made it before."""
    racing = SmallProgram((), ((Call(F.CREATE, 0), APPEND), (Call(F.CREATE, 0),)))
    assert not round_of_times(racing, 2, first=1, prefix="x").created
    assert round_of_times(PROGRAM, 2, first=1, prefix="x").created


@pytest.mark.parametrize(("name", "kind"), KINDS)
def test_each_time_has_its_own_beginning(played, name, kind):
    """What one does before has ended when others begin; all gather before the next time."""
    times = 4
    made = round_of_times(PROGRAM, times, first=1, prefix="r1-", seed=3)
    history = played(name, kind, made)
    rows = history.rows[history.rows["phase"] == Phase.LOAD]
    assert len(rows) == times * len(PROGRAM.calls)
    assert (rows["type"] == Type.OK).all()
    time = rows["session"] // PROGRAM.sessions
    for at in range(times):
        now = rows[time == at]
        first = now[now["client"] == 0]
        others = now[now["client"] != 0]
        assert first[: len(PROGRAM.before)]["ret"].max() <= others["inv"].min()
        if at:
            assert rows[time == at - 1]["ret"].max() <= now["inv"].min()
