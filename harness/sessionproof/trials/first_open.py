"""Many that open a fresh location at once."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import dataclass, replace
from functools import partial

from sessionproof.contract.anomalies import Anomaly
from sessionproof.contract.clock import monotonic_ns, monotonic_s
from sessionproof.contract.errors import Conflict, Refused
from sessionproof.contract.frames import AT
from sessionproof.contract.message import Message
from sessionproof.contract.operations import CRASH, HANG, Failure, Outcome, Read, message_call
from sessionproof.contract.seed import generator
from sessionproof.contract.verdicts import Finding, Interval, Window
from sessionproof.host.process import ProcessEnded, ProtocolError
from sessionproof.scripts.crowds import Crowd, crowd_script
from sessionproof.scripts.expressions import Unwritable
from sessionproof.trials.inputs import good_message
from sessionproof.trials.single import Broken, CouldNotTell, Trial
from sessionproof.workload.crews import NothingToSay, awaits
from sessionproof.workload.guard import Handle
from sessionproof.workload.openings import Deed, Visit, visited
from sessionproof.workload.pool import POOL
from sessionproof.workload.sessions import needs_create
from sessionproof.workload.threads import Stopped, Threads
from sessionproof.workload.visitors import asked, ready

_CLIENTS = 4  # of each kind
_SOON_NS = 3_000_000  # from the order to the common moment: all have heard it by then
_WAYS = 5
_SPREADS_NS = (0, 200_000, 1_000_000, 3_000_000)  # within which clients begin, in turn
_APPENDS = 2
_SHORT_S = 1.0
_AGAIN = 5
_GRACE_S = 5.0

Opens = Callable[[Visit], list[Deed]]


def by_many(trial: Trial) -> None:
    """Fresh locations in turn; at each, processes, threads, or both open it at one moment.

    Each client appends at once: to a session of its own, and where appends make sessions, to one
    that all share. Counts the openings that others were beside of. All must succeed, and a handle
    that is opened afterwards finds what was acknowledged.
    """
    trial.handle()  # that it opens alone is known
    with suppress(NothingToSay):
        awaits(trial.store)  # for the script, as it is other handles that append below
    doubts: list[str] = []
    with _crowd(trial) as ways:
        start, turn = monotonic_s(), 0
        while turn < len(ways) or not trial.enough(monotonic_s() - start):
            named, clients = ways[turn % len(ways)]
            turn += 1
            round_ = _opened(trial, named, clients, turn)
            doubt = _judged(trial, round_, clients)
            if doubt:
                doubts.append(doubt)
            else:
                trial.count("openings", round_.together)
            if trial.time_is_up():
                break
    if doubts and trial.examined["openings"] < trial.guarantee.least:
        raise CouldNotTell(doubts[0])
    trial.notes += doubts[:1]


@dataclass(frozen=True)
class FirstRound:
    """What came of one location: by client, what it did, and the text that it sent to each."""

    named: str
    visits: tuple[tuple[Deed, ...], ...]
    texts: tuple[tuple[str, ...], ...]

    @property
    def together(self) -> int:
        """How many clients opened the location while another was at it."""
        spans = [(deeds[0].began, deeds[-1].ended) for deeds in self.visits]
        return sum(
            any(
                one < end and begin < last for other, (one, last) in enumerate(spans) if other != at
            )
            for at, (begin, end) in enumerate(spans)
        )

    @property
    def failed(self) -> Deed | None:
        """The first call that raised."""
        raised = [deed for deeds in self.visits for deed in deeds if deed.raised]
        return min(raised, key=lambda deed: deed.ended, default=None)


@contextmanager
def _crowd(trial: Trial) -> Iterator[list[tuple[str, list[Opens]]]]:
    """Who opens, in turn: a name, and for each client how it visits the current location.

    Processes come most often: threads of one interpreter seldom are inside SQLite at one moment.
    """
    spec, deadlines = trial.store.spec, trial.store.deadlines
    with ExitStack() as stack:
        try:
            processes = POOL.take(_CLIENTS)
        except RuntimeError as error:
            raise CouldNotTell(str(error)) from None
        stack.callback(POOL.give, processes)
        starting = Threads(_CLIENTS)
        stack.callback(starting.close)
        jobs = [partial(ready, one, spec.name, deadlines.open_s) for one in processes]
        try:
            starting.together(jobs, deadline_s=2 * deadlines.open_s)
        except (ProcessEnded, ProtocolError, Refused) as error:
            raise CouldNotTell(f"the store cannot be found in another process: {error}") from None
        bound_s = deadlines.open_s + _APPENDS * deadlines.operation_s
        inside: list[Opens] = [
            lambda visit: visited(spec.open, trial.store.location, visit)
        ] * _CLIENTS
        outside: list[Opens] = [
            lambda visit, one=one: asked(one, spec.name, trial.store.location, visit, bound_s)  # type: ignore[misc]
            for one in processes
        ]
        processes_alone = (f"{_CLIENTS} processes", outside)
        yield [
            processes_alone,
            (f"{_CLIENTS} threads", inside),
            processes_alone,
            (f"{_CLIENTS} processes and {_CLIENTS} threads", [*outside, *inside]),
            processes_alone,
        ]


def _opened(trial: Trial, named: str, clients: Sequence[Opens], turn: int) -> FirstRound:
    """One fresh location, opened by all of them; raises Broken when one hangs or ends."""
    trial.store.fresh_location()
    spread, chance = _SPREADS_NS[turn // _WAYS % len(_SPREADS_NS)], generator(trial.seed, turn)
    begin_ns = monotonic_ns() + _SOON_NS
    creates = needs_create(trial.claims, trial.capabilities)
    keeps = trial.claims.limits.retention
    by_store = trial.claims.session_ids == "store"
    visits, texts = [], []
    for number in range(len(clients)):
        sessions: list[str | None] = [None if by_store else f"own-{number}"]
        if not creates and (keeps is None or keeps >= len(clients)):
            sessions.append("shared")
        said = tuple(f"from client {number} #{at}" for at in range(len(sessions)))
        messages = [_message(trial, text) for text in said]
        at_ns = begin_ns + chance.randint(0, spread)
        visits.append(Visit(at_ns, sessions, messages, creates))
        texts.append(said)
    threads = Threads(len(clients))
    deadline_s = trial.store.deadlines.open_s + 2 * trial.store.deadlines.operation_s
    try:
        jobs = [partial(one, visit) for one, visit in zip(clients, visits, strict=True)]
        done = threads.together(jobs, deadline_s=deadline_s + _GRACE_S)
    except (Stopped, ProcessEnded, ProtocolError, Refused) as error:
        raise _stopped(trial, named, error) from None
    finally:
        threads.close()
    return FirstRound(named, tuple(map(tuple, done)), tuple(texts))


def _stopped(trial: Trial, named: str, error: Exception) -> Broken:
    """A client hung, or the store ended its process."""
    outcome = (
        error.outcome
        if isinstance(error, Stopped)
        else Outcome(
            "info",
            failure=Failure(HANG if isinstance(error, ProtocolError) else CRASH, str(error)),
        )
    )
    failure = outcome.failure or Failure(HANG, str(error))
    finding = Finding(
        anomaly=Anomaly(failure.type),
        did=f"opened a fresh location by {named} at one moment, and appended at once",
        expected="every opening and every append succeeds",
        seen=failure.text,
        evidence=dict(failure.evidence),
    )
    return Broken(_with_script(trial, finding, named) if failure.type == HANG else finding)


def _judged(trial: Trial, round_: FirstRound, clients: Sequence[Opens]) -> str | None:
    """Raises Broken; answers why the round says nothing, None when all is right."""
    failed = round_.failed
    if failed is not None:
        deeds = [deed for visit in round_.visits for deed in visit]
        if failed.raised.startswith(Conflict.__name__):
            return f"an append met a Conflict again and again: {failed.raised}"
        if only_waited(failed, deeds):
            waited_s = (failed.ended - failed.began) / 1e9
            return f"{failed.call} waited {waited_s:.1f} s for its turn: the machine was too slow"
        seen = f"{failed.call} raised {failed.raised}"
        raise _broken(trial, round_, clients, Anomaly.BUSY, seen, at=failed.at)
    missing = _missing(trial, round_)
    if missing is not None:
        raise _broken(trial, round_, clients, Anomaly.LOST_MESSAGE, missing)
    return None


def only_waited(failed: Deed, deeds: Sequence[Deed]) -> bool:
    """Whether a call that waited long and gave up may have done so as the machine is slow.

    That is so as long as others still came to their ends while it waited: whoever waits for what
    is never let go waits alone.
    """
    middle = (failed.began + failed.ended) / 2
    went_on = any(middle < deed.ended <= failed.ended and not deed.raised for deed in deeds)
    return failed.ended - failed.began > _SHORT_S * 1e9 and went_on


def _missing(trial: Trial, round_: FirstRound) -> str | None:
    """The first acknowledged message that a fresh handle does not find."""
    handle: Handle = trial.handle()
    sent: dict[str, list[str]] = {}
    for deeds, texts in zip(round_.visits, round_.texts, strict=True):
        appends = [deed for deed in deeds if deed.call == "append"]
        for deed, text in zip(appends, texts, strict=False):
            sent.setdefault(deed.session, []).append(text)
    for session, wanted in sent.items():
        outcome = handle.invoke(Read("s0"), session)
        if outcome.failure is not None and outcome.type == "info":
            return f"the read afterwards raised {outcome.failure}"
        there = [_text(message) for message in outcome.value or ()]
        for text in wanted:
            if text not in there:
                return (
                    f"{text!r} was acknowledged in session {session!r}, where a handle that was "
                    f"opened afterwards finds {len(there)} messages of {len(wanted)}"
                )
    return None


def _broken(
    trial: Trial,
    round_: FirstRound,
    clients: Sequence[Opens],
    anomaly: Anomaly,
    seen: str,
    *,
    at: str = "",
) -> Broken:
    """The finding, after the same was tried again on further locations."""
    failed = 0
    for turn in range(_AGAIN):
        again = _opened(trial, round_.named, clients, turn)
        failed += again.failed is not None or _missing(trial, again) is not None
    finding = Finding(
        anomaly=anomaly,
        did=f"opened a fresh location by {round_.named} at one moment, and appended at once",
        expected="every opening and every append succeeds, and what was appended is kept",
        seen=seen,
        repeats=f"{failed} of {_AGAIN}",
        evidence={AT: at} if at else {},
        window=_window(round_, seen),
    )
    return Broken(_with_script(trial, finding, round_.named))


def _window(round_: FirstRound, sentence: str) -> Window:
    first = min(deeds[0].began for deeds in round_.visits)
    intervals = [
        Interval(
            client=f"client {number}",
            call="open()" if deed.call == "open" else f"{deed.call}({deed.session!r})",
            began_us=(deed.began - first) / 1e3,
            ended_us=(deed.ended - first) / 1e3,
            outcome="info" if deed.raised else "ok",
            said=deed.raised,
            guilty=bool(deed.raised),
        )
        for number, deeds in enumerate(round_.visits, 1)
        for deed in deeds
    ]
    return Window(session="", sentence=sentence, intervals=tuple(intervals))


def _with_script(trial: Trial, finding: Finding, named: str) -> Finding:
    trial.store.close()
    creates = needs_create(trial.claims, trial.capabilities)
    given = "" if trial.claims.session_ids == "store" else "f'own-{number}'"
    message = message_call(_message(trial, "TEXT")).replace("'TEXT'", "text")
    sessions = ["own"] if creates else ["own", "'shared'"]
    visit = [
        f"own = store.create({given})" if creates else f"own = {given}",
        f"for session in ({', '.join(sessions)},):",
        "    text = f'from client {number} to {session}'",
        f"    store.append(session, [{message}])",
        "    said.append((session, text))",
    ]
    wrong = [
        "for session, text in [one for texts in said for one in texts]:",
        "    there = [message.content for message in store.read(session)]",
        "    if text not in there:",
        "        return f'{text!r} was acknowledged, and {session} has {there}'",
    ]
    crowd = Crowd(
        kind="processes" if "processes" in named else "threads",
        clients=_CLIENTS,
        attempts=60,
        visit=visit,
        wrong=wrong,
        late=True,
        awaited=trial.store.awaited,
        answer_s=10.0 if finding.anomaly is Anomaly.HANG else None,
    )
    try:
        return replace(finding, script=crowd_script(crowd))
    except Unwritable:
        return finding


def _message(trial: Trial, text: str) -> Message:
    return good_message(trial, text)


def _text(message: Message) -> object:
    return message.call_id if message.kind == "tool_call" else message.content
