"""Crews of every kind that the claims allow, and their rounds without a judge."""

from __future__ import annotations

import shutil
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt

from sessionproof.history.columns import NEVER, History, Phase, Type
from sessionproof.scripts.crowds import Crowd, crowd_script
from sessionproof.scripts.expressions import Unwritable
from sessionproof.trials.single import CouldNotTell, NotClaimed, Trial
from sessionproof.workload.crews import (
    Crew,
    Kind,
    NothingToSay,
    Worked,
    awaits,
    crew,
    is_hosted,
    kinds_for,
)
from sessionproof.workload.rounds import Call, Round

_TEXT_BYTES = 80  # the longest text that clients send


def kinds_of(trial: Trial) -> tuple[Kind, ...]:
    """By whom the store may be used at once; raises NotClaimed, CouldNotTell."""
    limit = trial.claims.limits.content_bytes
    if limit is not None and limit < _TEXT_BYTES:
        raise NotClaimed(f"texts of {_TEXT_BYTES} bytes are beyond the store's limit of {limit}")
    try:
        kinds = kinds_for(trial.claims, awaits=awaits(trial.store), hosted=is_hosted(trial.store))
    except NothingToSay as why:
        raise CouldNotTell(str(why)) from None
    if not kinds:
        raise NotClaimed("the store does not claim that several clients may use it at once")
    return kinds


@contextmanager
def crews(trial: Trial, sizes: dict[Kind, int | None]) -> Iterator[list[Crew]]:
    """A crew of each kind, with so many clients."""
    with ExitStack() as stack:
        try:
            yield [
                stack.enter_context(crew(kind, trial.store, clients=number))
                for kind, number in sizes.items()
            ]
        except NothingToSay as why:
            raise CouldNotTell(str(why)) from None


@dataclass
class Turns:
    """Rounds of one trial: gives numbers and names once."""

    trial: Trial
    first: int = 1
    played: int = 0

    def play(
        self,
        one: Crew,
        programs: Sequence[Sequence[Call]],
        sessions: int,
        *,
        budget_s: float = 5.0,
        location: bool = False,
        meets: int = 0,
    ) -> Worked:
        """Carry these programs out, on so many new sessions; on a new location if asked to.

        ``meets`` as in ``Round``.
        """
        self.played += 1
        if location:
            self.trial.store.fresh_location()
        made = Round(
            sessions=tuple(f"t{self.played}-{at}" for at in range(sessions)),
            programs=tuple(map(tuple, programs)),
            first=self.first,
            budget_s=budget_s,
            meets=meets,
        )
        self.first += made.numbers
        parent = self.trial.store.location.root.parent
        folder = Path(tempfile.mkdtemp(prefix="journals-", dir=parent))
        try:
            return one.work(made, folder)
        finally:
            shutil.rmtree(folder, ignore_errors=True)


def working(history: History) -> npt.NDArray[np.void]:
    """The rows of clients at work: without what was made before, and read when all was quiet."""
    rows: npt.NDArray[np.void] = history.rows[history.rows["phase"] == Phase.LOAD]
    return rows


def beside(rows: npt.NDArray[np.void]) -> npt.NDArray[np.bool_]:
    """Rows during which another client was in a call as well, on any session.

    A client's own rows never overlap. What never answered lasts until the end.
    """
    began, ended = np.sort(rows["inv"]), np.sort(rows["ret"])
    begun_before = np.searchsorted(began, rows["ret"], side="left")
    ended_before = np.searchsorted(ended, rows["inv"], side="right")
    beside_or_self: npt.NDArray[np.bool_] = begun_before - ended_before > 1
    return beside_or_self


def answered(rows: npt.NDArray[np.void]) -> npt.NDArray[np.bool_]:
    """Rows that are known to have taken place."""
    done: npt.NDArray[np.bool_] = (rows["type"] == Type.OK) & (rows["ret"] != NEVER)
    return done


def script(crowd: Crowd) -> tuple[str, ...]:
    """The lines, none where they would be too long."""
    try:
        return crowd_script(crowd)
    except Unwritable:
        return ()
