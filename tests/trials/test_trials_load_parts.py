"""The parts of the load of many clients, on the reference: all of them, and those left out."""

from dataclasses import replace

import pytest

from sessionproof.bench import offered
from sessionproof.bench.clients import Shift
from sessionproof.bench.crews import CannotMeasure
from sessionproof.contract.anomalies import Anomaly
from sessionproof.contract.measurements import Load, Speed
from sessionproof.reference import ReferenceStore
from sessionproof.trials import load
from sessionproof.trials.load import many_clients
from sessionproof.trials.single import Broken, NotClaimed
from sessionproof.workload.profiles import PROFILES, Deadlines

GATE = PROFILES["gate"]
CLAIMS = replace(ReferenceStore.claims, durability="process", costs={})


@pytest.fixture(autouse=True)
def _at_leisure(monkeypatch):
    """No part is left out because this machine is slow; each is short, so that tests are."""
    monkeypatch.setattr(load, "_LATEST_S", 10**9)
    monkeypatch.setattr(load, "_TURNS_S", 0.1)
    monkeypatch.setattr(load, "_ONE_SESSION_S", 0.1)
    monkeypatch.setattr(offered, "RATE_MOST", 1_000.0)
    monkeypatch.setattr(offered, "WINDOW_S", 0.05)


@pytest.fixture
def trial_with(trial_of):
    """A trial of the reference with other claims, in the gate profile."""

    def make(**claims):
        trial = trial_of("PERF-01", ReferenceStore, claims=replace(CLAIMS, **claims), profile=GATE)
        trial.store.close()
        trial.store.deadlines = Deadlines()
        trial.store.spec = replace(trial.store.spec, name="reference")
        return trial

    return make


@pytest.mark.parametrize("writes", ["append", "replace"])
def test_one_session_is_for_stores_that_append(trial_with, monkeypatch, writes):
    """Where the unit is the conversation, several writers of one undo each other."""
    monkeypatch.setattr(load, "_offered", lambda *_: None)
    monkeypatch.setattr(load, "_swept", lambda *_: None)
    trial = trial_with(writes=writes, handles="threads")
    with pytest.raises(NotClaimed):
        many_clients(trial)
    clients = [one.clients for one in trial.measured]
    assert clients == ["10 threads", *(["10 threads, one session"] if writes == "append" else [])]


@pytest.mark.night
def test_the_reference_with_all_parts(trial_with):
    """Threads, processes and rates; its messages are all there."""
    trial = trial_with()
    with pytest.raises(NotClaimed, match="claims no costs"):
        many_clients(trial)
    rows = {one.clients: one for one in trial.measured if isinstance(one, Speed)}
    assert rows.keys() == {
        "10 threads", "10 threads, one session", "1 thread", "2 threads", "4 threads", "8 threads",
        "4 processes", "1 process", "2 processes",
    }  # fmt: skip
    assert all(row.note == "" or "could not be told" in row.note for row in rows.values())
    against = {name for name, row in rows.items() if row.floor is not None}
    assert against == {"10 threads", "10 threads, one session", "4 processes"}
    assert all(len(rows[name].samples["floor"]) >= 1 for name in against)
    (rates,) = (one for one in trial.measured if isinstance(one, Load))
    assert rates.clients == "10 threads"
    assert len(rates.points) >= 4


def test_processes_that_lose_messages_are_found(trial_with, monkeypatch):
    """What processes append is read back as well."""
    trial = trial_with()
    monkeypatch.setattr(load, "_beside_floors", lambda bench, crew: None)
    monkeypatch.setattr(load, "_by_load", lambda bench, crew: None)

    def lose(bench):
        session = bench.sessions[0]
        bench.trial.handle().lend("pop", lambda store, _: store.pop_last(session))

    monkeypatch.setattr(load, "_of_processes", lose)
    with pytest.raises(Broken) as broken:
        many_clients(trial)
    assert broken.value.finding.anomaly is Anomaly.LOST_MESSAGE


def test_a_slow_store_has_fewer_parts(trial_with, monkeypatch):
    """What there is no time for is left out with a note, not waited for."""
    monkeypatch.setattr(load, "_LATEST_S", -1)
    monkeypatch.setattr(load, "_LEAST_S", -1)
    trial = trial_with()
    with pytest.raises(NotClaimed):
        many_clients(trial)
    assert trial.measured == []
    assert trial.notes == [
        f"{part}: not measured: no time was left for it"
        for part in (
            "10 threads", "10 threads, one session", "processes", "throughput by clients",
            "offered rates",
        )
    ]  # fmt: skip


def test_what_a_crew_did_not_tell_is_no_duplicate(trial_with, monkeypatch):
    """Where one process fails for a reason of ours, what the others appended is nobody's fault."""
    trial = trial_with()
    monkeypatch.setattr(load, "_beside_floors", lambda bench, crew: None)
    monkeypatch.setattr(load, "_by_load", lambda bench, crew: None)

    def fall_silent(bench):
        def work(shift):
            message = bench.message
            bench.trial.handle().lend(
                "append", lambda store, _: store.append(shift.sessions[0], [message])
            )
            raise CannotMeasure("no memory")

        bench.counted(work)(Shift(bench.sessions[:1], 0, 1, calls=3))

    monkeypatch.setattr(load, "_of_processes", fall_silent)
    with pytest.raises(NotClaimed):
        many_clients(trial)
    assert "processes: not measured: no memory" in trial.notes
