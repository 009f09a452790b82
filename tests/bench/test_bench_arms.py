"""Arms in processes of their own: what they measure, and how they end with a bad store."""

from __future__ import annotations

import os
import subprocess
import sys
from functools import partial
from pathlib import Path

import pytest

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
        program = f"for _ in iter(input, None): print({answer!r}, flush=True)"
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
        with pytest.raises(ArmFailed) as again:
            one.call("load", 3)
        assert "no answer" not in str(again.value)
        assert one.answers == 1
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
