"""What a store says without being asked: log records and warnings; and what of it is news."""

from __future__ import annotations

import logging
import re
import warnings
from collections.abc import Iterator
from contextlib import contextmanager

_CHANGING = re.compile(r"\d+|/\S+|[0-9a-f]{8,}")  # numbers, paths, names of temporary things


@contextmanager
def listening() -> Iterator[list[str]]:
    """Collect records of ``logging`` of level WARNING and above, and warnings, of this process.

    The list grows until the block is left. Nothing is shown meanwhile.
    """
    heard: list[str] = []
    ear = _Ear(heard)
    root = logging.getLogger()
    root.addHandler(ear)
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("always")
            warnings.showwarning = lambda message, *_, **__: heard.append(str(message))
            yield heard
    finally:
        root.removeHandler(ear)


class _Ear(logging.Handler):
    """A handler that keeps texts, also of records whose arguments do not fit."""

    def __init__(self, heard: list[str]) -> None:
        super().__init__(logging.WARNING)
        self._heard = heard

    def emit(self, record: logging.LogRecord) -> None:
        """Keep the text."""
        try:
            self._heard.append(record.getMessage())
        except Exception:  # noqa: BLE001 - a store's own arguments
            self._heard.append(str(record.msg))


def news(heard: list[str], usual: list[str]) -> list[str]:
    """What was heard and is not usual, numbers and paths set aside."""
    known = {_CHANGING.sub("…", text) for text in usual}
    return [text for text in heard if _CHANGING.sub("…", text) not in known]
