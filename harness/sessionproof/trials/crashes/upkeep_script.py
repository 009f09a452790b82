"""The script of an upkeep that a crash left half done."""

from __future__ import annotations

from collections.abc import Sequence

from sessionproof.scripts.expressions import Unwritable
from sessionproof.trials.crashes.upkeep_looks import Look, Wrong
from sessionproof.trials.single import Trial


def upkeep_lines(trial: Trial, name: str, look: Look, wrong: Wrong) -> Sequence[str]:
    """The lines of the script; raises Unwritable where none of a bearable length show it."""
    raise Unwritable("not written yet")
