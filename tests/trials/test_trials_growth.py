"""Growth of costs: a store whose costs are made up, on a clock that it moves itself."""

import ast
import asyncio
import tempfile
from contextlib import suppress
from dataclasses import replace
from types import MappingProxyType

import pytest

from sessionproof.bench import loading, rounds
from sessionproof.contract.anomalies import Anomaly
from sessionproof.contract.claims import Claims, Limits
from sessionproof.contract.errors import TooLarge
from sessionproof.contract.message import Message, Page, SessionInfo
from sessionproof.trials import filled, growth
from sessionproof.trials.filled import as_time
from sessionproof.trials.growth_steps import told_steps
from sessionproof.trials.single import Broken, CouldNotTell, NotClaimed
from sessionproof.workload.profiles import Deadlines, Profile

SMALL = Profile(
    name="small", share_s=0.5, shrink_s=0.5, messages=(100, 300, 1_000, 3_000),
    sessions=(30, 100, 300),
)  # fmt: skip


class Costly:
    """Lists in memory. ``costs`` says for a call what it takes in µs, by messages and sessions."""

    claims = Claims(keeps={"content"})
    costs = MappingProxyType({})
    opened = 0  # stores of this class until now
    now_us = (0.0,)  # the clock of all, a list that they move on

    def __init__(self, location):
        type(self).opened += 1
        self.number = type(self).opened
        self.sessions = {}
        self.looks = 0
        self.newest = ""

    def _takes(self, call, session_id):
        self.called = session_id
        cost = self.costs.get(call, lambda store, messages, sessions: 50.0)
        self.now_us[0] += cost(self, len(self.sessions.get(session_id, ())), len(self.sessions))

    def append(self, session_id, messages):
        self._takes("append", session_id)
        self.newest = session_id
        self.sessions.setdefault(session_id, []).extend(messages)

    def read(self, session_id):
        return list(self.sessions.get(session_id, ()))

    def read_last(self, session_id, n):
        self._takes("read_last", session_id)
        return self.sessions[session_id][-n:]

    def page(self, session_id, *, cursor=None, limit=50):
        start = cursor or 0
        cost = self.costs.get("page", lambda start: 50.0)
        self.now_us[0] += cost(start)
        messages = self.sessions[session_id][start : start + limit]
        return Page(messages, start + len(messages) if len(messages) == limit else None)

    def get(self, session_id):
        self._takes("get", session_id)
        return SessionInfo(session_id=session_id)

    def count(self, session_id):
        self._takes("count", session_id)
        return len(self.sessions[session_id])

    def close(self):
        pass


ONE_BY_ONE = replace(Costly.claims, limits=Limits(batch_bytes=100))


@pytest.fixture
def trial(trial_of, monkeypatch):
    """The trial of a row against a store with these costs; the clock is the store's alone."""
    clock = [0.0]
    for module in (loading, filled, growth, rounds):
        monkeypatch.setattr(module, "monotonic_s", lambda: clock[0] / 1e6)
    monkeypatch.setattr(rounds, "monotonic_ns", lambda: round(clock[0] * 1e3))

    def make(row, *, claims=Costly.claims, base=Costly, **costs):
        members = {"costs": costs, "opened": 0, "now_us": clock, "claims": claims}
        return trial_of(row, type("Made", (base,), members), profile=SMALL)

    return make


def times(by):
    """A cost in µs that depends on the messages of the session."""
    return lambda store, messages, sessions: by(messages)


def test_a_store_whose_costs_do_not_grow_holds(trial):
    """Three kinds of trials, each with its evidence and what it measured."""
    for row, judge, operations, along in (
        ("SCALE-01", growth.of_appends, ["append"], "messages"),
        ("SCALE-02", growth.of_looks_along_messages, ["read_last", "page", "get", "count"],
         "messages"),
        ("SCALE-02", growth.of_looks_along_sessions, ["read_last", "page", "get"], "sessions"),
    ):  # fmt: skip
        made = trial(row)
        judge(made)
        assert made.examined["rounds"] >= made.guarantee.least
        assert [one.operation for one in made.measured] == operations
        assert {one.along for one in made.measured} == {along}
        assert {one.verdict for one in made.measured} == {"flat"}
        assert {one.sizes for one in made.measured} == {getattr(SMALL, along)}
        assert not made.notes


def test_an_append_that_grows_is_broken(trial):
    """The finding says the costs, the exponent of both measurements, and what a million costs."""
    made = trial("SCALE-01", append=times(lambda messages: 5 + messages / 10))
    with pytest.raises(Broken) as broken:
        growth.of_appends(made)
    finding = broken.value.finding
    assert finding.anomaly is Anomaly.GROWTH
    assert "an append of one message at 100 to 3,000 messages" in finding.did
    assert "messages^0.2" in finding.expected
    assert "µs at 100, " in finding.seen
    assert "at 1,000,000 it would be " in finding.seen
    assert made.measured[0].verdict == "linear"
    ast.parse("\n".join(finding.script))


def test_a_look_that_is_quick_for_the_newest_session_alone_is_broken(trial):
    """Sessions of different costs are in every round: the dear ones do not count as disturbed."""

    def cost(store, messages, sessions):
        return 800.0 if store.called == store.newest else 800.0 + 20 * sessions

    made = trial("SCALE-02", get=cost)
    with pytest.raises(Broken) as broken:
        growth.of_looks_along_sessions(made)
    assert "get" in broken.value.finding.did


@pytest.mark.parametrize(
    ("operation", "cost"),
    [
        ("read_last", times(lambda messages: 10 + messages)),
        ("get", times(lambda messages: 10.0 if messages < 2_000 else 40.0)),
        ("page", lambda start: 30 + start / 5),
    ],
)
def test_a_look_that_grows_is_broken(trial, operation, cost):
    """All messages read for the newest, a step at 2,000 messages, a page by OFFSET."""
    made = trial("SCALE-02", **{operation: cost})
    with pytest.raises(Broken) as broken:
        growth.of_looks_along_messages(made)
    assert operation in broken.value.finding.did
    verdicts = {one.operation: one.verdict for one in made.measured}
    assert verdicts.pop(operation) in ("grows", "linear")
    assert set(verdicts.values()) == {"flat"}


def test_a_look_among_all_sessions_is_broken(trial):
    """A session that is found by going through all of them."""
    made = trial("SCALE-02", get=lambda store, messages, sessions: 10 + sessions)
    with pytest.raises(Broken) as broken:
        growth.of_looks_along_sessions(made)
    assert "get at 30 to 300 sessions" in broken.value.finding.did
    growth.of_looks_along_messages(made)  # where there is one session, it is flat


def test_a_count_that_grows_is_told_and_not_judged(trial):
    """To count the rows is a choice; one that takes very long is not even measured."""
    made = trial("SCALE-02", count=times(lambda messages: 10 + messages / 10))
    growth.of_looks_along_messages(made)
    assert made.measured[-1].verdict == "linear"
    assert "it is not judged" in made.notes[0]
    made = trial("SCALE-02", count=times(lambda messages: 1_000 + 10 * messages))
    growth.of_looks_along_messages(made)
    assert [one.operation for one in made.measured] == ["read_last", "page", "get"]
    assert made.notes == ["count takes 31 ms at 3,000: it is not judged"]


@pytest.mark.night
def test_what_is_not_sure_is_not_told(trial):
    """An exponent about 0.2 is neither flat nor growing, however many rounds there are."""

    def unsteady(store, messages, sessions):
        store.looks += 1  # one a round, as it takes longer than a batch
        return 1_000 * messages ** (0.18 if store.looks % 2 else 0.22)

    made = trial("SCALE-02", get=unsteady)
    with pytest.raises(CouldNotTell, match=r"get costs messages\^0\.\d\d \(0\.1\d to 0\.2\d\)"):
        growth.of_looks_along_messages(made)
    look = made.measured[2]
    assert (look.operation, look.verdict) == ("get", "undecided")
    assert look.rounds > growth.ROUNDS


def test_what_does_not_grow_again_is_not_told(trial):
    """Growth that a fresh location does not show may have been the machine's."""
    first = len(SMALL.messages) + 1  # and the handle that a trial opens to look at the store

    def once(store, messages, sessions):
        return 50.0 + (messages if store.number <= first else 0)

    made = trial("SCALE-01", append=once)
    with pytest.raises(CouldNotTell, match=r"in one measurement, and .* in another"):
        growth.of_appends(made)


def test_stores_of_whole_or_short_conversations_do_not_claim_it(trial):
    """Where a call is about all that a session has, or a session never gets long."""
    whole = trial("SCALE-01", claims=replace(Costly.claims, writes="replace"))
    short = trial("SCALE-01", claims=replace(Costly.claims, limits=Limits(retention=500)))
    for made, words in ((whole, "writes=replace"), (short, "newest 500 messages")):
        with pytest.raises(NotClaimed, match=words):
            growth.of_appends(made)
        with pytest.raises(NotClaimed, match=words):
            growth.of_looks_along_messages(made)
    growth.of_looks_along_sessions(whole)
    windowed = trial("SCALE-01", claims=replace(Costly.claims, limits=Limits(retention=1_000)))
    growth.of_appends(windowed)
    assert windowed.measured[0].sizes == (100, 300, 1_000)


def test_a_slow_store_gets_smaller_sizes(trial):
    """Where messages go in one at a time and slowly, a tenth of them will do, and it is said."""
    made = trial("SCALE-01", claims=ONE_BY_ONE, append=times(lambda messages: 5_000.0))
    growth.of_appends(made)
    assert made.measured[0].sizes == (10, 30, 100, 300)
    assert made.notes == ["5 ms an append: sizes up to 300"]


def test_slow_appends_make_do_with_the_smaller_sizes(trial):
    """Up to a tenth of the largest, where filling takes a while; enough of them are there."""
    made = trial("SCALE-01", claims=ONE_BY_ONE, append=times(lambda messages: 900.0))
    made.profile = replace(SMALL, messages=(100, 300, 1_000, 3_000, 10_000))
    growth.of_appends(made)
    assert made.measured[0].sizes == (100, 300, 1_000)
    assert made.notes == ["900 µs an append: sizes up to 1,000"]
    made = trial("SCALE-01", claims=ONE_BY_ONE, append=times(lambda messages: 290.0))
    made.profile = replace(SMALL, messages=(100, 300, 1_000, 3_000, 10_000))
    growth.of_appends(made)
    assert made.measured[0].sizes == (100, 300, 1_000, 3_000, 10_000)
    assert not made.notes


def test_many_sessions_that_are_slow_to_make_are_fewer(trial):
    """What is told is what a session took, not an append."""
    made = trial("SCALE-02", append=times(lambda messages: 40_000.0))
    growth.of_looks_along_sessions(made)
    assert made.measured[0].sizes == (10, 30, 100)
    assert made.notes == ["40 ms a session: sizes up to 100"]


def test_growth_that_is_plain_to_see_needs_no_large_sizes(trial):
    """Three sizes, where the next one would take long."""
    made = trial("SCALE-01", append=times(lambda messages: 20.0 * messages))
    with pytest.raises(Broken):
        growth.of_appends(made)
    assert made.measured[0].sizes == (100, 300, 1_000)
    assert made.notes == ["dearer at each size: sizes up to 1,000"]


def test_a_script_fills_stores_with_texts_that_differ(trial):
    """A store may drop what it knows already: filled with equal texts it would stay small."""
    with pytest.raises(Broken) as broken:
        growth.of_appends(trial("SCALE-01", append=times(lambda messages: 20.0 * messages)))
    script = broken.value.finding.script
    appended = []

    class Store:
        def append(self, _session, messages):
            appended.extend(message.content for message in messages)

    names = {"location": None, "open_store": lambda _: Store(), "Location": str, "Path": str,
             "tempfile": tempfile, "Message": Message}  # fmt: skip
    exec("\n".join(script[: script.index("small, large = [], []")]), names)
    assert len(appended) == len({*appended}) == 1_000 + 100
    assert {len(text) for text in appended} == {len(filled.TEXT)}


def test_a_store_too_slow_for_three_sizes_has_a_smaller_one(trial):
    """Where the third size would take minutes, as each append writes all, growth is seen before."""
    made = trial("SCALE-01", claims=ONE_BY_ONE, append=times(lambda messages: 10.0 * messages))
    made.profile = replace(SMALL, messages=(300, 1_000, 3_000, 10_000))
    with pytest.raises(Broken):
        growth.of_appends(made)
    assert made.measured[0].sizes == (100, 300, 1_000)
    assert made.notes == ["dearer at each size, no time for 3,000: sizes up to 1,000"]


def test_what_is_refused_is_told(trial):
    """A store that stops taking messages owes them."""

    class Full(Costly):
        def append(self, session_id, messages):
            super().append(session_id, messages)
            if len(self.sessions[session_id]) > 250:
                raise TooLarge("the session is full")

    with pytest.raises(Broken) as broken:
        growth.of_appends(trial("SCALE-01", base=Full))
    assert broken.value.finding.anomaly is Anomaly.UNEXPECTED_REFUSAL
    assert "the session is full" in broken.value.finding.seen


def test_awaitables_are_awaited(trial):
    """An async store is filled, paged through and measured as others are."""

    class Awaited(Costly):
        async def append(self, session_id, messages):
            await asyncio.sleep(0)
            super().append(session_id, messages)

        async def page(self, session_id, *, cursor=None, limit=50):
            await asyncio.sleep(0)
            return super().page(session_id, cursor=cursor, limit=limit)

    growth.of_appends(trial("SCALE-01", base=Awaited))
    made = trial("SCALE-02", base=Awaited, page=lambda start: 20 + start)
    with pytest.raises(Broken) as broken:
        growth.of_looks_along_messages(made)
    script = broken.value.finding.script
    assert any("await store.page(" in line for line in script)
    fills = [line for line in script if ".append(session_of" in line]
    assert fills
    assert all("await " in line for line in fills)


def test_all_that_a_trial_wrote_is_gone(trial):
    """Locations of a hundred thousand messages are not left lying about."""
    made = trial("SCALE-01")
    growth.of_appends(made)
    parent = made.store.location.root.parent
    assert [path for path in parent.iterdir() if path.is_dir()] == [made.store.location.root]


def test_steps_are_told():
    """They are flat or grow, by the same measure as times; without any nothing is said."""
    sizes = (10, 100, 1_000, 10_000)
    assert told_steps(sizes, None) == ""
    assert told_steps(sizes, (9, 312, 312, 312)) == "; SQLite's steps are flat: 9, 312, 312, 312"
    grow = told_steps(sizes, (60, 600, 6_000, 60_000))
    assert grow == "; SQLite's steps grow: 60, 600, 6,000, 60,000"


@pytest.mark.night
def test_sizes_that_were_asked_for_are_reached(trial):
    """A dear one too, while the test's deadline allows it; what is left out is said."""
    made = trial("SCALE-01", append=times(lambda messages: 20.0 * messages))
    made.profile = replace(SMALL, patient=True, deadlines=Deadlines(test_s=100_000.0))
    with pytest.raises(Broken):
        growth.of_appends(made)
    assert made.measured[0].sizes == SMALL.messages
    assert not made.notes
    for cost, sizes, note in (
        (lambda messages: 20.0 * messages, SMALL.messages[:-1], "no time for 3,000"),
        (lambda messages: 2_000.0 if messages < 1_000 else 20_000.0, SMALL.messages[:-1], "no"),
        (lambda messages: 2_000.0 if messages < 1_000 else 8_000.0, None, "no time for 3,000"),
    ):
        made = trial("SCALE-01", claims=ONE_BY_ONE, append=times(cost))
        made.profile = replace(SMALL, patient=True, deadlines=Deadlines(test_s=60.0))
        with suppress(Broken, CouldNotTell):
            growth.of_appends(made)
        seen = made.measured[0].sizes
        assert seen == sizes or (sizes is None and 2_000 <= seen[-1] < 3_000)
        assert made.notes[0].startswith(note)
        assert made.notes[0].endswith(f"sizes up to {seen[-1]:,}")


@pytest.mark.parametrize(
    ("microseconds", "words"), [(0.31, "0.31 µs"), (42.0, "42 µs"), (900.0, "900 µs"),
                                (5_000.0, "5 ms"), (1_250.0, "1.25 ms"), (2_100_000.0, "2.1 s")],
)  # fmt: skip
def test_times_are_said_in_the_unit_that_suits(microseconds, words):
    """No duration reads as nought."""
    assert as_time(microseconds) == words
