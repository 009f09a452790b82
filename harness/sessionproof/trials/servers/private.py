"""A private server for one trial, and the store as it is opened there."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path

from sessionproof.contract.claims import Claims
from sessionproof.contract.folders import folder_in_memory
from sessionproof.contract.lookup import StoreNotFound, StoreSpec, spec_of
from sessionproof.faults.servers.postgres import PrivateServer, ServerFailed
from sessionproof.trials.rounds import parent_of
from sessionproof.trials.single import CouldNotTell, NotClaimed, Trial
from sessionproof.workload.execute import StoreUnderTest

_ROOM_BYTES = 1 << 30
NO_SERVER = "the store uses no server that can be started here"


@contextmanager
def private_server(trial: Trial) -> Iterator[PrivateServer]:
    """A server that nobody else uses; raises NotClaimed, CouldNotTell."""
    if trial.store.spec.for_server is None:
        raise NotClaimed(NO_SERVER)
    try:
        # A kill leaves there what it leaves on a disk. A server that was killed syncs each of its
        # files when it starts again, which takes seconds on a disk that others use.
        with PrivateServer.start(folder_in_memory(_ROOM_BYTES)) as server:
            yield server
    except ServerFailed as why:
        raise CouldNotTell(str(why)) from None


@contextmanager
def opened_on(trial: Trial, url: str) -> Iterator[Trial]:
    """The trial with its store at this address; raises CouldNotTell for another store."""
    spec = _on(trial.store.spec, url)
    parent = Path(parent_of(trial)) / "on-a-server"
    parent.mkdir(exist_ok=True)
    store = StoreUnderTest(spec, trial.claims, parent=parent, deadlines=trial.store.deadlines)
    try:
        _require_same(trial.claims, spec.claims)
        yield replace(trial, store=store)
    finally:
        store.close()


def _on(spec: StoreSpec, url: str) -> StoreSpec:
    made: Callable[[str], object] | None = spec.for_server
    if made is None:
        raise NotClaimed(NO_SERVER)
    try:
        return replace(spec_of(spec.name, made(url)), encode=spec.encode, decode=spec.decode)
    except StoreNotFound as error:
        raise CouldNotTell(f"for_server: {error}") from None


def _require_same(here: Claims, there: Claims | None) -> None:
    """What is judged there must be what is claimed here."""
    if there is not None and there.durability != here.durability:
        raise CouldNotTell(
            f"for_server answered a store of durability={there.durability}, "
            f"and this one claims {here.durability}"
        )
