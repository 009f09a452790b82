"""The newest messages of a session, taken back by several at once."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from sessionproof.checks.taking import Taken, wrong_with
from sessionproof.contract.message import Message
from sessionproof.contract.operations import MALFORMED, Append, Read
from sessionproof.scripts.crowds import Crowd
from sessionproof.trials.crowds import script
from sessionproof.trials.limited import Experiment, Sessions, in_races, text_of
from sessionproof.trials.lines import made, said
from sessionproof.trials.single import CouldNotTell, Trial
from sessionproof.workload.crews import Kind
from sessionproof.workload.execute import insisted
from sessionproof.workload.racers import Ask, Did, Racers
from sessionproof.workload.sessions import begin

_ATTEMPTS = 100  # of a script


@dataclass(frozen=True)
class _Size:
    """So many clients that race, and messages that each of them takes back; each appends one."""

    clients: int
    takes: int

    @property
    def there(self) -> int:
        """How many messages are there before: one stays, and nobody finds the session empty."""
        return self.clients * self.takes + 1

    @property
    def most(self) -> int:
        """How many messages there may be at once."""
        return self.there + self.clients


_SIZES = (_Size(3, 4), _Size(3, 1), _Size(2, 1))


def back_at_once(trial: Trial) -> None:
    """Clients take messages back and append, all on one session; raises Broken."""
    keeps = trial.claims.limits.retention
    size = next((one for one in _SIZES if keeps is None or one.most <= keeps), None)
    if size is None:
        least = _SIZES[-1].most
        raise CouldNotTell(f"{least} messages are needed, and a session keeps {keeps}")
    in_races(
        trial,
        Experiment(
            play=lambda sessions, racers: _race(sessions, racers, size),
            clients=size.clients,
            did="took the newest messages of a session back at once, and appended to it",
            expected="each message that is given to a caller is given to no other and is gone; "
            "each other one is there",
            lines=lambda kind: _lines(trial, kind, size),
        ),
    )


def _race(sessions: Sessions, one: Racers, size: _Size) -> tuple[str, int]:
    """What is wrong in one race, and how many messages were taken beside another call."""
    trial = sessions.trial
    begun = begin(trial.handle(), f"p{sessions.races}", trial.claims, trial.capabilities)
    trial.require_ok(begun, "made a session")
    session = str(begun.value)
    first = [sessions.message() for _ in range(size.there)]
    for message in first:
        _append(trial, session, message)
    raced = one.race([_program(sessions, session, size.takes) for _ in range(one.number)])
    wrong = wrong_with(_end(trial, session, first, raced))
    return wrong, _beside(raced)


def _append(trial: Trial, session: str, message: Message) -> None:
    append = Append("s", (message,))
    done = insisted(lambda: trial.handle().invoke(append, session))
    trial.require_ok(done, "appended a message")


def _program(sessions: Sessions, session: str, takes: int) -> list[Ask]:
    """One client's calls: messages taken back, and one more somewhere between."""
    calls = [Ask("pop_last", (session,))] * takes
    calls.insert(
        sessions.random.randrange(takes + 1), Ask("append", (session, [sessions.message()]))
    )
    return calls


def _end(
    trial: Trial, session: str, first: Sequence[Message], raced: Sequence[Sequence[Did]]
) -> Taken:
    """What came of the race; raises Broken for an answer that is none."""
    calls = [did for client in raced for did in client]
    takes = [did for did in calls if did.ask.method == "pop_last"]
    appends = [did for did in calls if did.ask.method == "append"]
    for take in takes:
        if take.outcome.failure is not None and take.outcome.failure.type == MALFORMED:
            trial.require_ok(take.outcome, "took the newest message back")
    answers = [take.outcome.value for take in takes if take.outcome.type == "ok"]
    return Taken(
        sent=[*map(text_of, first), *_texts(appends, "ok")],
        maybe=_texts(appends, "info"),
        given=[text_of(message) for message in answers if message is not None],
        unknown=sum(take.outcome.type == "info" for take in takes),
        there=_read(trial, session),
    )


def _texts(appends: Sequence[Did], outcome: str) -> list[str]:
    """The texts of the appends that ended so."""
    return [text_of(did.ask.arguments[1][0]) for did in appends if did.outcome.type == outcome]


def _read(trial: Trial, session: str) -> list[str]:
    """What a handle reads that has seen nothing of the race."""
    handle = trial.store.another_handle()
    try:
        read = insisted(lambda: handle.invoke(Read("s"), session))
        trial.require_ok(read, "read a session when all was quiet")
        return [text_of(message) for message in read.value]
    finally:
        handle.close()


def _beside(raced: Sequence[Sequence[Did]]) -> int:
    """How many messages were taken while another client was in a call."""
    return sum(
        take.ask.method == "pop_last"
        and take.outcome.type == "ok"
        and take.outcome.value is not None
        and any(take.overlaps(other) for at, them in enumerate(raced) if at != mine
                for other in them)
        for mine, client in enumerate(raced)
        for take in client
    )  # fmt: skip


def _lines(trial: Trial, kind: Kind, size: _Size) -> tuple[str, ...]:
    """A script of clients that only take back; none for a store of messages without a text."""
    if trial.words.samples[0].kind == "tool_call":
        return ()
    awaited = frozenset(trial.store.awaited)
    message = said(trial, "TEXT").replace("'TEXT'", "text")
    return script(
        Crowd(
            kind=kind,
            clients=size.clients,
            attempts=_ATTEMPTS,
            prepared=[
                *made(trial, "s0"),
                f"for text in map(str, range({size.there})):",
                f"    store.append(s0, [{message}])",
                "sessions = [s0]",
            ],
            visit=[
                f"for turn in range({size.takes}):",
                "    try:",
                "        taken = store.pop_last(sessions[0])",
                "    except Exception:  # it may have taken one all the same",
                "        said.append(None)",
                "    else:",
                "        said += [taken.content] if taken is not None else []",
            ],
            wrong=[
                "there = [message.content for message in store.read(sessions[0])]",
                "given = [text for client in said for text in client]",
                f"for text in map(str, range({size.there})):",
                "    if given.count(text) > 1:",
                "        return f'{text!r} was given to {given.count(text)} callers'",
                "    if text in given and text in there:",
                "        return f'{text!r} was given to a caller, and can still be read'",
                "    if text not in given and text not in there and None not in given:",
                "        return f'{text!r} is gone, and nobody was given it'",
            ],
            # racers call the method themselves, so nobody has noted that it is awaited
            awaited=awaited | {"pop_last"} if "append" in awaited else awaited,
        )
    )
