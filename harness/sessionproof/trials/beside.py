"""A store beside raw SQLite: both in hand for timing, in the thread of the store's handle."""

from __future__ import annotations

import tempfile
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, closing, contextmanager
from pathlib import Path

from sessionproof.bench.client import Client, Opening
from sessionproof.bench.floors import Floor, synchronous_for
from sessionproof.bench.rounds import Lend
from sessionproof.bench.table import CallFailed
from sessionproof.contract.clock import monotonic_s
from sessionproof.trials.inputs import good_message
from sessionproof.trials.single import Trial
from sessionproof.workload.conversation import ascii_words
from sessionproof.workload.guard import Handle

CHUNK = 25  # most that is written together, so that each time in the store's thread is short
_STEP_S = 0.1  # a chunk that takes longer is not followed by a larger one


def own_folder(prefix: str, *, below: Path) -> AbstractContextManager[str]:
    """A folder that is removed at the end, as far as a store that goes on writing allows.

    What is left goes with the run's own folder; an error here would hide what was found.
    """
    return tempfile.TemporaryDirectory(prefix=prefix, dir=below, ignore_cleanup_errors=True)


@contextmanager
def beside(
    trial: Trial,
    handle: Handle,
    floor_at: Path,
    *,
    opening: Opening | None = None,
    names: str = "b",
) -> Iterator[Client]:
    """The handle's store beside a floor in a file of its own. Raises CallFailed."""
    outcome = handle.lend("to be timed", lambda store, wait: (store, wait))
    if outcome.failure is not None:
        raise CallFailed(outcome.failure)
    store, wait = outcome.value
    with closing(Floor(floor_at, synchronous=synchronous_for(trial.claims.durability))) as floor:
        yield Client(
            store, wait, floor,
            claims=trial.claims, capabilities=handle.capabilities, awaited=trial.store.awaited,
            sample=good_message(trial, ""), pool=ascii_words(trial.text_seed), opening=opening,
            names=names,
        )  # fmt: skip


def lending(handle: Handle) -> Lend:
    """Lets actions run in the store's thread; what they raise is a CallFailed."""

    def lend(action: Callable[[], None]) -> None:
        outcome = handle.lend("timed calls", lambda _store, _wait: action())
        if outcome.failure is not None:
            raise CallFailed(outcome.failure)

    return lend


def in_chunks(
    lend: Lend,
    step: Callable[[int], None],
    number: int,
    *,
    within_s: float,
    least: int = 0,
    latest_s: float = 0.0,
) -> int:
    """Do so much of something, less where it would take longer; answers how much was done.

    Where it is slow it goes on until ``least`` is done, but not beyond ``latest_s``. The first
    chunk is one, as a single call may take a good part of its deadline.
    """
    started_s, done, most = monotonic_s(), 0, 1
    while done < number:
        spent_s = monotonic_s() - started_s
        if spent_s >= (within_s if done >= least else max(within_s, latest_s)):
            break
        chunk, began = min(most, number - done), monotonic_s()
        lend(lambda chunk=chunk: step(chunk))  # type: ignore[misc]
        done += chunk
        quick = monotonic_s() - began < _STEP_S
        most = min(2 * most, CHUNK) if quick else max(1, most // 2)
    return done
