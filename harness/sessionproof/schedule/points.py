"""All that can be controlled of a store: threads, clocks, files and ``sqlite3``."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

from sessionproof.schedule.databases import controlled_sqlite
from sessionproof.schedule.drivers import controlled_aiosqlite
from sessionproof.schedule.files import controlled_files
from sessionproof.schedule.locks import controlled_threads
from sessionproof.schedule.times import controlled_times


@contextmanager
def controlled(roots: Sequence[Path]) -> Iterator[None]:
    """Within it, what a managed thread does can be controlled.

    A store should be imported within it, too: then it finds nothing else to take by name.
    ``roots`` are the folders beneath which its files lie.
    """
    with (
        controlled_threads(),
        controlled_times(),
        controlled_files(roots),
        controlled_sqlite(),
        controlled_aiosqlite(),
    ):
        yield
