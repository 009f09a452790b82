"""Explorations, each in a process of its own: what it is asked, and what it answers.

Control replaces locks, threads and files of the whole interpreter, and a store may hang in it: so
nothing of it happens in the process of the harness.
"""

from __future__ import annotations

import base64
import json
import pickle
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path

from sessionproof.contract.claims import Claims
from sessionproof.contract.errors import Refused
from sessionproof.contract.folders import folder_in_memory, private_folder
from sessionproof.contract.message import Message
from sessionproof.host.process import ProcessEnded, ProtocolError
from sessionproof.schedule.explore import Explored
from sessionproof.schedule.found import Found
from sessionproof.schedule.program import Kind, Program
from sessionproof.workload.pool import started

PROGRAM = "sessionproof.trials.exploring_main"
_START_S = 60.0  # for a process to start, on a machine however busy
_GRACE = 4.0  # times its seconds, before a process is ended
_ROOM_BYTES = 256 << 20


@dataclass(frozen=True, kw_only=True)
class More:
    """Where fewer than ``least`` executions were made in its time, a store is explored once more.

    It then has so many ``seconds``, lines are no points, and ``most`` executions are enough, None
    for as many as there is time for.
    """

    least: int
    seconds: float
    most: int | None


@dataclass(frozen=True, kw_only=True)
class Request:
    """What is to be explored.

    ``root`` is a directory of its own, below which locations are made. ``row`` is the guarantee
    that decides what is wrong, None for CONC-01 to CONC-06. ``program`` is one to try beside those
    that the capabilities allow. ``shared`` says that tasks use one handle, ``lines`` that, after
    the rest, each line of the store's own files is a point.
    """

    store: str
    root: str
    kinds: tuple[Kind, ...]
    claims: Claims
    capabilities: frozenset[str]
    sample: Message
    counted: bool
    timed: bool
    creates: bool
    by_store: bool
    shared: bool
    seconds: float
    shrink_s: float
    seed: int
    row: str | None = None
    program: Program | None = None
    lines: bool = True
    more: More | None = None


@dataclass(frozen=True)
class Part:
    """What was explored with one kind of clients; ``reached`` counts points inside operations.

    ``served`` is the share of executions in which a change by a client was acknowledged.
    """

    kind: Kind
    lines: bool
    explored: Explored
    reached: int
    served: float = 0.0


@dataclass(frozen=True)
class Answer:
    """``parts`` is what is known; ``stopped`` is why that is not all, empty where it is."""

    parts: tuple[Part, ...] = ()
    stopped: str = ""

    @property
    def found(self) -> tuple[Part, Found] | None:
        """The finding, and where it was made."""
        for part in self.parts:
            if part.explored.found is not None:
                return part, part.explored.found
        return None


def ask(request: Request) -> Answer:
    """Have a process explore; it is ended when it takes several times its seconds."""
    line = json.dumps({"request": base64.b64encode(pickle.dumps(request)).decode()})
    seconds = request.seconds + (request.more.seconds if request.more else 0.0)
    most_s = _START_S + _GRACE * (seconds + request.shrink_s) * len(request.kinds)
    try:
        process = started(PROGRAM)
    except RuntimeError as error:
        return Answer(stopped=str(error))
    try:
        said = json.loads(process.exchange(line.encode() + b"\n", "explore", deadline_s=most_s))
    except (ProcessEnded, ProtocolError, Refused) as error:
        said = " ".join(str(error).split()).partition(" [")[0]  # without the command
        return Answer(noted(request), said[:300])
    finally:
        process.kill()
    parts, stopped = pickle.loads(base64.b64decode(said["answer"]))  # noqa: S301 - our own child
    return Answer(tuple(parts), stopped)


def note(request: Request, parts: list[Part]) -> None:
    """Keep what is known so far, for a parent who must end this process."""
    path = _note_of(request)
    path.with_suffix(".new").write_bytes(pickle.dumps(parts))
    path.with_suffix(".new").replace(path)


def noted(request: Request) -> tuple[Part, ...]:
    """What was known when the process ended."""
    with suppress(OSError, EOFError, pickle.UnpicklingError):
        return tuple(pickle.loads(_note_of(request).read_bytes()))  # noqa: S301 - as above
    return ()


def _note_of(request: Request) -> Path:
    return Path(request.root) / "known.pickle"


@contextmanager
def room(beside: Path) -> Iterator[str]:
    """A directory for locations, in memory where there is room for it: nothing must survive."""
    with private_folder(folder_in_memory(_ROOM_BYTES) or beside) as made:
        yield str(made)
