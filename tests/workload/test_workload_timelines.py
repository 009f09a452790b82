"""Timelines: laid out around the ends of sessions, drawn, and carried out on a clock."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from fixtures.benign.timeouts import AwaitedLives, EndsInRows, Lives, MachineTime, WarnsBefore
from sessionproof.contract.claims import Claims
from sessionproof.contract.lookup import spec_of
from sessionproof.contract.message import Message
from sessionproof.oracle.memory import MemoryStore
from sessionproof.workload import waiting
from sessionproof.workload.execute import StoreUnderTest
from sessionproof.workload.profiles import Deadlines
from sessionproof.workload.schedules import (
    Limited,
    Move,
    emptied,
    laid_out,
    limits_us,
    methods,
    moves_of,
    timelines,
)
from sessionproof.workload.timelines import SLACK_US, Bench, Step, carried_out

AT_ONCE = Claims(expires="at_once", activity={"append", "touch"})
BEGAN = 4_102_444_800_000_000


@pytest.fixture
def bench_of(tmp_path):
    """Make a bench for a store."""
    stores = []

    def make(factory, *, began_us=BEGAN):
        spec = spec_of("some", factory)
        stores.append(
            StoreUnderTest(
                spec, spec.claims or factory.claims, parent=tmp_path, deadlines=Deadlines()
            )
        )
        capabilities = stores[-1].handle().capabilities
        return Bench(stores[-1], Message("user", ""), capabilities, began_us)

    yield make
    for store in stores:
        store.close()


def methods_at(timeline, session):
    """The times and methods of one session's steps and of all sweeps."""
    return [(one.at_us, one.method) for one in timeline if one.session in ("", session)]


def test_each_session_is_met_a_microsecond_before_its_end_and_at_it():
    """The message before it moves the end."""
    timeline = laid_out([Limited(10)], [], AT_ONCE, set())
    assert methods_at(timeline, "s0") == [
        (0, "begin"), (0, "set_limits"), (9, "append"), (19, "append"), (19, "read"),
    ]  # fmt: skip


def test_a_busy_session_is_met_at_its_hard_limit():
    """It is kept alive until then, however long that takes."""
    timeline = laid_out([Limited(4, 10)], [], AT_ONCE, set(), offset=1)
    times = [at for at, method in methods_at(timeline, "s0") if method == "append"]
    assert times == [3, 6, 9, 11]


@pytest.mark.parametrize(
    ("claims", "first", "swept"),
    [
        (AT_ONCE, True, ["sweep", "append", "read"]),
        (AT_ONCE, False, ["append", "sweep", "read"]),
        (Claims(expires="by_sweep"), False, ["sweep", "append", "read"]),
    ],
)
def test_a_sweep_comes_where_it_is_wanted_or_needed(claims, first, swept):
    """Where sweeps end sessions, a message proves nothing before one."""
    timeline = laid_out([Limited(10)], [], claims, {"sweep"}, sweep_first=first)
    assert [one.method for one in timeline if one.at_us == 19] == swept


def test_sessions_without_limits_are_looked_at_long_after_all_others():
    """They never end."""
    timeline = laid_out([Limited(10), Limited()], [], AT_ONCE, set())
    assert timeline[-1].session == "s1"
    assert timeline[-1].at_us > 20


def test_moves_go_to_ends_parts_and_back():
    """By what is drawn of them."""
    moves = [
        Move("append", 0, parts=4), Move("read", 0, to=-1), Move("append", 0, by_us=-3),
        Move("begin", 0),
    ]  # fmt: skip
    timeline = laid_out([Limited(8)], moves, AT_ONCE, set())
    assert [one.at_us for one in timeline[2:5]] == [4, 11, 8]
    assert (timeline[5].method, timeline[5].session, timeline[5].at_us) == ("begin", "s1", 8)


def test_what_empties_a_session_is_not_drawn():
    """It may be another session afterwards."""
    everything = {"clear", "replace", "count", "touch", "sweep"}
    assert set(methods(everything, Claims())) == {
        "append", "read", "replace", "count", "touch", "sweep",
    }  # fmt: skip
    assert emptied(Claims(writes="replace")) == {"clear", "replace"}
    assert "reopen" in methods(everything, Claims(durability="process"))


@given(
    timelines(
        st.lists(st.builds(Limited, limits_us(1, 5)), min_size=1, max_size=3),
        moves_of(["append", "read", "sweep"], sessions=3, most=6),
        AT_ONCE,
        {"sweep"},
    )
)
def test_drawn_timelines_go_on_and_end_each_session(timeline):
    """Times rise, and the last steps of each session come at its end."""
    assert [one.at_us for one in timeline] == sorted(one.at_us for one in timeline)
    for name in {one.session for one in timeline} - {""}:
        assert [one.method for one in timeline if one.session == name][-1] == "read"


def test_steps_are_done_at_their_times(bench_of):
    """On a clock that stands, whatever the machine says."""
    steps = laid_out([Limited(10)], [], AT_ONCE, {"sweep"})
    done = carried_out(steps, bench_of(WarnsBefore))
    assert [one.now.earliest for one in done] == [one.now.latest for one in done]
    refused = [one for one in done if one.outcome.failure is not None]
    assert [(one.step.at_us, one.outcome.failure.type) for one in refused] == [(19, "Expired")]
    swept = [one.outcome.value.expired for one in done if one.step.method == "sweep"]
    assert swept == [(), (done[0].session_id,)]


def test_a_store_with_a_method_for_its_clock_is_set_by_it(bench_of):
    """Also behind async def."""
    done = carried_out(laid_out([Limited(10)], [], AT_ONCE, {"sweep"}), bench_of(AwaitedLives))
    assert [one.outcome.type for one in done].count("fail") == 1


def test_times_by_the_machine_are_spans(bench_of):
    """From a little before the call to a little after its answer."""
    steps = (Step(0, "begin", "s0"), Step(20_000, "append", "s0"))
    done = carried_out(steps, bench_of(MachineTime, began_us=None))
    assert done[1].now.earliest >= 20_000 - SLACK_US
    assert done[1].now.latest - done[1].now.earliest >= 2 * SLACK_US


def test_a_reopened_store_stands_at_its_time_again(bench_of):
    """And has the session as it was."""
    steps = (
        Step(0, "begin", "s0"), Step(0, "set_limits", "s0", 10), Step(5, "reopen"),
        Step(9, "append", "s0"), Step(19, "sweep"),
    )  # fmt: skip
    done = carried_out(steps, bench_of(EndsInRows))
    assert [one.outcome.type for one in done] == ["ok"] * 5
    assert done[-1].outcome.value.expired == (done[0].session_id,)


def test_each_message_is_deleted_once_and_then_there_is_nothing_to_ask(bench_of):
    """Ids are those that were read at the beginning."""
    steps = [Step(0, "begin", "s0"), *[Step(0, "delete_message", "s0")] * 4, Step(0, "count", "s0")]
    done = carried_out(tuple(steps), bench_of(Lives))
    assert [one.outcome.type for one in done[1:5]] == ["ok", "ok", "ok", "fail"]
    assert done[-1].outcome.value == 0


def test_the_handle_is_lost_and_the_timeline_ends(bench_of):
    """What comes after it is not asked."""

    class Hangs(MemoryStore):
        def read_last(self, session_id, n):
            raise SystemExit

        def set_clock(self, now_us):
            if now_us == BEGAN + 5:
                raise ValueError

    steps = (Step(0, "begin", "s0"), Step(5, "append", "s0"), Step(6, "append", "s0"))
    done = carried_out(steps, bench_of(Hangs))
    assert [one.outcome.type for one in done] == ["ok", "info"]


@pytest.mark.parametrize("made", [waiting.idle, waiting.hard, waiting.ended, waiting.swept_often])
def test_waiting_timelines_keep_far_from_the_ends(made):
    """No step comes within a twentieth of the limit from where it would matter."""
    timeline = made(AT_ONCE, {"sweep", "touch"}, 1_000_000)
    assert [one.at_us for one in timeline] == sorted(one.at_us for one in timeline)
    ends = {one.session: 1_000_000 for one in timeline if one.session}
    for one in timeline:
        if one.method in ("append", "touch", "read") and made is not waiting.swept_often:
            assert abs(one.at_us - ends[one.session]) > 50_000
            if one.at_us < ends[one.session] and made is waiting.idle:
                ends[one.session] = one.at_us + 1_000_000


def test_waiting_for_activity_asks_each_method_of_a_session_of_its_own():
    """At half of the limit."""
    timeline = waiting.activity(["read", "sweep"], AT_ONCE, {"sweep"}, 1_000)
    assert [(one.at_us, one.method, one.session) for one in timeline][4:] == [
        (500, "read", "s0"), (500, "sweep", ""), (1250, "sweep", ""),
        (1250, "append", "s0"), (1250, "append", "s1"),
    ]  # fmt: skip
