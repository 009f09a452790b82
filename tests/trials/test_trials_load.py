"""Many clients: who they are, what is measured, and that what was acknowledged is still there."""

import asyncio
import threading
from collections import defaultdict

import pytest

from sessionproof.bench import offered
from sessionproof.contract.anomalies import Anomaly
from sessionproof.contract.claims import Claims, Limits
from sessionproof.contract.errors import NotFound, Refused
from sessionproof.contract.measurements import Load, Speed
from sessionproof.contract.message import Message
from sessionproof.trials import load
from sessionproof.trials.load import many_clients
from sessionproof.trials.single import Broken, NotClaimed
from sessionproof.workload.guard import CannotOpen
from sessionproof.workload.profiles import PROFILES, Deadlines, Profile

SHORT = Profile(name="short", share_s=0.1, shrink_s=0.1, rounds=40)
GATE = PROFILES["gate"]
SHARED = Claims(handles="threads", shared_handle=True)
OWN = Claims(handles="threads")
released = threading.Event()


class Lists:
    """Sessions as lists, kept for the process: handles of one location share them."""

    kept = defaultdict(lambda: defaultdict(list))  # noqa: RUF012 - shared on purpose

    def __init__(self, location):
        self.sessions = self.kept[location.root]
        self.calls = 0

    def append(self, session_id, messages):
        self.calls += 1
        self.sessions[session_id] += messages

    def read(self, session_id):
        return list(self.sessions[session_id])

    def close(self):
        pass


class Aio(Lists):
    """The same with awaitable methods."""

    async def append(self, session_id, messages):
        await asyncio.sleep(0)
        super().append(session_id, messages)


@pytest.fixture(autouse=True)
def _at_leisure(monkeypatch):
    """No part is left out because this machine is slow; few rates, so that tests are short."""
    monkeypatch.setattr(load, "_LATEST_S", 10**9)
    monkeypatch.setattr(offered, "RATE_MOST", 1_000.0)
    monkeypatch.setattr(offered, "WINDOW_S", 0.05)


@pytest.fixture
def loaded(trial_of):
    """Run the trial; answers it with what ended it."""

    def run(store, claims, profile=SHORT, *, operation_s=60.0):
        trial = trial_of("PERF-01", store, claims=claims, profile=profile)
        trial.store.close()
        trial.store.deadlines = Deadlines(operation_s=operation_s, open_s=60.0)
        try:
            many_clients(trial)
        except (Broken, NotClaimed, CannotOpen) as ended:
            return trial, ended
        return trial, None

    return run


def odd(store=Lists, **methods):
    """A store with other methods."""
    return type("Odd", (store,), methods)


def clients(trial):
    """Who was measured."""
    return [one.clients for one in trial.measured]


@pytest.mark.parametrize(
    ("store", "claims", "words"),
    [
        (Lists, SHARED, "10 threads"),
        (Lists, OWN, "10 threads"),
        (Lists, Claims(handles="processes", shared_handle=True), "10 threads"),
        (Aio, Claims(handles="tasks", shared_handle=True), "10 tasks"),
        (Aio, Claims(handles="tasks"), "10 tasks"),
        (Aio, OWN, "10 tasks"),
    ],
)
def test_as_many_clients_as_the_claims_allow(loaded, store, claims, words):
    """Threads, or tasks where calls are awaited, on the handle or on one each."""
    trial, ended = loaded(store, claims)
    assert str(ended) == "the store claims no costs; what was measured is in the report"
    assert clients(trial) == [words]
    assert trial.measured[0].floor == (
        "raw SQLite, synchronous=NORMAL, a connection for each client"
    )
    assert trial.measured[0].per_second > 0


@pytest.mark.parametrize(
    ("store", "claims", "who"),
    [
        (Lists, Claims(), "1 thread"),
        (Lists, Claims(handles="tasks"), "1 thread"),
        (Aio, Claims(), "1 task"),
    ],
)
def test_one_client_where_the_claims_allow_no_more(loaded, store, claims, who):
    """What is not claimed is not tried; a single client still has its load at offered rates."""
    trial, ended = loaded(store, claims, GATE)
    assert str(ended) == (
        f"the store does not claim several clients at once (handles={claims.handles})"
    )
    assert clients(trial) == [who, who]
    assert [type(one) for one in trial.measured] == [Speed, Load]
    trial, ended = loaded(store, claims)
    assert trial.measured == []
    assert isinstance(ended, NotClaimed)


@pytest.mark.parametrize(("claims", "handles"), [(SHARED, 1), (OWN, 11)])
def test_a_handle_is_shared_where_that_is_claimed(loaded, claims, handles):
    """Otherwise each client has its own, beside the one that reads."""
    opened = []

    def begin(self, location):
        Lists.__init__(self, location)
        opened.append(self)

    trial, _ = loaded(odd(__init__=begin), claims)
    used = [one for one in opened if one.sessions is trial.store.handle()._store.sessions]
    assert len(used) == handles


def test_handles_beside_the_first_are_closed(loaded):
    """Also those that tasks share the loop with."""
    state = []

    def begin(self, location):
        Lists.__init__(self, location)
        state.append(1)

    async def close(self):
        state.append(-1)

    trial, _ = loaded(odd(Aio, __init__=begin, close=close), OWN)
    trial.store.close()
    assert state.count(1) == state.count(-1) > 10


def test_with_claimed_costs_it_holds(loaded):
    """No cost is judged here; the rounds count as evidence."""
    trial, ended = loaded(Lists, Claims(handles="threads", shared_handle=True, costs={"append": 9}))
    assert ended is None
    row = trial.measured[0]
    assert trial.examined["rounds"] == (row.ratio.rounds if row.ratio else 0)


@pytest.mark.parametrize("store", [Lists, Aio])
def test_a_message_that_is_lost_is_found(loaded, store):
    """A benchmark that loses messages must not shine."""

    def lose(self, session_id):
        self.calls += 1
        if self.calls % 30 == 0:
            self.sessions[session_id].pop()

    async def append_awaiting(self, session_id, messages):
        await Aio.append(self, session_id, messages)
        lose(self, session_id)

    def append(self, session_id, messages):
        Lists.append(self, session_id, messages)
        lose(self, session_id)

    methods = {"append": append if store is Lists else append_awaiting}
    _, broken = loaded(odd(store, **methods), Claims(handles="threads", shared_handle=True))
    assert broken.finding.anomaly is Anomaly.LOST_MESSAGE
    expected, seen = (
        int(text.partition(" ")[0].replace(",", ""))
        for text in (broken.finding.expected, broken.finding.seen)
    )
    assert expected > seen


def test_a_message_too_many_is_found(loaded):
    """More than was acknowledged, and than nobody knows of, is a break too."""

    def append(self, session_id, messages):
        Lists.append(self, session_id, messages * (2 if self.calls % 30 == 0 else 1))

    _, broken = loaded(odd(append=append), SHARED)
    assert broken.finding.anomaly is Anomaly.DUPLICATE


def test_refusals_are_told_and_break_nothing(loaded):
    """They are counted beside the row, with their words."""

    def append(self, session_id, messages):
        self.calls += 1
        if self.calls % 20 == 0:
            raise Refused("too many at once")
        self.sessions[session_id] += messages

    trial, ended = loaded(odd(append=append), SHARED)
    assert isinstance(ended, NotClaimed)
    assert "calls refused" in trial.measured[0].note
    assert trial.measured[0].note.count("Refused: too many at once") == 1


@pytest.mark.parametrize("stores", [True, False])
def test_calls_of_which_nobody_knows_may_be_there_or_not(loaded, stores):
    """An error that is no refusal leaves both open."""

    def append(self, session_id, messages):
        self.calls += 1
        fails = self.calls % 20 == 0
        if stores or not fails:
            self.sessions[session_id] += messages
        if fails:
            raise TimeoutError("no answer")

    trial, ended = loaded(odd(append=append), SHARED)
    assert isinstance(ended, NotClaimed)
    assert "TimeoutError: no answer" in trial.measured[0].note


def test_a_store_that_refuses_all_is_not_measured(loaded):
    """There is no row, and a note says why."""

    def append(self, session_id, messages):
        if any(thread.name == "client-0" for thread in threading.enumerate()):
            raise Refused("not today")
        self.sessions[session_id] += messages

    trial, ended = loaded(odd(append=append), SHARED)
    assert isinstance(ended, NotClaimed)
    assert trial.measured == []
    assert trial.notes == [
        "10 threads: not measured: no append was acknowledged: Refused: not today"
    ]


@pytest.mark.parametrize("claims", [SHARED, OWN])
def test_a_call_that_hangs_is_found_with_its_stack(loaded, claims):
    """By the deadline of an operation, whoever called."""

    def append(self, session_id, messages):
        self.calls += 1
        if self.calls > 10 and self.calls % 10 == 5:
            released.wait(20)
        Lists.append(self, session_id, messages)

    released.clear()
    try:
        _, broken = loaded(odd(append=append), claims, operation_s=1.0)
    finally:
        released.set()
    assert broken.finding.anomaly is Anomaly.HANG
    assert "released.wait(20)" in broken.finding.evidence["stack"]


def test_a_task_that_hangs_is_found(loaded):
    """The loop belongs to the handle, and so does the deadline."""

    async def append(self, session_id, messages):
        self.calls += 1
        if self.calls == 30:
            await asyncio.sleep(20)
        await Aio.append(self, session_id, messages)

    _, broken = loaded(odd(Aio, append=append), SHARED, operation_s=1.0)
    assert broken.finding.anomaly is Anomaly.HANG


@pytest.mark.parametrize("store", [Lists, Aio])
def test_a_location_that_opens_once_is_told(loaded, store):
    """The claim says that several may have it open."""
    seen = set()

    def begin(self, location):
        if location.root in seen:
            raise RuntimeError("it is open already")
        seen.add(location.root)
        Lists.__init__(self, location)

    _, ended = loaded(odd(store, __init__=begin), OWN)
    assert isinstance(ended, CannotOpen)
    assert "it is open already" in str(ended)


def test_sessions_are_created_where_the_store_wants_it(loaded):
    """Also where it names them itself."""

    def create(self, session_id=None, *, messages=()):
        assert session_id is None
        name = f"own-{len(self.sessions)}"
        self.sessions[name] += messages
        return name

    def append(self, session_id, messages):
        if session_id not in self.sessions:
            raise NotFound(session_id)
        self.sessions[session_id] += messages

    claims = Claims(
        handles="threads", shared_handle=True, session_ids="store", missing_session="refuses"
    )
    trial, ended = loaded(odd(create=create, append=append), claims)
    assert isinstance(ended, NotClaimed)
    assert trial.measured[0].note.count("refused") == 0


def test_a_store_that_keeps_the_newest_alone_loses_none(loaded):
    """Its limit is documented."""

    def append(self, session_id, messages):
        self.sessions[session_id] = [*self.sessions[session_id], *messages][-7:]

    claims = Claims(handles="threads", shared_handle=True, limits=Limits(retention=7))
    _, ended = loaded(odd(append=append), claims)
    assert isinstance(ended, NotClaimed)


def test_messages_of_a_store_ordered_by_time_have_times(loaded):
    """Each a later one than the one before, of the same client."""
    seen = defaultdict(list)

    def append(self, session_id, messages):
        Lists.append(self, session_id, messages)
        seen[session_id] += [message.created_at_us for message in messages]

    claims = Claims(
        handles="threads",
        shared_handle=True,
        order="timestamp",
        keeps={"role", "content", "created_at_us"},
    )
    loaded(odd(append=append), claims)
    assert seen
    assert all(times == sorted(set(times)) for times in seen.values())


def test_a_message_is_of_the_simplest_kind(loaded):
    """One message a call."""
    sent = []

    def append(self, session_id, messages):
        sent.append(messages)
        Lists.append(self, session_id, messages)

    loaded(odd(append=append), SHARED)
    assert {len(messages) for messages in sent} == {1}
    assert all(isinstance(messages[0], Message) for messages in sent)


def test_a_store_that_keeps_equal_messages_once_is_measured_at_work(loaded):
    """No two of the timed messages are equal, in one session or by several clients."""

    class KeepsOnce(Lists):
        kept = defaultdict(lambda: defaultdict(list))  # noqa: RUF012 - shared on purpose

        def append(self, session_id, messages):
            known = self.sessions[session_id]
            known += [one for one in messages if one not in known]

    for claims in (SHARED, Claims()):
        _, ended = loaded(KeepsOnce, claims)
        assert isinstance(ended, NotClaimed)
