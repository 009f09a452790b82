"""Places in which an upkeep is judged: files written out, the store opened there and looked at."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from sessionproof.checks.flaws import Aspect, Flaw, told_of
from sessionproof.contract.anomalies import Anomaly
from sessionproof.contract.claims import Claims
from sessionproof.contract.location import Location
from sessionproof.contract.lookup import StoreSpec
from sessionproof.contract.operations import CRASH, HANG, Outcome, Upkeep
from sessionproof.faults.crashes.images import Image
from sessionproof.trials.crashes.appearance import (
    Appearance,
    Unanswered,
    appearance,
    kept_of,
    life_of,
)
from sessionproof.trials.crashes.survival import scratch_folder
from sessionproof.workload import upkeep
from sessionproof.workload.guard import CannotOpen, FlightRecorder, Handle
from sessionproof.workload.profiles import Deadlines
from sessionproof.workload.whole_stores import LIVE, MADE, carried_out

_ENDINGS = {HANG: Anomaly.HANG, CRASH: Anomaly.CRASH}
_LENDING = "lending"
_ELSEWHERE = frozenset({"restore", "repair", "migrate", "rollback"})
"""What is asked of a handle on another location: nothing is open where it is done."""


@dataclass(frozen=True)
class Closed:
    """A location that does not open, or whose sessions cannot be read."""

    why: str

    def __str__(self) -> str:
        return f"it cannot be read: {self.why}"


Shown = Appearance | Closed


class Wrong(Exception):
    """What is left is neither old nor new; carries the flaw."""

    def __init__(self, flaw: Flaw) -> None:
        super().__init__(flaw.seen)
        self.flaw = flaw


def wrong(anomaly: Anomaly, aspect: Aspect, expected: str, seen: str) -> Wrong:
    """What is raised with such a flaw."""
    return Wrong(Flaw(anomaly=anomaly, aspect=aspect, expected=expected, seen=seen))


class Places:
    """What a store shows in folders that are written below ``parent``, each time a fresh one.

    Each method raises Wrong for a hang of the store, and for the end of its process.
    """

    def __init__(
        self,
        spec: StoreSpec,
        claims: Claims,
        operation: Upkeep,
        *,
        parent: Path,
        deadlines: Deadlines,
        recorder: FlightRecorder | None = None,
    ) -> None:
        self._spec, self._claims, self._operation = spec, claims, operation
        self._parent, self._deadlines, self._recorder = parent, deadlines, recorder
        self._lender: Handle | None = None

    def close(self) -> None:
        """Close the handle that lends its code."""
        if self._lender is not None:
            self._lender.close()

    def live(self, image: Image) -> Shown:
        """What the store shows of these files."""
        with scratch_folder(self._parent) as folder:
            image.write(folder)
            return self._shown(folder / LIVE)

    def restored(self, image: Image, names: Sequence[str]) -> dict[str, Shown]:
        """What each of these backups restores to; those that are refused are left out."""
        found: dict[str, Shown] = {}
        with scratch_folder(self._parent) as folder:
            image.write(folder)
            for at, name in enumerate(names):
                shown = self._restored(folder / MADE / name, folder / f"restored-{at}")
                if shown is not None:
                    found[name] = shown
        return found

    def again(self, image: Image) -> Shown:
        """What is there when it is done once more; of a backup, what it restores to."""
        operation = self._operation
        with scratch_folder(self._parent) as folder:
            image.write(folder)
            if operation.method in _ELSEWHERE:
                _require(carried_out(self._lent(), operation, folder), operation.method)
                return self._shown(folder / LIVE)
            handle = self._open(folder / LIVE)
            try:
                made = _require(carried_out(handle, operation, folder), operation.method)
            finally:
                handle.close()
            if operation.method != "backup":
                return self._shown(folder / LIVE)
            shown = self._restored(folder / str(made.value), folder / "restored")
            return Closed("what backup answered is refused") if shown is None else shown

    def _restored(self, made: Path, directory: Path) -> Shown | None:
        directory.mkdir()
        done = upkeep.restore(self._lent(), made, directory)
        if done.type == "ok":
            return self._shown(directory)
        if done.failure is not None and done.failure.type in _ENDINGS:
            raise _stopped("a bad backup is refused", done)
        return None

    def _shown(self, location: Path) -> Shown:
        try:
            handle = self._open(location)
        except CannotOpen as why:
            if str(why).startswith("did not open within"):
                raise wrong(Anomaly.HANG, "open", "the store opens by itself", str(why)) from None
            return Closed(str(why))
        try:
            sessions, method = self._operation.looked_at, self._operation.method
            shown = appearance(handle, sessions, self._claims, rows=method == "repair")
            if method == "snapshot":
                return replace(shown, kept=kept_of(handle, sessions, self._claims))
            return replace(shown, lives=life_of(handle, sessions)) if method == "sweep" else shown
        except Unanswered as why:
            if why.ended:
                raise _stopped("what is there can be read", why.outcome) from None
            return Closed(str(why))
        finally:
            handle.close()

    def _open(self, location: Path) -> Handle:
        location.mkdir(exist_ok=True)
        return Handle(
            self._spec, Location(location), deadlines=self._deadlines, recorder=self._recorder
        )

    def _lent(self) -> Handle:
        """A handle elsewhere, whose code is lent."""
        if self._lender is None or self._lender.dropped:
            self._lender = self._open(self._parent / _LENDING)
        return self._lender


def _require(outcome: Outcome, method: str) -> Outcome:
    if outcome.type != "ok":
        raise _stopped(f"{method} can be done again", outcome)
    return outcome


def _stopped(expected: str, outcome: Outcome) -> Wrong:
    """A call that did not answer as it owes after the crash."""
    failure = outcome.failure
    return Wrong(
        Flaw(
            anomaly=_ENDINGS.get(failure.type if failure else "", Anomaly.STUCK),
            aspect="going on",
            expected=f"after the crash {expected}",
            seen=told_of(outcome),
            when="go on",
            evidence=dict(failure.evidence) if failure else {},
        )
    )
