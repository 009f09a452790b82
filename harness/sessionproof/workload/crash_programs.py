"""What is recorded to be crashed: a program with every kind of change that the store has.

Each message has a token of its own, so that what a crash left can be told from all else. The order
is fixed: what a crash may tear apart stands beside what it may tear it from. The seed chooses
the messages.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator, Sequence
from dataclasses import replace
from itertools import cycle

from sessionproof.contract.claims import Claims
from sessionproof.contract.message import Message
from sessionproof.contract.operations import (
    Append,
    AppendWithState,
    Clear,
    Create,
    Delete,
    DeleteMessage,
    EditMessage,
    Operation,
    PopLast,
    Program,
    Reopen,
    Replace,
    SetState,
    method_of,
    session_of,
)
from sessionproof.contract.seed import generator
from sessionproof.workload.programs import beginnings, tokened, with_state_most
from sessionproof.workload.sessions import creation
from sessionproof.workload.texts import said, text_bytes
from sessionproof.workload.vocabulary import Vocabulary, made_messages, timed

MAIN, SHORT, GONE, LATE = "s0", "s1", "s2", "s3"
"""The sessions of a program: one that only grows and is edited, and three with shorter lives."""

_BIG_BYTES = 18_000  # several pages of a file
_SENTENCE = "A long answer takes more than one page of a file. "
_LEAST = 26  # operations


def crash_program(words: Vocabulary, capabilities: Collection[str], *, seed: int) -> Program:
    """About thirty operations of one client, with one ``Reopen`` in the middle.

    What the store lacks is left out, and appends take its place.
    """
    say = _speaker(words, seed)
    first = [*_first(say), Reopen(), *_second(say)]
    fitting = (step for step in first if _fits(step, capabilities, words.claims))
    steps = [part for step in fitting for part in _parts(step, words.claims)]
    more = (Append(MAIN, say.batch(1 + at % 3)) for at in range(max(0, _LEAST - len(steps))))
    made = _created({MAIN, SHORT, GONE, LATE}, words, capabilities, steps)
    return tokened([*made, *_alive([*steps, *more], words, capabilities)])


def crash_pair(
    words: Vocabulary, capabilities: Collection[str], *, seed: int, length: int = 7
) -> tuple[Program, Program]:
    """Two clients at once on one session that both share, and on one of its own each.

    The first makes the shared session where it must be made. Tokens are unlike in both.
    """
    say = _speaker(words, seed)
    mine, other = [*beginnings([MAIN], words, capabilities)], []
    for at in range(length):
        mine.append(Append(MAIN, say.batch(1 + at % 3)))
        other.append(Append(MAIN, say.batch(2 - at % 2)))
    count = len(mine)
    numbered = tokened([*mine, *other])
    return numbered[:count], numbered[count:]


class _Speaker:
    """Messages one after the other, in batches as large as the store takes them."""

    def __init__(self, made: Sequence[Message], words: Vocabulary) -> None:
        self._made, self._claims = cycle(made), words.claims
        self._sample = words.samples[0]

    def one(self) -> Message:
        """The next message."""
        return next(self._made)

    def batch(self, size: int, *, big: bool = False) -> tuple[Message, ...]:
        """So many messages, and a big one; one message where the store limits its batches."""
        if self._claims.limits.batch_bytes is not None:
            return (self.one(),)
        return (*(self.one() for _ in range(size)), *([self.big()] if big else []))

    def with_state(self, size: int) -> tuple[Message, ...]:
        """So many messages, or as many as are promised together with state."""
        return self.batch(min(size, with_state_most(self._claims)))

    def big(self) -> Message:
        """A message of several pages, or as long as the store takes it."""
        size = text_bytes(self._claims, _BIG_BYTES)
        text = (_SENTENCE * (size // len(_SENTENCE) + 1))[: max(1, size - 8)]  # room for a token
        return timed(said(self._sample, text), self._claims)


def _speaker(words: Vocabulary, seed: int) -> _Speaker:
    pool = [_plain(one, words.claims) for one in made_messages(words, seed) if _short(one)]
    generator(seed, "crash").shuffle(pool)
    return _Speaker(pool, words)


def _short(message: Message) -> bool:
    return not isinstance(message.content, str) or len(message.content) <= 60


def _plain(message: Message, claims: Claims) -> Message:
    """The message with what counts alone: other fields make no other writes."""
    return timed(
        replace(message, id=None, name=_named(message), created_at_us=None, metadata=None), claims
    )


def _named(message: Message) -> str | None:
    return message.name if message.kind != "text" else None


def _first(say: _Speaker) -> Iterator[Operation]:
    """Up to the moment when the store is closed and opened again."""
    yield Create(MAIN, say.batch(2))
    yield Append(MAIN, say.batch(1))
    yield Append(MAIN, say.batch(3))
    yield Append(SHORT, say.batch(2))
    yield SetState(MAIN, "theme", 1)
    yield Append(MAIN, (say.big(),))
    yield EditMessage(MAIN, 1, say.one())
    yield Append(SHORT, say.batch(1))
    yield DeleteMessage(MAIN, 2)
    yield Create(GONE, say.batch(3))
    yield PopLast(SHORT)
    yield Replace(SHORT, say.batch(3))
    yield Append(MAIN, say.batch(4))
    yield SetState(MAIN, "step", 2)
    yield AppendWithState(MAIN, say.with_state(2), {"step": 3, "theme": 4})


def _second(say: _Speaker) -> Iterator[Operation]:
    """What another process does with what it finds."""
    yield Append(MAIN, say.batch(1))
    yield Append(GONE, say.batch(2))
    yield Clear(SHORT)
    yield Append(SHORT, say.batch(3))
    yield Replace(MAIN, say.batch(5))
    yield EditMessage(GONE, 0, say.one())
    yield Delete(GONE)
    yield SetState(MAIN, "theme", 5)
    yield AppendWithState(MAIN, say.with_state(2), {"theme": 6})
    yield Append(MAIN, say.batch(2))
    yield Create(LATE, say.batch(2))
    yield Append(LATE, say.batch(1, big=True))
    yield PopLast(MAIN)
    yield Delete(SHORT)
    yield Append(MAIN, say.batch(2))


def _fits(step: Operation, capabilities: Collection[str], claims: Claims) -> bool:
    if isinstance(step, Append | Reopen):
        return True
    if isinstance(step, EditMessage) and claims.order == "timestamp":
        return False  # one that is edited later has a later time, and so may move
    return method_of(step) in capabilities


def _parts(step: Operation, claims: Claims) -> list[Operation]:
    if isinstance(step, Create):
        return creation(step.session, step.messages, claims)
    return [step]


def _created(
    names: Collection[str],
    words: Vocabulary,
    capabilities: Collection[str],
    steps: Sequence[Operation],
) -> list[Operation]:
    """What makes the sessions ready that the steps do not make themselves."""
    made = {step.session for step in steps if isinstance(step, Create)}
    return beginnings(sorted({*names} - made), words, capabilities)


def _alive(
    steps: Sequence[Operation], words: Vocabulary, capabilities: Collection[str]
) -> Iterator[Operation]:
    """The steps; without those on a session that must be made, and was not, or is gone."""
    needed = bool(beginnings([MAIN], words, capabilities))
    gone: set[str] = set()
    for step in steps:
        if not needed or session_of(step) not in gone:
            yield step
        if isinstance(step, Delete):
            gone.add(step.session)
