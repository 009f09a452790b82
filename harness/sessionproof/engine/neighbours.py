"""Other plugins of the pytest that runs the suites, and what they may not do there."""

from __future__ import annotations

import pytest


def no_benchmarks(config: pytest.Config) -> None:
    """Switch pytest-benchmark off, before it warns of workers: under -W error it ends the run.

    It measures nothing in workers, and would silently write no file. Raises UsageError.
    """
    if not hasattr(config.option, "benchmark_disable"):
        return
    for name in ("json", "save", "autosave"):
        if getattr(config.option, f"benchmark_{name}", None):
            raise pytest.UsageError(
                f"--benchmark-{name} writes nothing beside --store, whose tests run in workers: "
                "measure in a run of its own"
            )
    config.option.benchmark_disable = True
