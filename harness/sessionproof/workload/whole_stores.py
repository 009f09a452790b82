"""What is done to a store as a whole, as operations: carried out below a folder."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

from sessionproof.contract.operations import Outcome, Upkeep
from sessionproof.workload import lifetime, upkeep
from sessionproof.workload.guard import Handle

LIVE, MADE, OLD = "live", "made", "old"
"""Folders below that of an experiment: a store's location, its backups, a file to be migrated."""


def carried_out(handle: Handle, operation: Upkeep, root: Path) -> Outcome:
    """Ask the handle for it, with its paths below ``root``; never raises.

    Of the answer only the path of a backup is kept, as it stands below ``root``.
    """
    paths = [root / path for path in operation.paths]
    options = operation.options
    match operation.method:
        case "backup":
            keep = options.get("keep")
            made = upkeep.backup(handle, *paths, keep=keep if isinstance(keep, int) else None)
            return replace(made, value=_below(made, root))
        case "restore":
            done = upkeep.restore(handle, *paths)
        case "repair":
            done = upkeep.repair(handle, *paths, dry_run=False)
        case "migrate":
            done = upkeep.migrate(handle, *paths)
        case "rollback":
            done = upkeep.rollback(handle, *paths)
        case "sweep":
            done = lifetime.sweep(handle)
        case "maintain":
            done = lifetime.maintain(handle)
        case "snapshot":
            done = lifetime.snapshot(handle, str(options["session_id"]))
        case "restore_snapshot":
            done = lifetime.restore_snapshot(handle, str(options["snapshot_id"]))
        case method:
            raise ValueError(f"no upkeep is called {method}")
    return replace(done, value=None)


def _below(made: Outcome, root: Path) -> str | None:
    if made.type != "ok":
        return None
    return Path(made.value).resolve().relative_to(root.resolve()).as_posix()
