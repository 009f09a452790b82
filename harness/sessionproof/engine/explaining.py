"""A comparison with the causes of what became slower: each version is asked what its calls do."""

from __future__ import annotations

from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path
from tempfile import mkdtemp

from sessionproof.bench.arms.remote import environment_of
from sessionproof.bench.tracking.compared import Comparison, Side
from sessionproof.contract.causes import Causes
from sessionproof.contract.claims import claims_from_json
from sessionproof.contract.folders import private_folder
from sessionproof.engine.machine import fast_folder
from sessionproof.engine.plan import BadUsage, child_environment, described
from sessionproof.trials.causes.counting import causes_of
from sessionproof.workload.profiles import PROFILES


def slowed(comparison: Comparison) -> list[str]:
    """The operations that are slower, or may be."""
    return [row.operation for row in comparison.rows if row.verdict == "slower" or row.warning]


def explained(
    comparison: Comparison,
    base: Side,
    head: Side,
    operations: Sequence[str],
    *,
    location: Path | None = None,
) -> Comparison:
    """The comparison with the causes of these operations on both sides.

    Below ``location`` the stores' data is put. As it was where a side does not open any more.
    """
    if not operations:
        return comparison
    deadlines = PROFILES[comparison.profile].deadlines
    with private_folder(location or fast_folder()) as folder:

        def causes(side: Side) -> tuple[Causes, ...]:
            own = Path(mkdtemp(dir=folder))
            environment = environment_of(side, child_environment())
            seen = described(side.store, deadlines, own, environment)
            return causes_of(
                side.store, claims_from_json(seen["claims"]), seen["capabilities"], operations,
                folder=own, path=side.path, environment=child_environment(),
            )  # fmt: skip

        with ThreadPoolExecutor(2) as threads:
            try:
                both = list(zip(*threads.map(causes, (base, head)), strict=True))
            except BadUsage:
                return comparison
    found = {before.operation: (before, after) for before, after in both}
    return replace(
        comparison,
        rows=tuple(replace(row, causes=found.get(row.operation)) for row in comparison.rows),
    )
