"""Where a store keeps its data: in files of its location, or on a server of a database."""

from __future__ import annotations

from sessionproof.contract.operations import Append
from sessionproof.trials.inputs import good_message
from sessionproof.trials.single import NotClaimed, Trial
from sessionproof.workload.execute import execute

_KEPT = "kept-5d1e"


def require_files(trial: Trial) -> None:
    """Raise NotClaimed, and note it, for a store whose data is on a server and not in files.

    The store must say so (``for_server``), and leave no file below a location to which a message
    was appended. One that does either alone is judged by its files, as any other.
    """
    if trial.store.spec.for_server is None:
        return
    trial.store.fresh_location()
    done = execute(trial.program(Append("s0", (good_message(trial, _KEPT),))), trial.store)
    root = trial.store.location.root
    trial.store.fresh_location()  # closes the store, which may write until then
    kept = all(one.outcome.type == "ok" for one in done)
    if not kept or any(path.is_file() for path in root.rglob("*")):
        return
    why = (
        "the store's data lies on a server, so no crash of its files can be made: DUR-08 kills "
        "the server, and DUR-09 cuts its clients off"
    )
    trial.notes.append(why)
    raise NotClaimed(why)
