"""What was searched, in a sentence for people."""

from __future__ import annotations

from collections.abc import Iterator

from sessionproof.schedule.explore import Cover, Explored
from sessionproof.schedule.strategies import NAMES


def covered(explored: Explored) -> str:
    """As in "every schedule with at most 2 preemptions of 12 programs (3,412), 9,000 random ones".

    What was not run to its end is never told as every schedule. Empty where nothing was run.
    """
    random = sum(explored.executions.get(name, 0) for name in NAMES.values())
    parts = [
        *_told(explored.bound, "programs"),
        *_told(explored.exhaustive, "pairs of operations"),
    ]
    if random:
        parts.append(f"{random:,} random {'ones' if parts else _schedules(random)}")
    return "".join([", ".join(parts), *_but(explored)]) if parts else ""


def _told(cover: Cover, programs: str) -> Iterator[str]:
    """What was run of one bound; nothing where nothing was."""
    if not cover.schedules:
        return
    number = cover.preemptions
    least = "" if number is None else f" with at most {number} preemption{'s' * (number != 1)}"
    one = programs.replace("s", "", 1) if cover.of == 1 else programs
    if cover.covered:
        yield f"every schedule{least} of {cover.of} {one} ({cover.schedules:,})"
        return
    if cover.programs:
        yield f"every schedule{least} of {cover.programs} of {cover.of} {one} ({cover.whole:,})"
    left, begun = cover.schedules - cover.whole, cover.begun - cover.programs
    if left and cover.programs:
        yield f"some of {begun} more ({left:,})"
    elif left:
        yield f"some schedules{least} of {begun} of {cover.of} {one} ({left:,})"


def _but(explored: Explored) -> Iterator[str]:
    """What weakens it."""
    if explored.uncontrolled:
        yield f"; in {explored.uncontrolled:,} of them a client waited where it is not seen"
    diverged = explored.bound.diverged + explored.exhaustive.diverged
    if diverged:
        yield f"; {diverged:,} did not go as the one before them"
    for how, times in explored.ended.items():
        yield f"; {times:,} ended as {how.value}"


def _schedules(number: int) -> str:
    return "schedule" if number == 1 else "schedules"
