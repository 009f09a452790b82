"""Sessions with limits for clients that race: made, used, and looked at afterwards.

Where the store's clock can be set, each client's clock stands: that of those who use a session a
microsecond before its limit, that of those who sweep at it. Elsewhere limits are short and real.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from functools import partial
from random import Random  # noqa: TID251 - the type alone
from typing import Any

from sessionproof.contract.anomalies import Anomaly
from sessionproof.contract.clock import monotonic_ns, monotonic_s
from sessionproof.contract.message import Message
from sessionproof.contract.operations import CRASH, HANG, Get, Read
from sessionproof.contract.seed import generator
from sessionproof.contract.verdicts import Finding
from sessionproof.trials.again import failed_again
from sessionproof.trials.crowds import kinds_of
from sessionproof.trials.lateness import is_late
from sessionproof.trials.single import Broken, CouldNotTell, Trial
from sessionproof.workload import lifetime
from sessionproof.workload.crews import Kind
from sessionproof.workload.execute import insisted
from sessionproof.workload.guard import Handle
from sessionproof.workload.racers import Racers, racers
from sessionproof.workload.sessions import needs_create
from sessionproof.workload.texts import said
from sessionproof.workload.threads import Stopped
from sessionproof.workload.vocabulary import takes_times

START_US = 1_893_456_000_000_000  # 2030: no message of ours has a later time of its own
LIMIT_US = 3_600_000_000
_FRESH_AFTER = 60  # races on one location, so that what lies there stays small
_PROCESSES = 2  # starting one costs as much as many races
_MESSAGE_US = 1_700_000_000_000_000


@dataclass
class Sessions:
    """Gives a trial's races their sessions, texts and times, each once.

    ``waits_s`` is for stores whose clock is slow to come by a limit, ``limited_ns`` when the limit
    of each session was set, on a clock that never steps.
    """

    trial: Trial
    races: int = 0
    messages: int = 0
    waits_s: float = 0.0
    limited_ns: dict[str, int] = field(default_factory=dict)
    random: Random = field(init=False)

    def __post_init__(self) -> None:
        self.random = generator(self.trial.seed, "races")

    @property
    def virtual(self) -> bool:
        """Whether clocks can be set."""
        return "set_clock" in self.trial.capabilities

    @property
    def now_us(self) -> int:
        """When the sessions of this race are made, where clocks can be set."""
        return START_US + 10 * self.races * LIMIT_US

    def set_clock(self, now_us: int) -> None:
        """Let the clock of the trial's own handle stand at this time, where it can be set."""
        if self.virtual:
            self.trial.require_ok(lifetime.set_clock(self.trial.handle(), now_us), "set the clock")

    def message(self) -> Message:
        """One more message, of a text that no other has."""
        self.messages += 1
        at_us = _MESSAGE_US + self.messages if takes_times(self.trial.claims) else None
        return said(self.trial.words.samples[0], f"message {self.messages} in time", at_us=at_us)

    def made(self, number: int, *, idle_us: int) -> list[str]:
        """So many sessions of one message with this limit; their ids."""
        return [self._made(f"w{self.races}-{at}", idle_us) for at in range(number)]

    def _made(self, name: str, idle_us: int) -> str:
        trial, message = self.trial, self.message()
        creates = needs_create(trial.claims, trial.capabilities)
        by_store = trial.claims.session_ids == "store"
        if is_late(trial):
            raise CouldNotTell(f"{self.races} races were begun: the machine or the store is slow")

        def make(call: Callable[..., Any]) -> str:
            made = call("create", None if by_store else name) if creates else name
            call("append", made, [message])
            call("set_limits", made, idle_us=idle_us)
            self.limited_ns[str(made)] = monotonic_ns()
            return str(made)

        outcome = trial.handle().perform("a session with a limit", make)
        trial.require_ok(outcome, f"made a session with an idle limit of {idle_us} µs")
        return str(outcome.value)

    def used(self, sessions: Sequence[str]) -> None:
        """A message to each of these by the trial's own handle."""
        given = [(name, self.message()) for name in sessions]

        def use(call: Callable[..., Any]) -> None:
            for name, message in given:
                call("append", name, [message])

        done = self.trial.handle().perform("messages within the limit", use)
        self.trial.require_ok(done, "appended to sessions whose limit had not run out")

    def texts(self, session: str) -> list[str]:
        """What can be read of a session; nothing of one that is not there. Raises Broken."""
        handle = self.trial.handle()
        outcome = insisted(lambda: handle.invoke(Read("s"), session))
        if outcome.type == "fail":
            return []
        self.trial.require_ok(outcome, "read a session")
        return [text_of(one) for one in outcome.value]


def text_of(message: Message) -> str:
    """The text that was sent, wherever the message's kind has it."""
    arguments = message.arguments
    if isinstance(message.content, str):
        return message.content
    return str(arguments.get("text")) if isinstance(arguments, dict) else ""


def status_of(handle: Handle, session: str) -> str | None:
    """The session's status; None where the store tells none."""
    if "get" not in handle.capabilities:
        return None
    outcome = handle.invoke(Get("s"), session)
    return outcome.value.status if outcome.type == "ok" and outcome.value is not None else None


@dataclass(frozen=True)
class Experiment:
    """A race that is run again and again.

    ``play`` says what is wrong, empty for nothing, and how much the race is worth as evidence.
    ``did`` and ``expected`` are for the finding, ``lines`` make its
    script for clients of a kind.
    """

    play: Callable[[Sessions, Racers], tuple[str, int]]
    clients: int
    did: str
    expected: str
    anomaly: Anomaly = Anomaly.WRONG_ANSWER
    lines: Callable[[Kind], Sequence[str]] = lambda _: ()


def in_races(trial: Trial, made: Experiment) -> None:
    """Races of every kind of clients that the claims allow; raises Broken, CouldNotTell.

    Each kind has its part of the time, and of the least evidence.
    """
    kinds, sessions = kinds_of(trial), Sessions(trial)
    unit = trial.guarantee.unit
    for kind in kinds:
        trial.count(unit, _of_kind(sessions, kind, made, parts=len(kinds)))
    if trial.examined[unit] < trial.guarantee.least:
        raise CouldNotTell(
            f"{trial.examined[unit]} {unit} were examined, {trial.guarantee.least} are needed: "
            "the machine or the store is too slow"
        )


def _of_kind(sessions: Sessions, kind: Kind, made: Experiment, *, parts: int) -> int:
    trial, started_s, counted = sessions.trial, monotonic_s(), 0
    least = math.ceil(trial.guarantee.least / parts)
    share_s = trial.profile.share_s * trial.guarantee.weight / parts

    def enough() -> bool:
        is_done = counted >= least and monotonic_s() - started_s >= share_s
        return is_done or trial.time_is_up() or is_late(trial)

    while not enough():
        trial.store.fresh_location()
        number = min(made.clients, _PROCESSES) if kind == "processes" else made.clients
        with racers(kind, trial.store, number) as one:
            for _ in range(_FRESH_AFTER):
                try:
                    seen, worth = _played(sessions, one, made)
                except CouldNotTell:
                    if not is_late(trial):
                        raise
                    break
                if seen:
                    raise _broken(sessions, one, made, seen)
                counted += worth
                if enough():
                    break
    return counted


def _played(sessions: Sessions, one: Racers, made: Experiment) -> tuple[str, int]:
    """What one race shows; raises Broken for a hang."""
    sessions.races += 1
    try:
        return made.play(sessions, one)
    except Stopped as stop:
        failure = stop.outcome.failure
        if failure is None or failure.type not in (HANG, CRASH):
            raise
        finding = Finding(
            anomaly=Anomaly(failure.type), did=f"{one.named}: {made.did}",
            expected="every call ends", seen=failure.text, evidence=dict(failure.evidence),
        )  # fmt: skip
        raise Broken(finding) from None


def _broken(sessions: Sessions, one: Racers, made: Experiment, seen: str) -> Broken:
    """The finding, after further races."""
    trial = sessions.trial

    def fails() -> bool | None:
        with suppress(CouldNotTell):
            return bool(_played(sessions, one, made)[0])
        return None

    failed, tried = failed_again(trial, fails, stop=lambda: is_late(trial))
    finding = Finding(
        anomaly=made.anomaly, did=f"{one.named}: {made.did}", expected=made.expected, seen=seen,
        repeats=f"{failed} of {tried} races" if tried else None,
    )  # fmt: skip
    return trial.broken(finding, partial(made.lines, one.kind))
