"""One operation whose system calls fail: what came of it, and of the store afterwards.

The store is healed when the operation has ended. Then it must have what it had before, the
operation whole or not at all, and go on: on the same handle, or when it is opened again.
"""

from __future__ import annotations

import itertools
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

from sessionproof.contract.location import Location
from sessionproof.contract.lookup import StoreSpec
from sessionproof.contract.operations import (
    CRASH,
    HANG,
    Append,
    AppendWithState,
    Clear,
    Completed,
    Count,
    Create,
    Delete,
    DeleteMessage,
    EditMessage,
    Failure,
    Get,
    Operation,
    Outcome,
    PopLast,
    Read,
    Reopen,
    Replace,
    SetState,
    session_of,
)
from sessionproof.faults.failing.listening import Met, Rule
from sessionproof.faults.failing.syscalls import Sort
from sessionproof.faults.failing.unsynced import File, contents, without_lost
from sessionproof.trials.inputs import good_message
from sessionproof.trials.single import Trial
from sessionproof.workload.execute import StoreUnderTest, execute
from sessionproof.workload.guard import CannotOpen
from sessionproof.workload.programs import kinds_for

BEFORE, DISTURBED, AFTER, AGAIN = "before-5e1d", "disturbed-5e1d", "after-5e1d", "again-5e1d"
_BIG = 20_000  # characters: several pages
Looks = Sequence[type[Get | Count]]
Judged = tuple[tuple[Completed, ...], set[int]]
Contents = Mapping[File, bytes]
_EXPERIMENTS = 20  # on one location, as long as all goes well


class Injects(Protocol):
    """What makes calls fail: ``Injector``, or ``FullDisk``."""

    spec: StoreSpec

    def watch(self, root: Path, rule: Rule | None = None) -> None:
        """Note changes of files below the folder; let the rule hold."""
        ...

    def heal(self) -> None:
        """Take the rule back."""
        ...

    def met(self) -> Met:
        """What was seen since ``watch``."""
        ...


@dataclass(frozen=True)
class Deed:
    """An operation that can be disturbed, in words; ``empty`` says that it is the first of all."""

    words: str
    step: Operation
    empty: bool = False


@dataclass
class Told:
    """What came of one experiment.

    ``transcript`` has all operations; those at ``disturbed`` may have failed. ``at`` is the place
    of the deed. ``stuck`` says that the handle did not go on; ``power`` is what a loss of power
    would have left after a sync that failed, as one more transcript, None where none was lost.
    """

    deed: Deed
    transcript: list[Completed]
    disturbed: set[int]
    at: int
    met: Met | None = None
    stuck: bool = False
    power: list[Completed] | None = None

    @property
    def outcome(self) -> Outcome:
        """That of the deed."""
        return self.transcript[self.at].outcome


def deeds(trial: Trial) -> list[Deed]:
    """The operations of this store that write, appends first."""
    kinds = kinds_for(trial.capabilities, trial.claims)
    limits, claims = trial.claims.limits, trial.claims
    one = good_message(trial, DISTURBED)
    found = [Deed("append a message", Append("s0", (one,)))]
    if claims.atomic_batches and limits.batch_bytes is None:
        batch = tuple(good_message(trial, f"{DISTURBED}-{at}") for at in range(3))
        found.append(Deed("append three messages at once", Append("s0", batch)))
    big = good_message(trial, DISTURBED + "x" * _BIG)
    if limits.content_bytes is None and limits.batch_bytes is None and big.kind == "text":
        found.append(Deed("append a message of several pages", Append("s0", (big,))))
    if claims.missing_session == "creates" and claims.session_ids == "caller":
        found.append(Deed("append to a new session", Append("s2", (one,))))
    found.append(Deed("close the store and open it again", Reopen()))
    found.append(Deed("open the store on an empty location", Reopen(), empty=True))
    other = good_message(trial, f"{DISTURBED}-new")
    optional: list[tuple[str, Operation]] = [
        ("append a message with state", AppendWithState("s0", (one,), {"step": DISTURBED})),
        (
            ("create a session with a message", Create("s2", (one,)))
            if limits.first_messages
            else ("create a session", Create("s2"))
        ),
        ("replace a history", Replace("s1", (one,))),
        ("edit a message", EditMessage("s1", 0, other)),
        ("delete a message", DeleteMessage("s1", 0)),
        ("take the newest message back", PopLast("s1")),
        ("set a key of the state", SetState("s0", "step", DISTURBED)),
        ("clear a session", Clear("s1")),
        ("delete a session", Delete("s1")),
    ]
    return [*found, *(Deed(words, step) for words, step in optional if type(step) in kinds)]


class Bench:
    """A store whose calls can be made to fail, and locations for one experiment after another."""

    def __init__(self, trial: Trial, injects: Injects, parent: Path) -> None:
        self._trial = trial
        self._injects = injects
        self._parent = parent
        self._numbers = itertools.count(1)
        self._served = 0
        self._store = self._another()

    def _another(self) -> StoreUnderTest:
        deadlines, claims = self._trial.store.deadlines, self._trial.claims
        folder = self._parent / f"bench-{next(self._numbers)}"
        folder.mkdir()
        return StoreUnderTest(self._injects.spec, claims, parent=folder, deadlines=deadlines)

    def close(self) -> None:
        """Close what is open."""
        self._store.close()

    def fresh(self) -> None:
        """Go on at an empty location."""
        self._store.close()
        self._store, self._served = self._another(), 0

    def seen(self, deed: Deed) -> Met:
        """The calls of an operation that is not disturbed."""
        if deed.empty:
            self.fresh()
        ids = {} if deed.empty else _ids(self._filled())
        self._injects.watch(self._store.location.root)
        self._disturbed(deed.step, ids)
        return self._injects.met()

    def tried(self, deed: Deed, rule: Rule, *, looks: Looks) -> Told:
        """One experiment; ``looks`` are asked of each session beside a read.

        Goes on at a fresh location when the store was not right afterwards.
        """
        self._served += 1
        if self._served > _EXPERIMENTS:
            self.fresh()
        told = self._one(deed, rule, looks)
        undisturbed = (done for at, done in enumerate(told.transcript) if at not in told.disturbed)
        if told.stuck or any(done.outcome.type == "info" for done in undisturbed):
            self.fresh()
        return told

    def _one(self, deed: Deed, rule: Rule, looks: Looks) -> Told:
        if deed.empty:
            self.fresh()
        done = [] if deed.empty else self._filled()
        ids = _ids(done)
        root = self._store.location.root
        before = contents(root) if _may_lose(self._trial, rule) else None
        self._injects.watch(root, rule)
        try:
            part = self._disturbed(deed.step, ids)
        finally:
            self._injects.heal()
        places = {*range(len(done), len(done) + len(part))}
        told = Told(deed, done + part, places, len(done) + len(part) - 1)
        if not _stopped(part):
            self._afterwards(told, ids | _ids(part), looks, before)
        told.met = told.met or self._injects.met()
        return told

    def _afterwards(
        self, told: Told, ids: Mapping[str, str], looks: Looks, before: Contents | None
    ) -> None:
        """Go on, lose power, open again: what follows the deed in each experiment."""
        if before is not None and told.outcome.type == "ok":
            self._lose_power(told, ids, before)  # now: a later write would bring the pages back
        if told.deed.empty:
            self._begin(told)
            ids = {**ids, **_ids(told.transcript)}
        else:
            self._go_on(told, ids, looks)
        if before is not None and told.power is None:
            self._lose_power(told, ids, before)
        if "s0" in ids and not _stopped(told.transcript):
            self._open_again(told, ids, looks)

    def _filled(self, names: tuple[str, str] = ("s0", "s1")) -> list[Completed]:
        trial = self._trial
        one, other = names
        filled = (Append(one, (good_message(trial, BEFORE),)), Append(other, trial.several(3)))
        return [*execute(trial.program(*filled, sessions=names), self._store)]

    def _disturbed(self, step: Operation, ids: Mapping[str, str]) -> list[Completed]:
        if not isinstance(step, Reopen):
            return [*execute((step,), self._store, ids=ids)]
        return self._opened()

    def _begin(self, told: Told) -> None:
        """Fill the location whose first opening was disturbed, on that handle or on another."""
        if not self._opens():
            told.transcript += self._opened()
            return
        self._note(told, self._filled())
        if told.stuck and not _stopped(told.transcript):
            told.transcript += self._opened()
            if told.transcript[-1].outcome.type == "ok":
                told.transcript += self._filled(("s3", "s4"))

    def _go_on(self, told: Told, ids: Mapping[str, str], looks: Looks) -> None:
        """Look at everything and append, on the handle as it is."""
        self._note(told, self._carried_out(AFTER, ids, looks))

    def _note(self, told: Told, done: list[Completed]) -> None:
        """Add what was done on a handle that may be stuck."""
        told.stuck = any(one.outcome.type == "info" for one in done) or _refused(done)
        if told.stuck and not _stopped(done):
            # What a handle says that knows of its trouble is not held against it, or the next.
            done = [one for one in done if isinstance(one.operation, Create | Append)]
            begin = len(told.transcript)
            told.disturbed |= {*range(begin, begin + len(done))}
        told.transcript += done

    def _open_again(self, told: Told, ids: Mapping[str, str], looks: Looks) -> None:
        durable = self._trial.claims.at_least("durability", "process")
        if not durable and not told.stuck:
            return
        told.transcript += self._opened()
        if told.transcript[-1].outcome.type == "ok":
            told.transcript += self._carried_out(AGAIN, ids, looks)

    def _opened(self) -> list[Completed]:
        self._store.close()
        try:
            self._store.handle()
        except CannotOpen as error:
            return [Completed(Reopen(), _not_opened(error))]
        return [Completed(Reopen(), Outcome("ok"))]

    def _carried_out(self, text: str, ids: Mapping[str, str], looks: Looks) -> list[Completed]:
        sessions = [name for name in ("s0", "s1", "s2") if name in ids]
        reads = [look(name) for name in sessions for look in (Read, *looks)]
        append = Append("s0", (good_message(self._trial, text),))
        if not self._opens():
            return [Completed(append, Outcome("info", failure=Failure("CannotOpen", "")))]
        return [*execute((*reads, append, Read("s0")), self._store, ids=ids)]

    def _opens(self) -> bool:
        """Whether the store opens: else ``execute`` would go on elsewhere."""
        try:
            self._store.handle()
        except CannotOpen:
            return False
        return True

    def _lose_power(self, told: Told, ids: Mapping[str, str], before: Contents) -> None:
        """Note what a fresh handle reads of the files without what a failed sync lost."""
        told.met = told.met or self._injects.met()
        to = self._parent / f"power-{next(self._numbers)}"
        to.mkdir()
        if not without_lost(self._store.location.root, told.met.unsynced.lost, before, to):
            return
        spec, claims = self._trial.store.spec, self._trial.claims
        deadlines = self._trial.store.deadlines
        other = StoreUnderTest(spec, claims, parent=self._parent, deadlines=deadlines)
        other.location = Location(to)
        try:
            other.handle()
        except CannotOpen as error:
            told.power = [*told.transcript, Completed(Reopen(), _not_opened(error))]
            return
        try:
            reads = tuple(Read(name) for name in ("s0", "s1", "s2") if name in ids)
            done = execute(reads, other, ids=ids)
        finally:
            other.close()
        told.power = [*told.transcript, Completed(Reopen(), Outcome("ok")), *done]


def _may_lose(trial: Trial, rule: Rule) -> bool:
    """Whether the failure may cost what only a loss of power shows."""
    return rule.sorts == {Sort.SYNC} and trial.claims.at_least("durability", "power")


def _not_opened(error: CannotOpen) -> Outcome:
    return error.outcome()


def _refused(done: Sequence[Completed]) -> bool:
    """Whether the append at its end was refused: session s0 is always there."""
    return any(isinstance(one.operation, Append) and one.outcome.type != "ok" for one in done)


def _stopped(done: Sequence[Completed]) -> bool:
    """Whether the store hung or ended its process."""
    failures = (one.outcome.failure for one in done)
    return any(failure is not None and failure.type in (HANG, CRASH) for failure in failures)


def _ids(done: Sequence[Completed]) -> dict[str, str]:
    """What the store knows each session by."""
    return {session_of(one.operation): one.session_id for one in done if one.session_id}


def without_looks(transcript: Sequence[Completed], disturbed: set[int]) -> Judged:
    """The transcript without facts and counts, and the new places of the disturbed operations."""
    kept = [
        (at, done)
        for at, done in enumerate(transcript)
        if not isinstance(done.operation, Get | Count)
    ]
    places = {new for new, (at, _) in enumerate(kept) if at in disturbed}
    return tuple(done for _, done in kept), places
