"""Loads by a real cluster of two worker processes on this machine."""

import os
import signal
from contextlib import suppress
from dataclasses import replace

import pytest

from sessionproof.contract.location import Location
from sessionproof.contract.lookup import find_store
from sessionproof.contract.store import capabilities_of
from sessionproof.trials.load_verdict import judged_load
from sessionproof.trials.recorded_load import Wanted
from sessionproof.trials.waves import Load
from sessionproof.workload.executors import workers
from sessionproof.workload.profiles import Deadlines
from sessionproof.workload.waves import Plot

distributed = pytest.importorskip("distributed")


@pytest.fixture(scope="module")
def cluster(tmp_path_factory):
    """A scheduler and two workers."""
    with distributed.LocalCluster(
        n_workers=2,
        threads_per_worker=1,
        processes=True,
        host="127.0.0.1",
        dashboard_address="127.0.0.1:0",
        local_directory=tmp_path_factory.mktemp("dask"),
        silence_logs=50,
    ) as made:
        yield made


@pytest.fixture
def loaded(cluster, tmp_path):
    """Carries a load out on the cluster; answers what was recorded, and the verdict."""

    def load(store, *, operations, follow=lambda _: None):
        root, folder = tmp_path / "location", tmp_path / "history"
        root.mkdir()
        folder.mkdir()
        opened = find_store(store).open(Location(tmp_path))
        capabilities, claims = frozenset(capabilities_of(opened)), opened.claims
        opened.close()
        plot = Plot(
            seed=5, mix="hot", clients=2, claims=claims, capabilities=capabilities, beside=1
        )
        wanted = Wanted(
            store=store,
            location=Location(root),
            deadlines=Deadlines(),
            plot=plot,
            seconds=60.0,
            operations=operations,
        )
        address = cluster.scheduler_address.removeprefix("tcp://")
        with workers(f"dask://{address}", clients=2) as hired:
            recorded = Load(wanted, hired, folder, follow=follow).run()
        return recorded, judged_load(recorded, replace(plot), folder)

    return load


def test_a_cluster_judges_the_reference(loaded):
    """Both workers take part, and nothing is wrong."""
    recorded, verdict = loaded("reference", operations=2_000)
    assert not verdict.breaks
    assert len(recorded.workers) == 2
    assert recorded.made >= 2_000
    assert not recorded.deaths


def test_a_cluster_finds_what_is_broken(loaded):
    """Messages that two workers lose to each other are found."""
    store = "fixtures.mutants.conc_lost:RewritesTheFile"
    _, verdict = loaded(store, operations=2_000)
    assert "lost-message" in {told.incident.anomaly for told in verdict.breaks}


def test_a_worker_that_is_killed_is_survived(loaded):
    """What it had written is of unknown outcome, and no break."""
    killed = []

    def kill(recorded):
        """Kill a worker in the middle of a wave that came after the first."""
        if not killed and recorded.made and recorded.waves > 1:
            pid = int(next(iter(recorded.workers)).rpartition(" ")[2])
            killed.append(pid)
            with suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)

    recorded, verdict = loaded("reference", operations=6_000, follow=kill)
    assert killed
    assert not verdict.breaks, verdict.breaks[0].sentence
    assert any(str(pid) in death for pid in killed for death in recorded.deaths)
    assert recorded.made >= 6_000
