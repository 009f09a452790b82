"""The floor at the sizes of a growth: raw SQLite that is as full as the store, in its rounds."""

from __future__ import annotations

import itertools
import shutil
import sqlite3
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from contextlib import closing, contextmanager
from pathlib import Path
from typing import Any

from sessionproof.bench.floors import SCHEMA, Floor, synchronous_for
from sessionproof.bench.rounds import Arm, Run, of_calls
from sessionproof.trials.filled import DEEP, LOOK, Place, text_of
from sessionproof.trials.single import Trial

_LARGEST = 100_000  # a floor is known to be flat: more of it would be a waste of time
_CALLS = 4  # in a round: they are as quick as calls get, and nothing is judged by them
_NUMBERS = (
    "WITH RECURSIVE numbers(n) AS (SELECT ?1 UNION ALL SELECT n + 1 FROM numbers WHERE n < ?2)"
)
_SESSIONS = f"INSERT INTO sessions {_NUMBERS} SELECT 'session-' || n, NULL FROM numbers"
_FIRST = "INSERT INTO messages SELECT id, 1, 'user', ? FROM sessions ORDER BY id"
_MORE = f"INSERT INTO messages {_NUMBERS} SELECT ?3, n, 'user', ?4 FROM numbers"


@contextmanager
def floor_arms(
    trial: Trial, along: str, places: Sequence[Place], operations: Sequence[str]
) -> Iterator[Mapping[str, list[Arm]]]:
    """Arms of the floor by operation, one for each place; none where a place is very large.

    The floors are filled before, and removed afterwards.
    """
    if not places or places[-1].size > _LARGEST:
        yield {}
        return
    directory = Path(tempfile.mkdtemp(prefix="floors-", dir=trial.store.location.root.parent))
    floors: list[Floor] = []
    try:
        runs = [_runs(trial, along, place, directory, floors) for place in places]
        arms = {
            name: [
                Arm(f"floor of {name} {place.size}", run[name], _CALLS)
                for place, run in zip(places, runs, strict=True)
            ]
            for name in operations
            if name in runs[0]
        }
        for arm in itertools.chain.from_iterable(arms.values()):
            arm.run(1)  # the first prepares a statement
        yield arms
    finally:
        for floor in floors:
            floor.close()
        shutil.rmtree(directory, ignore_errors=True)


def _runs(
    trial: Trial, along: str, place: Place, directory: Path, floors: list[Floor]
) -> dict[str, Run]:
    """The floor's calls by operation, at the place's size. The floor is added to ``floors``."""
    path, text, messages = directory / str(place.size), text_of(trial), place.messages
    sessions = place.size if along == "sessions" else 1
    probed = [
        f"session-{1 + part * sessions // len(place.sessions)}"
        for part in range(len(place.sessions))
    ]
    _load(path, sessions, probed, messages, text)
    floor = Floor(path, synchronous=synchronous_for(trial.claims.durability))
    floors.append(floor)
    turns = itertools.cycle(probed)
    deep = int(min(DEEP * messages, messages - LOOK))
    given: dict[str, tuple[Any, ...]] = {
        "append": (text,),
        "read_last": (LOOK,),
        "page": (deep, LOOK),
        "get": (),
    }
    return {
        name: of_calls(getattr(floor, name), lambda more=more: (next(turns), *more))  # type: ignore[misc]
        for name, more in given.items()
    }


def _load(path: Path, sessions: int, probed: Sequence[str], messages: int, text: str) -> None:
    """Make the floor's file: sessions of one message, of so many where they are probed."""
    with closing(sqlite3.connect(path, isolation_level=None)) as connection:
        connection.execute("PRAGMA journal_mode = OFF")  # nobody reads it before it is whole
        connection.execute("PRAGMA synchronous = OFF")
        connection.executescript(SCHEMA)
        connection.execute("BEGIN")
        connection.execute(_SESSIONS, (1, sessions))
        connection.execute(_FIRST, (text,))
        if messages > 1:
            connection.executemany(_MORE, [(2, messages, name, text) for name in probed])
        connection.execute("COMMIT")
