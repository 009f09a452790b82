"""A program that fails, without what its failure does not need."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from itertools import count

from sessionproof.checks.transcript import Fault
from sessionproof.contract.clock import monotonic_s
from sessionproof.contract.operations import (
    HANG,
    Append,
    AppendWithState,
    Create,
    Program,
    Replace,
    session_of,
)
from sessionproof.workload.execute import Transcript

Fails = Callable[[Program], bool]

_TRIES = 16
_TIMES = 8


def is_costly(transcript: Transcript, fault: Fault) -> bool:
    """Whether it costs a deadline, or memory that may not come back, each time that it is shown."""
    said = (done.outcome.failure for done in transcript)
    no_memory = any(one is not None and one.type == MemoryError.__name__ for one in said)
    return fault.anomaly == HANG or no_memory


def a_while(seconds: float) -> Callable[[], bool]:
    """Whether there is time for one more attempt.

    A store that takes long to open, as a process does, would have none: the first attempts have
    some times as long.
    """
    begun_s, tries = monotonic_s(), count(1)

    def in_time() -> bool:
        most = _TIMES if next(tries) <= _TRIES else 1
        return monotonic_s() - begun_s < most * seconds

    return in_time


def trimmed(program: Program, fails: Fails, in_time: Callable[[], bool]) -> Program:
    """The shortest program found that ``fails`` in the same way, as long as there is time.

    Half of the sessions are left out as long as that goes on failing; then steps, many at once and
    singly; then messages of batches. Shrinking draws whole programs again, so what is always added
    to them stays in until here.
    """
    fewer = _fewer_sessions(program, fails, in_time)
    return _fewer_messages(_fewer_steps(fewer, fails, in_time), fails, in_time)


def _fewer_sessions(program: Program, fails: Fails, in_time: Callable[[], bool]) -> Program:
    names = [*dict.fromkeys(name for step in program if (name := session_of(step)))]
    while len(names) > 1:
        middle = len(names) // 2
        for half in (names[:middle], names[middle:]):
            left = tuple(step for step in program if session_of(step) in ("", *half))
            if in_time() and fails(left):
                program, names = left, half
                break
        else:
            return program
    return program


def _fewer_steps(program: Program, fails: Fails, in_time: Callable[[], bool]) -> Program:
    size = len(program)
    while (size := size // 2) > 0:
        at = len(program)
        while (at := at - size) > -size and in_time():
            left = (*program[: max(0, at)], *program[at + size :])
            if fails(left):
                program = left
    return program


def _fewer_messages(program: Program, fails: Fails, in_time: Callable[[], bool]) -> Program:
    for at, step in enumerate(program):
        if not isinstance(step, Append | AppendWithState | Create | Replace):
            continue
        messages, size = step.messages, len(step.messages)
        while (size := size // 2) > 0:
            first = len(messages)
            while (first := first - size) > -size and len(messages) > 1 and in_time():
                kept = (*messages[: max(0, first)], *messages[first + size :])
                if not kept:  # an empty batch is another operation
                    continue
                left = (*program[:at], replace(step, messages=kept), *program[at + 1 :])
                if fails(left):
                    program, messages = left, kept
    return program
