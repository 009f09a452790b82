"""Libraries that make folders when they are imported, and read settings from the environment."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from tempfile import TemporaryDirectory


@contextmanager
def elsewhere(variable: str, **settings: str) -> Iterator[None]:
    """Import a library so that it leaves nothing in the user's folders.

    Meanwhile the variable of the environment by which the library finds its folder names one that
    goes away, and ``settings`` are set; afterwards the environment is as it was.
    """
    before = {name: os.environ.get(name) for name in (variable, *settings)}
    with TemporaryDirectory() as folder:
        os.environ.update({variable: folder, **settings})
        try:
            yield
        finally:
            for name, value in before.items():
                if value is None:
                    os.environ.pop(name, None)
                else:
                    os.environ[name] = value
