"""A process that keeps a core busy beside a measurement."""

from __future__ import annotations

import multiprocessing
import os
from collections.abc import Iterator
from contextlib import contextmanager


@contextmanager
def burning() -> Iterator[None]:
    """Another process keeps a core busy within the block, and never outlives this one."""
    process = multiprocessing.get_context("spawn").Process(
        target=_burn, args=(os.getpid(),), daemon=True
    )
    process.start()
    try:
        yield
    finally:
        process.terminate()
        process.join()
        process.close()


def _burn(parent: int) -> None:
    while os.getppid() == parent:
        for _ in range(100_000):
            pass
