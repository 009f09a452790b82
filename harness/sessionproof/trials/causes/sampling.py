"""In which functions calls spend their time, by samples of pyinstrument (extra ``profile``)."""

from __future__ import annotations

import sys
from collections import Counter
from collections.abc import Callable, Iterable, Sequence
from typing import TYPE_CHECKING

from sessionproof.contract.causes import FunctionCost

if TYPE_CHECKING:
    from pyinstrument import Profiler

MOST = 12  # functions that are told
_EVERY_S = 0.0005
_BUILT_IN = "<built-in>"  # its time is that of the function that calls it
_OURS = ("sessionproof.trials.causes.", "sessionproof.bench.", "sessionproof.workload.awaiting")


class NoProfiler(Exception):
    """Nothing can be sampled here; the text is the reason and the remedy in one line."""


class Sampler:
    """Looks twice a millisecond at the stack of this thread, while calls are made."""

    def __init__(self) -> None:
        """Raises NoProfiler."""
        try:
            from pyinstrument import Profiler
        except ImportError:
            raise NoProfiler(
                "pyinstrument is not installed: pip install 'sessionproof[profile]'"
            ) from None
        self._profiler: Profiler = Profiler(interval=_EVERY_S, async_mode="disabled")

    def during(self, calls: Iterable[Callable[[], object]]) -> None:
        """Make the calls; what is sampled is added to what was sampled before."""
        with self._profiler:
            for call in calls:
                call()

    def functions(self) -> tuple[FunctionCost, ...]:
        """The own time of each function in the samples, the largest share first."""
        session = self._profiler.last_session
        return shares([] if session is None else session.frame_records)


def shares(
    samples: Iterable[tuple[Sequence[str], float]], most: int = MOST
) -> tuple[FunctionCost, ...]:
    """The functions at the ends of these stacks, by their share of the seconds.

    A frame is as pyinstrument writes it: function, file and line, with a zero between them, and
    then attributes behind ones. What lies in the harness's own frames is left out.
    """
    modules = _modules()
    spent: Counter[str] = Counter()
    for stack, seconds in samples:
        name = _innermost(stack, modules)
        if name and not name.startswith(_OURS):
            spent[name] += seconds  # type: ignore[assignment]
    total = sum(spent.values())
    return tuple(
        FunctionCost(name=name, share=one / total) for name, one in spent.most_common(most)
    )


def _innermost(stack: Sequence[str], modules: dict[str, str]) -> str:
    """The last function of Python's in the stack; empty where there is none."""
    for frame in reversed(stack):
        identity, *attributes = frame.split("\x01")
        function, file, _ = identity.split("\x00")
        if not file.startswith("<"):
            of = next((one[1:] + "." for one in attributes if one.startswith("c")), "")
            return f"{modules.get(file, file)}:{of}{function}"
    return ""


def _modules() -> dict[str, str]:
    """The names of all modules in memory, by their files."""
    loaded = [(name, getattr(module, "__file__", None)) for name, module in sys.modules.items()]
    return {file: name for name, file in reversed(loaded) if isinstance(file, str)}
