"""What differs between the causes of an operation before and after, in plain sentences."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from difflib import SequenceMatcher

from sessionproof.contract.causes import Causes, StatementCost

MOST = 8  # sentences; the rest is counted
_TEXT = 110  # characters of a statement in a sentence
_ALIKE = 0.6  # from here on a new statement is an old one that was changed
_STEPS_PART, _STEPS_LEAST = 0.02, 5.0  # smaller changes of a statement's steps are not told
_BYTES_PART = 0.05
_INSTRUCTIONS_PART = 0.03
_SHARE, _ERRORS = 0.1, 5  # of a function: a change of this, and of so many standard errors
_EVEN = 1e-9


@dataclass(frozen=True)
class _Change:
    """A sentence. What grew stands before what shrank, then the kinds in order, then the size."""

    grew: bool
    kind: int
    size: float
    text: str

    @property
    def rank(self) -> tuple[bool, int, float, str]:
        """What it is sorted by."""
        return (not self.grew, self.kind, -self.size, self.text)


def differences(base: Causes, head: Causes) -> tuple[str, ...]:
    """What head does otherwise than base, the most telling first; none where all is the same.

    What was not counted on both sides is not compared.
    """
    found = [
        *_connections(base, head),
        *_statements(base, head),
        *_written(base, head),
        *_processor(base, head),
    ]
    told = [one.text for one in sorted(found, key=lambda one: one.rank)]
    if len(told) > MOST:
        told = [*told[:MOST], f"{len(told) - MOST} more differences"]
    return tuple(told)


def _connections(base: Causes, head: Causes) -> Iterator[_Change]:
    old, new = base.connections, head.connections
    if old is not None and new is not None and abs(new - old) > _EVEN:
        opened = "one connection is" if new == 1 else f"{_number(new)} connections are"
        text = f"{opened} opened a call instead of {_number(old)}"
        yield _Change(new > old, 0, math.inf, text)


def _statements(base: Causes, head: Causes) -> Iterator[_Change]:
    if base.statements is None or head.statements is None:
        return
    before = {one.text: one for one in base.statements}
    after = {one.text: one for one in head.statements}
    steps = base.steps is not None and head.steps is not None
    for text in before.keys() & after.keys():
        yield from _same_statement(before[text], after[text], steps=steps)
    gone = [one for text, one in before.items() if text not in after]
    for new in head.statements:
        if new.text in before:
            continue
        old = _most_alike(new, gone)
        if old is None:
            of = f", {_number(new.steps)} steps" if steps else ""
            text = f"{_so_many(new.times, 'more')}{of}: {_cut(new.text)}"
            yield _Change(True, 0, new.steps, text)
        else:
            gone.remove(old)
            yield _changed(old, new, steps=steps)
    for old in gone:
        yield _Change(False, 0, old.steps, f"{_so_many(old.times, 'less')}: {_cut(old.text)}")


def _same_statement(old: StatementCost, new: StatementCost, *, steps: bool) -> Iterator[_Change]:
    more = new.steps - old.steps
    if abs(new.times - old.times) > _EVEN:
        text = f"a statement runs {_number(new.times)} times a call instead of {_number(old.times)}"
        yield _Change(new.times > old.times, 0, abs(more), f"{text}: {_cut(new.text)}")
    elif steps and abs(more) >= max(_STEPS_LEAST, _STEPS_PART * old.steps):
        text = f"a statement takes {_number(new.steps)} steps instead of {_number(old.steps)}"
        yield _Change(more > 0, 0, abs(more), f"{text}: {_cut(new.text)}")


def _changed(old: StatementCost, new: StatementCost, *, steps: bool) -> _Change:
    more = new.steps - old.steps
    text = f"a statement was changed: {_cut(new.text)}"
    if steps and abs(more) >= max(_STEPS_LEAST, _STEPS_PART * old.steps):
        text = (
            f"a statement was changed and takes {_number(new.steps)} steps "
            f"instead of {_number(old.steps)}: {_cut(new.text)}"
        )
    return _Change(more >= 0, 0, abs(more), text)


def _most_alike(new: StatementCost, old: Sequence[StatementCost]) -> StatementCost | None:
    """The statement that the new one was, if one runs as often and has a text like it."""

    def alike(one: StatementCost) -> float:
        return SequenceMatcher(None, one.text, new.text, autojunk=False).ratio()

    same = [one for one in old if abs(one.times - new.times) <= _EVEN]
    best = max(same, key=alike, default=None)
    return best if best is not None and alike(best) >= _ALIKE else None


def _written(base: Causes, head: Causes) -> Iterator[_Change]:
    if base.syncs is not None and head.syncs is not None and base.syncs != head.syncs:
        syncs = "one sync" if head.syncs == 1 else f"{_number(head.syncs)} syncs"
        text = f"{syncs} a call instead of {_number(base.syncs)}"
        yield _Change(head.syncs > base.syncs, 1, 0, text)
    old, new = base.bytes_written, head.bytes_written
    if old is not None and new is not None and abs(new - old) > _BYTES_PART * old:
        text = f"writes {_bytes(new)} instead of {_bytes(old)} a call"
        yield _Change(new > old, 2, 0, text)


def _processor(base: Causes, head: Causes) -> Iterator[_Change]:
    old, new = base.instructions, head.instructions
    if old is not None and new is not None and abs(new - old) > _INSTRUCTIONS_PART * old:
        text = f"runs {_number(new)} instructions a call instead of {_number(old)}"
        yield _Change(new > old, 3, 0, text)
    yield from _functions(base, head)


def _functions(base: Causes, head: Causes) -> Iterator[_Change]:
    if not base.functions or not head.functions or not base.samples or not head.samples:
        return
    before, after = _shares(base), _shares(head)
    for name in sorted(before.keys() | after.keys()):
        was, now = before.get(name, 0.0), after.get(name, 0.0)
        both = (was * base.samples + now * head.samples) / (base.samples + head.samples)
        error = math.sqrt(both * (1 - both) * (1 / base.samples + 1 / head.samples))
        if abs(now - was) >= max(_SHARE, _ERRORS * error):
            text = f"{100 * now:.0f} % of the time in {name}, {100 * was:.0f} % before"
            yield _Change(now > was, 4, abs(now - was), text)


def _shares(causes: Causes) -> Mapping[str, float]:
    return {one.name: one.share for one in causes.functions or ()}


def _so_many(times: float, word: str) -> str:
    number = "one statement" if abs(times - 1) <= _EVEN else f"{_number(times)} statements"
    return f"{number} {word} a call"


def _number(value: float) -> str:
    """With commas, and with two digits behind the point where it is not whole."""
    return f"{value:,.0f}" if abs(value - round(value)) < 0.005 or value >= 100 else f"{value:,.2f}"


def _bytes(value: float) -> str:
    return f"{value / 1000:,.1f} kB" if value >= 1000 else f"{value:,.0f} bytes"


def _cut(text: str) -> str:
    return text if len(text) <= _TEXT else f"{text[:_TEXT].rstrip()}…"
