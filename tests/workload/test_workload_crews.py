"""Crews: clients in threads, tasks and processes, and the histories that they leave."""

import os
import sys
from collections import Counter
from pathlib import Path

import pytest

from sessionproof.contract.claims import Claims
from sessionproof.contract.lookup import find_store
from sessionproof.contract.operations import CRASH, HANG
from sessionproof.contract.seed import generator
from sessionproof.history.columns import MISSING, NEVER, F, Phase, Type, digest_of
from sessionproof.workload.crews import awaits, crew, is_hosted, kinds_for
from sessionproof.workload.execute import StoreUnderTest
from sessionproof.workload.mixes import round_of
from sessionproof.workload.pool import POOL
from sessionproof.workload.profiles import Deadlines
from sessionproof.workload.rounds import Call, Round

RIGHT = [
    ("crowded_stores:Right", "threads"),
    ("crowded_stores:Right", "shared"),
    ("crowded_stores:Right", "processes"),
    ("sessionproof.reference.aio:AsyncReferenceStore", "tasks"),
    ("sessionproof.reference.aio:AsyncReferenceStore", "threads"),
    ("crowded_stores:InMemory", "tasks"),
    ("crowded_stores:NamesThem", "threads"),
    ("crowded_stores:NamesThem", "processes"),
]
OUTCOMES = (Type.INFO, Type.OK, Type.FAIL)


@pytest.fixture
def opened(tmp_path):
    """Makes stores under test, which are closed afterwards."""
    stores = []

    def make(name, operation_s=20.0, claims=None):
        spec = find_store(name)
        under_test = StoreUnderTest(
            spec,
            claims or spec.claims or Claims(),
            parent=tmp_path,
            deadlines=Deadlines(operation_s=operation_s, open_s=20.0),
        )
        stores.append(under_test)
        return under_test

    yield make
    for under_test in stores:
        under_test.close()


@pytest.fixture
def worked(opened, tmp_path_factory):
    """Plays one round of a mix, or a given one, on a store."""

    def play(name, kind, *, mix="hot", clients=3, length=8, operation_s=20.0, made=None):
        store = opened(name, operation_s)
        with crew(kind, store, clients=clients) as team:
            made = made or round_of(
                mix,
                generator=generator(7, name, kind, mix),
                capabilities=store.handle().capabilities,
                claims=store.claims,
                clients=clients,
                first=1,
                prefix="r1-",
                length=length,
            )
            return made, team.work(made, tmp_path_factory.mktemp("journals"))

    return play


APPENDS = Round(("s",), ((Call(F.APPEND, 0, 1),) * 5,) * 2, first=1)


def _of(history, **fields):
    """The rows with these values."""
    chosen = history.rows
    for name, value in fields.items():
        chosen = chosen[chosen[name] == value]
    return chosen


@pytest.mark.parametrize(("name", "kind"), RIGHT)
def test_a_round_is_written_down_whole(worked, name, kind):
    """Each call of each program has one row, under the id that its place gives it."""
    made, came = worked(name, kind)
    assert came.stopped is None
    calls = {
        (made.first + client + place * len(made.programs)) << 8: (call.f, call.n, call.phase)
        for client, program in enumerate(made.programs)
        for place, call in enumerate(program)
    }
    load = came.history.rows[came.history.rows["client"] < len(made.programs)]
    assert len(load) == len(calls)
    assert {int(row["id"]): (row["f"], row["n"], row["phase"]) for row in load} == calls
    assert (load["type"] == Type.OK).all()
    assert (load["ret"] >= load["inv"]).all()
    assert came.history.sessions == made.sessions
    assert came.history.odd == ()


@pytest.mark.parametrize(("name", "kind"), RIGHT)
def test_final_reads_hold_all_that_was_appended(worked, name, kind):
    """A fresh handle reads every session at the end, after all others, and finds every message."""
    made, came = worked(name, kind, mix="mixed")
    rows = came.history.rows
    finals = _of(came.history, phase=Phase.FINAL, f=F.READ)
    assert sorted(finals["session"]) == list(range(len(made.sessions)))
    assert finals["inv"].min() > rows[rows["phase"] != Phase.FINAL]["ret"].max()
    for row in range(len(rows)):
        if rows["phase"][row] != Phase.FINAL or rows["f"][row] != F.READ:
            continue
        sent = _of(came.history, f=F.APPEND, session=rows["session"][row])["id"]
        answered = came.history.lists.of(row)
        assert sorted(answered) == sorted(sent)
        assert digest_of(answered) == rows["digest"][row]


@pytest.mark.parametrize(
    ("mix", "kind"),
    [("batches", "threads"), ("short", "shared"), ("deletes", "threads"), ("clears", "shared"),
     ("counts", "processes"), ("pages", "threads"), ("long", "shared"), ("deletes", "processes")],
)  # fmt: skip
def test_every_mix_is_carried_out(worked, mix, kind):
    """No call of any mix ends in an unknown outcome on a right store."""
    made, came = worked("crowded_stores:Right", kind, mix=mix, length=12)
    assert came.stopped is None
    assert not len(_of(came.history, type=Type.INFO))
    asked = Counter(call.f for program in made.programs for call in program)
    written = Counter(F(int(f)) for f in _of_programs(came, made)["f"])
    assert written == asked


def _of_programs(came, made):
    rows = came.history.rows
    return rows[rows["client"] < len(made.programs)]


def test_counts_carry_totals_and_are_read_at_the_end(worked):
    """COUNT answers how many messages, and through ``get`` the total of their tokens."""
    made, came = worked("crowded_stores:Right", "threads", mix="counts", length=20)
    final = _of(came.history, f=F.COUNT, phase=Phase.FINAL)
    assert set(final["session"]) == set(range(len(made.sessions)))
    for row in final:
        read = _of(came.history, f=F.READ, phase=Phase.FINAL, session=row["session"])
        assert row["length"] == read["length"][0]
    assert (_of(came.history, f=F.COUNT)["value"] >= 0).any()


def test_sequence_numbers_are_kept(worked):
    """The value of an append is the number of its first message."""
    _, came = worked("crowded_stores:Right", "threads")
    appends = _of(came.history, f=F.APPEND)
    assert sorted(appends["value"]) == list(range(1, len(appends) + 1))


def test_a_conflict_is_tried_again_under_the_same_id(worked):
    """Every refused attempt is a row of its own that failed, and the last one succeeds."""
    _, came = worked("crowded_stores:OftenConflicts", "tasks", clients=1)
    appends = _of(came.history, f=F.APPEND)
    for id_ in set(appends["id"]):
        types = [int(one["type"]) for one in appends if one["id"] == id_]
        assert types == [Type.FAIL] * 3 + [Type.OK]
    assert "Conflict: somebody else was faster" in came.history.errors


@pytest.mark.parametrize("kind", ["threads", "shared", "processes"])
def test_a_hang_stops_the_round_and_keeps_its_history(worked, kind):
    """The stacks of those that hang are evidence; what was done before is still there."""
    name = "crowded_stores:Hangs"
    _, came = worked(name, kind, clients=2, operation_s=1.0, made=APPENDS)
    failure = came.stopped.failure
    assert (came.stopped.type, failure.type) == ("info", HANG)
    assert failure.text.startswith(("append of c1 ", "append of c2 "))
    assert any("FOR_EVER.wait()" in stack for stack in failure.evidence.values())
    assert len(_of(came.history, f=F.APPEND, type=Type.OK)) >= 2
    assert (_of(came.history, type=Type.INFO)["ret"] == NEVER).all()
    assert not len(_of(came.history, phase=Phase.FINAL))


def test_a_task_that_hangs_is_told_with_where_it_waits(worked):
    """The stack goes down to the awaitable that never comes, not to the loop alone."""
    name = "crowded_stores:HangsAwaiting"
    _, came = worked(name, "tasks", clients=2, operation_s=0.5, made=APPENDS)
    assert came.stopped.failure.type == HANG
    assert any("in _never" in stack for stack in came.stopped.failure.evidence.values())


def test_after_a_hang_the_store_is_somewhere_else(opened, tmp_path):
    """The next round finds a fresh location, and is carried out there."""
    store = opened("crowded_stores:HangsAwaiting", 0.5)
    before = store.location
    with crew("tasks", store, clients=2) as team:
        for name, stops in (("a", True), ("b", False)):
            folder = tmp_path / name
            folder.mkdir()
            few = (Call(F.APPEND, 0, 1),) * (4 if stops else 1)
            came = team.work(Round((f"{name}-0",), (few, few), first=ord(name) * 100), folder)
            assert (came.stopped is not None) == stops
    assert store.location != before


def test_a_process_that_dies_is_a_crash(worked):
    """It is told with the last line of its stderr, and what it was doing stays unknown."""
    _, came = worked("crowded_stores:Dies", "processes", clients=2, made=APPENDS)
    failure = came.stopped.failure
    assert (came.stopped.type, failure.type) == ("info", CRASH)
    assert failure.text.endswith("its last line: out of luck")
    assert len(_of(came.history, f=F.APPEND, type=Type.OK)) >= 2
    assert len(_of(came.history, f=F.APPEND, type=Type.INFO)) >= 1


def test_what_a_store_prints_is_no_answer(worked):
    """Clients that are processes do not speak over their stdout."""
    _, came = worked("crowded_stores:Chatters", "processes", clients=2)
    assert came.stopped is None
    assert len(_of(came.history, f=F.READ, type=Type.OK)) >= 2


@pytest.mark.parametrize("kind", ["threads", "processes"])
def test_a_store_that_does_not_open_again_stops_the_round(worked, kind):
    """The outcome is a refusal, with the store's own words in a line."""
    _, came = worked("crowded_stores:OpensOnce", kind, clients=2)
    assert came.stopped.type == "fail"
    assert came.stopped.failure.type == "CannotOpen"
    assert came.stopped.failure.text.endswith("RuntimeError: it is open already")
    assert not len(came.history)


def test_a_store_that_ends_the_process_when_it_opens_is_a_crash(worked):
    """A process that does not come so far is told as one that ended."""
    _, came = worked("crowded_stores:DiesOpening", "processes", clients=2)
    assert came.stopped.failure.type == CRASH
    assert "exit code 4" in came.stopped.failure.text


def test_processes_are_kept_and_used_again(worked):
    """A second round, on another store, starts no process, and those that died are replaced."""
    worked("crowded_stores:Right", "processes", clients=2)
    before = {process.pid for process in POOL._idle}
    worked("crowded_stores:NamesThem", "processes", clients=2)
    assert {process.pid for process in POOL._idle} == before
    worked("crowded_stores:Dies", "processes", clients=2, made=APPENDS)
    _, came = worked("crowded_stores:Right", "processes", clients=2)
    assert came.stopped is None


def test_an_idle_process_that_was_killed_is_replaced(worked):
    """Nobody notices that a process of the pool has gone."""
    worked("crowded_stores:Right", "processes", clients=2)
    for process in POOL._idle:
        os.kill(process.pid, 9)
    _, came = worked("crowded_stores:Right", "processes", clients=2)
    assert came.stopped is None


def test_threads_on_a_hosted_store_are_processes_behind_pipes(worked):
    """Each client has a process of its own; what it answers is written down as of any store."""
    name = f"cmd:{sys.executable} -m sessionproof.host reference"
    _, came = worked(name, "threads", clients=2, length=5)
    assert came.stopped is None
    assert (came.history.rows["type"] == Type.OK).all()


@pytest.mark.parametrize(("name", "sort"), [("Dies", CRASH), ("Hangs", HANG)])
def test_a_hosted_store_that_ends_or_hangs_stops_the_round(worked, name, sort):
    """It is the same finding as that of a store in this process."""
    paths = f"--path={Path(__file__).parent} " + " ".join(f"--path={one}" for one in sys.path)
    hosted = f"cmd:{sys.executable} -m sessionproof.host {paths} crowded_stores:{name}"
    _, came = worked(hosted, "threads", clients=2, operation_s=2.0, made=APPENDS)
    assert came.stopped.failure.type == sort
    assert len(_of(came.history, f=F.APPEND, type=Type.OK)) >= 2


def test_which_methods_await_is_remembered(opened, tmp_path):
    """Scripts of findings await them, too."""
    store = opened("sessionproof.reference.aio:AsyncReferenceStore")
    calls = (Call(F.APPEND, 0, 1), Call(F.READ, 0), Call(F.PAGES, 0, 3), Call(F.COUNT, 0))
    with crew("tasks", store, clients=1) as team:
        team.work(Round(("s",), (calls,), first=1), tmp_path)
    assert {"append", "read", "page"} <= store.awaited


def test_the_switch_interval_is_restored(worked):
    """Threads take turns more often only while a round lasts."""
    before = sys.getswitchinterval()
    worked("crowded_stores:Hangs", "threads", clients=2, operation_s=0.5, made=APPENDS)
    assert sys.getswitchinterval() == before


def test_reads_of_a_session_that_is_gone_are_answers(worked):
    """NotFound is what a read saw, and what a write was refused with."""
    calls = (Call(F.APPEND, 0, 1), Call(F.DELETE, 0), Call(F.READ, 0), Call(F.DELETE, 0))
    made = Round(("gone",), (calls,), first=1)
    _, came = worked("crowded_stores:NamesThem", "threads", clients=1, made=made)
    (read,) = _of(came.history, f=F.READ, phase=Phase.LOAD)
    assert (read["type"], read["length"]) in ((Type.OK, MISSING), (Type.OK, 0))
    again = _of(came.history, f=F.DELETE)[1]
    assert (again["type"], again["length"]) in ((Type.FAIL, MISSING), (Type.OK, 0))


KINDS = [
    ({"handles": "one"}, False, False, ()),
    ({"handles": "tasks"}, True, False, ("tasks",)),
    ({"handles": "tasks"}, False, False, ("tasks",)),
    ({"handles": "threads"}, False, False, ("threads",)),
    ({"handles": "threads", "shared_handle": True}, False, False, ("threads", "shared")),
    ({"handles": "processes"}, True, False, ("tasks", "threads", "processes")),
    ({"handles": "threads"}, False, True, ()),
    ({"handles": "processes", "shared_handle": True}, False, True, ("threads",)),
]  # fmt: skip


@pytest.mark.parametrize(("claims", "awaiting", "hosted", "kinds"), KINDS)
def test_the_kinds_are_those_that_are_claimed(claims, awaiting, hosted, kinds):
    """Nobody uses a store at the same time to whom it does not promise that."""
    assert kinds_for(Claims(**claims), awaits=awaiting, hosted=hosted) == kinds


@pytest.mark.parametrize(
    ("name", "awaiting"),
    [("sessionproof.reference.aio:AsyncReferenceStore", True), ("crowded_stores:Right", False)],
)
def test_whether_a_store_awaits_is_asked_once(opened, name, awaiting):
    """An append of its own shows it, and a read whether that is awaited, too, for scripts."""
    store = opened(name)
    assert awaits(store) == awaiting
    assert ("read" in store.awaited) == awaiting
    assert not is_hosted(store)


def test_a_crew_says_who_it_is(opened):
    """In the words of a report."""
    store = opened("crowded_stores:Right")
    named = []
    for kind, clients in (("threads", 8), ("shared", 2), ("processes", 4), ("processes", 1)):
        with crew(kind, store, clients=clients) as team:
            named.append(team.named)
    assert named == ["8 threads", "2 threads on one handle", "4 processes", "1 process"]
