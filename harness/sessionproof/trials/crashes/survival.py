"""One state after a crash: written out, opened, read, used, and judged.

A store gets every state in a fresh folder, is asked for all that it shows, and goes on: it
appends, reads, closes, and is opened and read again.
"""

from __future__ import annotations

import shutil
import tempfile
from collections.abc import Collection, Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass, replace
from pathlib import Path
from typing import NamedTuple

from sessionproof.checks.flaws import Flaw, Shown, told
from sessionproof.checks.survivor_contents import changes
from sessionproof.checks.survivors import agreement_flaw, judge_again, judge_survivors
from sessionproof.contract.anomalies import Anomaly
from sessionproof.contract.clock import monotonic_s
from sessionproof.contract.errors import NotFound
from sessionproof.contract.location import Location
from sessionproof.contract.lookup import StoreSpec
from sessionproof.contract.message import Message, Receipt
from sessionproof.contract.operations import (
    CRASH,
    HANG,
    Append,
    Create,
    Delete,
    Failure,
    List,
    Outcome,
    Read,
    Replace,
    messages_of,
    session_of,
)
from sessionproof.faults.crashes.images import Images
from sessionproof.faults.crashes.states import State
from sessionproof.faults.recording import Recording
from sessionproof.oracle.model import Session, expect
from sessionproof.trials.crashes.survival_look import Asked, Stopped, invoked, look, look_again
from sessionproof.trials.crashes.survival_recorded import (
    ids_of,
    keys_of,
    label,
    numbers_of,
    sample_of,
    timeline_of,
)
from sessionproof.trials.crashes.survival_tables import table_flaws
from sessionproof.workload.guard import CannotOpen, FlightRecorder, Handle
from sessionproof.workload.profiles import Deadlines
from sessionproof.workload.texts import said, text_bytes
from sessionproof.workload.vocabulary import takes_times

_SLOW_S, _SLOWER = 5.0, 10.0  # opening may take so long, or so many times the usual
_TRIES = 3  # of opening, before it is called slow
_TEXT, _FRESH = "after the crash", "after-crash"


@dataclass(frozen=True, kw_only=True)
class Survived:
    """What one state showed: its flaws, worst first, one for each aspect; none for a good one.

    ``opened_s`` is how long opening took, None if it did not open. ``hung`` says that a call of
    the store did not end: nothing more is to be asked of the process that judged it.
    """

    state: State
    flaws: tuple[Flaw, ...]
    opened_s: float | None
    hung: bool = False

    @property
    def fault(self) -> Flaw | None:
        """The first flaw, None for none."""
        return self.flaws[0] if self.flaws else None


class _Target(NamedTuple):
    """The session that goes on: its logical name, its id, what it has (None: not known)."""

    name: str
    session_id: str
    has: Sequence[Message] | None


class Survival:
    """Judges the states of one recording; what it writes lies below ``parent``."""

    def __init__(
        self,
        spec: StoreSpec,
        recording: Recording,
        *,
        parent: Path,
        deadlines: Deadlines,
        recorder: FlightRecorder | None = None,
    ) -> None:
        """Raises CannotOpen where the store does not open at an empty location."""
        self.timeline = timeline_of(recording)
        self._spec, self._recording, self._parent = spec, recording, parent
        self._deadlines, self._recorder, self._claims = deadlines, recorder, recording.claims
        self._images = Images(recording.changes)
        self._numbers = numbers_of(recording.acts, recording.claims.keeps)
        self._sample = sample_of(recording.acts)
        self._asked = Asked(
            ids=ids_of(recording.acts), keys=keys_of(recording.acts), can=recording.capabilities
        )
        self._asked = replace(self._asked, own=self._listed_when_empty())

    def survived(self, state: State) -> Survived:
        """What this state shows. Raises OSError where it cannot be written."""
        try:
            with scratch_folder(self._parent) as folder:
                handle, opened_s = self._opened(state, folder)
                flaws, hung = self._examined(handle, folder, state)
            if opened_s > _SLOW_S:
                with suppress(CannotOpen):  # it opened before: the machine is busy beyond all use
                    opened_s, slow = self._slow(state, opened_s)
                    flaws = (*slow, *flaws)
        except CannotOpen as why:
            flaw = _closed(str(why))
            hung = flaw.anomaly is Anomaly.HANG
            return Survived(state=state, flaws=(flaw,), opened_s=None, hung=hung)
        return Survived(state=state, flaws=flaws, opened_s=opened_s, hung=hung)

    def _opened(self, state: State | None, folder: Path) -> tuple[Handle, float]:
        """The store open on a state, or on nothing, and how many seconds it took."""
        if state is not None:
            self._images.image(state).write(folder)
        begun_s = monotonic_s()
        handle = self._open(folder)
        return handle, monotonic_s() - begun_s

    def _slow(self, state: State, opened_s: float) -> tuple[float, tuple[Flaw, ...]]:
        """The shortest opening of this state, and a flaw if all were slow by far.

        A busy machine is slow with everything: an empty location is opened beside.
        """
        usual_s = self._recording.opened_s
        for _ in range(_TRIES - 1):
            for given in (None, state):
                with scratch_folder(self._parent) as folder:
                    handle, took_s = self._opened(given, folder)
                    handle.close()
                if given is None:
                    usual_s = max(usual_s, took_s)
                else:
                    opened_s = min(opened_s, took_s)
        most_s = max(_SLOW_S, _SLOWER * usual_s)
        return opened_s, (_late(opened_s, most_s),) if opened_s > most_s else ()

    def _open(self, folder: Path) -> Handle:
        return Handle(
            self._spec, Location(folder), deadlines=self._deadlines, recorder=self._recorder
        )

    def _examined(
        self, handle: Handle, folder: Path, state: State
    ) -> tuple[tuple[Flaw, ...], bool]:
        """All flaws of an open store, and whether a call hung; the handle is closed."""
        flaws: list[Flaw] = []
        try:
            shown = look(handle, self._asked, self._names(state.point))
            flaws += judge_survivors(shown, self.timeline, state.point, losing=bool(state.lost))
            flaws += self._in_tables(handle, {flaw.aspect for flaw in flaws})
            flaws += self._going_on(handle, folder, shown, state.point)
        except Stopped as stopped:
            flaws.append(stopped.flaw)
        finally:
            handle.close()
        return tuple(flaws), any(flaw.anomaly is Anomaly.HANG for flaw in flaws)

    def _in_tables(self, handle: Handle, told: Collection[str]) -> Iterator[Flaw]:
        """What is wrong in the store's tables, where it shows them, and was not told yet."""
        if "tables" not in self._asked.can:
            return
        outcome = handle.perform("tables()", lambda call: table_flaws(call("tables")))
        yield from (flaw for flaw in outcome.value or () if flaw.aspect not in told)

    def _going_on(self, handle: Handle, folder: Path, shown: Shown, point: int) -> Iterator[Flaw]:
        """What is wrong with an append, and with what is there when it is opened again."""
        asked, after = self._asked, shown
        target = self._target(handle, shown, point)
        if target is not None:
            asked = replace(asked, ids={**asked.ids, target.name: target.session_id})
            new = self._new()
            appended = Append(target.name, (new,))
            done = invoked(handle, appended, target.session_id, when="go on")
            if done.type != "ok":
                yield _stuck(f"an append to {target.name} succeeds", done, target.name)
                return
            if target.has is not None:
                world = {target.name: Session(tuple(target.has), made=True)}
                grown = expect(world, appended, self._claims).after[target.name]
                after = replace(
                    shown, reads={**shown.reads, target.name: Outcome("ok", grown.messages)}
                )
                yield from self._numbered(target, done.value, point)
            read = invoked(handle, Read(target.name), target.session_id, when="go on")
            read_now = Shown(reads={target.name: read})
            changed = judge_again(_only(after, target.name), read_now, self._claims)
            if changed is not None:
                yield changed
                return
        closed = handle.close()
        if closed.type != "ok":
            yield _stuck("close answers", closed)
            return
        yield from self._opened_again(folder, asked, after)

    def _opened_again(self, folder: Path, asked: Asked, after: Shown) -> Iterator[Flaw]:
        """What is wrong with what is there when the store is opened once more."""
        try:
            handle = self._open(folder)
        except CannotOpen as why:
            yield replace(_closed(str(why)), aspect="going on", when="go on")
            return
        try:
            shown = look_again(handle, asked, tuple(after.reads))
        finally:
            handle.close()
        for flaw in (
            judge_again(after, shown, self._claims),
            agreement_flaw(shown, self._claims, when="go on"),
        ):
            if flaw is not None:
                yield flaw

    def _names(self, point: int) -> tuple[str, ...]:
        """The sessions that were used before this point, or are asked for there."""
        survivable = self.timeline.at(point)
        acts = sorted((*survivable.answered, *survivable.interrupted))
        named = (session_of(self._recording.acts[at].operation) for at in acts)
        return tuple(dict.fromkeys(name for name in named if name))

    def _target(self, handle: Handle, shown: Shown, point: int) -> _Target | None:
        """The session to append to: that of the last change, if it takes an append."""
        survivable = self.timeline.at(point)
        acts = [*survivable.answered, *survivable.interrupted]
        operations = [self._recording.acts[at].on_sessions for at in reversed(acts)]
        changed = [session_of(one) for one in operations if changes(one)]
        creates = self._claims.missing_session == "creates" and self._claims.session_ids == "caller"
        for name in dict.fromkeys(changed):
            outcome = shown.reads[name]
            has = tuple(outcome.value) if outcome.type == "ok" else None
            if outcome.type == "fail" and _not_found(outcome):
                has = ()
            if has or creates or has is None:
                return _Target(name, self._asked.ids[name], has)
        if creates:
            return _Target(_FRESH, _FRESH, ())
        if "create" not in self._asked.can:
            return None
        named = None if self._claims.session_ids == "store" else _FRESH
        made = invoked(handle, Create(_FRESH), named, when="go on")
        if made.type != "ok":
            raise Stopped(_stuck("create makes a session", made, _FRESH))
        return _Target(_FRESH, made.value, ())

    def _new(self) -> Message:
        """A message that was not recorded, as the store takes them."""
        times = [
            one.created_at_us or 0
            for act in self._recording.acts
            for one in messages_of(act.operation)
        ]
        at_us = max(times, default=0) + 1 if takes_times(self._claims) else None
        text = _TEXT[: text_bytes(self._claims, len(_TEXT))]
        return replace(said(self._sample, text, at_us=at_us), id=None)

    def _numbered(self, target: _Target, receipt: Receipt | None, point: int) -> Iterator[Flaw]:
        """What is wrong with the number of the new message, where numbers are claimed."""
        if self._claims.seq_start is None or receipt is None or not receipt.seqs:
            return
        given = receipt.seqs[0]
        known = (
            self._numbers.get((target.name, label(one, self._claims.keeps)))
            for one in target.has or ()
        )
        living = [number for number in known if number is not None]
        before = [*living, *self._given(target.name, point)]
        if not before or given > max(before):
            return
        again = given in before
        yield Flaw(
            anomaly=Anomaly.DUPLICATE_SEQUENCE if again else Anomaly.SEQUENCE_ORDER,
            aspect="numbers",
            expected=f"a number above {max(before)}, the highest that {target.name} has given",
            seen=f"an append after the crash got {given}",
            when="go on",
            session=target.name,
        )

    def _given(self, name: str, point: int) -> Iterator[int]:
        """The numbers that were acknowledged and are never given again, where that is claimed."""
        if self._claims.seq_after_delete != "never":
            return
        survivable = self.timeline.at(point)
        for at in reversed((*survivable.answered, *survivable.interrupted)):
            act = self._recording.acts[at]
            if session_of(act.operation) != name:
                continue
            if isinstance(act.operation, Delete | Create | Replace):
                return
            if at in survivable.answered and isinstance(act.outcome.value, Receipt):
                yield from act.outcome.value.seqs or ()

    def _listed_when_empty(self) -> tuple[str, ...]:
        if "list" not in self._asked.can:
            return ()
        with scratch_folder(self._parent) as folder:
            handle = self._open(folder)
            try:
                outcome = handle.invoke(List())
            finally:
                handle.close()
        return outcome.value if outcome.type == "ok" else ()


def _not_found(outcome: Outcome) -> bool:
    return outcome.failure is not None and outcome.failure.type == NotFound.__name__


def _only(shown: Shown, name: str) -> Shown:
    return Shown(reads={name: shown.reads[name]} if name in shown.reads else {})


def _closed(why: str) -> Flaw:
    """The store did not open."""
    hangs = why.startswith("did not open within")
    return Flaw(
        anomaly=Anomaly.HANG if hangs else Anomaly.UNREADABLE,
        aspect="open",
        expected="the store opens by itself",
        seen=why if hangs else f"it does not open: {why}",
        when="open",
    )


def _late(took_s: float, most_s: float) -> Flaw:
    return Flaw(
        anomaly=Anomaly.STUCK,
        aspect="open",
        expected=f"the store opens within {most_s:g} s",
        seen=f"it took {took_s:.1f} s, the quickest of {_TRIES} times",
        when="open",
    )


def _stuck(expected: str, outcome: Outcome, name: str = "") -> Flaw:
    """A call after the crash that did not succeed."""
    failure = outcome.failure or Failure("", "")
    named = {HANG: Anomaly.HANG, CRASH: Anomaly.CRASH}
    return Flaw(
        anomaly=named.get(failure.type, Anomaly.STUCK),
        aspect="going on",
        expected=f"after the crash {expected}",
        seen=told(failure),
        when="go on",
        session=name,
        evidence=dict(failure.evidence),
    )


@contextmanager
def scratch_folder(parent: Path) -> Iterator[Path]:
    """A new folder, which is removed with all that is in it."""
    folder = Path(tempfile.mkdtemp(prefix="state-", dir=parent))
    try:
        yield folder
    finally:
        shutil.rmtree(folder, ignore_errors=True)
