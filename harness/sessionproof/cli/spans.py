"""Lengths of time as options."""

from __future__ import annotations

import math
import re
from typing import Any

import click

_MOST = 1e7  # in seconds 115 days; a thousand times as much, no timer takes
_WORDS = re.compile(r"(?:(\d{1,4})h)?(?:(\d{1,6})m)?(?:(\d{1,8})s?)?", re.ASCII)


class Span(click.FloatRange):
    """A number from ``min`` on for which one can wait: nothing ends after ``inf``, or ``nan``."""

    def convert(
        self, value: Any, param: click.Parameter | None, ctx: click.Context | None
    ) -> float:
        """The number; a refusal names what was given."""
        number = float(super().convert(value, param, ctx))
        if not math.isfinite(number):
            self.fail(f"{value} is no length of time: use a number", param, ctx)
        if number > _MOST:
            self.fail(f"{value} is too long: give at most {_MOST:.0f}", param, ctx)
        return number


class Budget(click.ParamType):  # type: ignore[type-arg]  # of newer clicks alone
    """A length of time in words, as ``6h``, ``1h30m``, ``90m``, ``600s`` or seconds alone."""

    name = "time"

    def __init__(self, least_s: float) -> None:
        self._least_s = least_s

    def convert(
        self, value: Any, param: click.Parameter | None, ctx: click.Context | None
    ) -> float:
        """The seconds; a refusal names what was given."""
        if isinstance(value, float):
            return value
        text = str(value).strip()
        found = _WORDS.fullmatch(text)
        if not text or found is None:
            self.fail(f"{value!r} is no length of time: write it as 6h, 1h30m, 90m or 600s",
                      param, ctx)  # fmt: skip
        hours, minutes, seconds = (int(part or 0) for part in found.groups())
        total = float(3600 * hours + 60 * minutes + seconds)
        if total < self._least_s:
            self.fail(f"{value} is too short: give at least {self._least_s:.0f}s", param, ctx)
        return total
