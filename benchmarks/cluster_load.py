"""A million operations through a cluster on this machine, whole or with a worker killed.

``python benchmarks/cluster_load.py`` starts a Dask cluster of two worker processes, has them load
the reference, and judges the history. Prints operations a second, seconds of judging, the verdict,
and the most memory that this process held. ``--operations``, ``--clients``, ``--mix`` and
``--store`` choose another load. ``--kill`` kills one of the workers in the middle: nothing may be
called broken. Ends with 1 when something is.
"""

from __future__ import annotations

import argparse
import os
import resource
import signal
import sys
import tempfile
from contextlib import suppress
from pathlib import Path

from distributed import LocalCluster

from sessionproof.contract.clock import monotonic_s
from sessionproof.contract.location import Location
from sessionproof.contract.seed import fresh_seed
from sessionproof.engine.machine import facts, fast_folder
from sessionproof.engine.plan import make_plan
from sessionproof.trials.load_report import Run, exit_code, summary
from sessionproof.trials.load_verdict import judged_load
from sessionproof.trials.recorded_load import Recorded, Wanted
from sessionproof.trials.waves import Load
from sessionproof.workload.executors import workers
from sessionproof.workload.waves import GROWING, Plot, rounds_beside


def measure(options: argparse.Namespace, folder: Path, address: str) -> int:
    """Load, judge and print; the exit code."""
    plan = make_plan(options.store, profile="gate", seed=fresh_seed(), directory=folder)
    root, history = folder / "location", folder / "history"
    root.mkdir()
    history.mkdir()
    plot = Plot(
        seed=plan.seed,
        mix=options.mix,
        clients=options.clients,
        claims=plan.claims,
        capabilities=frozenset(plan.capabilities),
        beside=rounds_beside(options.mix, options.clients),
    )
    wanted = Wanted(
        store=options.store,
        location=Location(root),
        deadlines=plan.profile.deadlines,
        plot=plot,
        seconds=0.0,
        operations=options.operations,
    )
    killed: list[int] = []

    def follow(recorded: Recorded) -> None:
        """Kill one of the workers in the middle, where that is asked for."""
        if options.kill and not killed and 2 * recorded.made > options.operations:
            killed.append(int(next(iter(recorded.workers)).rpartition(" ")[2]))
            with suppress(ProcessLookupError):
                os.kill(killed[0], signal.SIGKILL)

    with workers(address, clients=options.clients) as hired:
        recorded = Load(wanted, hired, history, follow=follow).run()
    loaded_mib, start_s = _most_mib(), monotonic_s()
    verdict = judged_load(recorded, plot, history)
    run = Run(
        store=options.store,
        version=plan.version,
        executor="dask",
        mix=options.mix,
        clients=options.clients,
        sessions=options.clients,
        seed=plan.seed,
        claims=plan.claims,
        declared=plan.declared,
        recorded=recorded,
        judged_s=monotonic_s() - start_s,
    )
    for name, text in summary(run, verdict):
        sys.stdout.write(f"| {name:<11} {text}\n")
    size_mib = sum(path.stat().st_size for path in history.iterdir()) / 2**20
    sys.stdout.write(f"| memory      {loaded_mib:.0f} MiB loading, {_most_mib():.0f} MiB judging\n")
    sys.stdout.write(f"| history     {size_mib:.0f} MiB, seed {plan.seed}\n")
    return exit_code(run, verdict)


def _most_mib() -> float:
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024


def main() -> int:
    """Read the options, start the cluster, measure, stop it."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--operations", type=int, default=1_000_000)
    parser.add_argument("--clients", type=int, default=2)
    parser.add_argument("--mix", choices=GROWING, default="hot")
    parser.add_argument("--store", default="reference")
    parser.add_argument("--kill", action="store_true")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory(dir=fast_folder()) as directory:
        folder = Path(directory)
        for name, value in facts(folder).items():
            sys.stdout.write(f"| {name:<11} {value}\n")
        with LocalCluster(
            n_workers=2, threads_per_worker=1, processes=True, host="127.0.0.1",
            dashboard_address="127.0.0.1:0", local_directory=folder, silence_logs=50,
        ) as cluster:  # fmt: skip
            address = cluster.scheduler_address.replace("tcp", "dask", 1)
            return measure(options, folder, address)


if __name__ == "__main__":
    sys.exit(main())
