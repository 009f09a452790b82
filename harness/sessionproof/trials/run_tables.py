"""A short run of a few clients as a table of text: a column for each, rows in the order of time."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Sequence
from dataclasses import dataclass

import numpy as np

from sessionproof.history.columns import NEVER
from sessionproof.history.overlap import in_seats
from sessionproof.trials.rounds import Played
from sessionproof.trials.windows import Scene

NAMED = "the shortest run that failed"
_WIDTH = 60  # of a column at most


@dataclass(frozen=True)
class _Event:
    """The beginning or the end of an operation; ``number`` is as in 1.2, the second of client 1."""

    at_ns: int
    ends: bool
    column: int
    number: str
    text: str


def table_of(played: Played, sessions: Collection[int]) -> str:
    """What clients called on these sessions and what they were answered, each where it was.

    A call that nothing came between stands on one line with its answer. One of which nobody knows
    what came of it ends where its client went on, at the latest when all was quiet.
    """
    clients = len(played.round.programs)
    names = [*(f"client {number + 1}" for number in range(clients)), "when all was quiet"]
    events = sorted(_events(played, sessions), key=lambda one: (one.at_ns, one.ends))
    used = sorted({event.column for event in events})
    lines = [[names[column] for column in used]]
    place = 0
    while place < len(events):
        event, following = events[place], events[place + 1 : place + 2]
        text = f"{event.number}: {event.text}"
        if event.ends:
            text = f"{event.number} → {event.text}"
        elif following and following[0].ends and following[0].number == event.number:
            text += f" → {following[0].text}"
            place += 1
        lines.append([_cut(text) if column == event.column else "" for column in used])
        place += 1
    return "\n".join(_aligned(lines))


def _events(played: Played, sessions: Collection[int]) -> Iterator[_Event]:
    history, clients = played.history, len(played.round.programs) + 1
    scenes = {session: Scene(history, session) for session in sessions}
    counts = dict.fromkeys(range(clients), 0)
    gone = in_seats(history, clients).rows["ret"]  # of what nobody knows: when its client went on
    for place in np.argsort(history.rows["inv"], kind="stable"):
        at, row = int(place), history.rows[int(place)]
        scene, column = scenes.get(int(row["session"])), int(row["client"]) % clients
        if scene is None:
            continue
        counts[column] += 1
        last = column == clients - 1
        number = f"{'quiet' if last else column + 1}.{counts[column]}"
        where = f"{scene.name(scene.session)}: " if len(scenes) > 1 else ""
        yield _Event(int(row["inv"]), False, column, number, f"{where}{scene.call(at)}")
        ended = int(gone[at] if row["ret"] == NEVER else row["ret"])
        if ended != NEVER:
            yield _Event(ended, True, column, number, scene.said(at) or "nothing")


def _cut(text: str) -> str:
    return text if len(text) <= _WIDTH else f"{text[: _WIDTH - 1]}…"


def _aligned(lines: Sequence[Sequence[str]]) -> Iterator[str]:
    widths = [max(map(len, column)) for column in zip(*lines, strict=True)]
    for line in lines:
        cells = (cell.ljust(width) for cell, width in zip(line, widths, strict=True))
        yield " | ".join(cells).rstrip()
