"""Rounds of transactions: what is evidence, what breaks the row, and what a finding shows."""

from __future__ import annotations

import itertools
import queue
import random
import shlex
import sys
import tempfile
import threading
import time
from contextlib import suppress
from dataclasses import replace
from pathlib import Path

import pytest

import sessionproof
from fixtures.benign.transactions import OneLock, Snapshots
from fixtures.mutants.transactions import (
    LeavesTheFirst,
    NobodyWins,
    OldCache,
    ReadsAtTheEnd,
    TellsOfAConflict,
    WriteSkew,
)
from sessionproof import Location, Refused
from sessionproof.checks.transactions import judge_transactions
from sessionproof.contract.claims import Limits
from sessionproof.contract.lookup import find_store
from sessionproof.history.transactions import from_lines
from sessionproof.reference import AsyncReferenceStore, ReferenceStore
from sessionproof.trials import transactions
from sessionproof.trials.single import Broken, CouldNotTell, NotClaimed
from sessionproof.workload.profiles import Profile

PATIENT = Profile(name="patient", share_s=0.02, shrink_s=0.3, patience_s=60)


def broken(trial):
    """The finding of a trial that must break."""
    with pytest.raises(Broken) as caught:
        transactions.within(trial)
    return caught.value.finding


@pytest.mark.parametrize("store", [OneLock, Snapshots, ReferenceStore, AsyncReferenceStore])
def test_what_is_isolated_holds(trial_of, store):
    """Threads, a shared handle or tasks: enough ran beside each other, and nothing is said."""
    trial = trial_of("CONC-07", store, profile=PATIENT)
    transactions.within(trial)
    assert trial.examined["transactions"] >= trial.guarantee.least
    assert "ran beside another client's" in trial.notes[-1]


@pytest.mark.night
def test_a_store_behind_a_command_is_judged(trial_of):
    """Each handle is a process, and its answers come over the protocol."""
    paths = shlex.join(f"--path={entry}" for entry in sys.path)
    trial = trial_of("CONC-07", ReferenceStore, profile=PATIENT)
    trial.store.close()
    trial.store.spec = find_store(f"cmd:{sys.executable} -m sessionproof.host {paths} reference")
    transactions.within(trial)
    assert trial.examined["transactions"] >= trial.guarantee.least
    with pytest.raises(NotClaimed):
        transactions.across(trial)


@pytest.mark.parametrize(
    ("store", "names"),
    [
        (WriteSkew, {"G2"}),
        (
            OldCache,
            {
                f"{sort}-{time}"
                for sort in ("G-single", "G-nonadjacent", "G2")
                for time in ("process", "realtime")
            },
        ),
        (LeavesTheFirst, {"aborted-read"}),
        (TellsOfAConflict, {"duplicate"}),
        (ReadsAtTheEnd, {"internal"}),
    ],
)
def test_what_is_not_isolated_is_told_by_its_name(trial_of, tmp_path, store, names):
    """The finding has its sentences, its transactions as calls, and the whole history."""
    finding = broken(trial_of("CONC-07", store, profile=PATIENT))
    assert finding.anomaly in names
    failed, tried = map(int, finding.repeats.split(" of "))
    assert 0 <= failed <= tried
    assert finding.program[0].startswith(("store.transact(…)  # T1, client", "store.read("))
    assert finding.evidence["times"].startswith("T1")
    (file,) = (tmp_path / "histories").iterdir()
    assert finding.evidence["history"] == f"history/{file.name}"
    history = from_lines(file.read_text("utf-8"))
    assert sum(one.final for one in history) == 3
    assert judge_transactions(history, store.claims.isolation)[0].anomaly == finding.anomaly


def answers(change):
    """A store that changes what it answers."""

    class Odd(OneLock):
        def transact(self, steps):
            return change(super().transact(steps))

    return Odd


@pytest.mark.parametrize(
    ("change", "said"),
    [
        (lambda got: got[:-1], "times for"),
        (lambda got: [None for _ in got], "no list of messages for a read"),
        (lambda got: [[] for _ in got], "a list for an append"),
        (lambda got: 7, "a sequence is expected"),
    ],
)
def test_an_answer_that_is_none_is_malformed(trial_of, change, said):
    """In number and in kind, an answer belongs to its step."""
    finding = broken(trial_of("CONC-07", answers(change), profile=PATIENT))
    assert finding.anomaly == "malformed-answer"
    assert said in finding.seen


def test_a_call_that_never_ends_is_a_hang(trial_of):
    """The finding is the hang, with its stack."""

    class Hangs(OneLock):
        def transact(self, steps):
            threading.Event().wait(30)

    finding = broken(trial_of("CONC-07", Hangs, profile=PATIENT, operation_s=1.0))
    assert finding.anomaly == "hang"
    assert "stack" in finding.evidence


def test_a_store_that_refuses_is_not_judged(trial_of):
    """Too few transactions took place, and the reason is told."""

    class Refuses(OneLock):
        def transact(self, steps):
            raise Refused("not today")

    with pytest.raises(CouldNotTell, match="not today"):
        transactions.within(trial_of("CONC-07", Refuses))


def test_what_is_never_served_is_not_tried_until_the_time_is_up(trial_of):
    """Some hundred refusals and nothing else: more of them would tell no more."""

    class Refusing(ReferenceStore):
        asked = 0

        def transact(self, steps):
            Refusing.asked += 1
            raise Refused("never")

    with pytest.raises(CouldNotTell, match="never; 200 are needed"):
        transactions.within(trial_of("CONC-07", Refusing, profile=PATIENT))
    assert 200 <= Refusing.asked < 400


@pytest.mark.parametrize(
    ("changed", "why"),
    [
        ({"order": "timestamp"}, NotClaimed),
        ({"limits": Limits(retention=5)}, CouldNotTell),
        ({"handles": "one"}, NotClaimed),
    ],
)
def test_what_cannot_be_judged_is_told(trial_of, changed, why):
    """Orders by time, sessions that forget, a single client."""
    claims = replace(OneLock.claims, **changed)
    with pytest.raises(why):
        transactions.within(trial_of("CONC-07", OneLock, claims=claims))
    with pytest.raises(NotClaimed):
        transactions.across(trial_of("CONC-07", OneLock, claims=claims))


@pytest.mark.parametrize("store", [WriteSkew, OldCache, NobodyWins, LeavesTheFirst])
def test_the_script_shows_it_alone(trial_of, store, tmp_path):
    """Its lines fail with the store, and run through with one that is right."""
    script = "\n".join(broken(trial_of("CONC-07", store, profile=PATIENT)).script)
    with pytest.raises(AssertionError, match="in attempt"):
        run(script, store, tmp_path)
    short = script.replace("tried < 400", "tried < 10")
    assert short != script
    run(short, ReferenceStore, tmp_path)


def test_the_script_tells_what_a_call_had_appended_itself(trial_of, tmp_path):
    """A read without its own call's append is told by both, not by the order of others."""

    class ReadsFirst(OneLock):
        def transact(self, steps):
            parts = sorted(range(len(steps)), key=lambda at: steps[at].messages is not None)
            answers = super().transact([steps[at] for at in parts])
            return [answers[parts.index(at)] for at in range(len(steps))]

    script = "\n".join(broken(trial_of("CONC-07", ReadsFirst, profile=PATIENT)).script)
    with pytest.raises(AssertionError, match="when the same call had appended"):
        run(script, ReadsFirst, tmp_path)


def run(script, store, tmp_path):
    """Run the lines as a reproducer does."""
    names = {name: getattr(sessionproof, name) for name in sessionproof.__all__}
    modules = (queue, random, tempfile, threading, time, itertools)
    names |= {module.__name__: module for module in modules}
    opened = []

    def open_store(location):
        opened.append(store(location))
        return opened[-1]

    with tempfile.TemporaryDirectory(dir=tmp_path) as directory:
        names |= {"open_store": open_store, "location": Location(Path(directory)), "Path": Path}
        try:
            exec(script, names)
        finally:
            for one in opened:
                with suppress(Exception):
                    one.close()
