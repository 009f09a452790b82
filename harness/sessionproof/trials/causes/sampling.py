"""In which functions calls spend their time, by samples of pyinstrument (extra ``profile``)."""

from __future__ import annotations

import sys
from collections import defaultdict
from collections.abc import Callable, Iterable, Mapping, Sequence
from statistics import median
from typing import TypeAlias

from sessionproof.contract.causes import FunctionCost
from sessionproof.contract.clock import monotonic_s
from sessionproof.contract.seed import generator

MOST = 12  # functions that are told
_EVERY_S = (0.0002, 0.0008)  # drawn anew for each stretch: samples in step with calls tell little
_LONGEST = 2.0
_BUILT_IN = "<"  # the beginning of a file that is none: <built-in>, <string>
_OURS = ("sessionproof.trials.causes.", "sessionproof.bench.", "sessionproof.workload.awaiting")

Samples: TypeAlias = Sequence[tuple[Sequence[str], float]]
"""Stacks, the outermost frame first, and the seconds that each stands for.

A frame is as pyinstrument writes it: function, file and line, with a zero between them, and then
attributes behind ones.
"""


class NoProfiler(Exception):
    """Nothing can be sampled here; the text is the reason and the remedy in one line."""


class Sampler:
    """Looks some two thousand times a second at the stack of this thread, while calls are made."""

    def __init__(self) -> None:
        """Raises NoProfiler."""
        try:
            from pyinstrument import Profiler
        except ImportError:
            raise NoProfiler(
                "pyinstrument is not installed: pip install 'sessionproof[profile]'"
            ) from None
        self._profiler = Profiler
        self._draw = generator(0, "stretches")
        self.samples: list[tuple[Sequence[str], float]] = []

    def during(self, calls: Iterable[Callable[[], object]]) -> float:
        """Make the calls, one stretch; the seconds that they took."""
        profiler = self._profiler(self._draw.uniform(*_EVERY_S), async_mode="disabled")
        began = monotonic_s()
        with profiler:
            for call in calls:
                call()
        if profiler.last_session is not None:
            self.samples += profiler.last_session.frame_records
        return monotonic_s() - began


def shares(samples: Samples) -> tuple[FunctionCost, ...]:
    """The functions in which these samples were taken, the largest share of the seconds first.

    A sample counts for twice the usual one at most: what others took the processor for is no time
    of the function that was met. The harness's own frames are left out.
    """
    modules = _modules()
    spent: dict[str, float] = defaultdict(float)
    most_s = _LONGEST * median(seconds for _, seconds in samples) if samples else 0.0
    for stack, seconds in samples:
        name = _innermost(stack, modules)
        if name and not name.startswith(_OURS):
            spent[name] += min(seconds, most_s)
    total = sum(spent.values())
    largest = sorted(spent, key=lambda name: (-spent[name], name))[:MOST]
    return tuple(FunctionCost(name=name, share=spent[name] / total) for name in largest)


def _innermost(stack: Sequence[str], modules: Mapping[str, str]) -> str:
    """The last function of Python's in the stack; empty where there is none."""
    for frame in reversed(stack):
        function, file, _ = frame.partition("\x01")[0].split("\x00")
        if not file.startswith(_BUILT_IN):
            return f"{modules.get(file, file)}:{function}"
    return ""


def _modules() -> Mapping[str, str]:
    """The names of all modules in memory, by their files."""
    loaded = [(name, getattr(module, "__file__", None)) for name, module in sys.modules.items()]
    return {file: name for name, file in reversed(loaded) if isinstance(file, str)}
