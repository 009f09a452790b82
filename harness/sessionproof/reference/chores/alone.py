"""Upkeep of a directory is done by one at a time: a lock that ends with whoever holds it."""

from __future__ import annotations

import errno
import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from sessionproof.contract.errors import Refused

try:
    import fcntl
except ImportError:  # Windows: each task may be done by several, and is then done twice
    fcntl = None  # type: ignore[assignment]

_HELD = (errno.EAGAIN, errno.EACCES)


@contextmanager
def alone(directory: Path) -> Iterator[bool]:
    """Whether nobody else does upkeep here at this moment, in this process or another.

    The directory itself is locked: no file is made, and SQLite's locks are others.
    """
    if fcntl is None:
        yield True
        return
    try:
        handle = os.open(directory, os.O_RDONLY)
    except OSError as error:
        raise Refused(f"{directory} cannot be opened: {error.strerror}") from error
    try:
        try:
            fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError as error:
            if error.errno not in _HELD:
                raise Refused(f"{directory} cannot be locked: {error.strerror}") from error
            yield False
        else:
            try:
                yield True
            finally:  # to close it is not enough where a child that was forked has it, too
                fcntl.flock(handle, fcntl.LOCK_UN)
    finally:
        os.close(handle)
