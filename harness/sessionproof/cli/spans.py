"""Lengths of time as options."""

from __future__ import annotations

import math
from typing import Any

import click


class Span(click.FloatRange):
    """A number from ``min`` on that is finite: nothing ends after ``inf``, or after ``nan``."""

    def convert(
        self, value: Any, param: click.Parameter | None, ctx: click.Context | None
    ) -> float:
        """The number; a refusal names what was given."""
        number = float(super().convert(value, param, ctx))
        if not math.isfinite(number):
            self.fail(f"{value} is no length of time: use a number", param, ctx)
        return number
