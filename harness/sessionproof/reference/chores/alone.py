"""Upkeep of a directory is done by one at a time: a lock that ends with whoever holds it."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from sessionproof.contract.errors import Refused
from sessionproof.contract.machine import HAS_LOCKS, lock, unlock


@contextmanager
def alone(directory: Path) -> Iterator[bool]:
    """Whether nobody else does upkeep here at this moment, in this process or another.

    The directory itself is locked: no file is made, and SQLite's locks are others. On Windows,
    which cannot lock one, each task may be done by several, and is then done twice.
    """
    if not HAS_LOCKS:
        yield True
        return
    try:
        handle = os.open(directory, os.O_RDONLY)
    except OSError as error:
        raise Refused(f"{directory} cannot be opened: {error.strerror}") from error
    try:
        try:
            ours = lock(handle)
        except OSError as error:
            raise Refused(f"{directory} cannot be locked: {error.strerror}") from error
        try:
            yield ours
        finally:  # to close it is not enough where a child that was forked has it, too
            if ours:
                unlock(handle)
    finally:
        os.close(handle)
