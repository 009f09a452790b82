"""What a store says without being asked: log records and warnings; and what of it is news."""

from __future__ import annotations

import logging
import re
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from functools import partial

_OF_PROGRAMMERS = (ResourceWarning, DeprecationWarning, PendingDeprecationWarning, ImportWarning)
_CHANGING = re.compile(r"\d+|/\S+|[0-9a-f]{8,}")  # numbers, paths, names of temporary things


@contextmanager
def listening() -> Iterator[list[str]]:
    """Collect records of ``logging`` of level WARNING and above, and warnings, of this process.

    The list grows until the block is left. What Python warns programmers of, such as a file that
    was not closed, is not collected, and is treated as before.
    """
    heard: list[str] = []
    ear = _Ear(heard)
    loggers = _loggers()
    for logger in loggers:
        logger.addHandler(ear)
    try:
        with warnings.catch_warnings():
            for category in (UserWarning, RuntimeWarning):
                warnings.filterwarnings("always", category=category)
            warnings.showwarning = partial(_hear, heard)
            yield heard
    finally:
        for logger in loggers:
            logger.removeHandler(ear)


def _loggers() -> list[logging.Logger]:
    """The root, and those that do not hand their records on to it."""
    named = list(logging.root.manager.loggerDict.values())
    alone = [one for one in named if isinstance(one, logging.Logger) and not one.propagate]
    return [logging.root, *alone]


def _hear(
    heard: list[str], message: Warning | str, category: type[Warning], *_: object, **__: object
) -> None:
    if not issubclass(category, _OF_PROGRAMMERS):
        heard.append(str(message))


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
