"""Arms in processes of their own: what they measure, and how they end with a bad store."""

from __future__ import annotations

import gc
import io
import json
import os
import subprocess
import sys
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import ClassVar

import pytest
from arm_stores import Plain

from sessionproof.bench.arms import steady
from sessionproof.bench.arms.arm import Arm
from sessionproof.bench.arms.arm_main import answer_all
from sessionproof.bench.arms.pairing import (
    BASE,
    HEAD,
    CannotStart,
    Measured,
    PairPlan,
    measured_pair,
    started_pair,
)
from sessionproof.bench.arms.remote import ArmFailed, RemoteArm, Wanted, environment_of
from sessionproof.bench.arms.steady import steady_addresses
from sessionproof.bench.tracking.compared import Side
from sessionproof.contract.claims import Claims, claims_to_json
from sessionproof.engine.plan import child_environment
from sessionproof.host.server import Channel

HERE = str(Path(__file__).parent)
PLAN = PairPlan(rounds=9, messages=40)


def side(name):
    """A version whose store is one of ``arm_stores``."""
    return Side(asked="here", store=f"arm_stores:{name}", path=(HERE,))


def wanted(*capabilities, operation_s=20.0):
    """What its arm is told."""
    return Wanted(
        claims=claims_to_json(Claims()), capabilities=capabilities, pool="words of a chat " * 40,
        operation_s=operation_s,
    )  # fmt: skip


def arm(name, *capabilities, **more):
    """A process of this store that is not opened yet."""
    environment = child_environment()
    return RemoteArm(side(name), wanted(*capabilities, **more), environment=environment)


def measured(base, head, tmp_path, *operations, **more):
    """What a pair of these stores measures."""
    asked = operations or ("append",)
    capabilities = [name for name in asked if name == "count"]
    starts = {
        BASE: partial(arm, base, *capabilities, **more),
        HEAD: partial(arm, head, *capabilities, **more),
    }
    return measured_pair(starts, asked, PLAN, seed=1, parent=tmp_path)


def test_both_are_timed_in_the_same_rounds(tmp_path):
    """A pair has as many costs of each, in batches of one size, and leaves no folder."""
    found = measured("Plain", "Slow", tmp_path)
    costs = found.costs["append"]
    assert len(costs.base) == len(costs.head) >= 8
    assert costs.batch >= 1
    assert sorted(costs.head)[4] > 2 * sorted(costs.base)[4]
    assert found.failures == {}
    assert "40 to 240 messages" in found.notes["append"]
    assert found.facts[HEAD]["version"] == "1.5"
    assert list(tmp_path.iterdir()) == []


def test_a_store_that_prints_is_timed(tmp_path):
    """What it prints breaks no answer, and its stdin is empty."""
    found = measured("Prints", "Awaits", tmp_path)
    assert found.costs.keys() == {"append"}


@pytest.mark.parametrize(
    ("bad", "words"),
    [
        ("CountFails", "head: RuntimeError: no more counting"),
        ("CountDies", "head: the store's process ended (exit code 3) in the middle of ready count; "
                      "its last line: out of fingers"),
        ("CountHangs", "head: the store's process did not answer ready count within 2 s"),
    ],
)  # fmt: skip
def test_an_operation_that_fails_is_said(bad, words, tmp_path):
    """The line names the side; no file and no process stays behind."""
    found = measured("Counts", bad, tmp_path, "count", operation_s=2.0)
    assert found.costs == {}
    assert found.failures == {"count": words}
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(
    ("bad", "words"),
    [
        ("NeverOpens", "base: OSError: the disk is upside down"),
        ("Exits", "base: the store's process ended (exit code 0) in the middle of the opening"),
        ("TakesNothing", "base: ValueError: no"),
        ("Nobody", "base: StoreNotFound: module 'arm_stores' has no attribute 'Nobody'"),
    ],
)
def test_a_store_that_does_not_start_is_said(bad, words, tmp_path):
    """In one line that names the side; the other is ended."""
    with pytest.raises(CannotStart) as caught:
        measured(bad, "Plain", tmp_path)
    assert str(caught.value).startswith(words)
    assert "\n" not in str(caught.value)
    assert list(tmp_path.iterdir()) == []


def test_an_operation_that_takes_too_long_is_left_out(tmp_path):
    """It is said how long it would have taken."""
    starts = {name: partial(arm, "Slow") for name in (BASE, HEAD)}
    plan = PairPlan(rounds=9, messages=40, most_s=0.0)
    found = measured_pair(starts, ["append"], plan, seed=1, parent=tmp_path)
    assert found.failures["append"].endswith("would take too long")


def test_what_head_alone_makes_too_long_is_measured(tmp_path):
    """In few rounds: that it takes so long must not keep it from being called slower."""
    starts = {BASE: partial(arm, "Counts", "count"), HEAD: partial(arm, "CountsSlowly", "count")}
    plan = PairPlan(rounds=9, messages=40, row_s=0.01, most_s=0.11)
    found = measured_pair(starts, ["count"], plan, seed=1, parent=tmp_path)
    assert found.failures == {}
    costs = found.costs["count"]
    assert 1 <= len(costs.head) <= 2
    assert min(costs.head) > 10 * max(costs.base)


@pytest.mark.parametrize("order", [("Heavy", "Heavier"), ("Heavier", "Heavy")])
def test_both_work_on_as_many_messages(order, tmp_path):
    """The slower side says how many: with fewer of them it would be the faster at deleting."""
    starts = {
        name: partial(arm, store, "delete") for name, store in zip((BASE, HEAD), order, strict=True)
    }
    plan = PairPlan(rounds=8, messages=40)
    found = measured_pair(starts, ["delete"], plan, seed=1, parent=tmp_path)
    assert found.failures == {}
    assert 1 <= int(found.notes["delete"].split()[2]) <= 8  # sessions of 8 messages


def test_different_work_is_not_compared(tmp_path):
    """A row that changes a state on one side and a message on the other tells nothing."""
    starts = {BASE: partial(arm, "Edits", "edit_message"), HEAD: partial(arm, "Sets", "set_state")}
    found = measured_pair(starts, ["update"], PLAN, seed=1, parent=tmp_path)
    assert found.costs == {}
    assert found.failures == {
        "update": "they do not do the same: base edit_message; head set_state"
    }


def test_a_call_after_the_end_is_refused(tmp_path):
    """An arm that was killed says so, and does not hang."""
    one = arm("Plain")
    one.open(tmp_path / "one")
    one.kill()
    with pytest.raises(ArmFailed) as caught:
        one.call("load", 1, 0.0)
    assert caught.value.gone


def test_its_folders_come_first():
    """On the import path, and before the folder that it is started in."""
    given = environment_of(side("Plain"), {"PYTHONPATH": "/there", "A": "b"})
    assert given["PYTHONPATH"] == os.pathsep.join([HERE, "/there"])
    assert given["PYTHONSAFEPATH"] == "1"
    assert given["A"] == "b"


def test_two_processes_are_as_alike_as_can_be(tmp_path):
    """Their hashes agree, and their addresses where the system lets us choose."""
    told = []
    for name in ("one", "other"):
        one = arm("Told")
        told.append(one.open(tmp_path / name)["version"].split())
        one.end()
    (seed, address, hashed), (seed_too, address_too, hashed_too) = told
    assert (seed, hashed) == (seed_too, hashed_too) == ("0", hashed)
    with steady_addresses() as fixed:
        pass
    assert not fixed or address == address_too


ASK = 0xFFFFFFFF
FIXED = 0x0040000  # ADDR_NO_RANDOMIZE


class Personality:
    """The system's call: flags as they are, and answers as told."""

    def __init__(self, monkeypatch, flags, *, refuses=()):
        self.flags, self.refuses, self.asked = flags, refuses, []
        monkeypatch.setattr(steady, "_personality", lambda: self)

    def __call__(self, asked):
        before = self.flags
        self.asked.append(asked)
        if asked in self.refuses:
            return -1
        if asked != ASK:
            self.flags = asked
        return before


def test_addresses_are_fixed_within_the_block_alone(monkeypatch):
    """The other flags of the thread stay, and all are as before in the end, whatever happens."""
    system = Personality(monkeypatch, 0x8)
    seen = []

    def fails():
        with steady_addresses() as done:
            seen.append((done, system.flags))
            raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        fails()
    assert seen == [(True, 0x8 | FIXED)]
    assert system.flags == 0x8


@pytest.mark.parametrize("refused", [ASK, 0x8 | FIXED])
def test_where_the_system_refuses_all_is_as_ever(monkeypatch, refused):
    """Containers may forbid to ask, or to change it: it is asked no more, and processes start."""
    system = Personality(monkeypatch, 0x8, refuses=(refused,))
    with steady_addresses() as done:
        assert not done
    assert system.flags == 0x8
    assert system.asked[-1] == refused


@pytest.mark.parametrize("platform", ["darwin", "linux"])
def test_a_system_without_the_call_is_left_alone(monkeypatch, platform):
    """Another system than Linux is not asked, nor is a library that has no such function."""
    monkeypatch.setattr(steady.sys, "platform", platform)

    class Library:
        def __init__(self, name):
            assert platform == "linux"

    monkeypatch.setattr(steady.ctypes, "CDLL", Library)
    with steady_addresses() as done:
        assert not done


def test_a_process_stays_on_its_core_where_that_can_be_told(monkeypatch):
    """On Linux; elsewhere nothing is done, and one that has ended is no error."""
    one = arm("Plain")
    try:
        asked = []

        def pinned(*given):
            asked.append(given)
            if len(asked) == 2:
                raise ProcessLookupError

        monkeypatch.setattr(os, "sched_setaffinity", pinned, raising=False)
        one.stay_on(3)
        one.stay_on(4)
        assert asked == [(one._process.pid, {3}), (one._process.pid, {4})]
        monkeypatch.delattr(os, "sched_setaffinity")
        one.stay_on(5)
        assert len(asked) == 2
    finally:
        one.kill()


def test_a_process_that_cannot_be_started_is_said():
    """In one line, and there is nothing to be ended."""

    def start(command, environment):
        raise OSError("no more processes")

    with pytest.raises(ArmFailed, match="no process could be started: no more proc") as caught:
        RemoteArm(side("Plain"), wanted(), environment={}, start=start)
    assert caught.value.gone


@pytest.mark.parametrize("answer", ["not JSON", "[]", "{}", "5"])
def test_what_is_no_answer_ends_the_process(answer):
    """A program that says something else is not asked again."""

    def start(_, environment):
        program = f"input(); print({answer!r}, flush=True); input()"
        return subprocess.Popen(
            [sys.executable, "-S", "-c", program],
            stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE,
            bufsize=0, start_new_session=True,
        )  # fmt: skip

    one = RemoteArm(side("Plain"), wanted(), environment={}, start=start)
    try:
        with pytest.raises(ArmFailed, match="load 3 was answered by what is no answer") as caught:
            one.call("load", 3)
        assert caught.value.gone
        assert one.answers == 1
        with pytest.raises(ArmFailed):
            one.call("load", 3)
    finally:
        one.kill()


class Ended:
    """An arm of which is noted how it ended."""

    def __init__(self, error=None):
        self.error, self.killed = error, False

    def open(self, root):
        return {}

    def call(self, name, *given, within_s=0.0):
        return 1

    def end(self):
        if self.error is not None:
            raise self.error

    def kill(self):
        self.killed = True


def test_no_process_stays_when_one_does_not_end(tmp_path):
    """Ctrl-C while a store closes leaves neither side behind, nor their folder."""
    arms = {BASE: Ended(KeyboardInterrupt()), HEAD: Ended()}
    start = {name: lambda name=name: arms[name] for name in arms}
    with (
        pytest.raises(KeyboardInterrupt),
        started_pair(start, (BASE, HEAD), tmp_path, PLAN, Measured()),
    ):
        pass
    assert [one.killed for one in arms.values()] == [True, True]
    assert list(tmp_path.iterdir()) == []


class Noted(Plain):
    """Notes where it was opened, what it read, and that it was closed; kept by folder."""

    seen: ClassVar[list[object]] = []
    all_kept: ClassVar[dict[Path, dict[str, list[object]]]] = {}

    def __init__(self, location):
        self.kept = self.all_kept.setdefault(location.root, {})
        self.seen.append(location.root.parent.name)

    def read(self, session_id):
        self.seen.append(len(super().read(session_id)))
        return super().read(session_id)

    def close(self):
        self.seen.append("closed")


class NotedAsync(Noted):
    """The same, awaited."""

    async def read(self, session_id):
        return super().read(session_id)

    async def close(self):
        super().close()


def asked_of(store, root, **claims):
    """The request that opens a store of this file in this process."""
    return {
        "store": f"{Path(__file__).stem}:{store.__name__}", "root": str(root), "url": None,
        "namespace": None, "claims": claims_to_json(replace(Claims(), **claims)),
        "capabilities": [], "pool": "words of a chat " * 40,
    }  # fmt: skip


@pytest.mark.parametrize("store", [Noted, NotedAsync])
def test_the_opening_of_a_store_reads_one_message(tmp_path, store):
    """In a folder of its own, where nobody has it open, and it is closed each time."""
    Noted.seen.clear()
    one = Arm(asked_of(store, tmp_path))
    assert one.load(30, 0.0) == 30
    assert one.ready("open") == "opened, one message read, closed"
    assert Noted.seen == ["timed", 30, "opened", "closed", "opened", 1, "closed"]
    assert len(one.run("open", "store", 2)) == len(one.run("open", "floor", 3)) - 1 == 2
    assert Noted.seen[7:] == ["opened", 1, "closed"] * 2
    one.close()
    assert Noted.seen[13:] == ["closed"]


def test_a_store_that_can_say_nothing_is_not_timed(tmp_path):
    """Without a message that it takes there is nothing to append."""
    with pytest.raises(ValueError, match="can express no message"):
        Arm(asked_of(Noted, tmp_path, roles=frozenset({"user"}), kinds=frozenset({"tool_call"})))


@pytest.fixture
def collector():
    """What a program does to the collector of its own process is undone in this one."""
    yield
    gc.unfreeze()
    gc.enable()


def test_an_arm_answers_each_request_with_a_line(collector):
    """A method's answer, or what it raised, in one line; in the end it is closed."""
    closed = []

    class Made:
        def facts(self):
            return {"version": "1"}

        def load(self, number, within_s):
            if number < 0:
                raise ValueError("no\nless than nothing")
            return number

        def close(self):
            closed.append(True)
            raise OSError("it does not close")

    def opened(request):
        if request["store"] != "good":
            raise LookupError(request["store"])
        return Made()

    requests = [
        {"store": "bad"},
        {"store": "good"},
        {"call": "load", "given": [5, 0.0]},
        {"call": "load", "given": [-5, 0.0]},
        {"call": "nothing", "given": []},
    ]
    lines = b"".join(json.dumps(one).encode() + b"\n" for one in requests)
    answers = io.BytesIO()
    answer_all(Channel(io.BytesIO(lines), answers), opened)
    refused, facts, loaded, error, unknown = map(json.loads, answers.getvalue().splitlines())
    assert refused == {"error": "LookupError: bad"}
    assert facts == {"answer": {"version": "1"}}
    assert loaded == {"answer": 5}
    assert error == {"error": "ValueError: no less than nothing"}
    assert "nothing" in unknown["error"]
    assert closed == [True]
