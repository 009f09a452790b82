"""A program that fails, without what its failure does not need."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

from sessionproof.contract.operations import (
    Append,
    AppendWithState,
    Create,
    Program,
    Replace,
)

Fails = Callable[[Program], bool]


def trimmed(program: Program, fails: Fails, in_time: Callable[[], bool]) -> Program:
    """The shortest program found that ``fails`` in the same way, as long as there is time.

    Steps are left out, many at once and then singly; then messages of batches. Shrinking draws
    whole programs again, so what is always added to them stays in until here.
    """
    return _fewer_messages(_fewer_steps(program, fails, in_time), fails, in_time)


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
