"""The tracer of a recording: one of its own, or one that has imported the store, and is kept."""

from __future__ import annotations

import atexit
import os
import shutil
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from sessionproof.faults.tracing.launching import Tracer
from sessionproof.workload.pool import here_for

_TRACE, _WORDS = "trace", "strace.txt"


@contextmanager
def tracer_of_its_own(argv: Sequence[str], folder: Path, *, reads: bool) -> Iterator[Tracer]:
    """Processes of this command; ``folder`` exists, and keeps what strace itself says."""
    trace = folder / _TRACE
    try:
        with Tracer(argv, trace=trace, words=folder / _WORDS, reads=reads) as tracer:
            yield tracer
    finally:
        trace.unlink(missing_ok=True)


@contextmanager
def tracer_that_imported(store: str, *, reads: bool) -> Iterator[Tracer]:
    """Forks of a process that has imported this Python store, maybe for a recording before."""
    one = _taken(store, reads=reads)
    try:
        yield one.tracer
    finally:
        _give_back(one)


@dataclass(frozen=True)
class _Importer:
    tracer: Tracer
    made_for: tuple[object, ...]
    folder: Path

    def close(self) -> None:
        """End it."""
        self.tracer.close()
        shutil.rmtree(self.folder, ignore_errors=True)


_kept: list[_Importer] = []
"""At most one, idle, for the next recording: a store may take seconds to be imported."""


def _taken(store: str, *, reads: bool) -> _Importer:
    made_for = (reads, *here_for(store))
    while _kept:
        one = _kept.pop()
        if one.made_for == made_for and not one.tracer.ended():
            return one
        _end(one)
    folder = Path(tempfile.mkdtemp(prefix="traced-"))
    try:
        tracer = Tracer(
            [], trace=folder / _TRACE, words=folder / _WORDS, reads=reads, imported=store
        )
    except BaseException:
        shutil.rmtree(folder, ignore_errors=True)
        raise
    return _Importer(tracer, made_for, folder)


def _give_back(one: _Importer) -> None:
    if not one.tracer.idle:
        _end(one)
        return
    one.tracer.forget()
    _end_kept()
    _kept.append(one)


def _end_kept() -> None:
    while _kept:
        _end(_kept.pop())


def _end(one: _Importer) -> None:
    if one.made_for[-1] == os.getpid():  # a fork does not end the processes of its parent
        one.close()


atexit.register(_end_kept)
