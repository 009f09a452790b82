"""A store on a fresh directory, a clock that stands still, and a connection of a stranger."""

from __future__ import annotations

import sqlite3
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import closing
from pathlib import Path

import pytest

from sessionproof.contract.clock import VirtualClock
from sessionproof.reference import ReferenceStore


@pytest.fixture
def clock() -> VirtualClock:
    return VirtualClock()


@pytest.fixture
def store(tmp_path: Path, clock: VirtualClock) -> Iterator[ReferenceStore]:
    with ReferenceStore(tmp_path, durability="process", clock=clock) as opened:
        yield opened


@pytest.fixture
def foreign(store: ReferenceStore) -> Iterator[sqlite3.Connection]:
    """Another program's connection: foreign keys off, no knowledge of this package."""
    with closing(sqlite3.connect(store.tables().path, isolation_level=None)) as connection:
        connection.execute("PRAGMA foreign_keys = OFF")
        yield connection


@pytest.fixture
def set_status(foreign: sqlite3.Connection) -> Callable[[str, str], None]:
    """Put a session into a status, as a later operator would."""

    def change(session_id: str, status: str) -> None:
        foreign.execute("UPDATE sessions SET status = ? WHERE session_id = ?", (status, session_id))

    return change


@pytest.fixture
def run_apart(tmp_path: Path) -> Callable[..., str]:
    """Run a script on the directory in a process of its own; it must end well. What it printed."""

    def run(script: str, *arguments: str) -> str:
        done = subprocess.run(
            [
                sys.executable,
                "-W",
                "ignore:This process:DeprecationWarning",
                "-c",
                script,
                str(tmp_path),
                *arguments,
            ],
            capture_output=True,
            text=True,
            timeout=60,
            check=False,
        )
        assert (done.returncode, done.stderr) == (0, "")
        return done.stdout

    return run
