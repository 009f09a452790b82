"""A store in this process whose calls are counted and sampled, one after the other."""

from __future__ import annotations

import inspect
import statistics
from collections import Counter
from collections.abc import Callable
from contextlib import ExitStack
from dataclasses import asdict
from functools import partial
from typing import Any

from sessionproof.bench.arms.arm import Arm
from sessionproof.bench.operations import Side
from sessionproof.checks.plans import normalised
from sessionproof.contract.clock import monotonic_s
from sessionproof.contract.operations import Outcome
from sessionproof.trials.causes.instructions import Instructions, NoCounter
from sessionproof.trials.causes.sampling import NoProfiler, Sampler, shares
from sessionproof.trials.statements import Statement, Trace, traced
from sessionproof.workload.awaiting import waited
from sessionproof.workload.guard import Wait

JSON = dict[str, Any]
Call = Callable[[], Any]

_WARM = 5  # calls that are not looked at: first ones read the schema and fill caches
_NO_TIME_S = 1e-9  # a message: rows measure how much they may fill by it
_CALLS, _FEWEST = 20, 3  # fewer in a slow store
_CALLS_S = 1.0
_STRETCH_S, _STRETCH_MOST = 0.03, 300  # calls that are sampled together
_SAMPLED_S, _SAMPLING_S = 0.3, 1.0  # the longer one with what the calls need
_STATEMENTS = 40  # of one operation, the dearest
_TEXT = 400  # characters of a statement


class Counted(Arm):
    """An arm whose further methods count what calls of an operation do.

    With ``traced`` in the request its statements are looked at, which costs time, so that
    instructions and functions are not.
    """

    def __init__(self, request: JSON) -> None:
        """Look first, then open the store. Raises what the store raises."""
        self._looking = ExitStack()
        self._trace: Trace | None = None
        self._counter: Instructions | None = None
        self._without = ""
        if request["traced"]:
            self._trace = self._looking.enter_context(traced(steps=True))
        else:
            try:
                self._counter = Instructions()
            except NoCounter as why:
                self._without = str(why)
        self._made: Callable[[int], list[Call]] = lambda number: []  # noqa: ARG005 - none yet
        self._waiting: list[Call] = []
        self._stretch = _FEWEST
        super().__init__(request)

    def load(self, number: int, within_s: float) -> int:
        """As an arm does; what is filled later has the same length each time, if there was time."""
        held = super().load(number, within_s)
        if held >= number:
            self._client.message_s = _NO_TIME_S
        return held

    def prepare(self, operation: str) -> int:
        """Warm the operation up and make the arguments of calls; how many there are."""
        self.ready(operation)
        side = self.pairs[operation].store
        self._made = partial(_calls, side, self.wait if self._awaits(side) else None)
        warm = self._made(_WARM)
        began = monotonic_s()
        for call in warm:
            call()
        each_s = max((monotonic_s() - began) / _WARM, 1e-9)
        self._stretch = max(_FEWEST, min(_STRETCH_MOST, int(_STRETCH_S / each_s)))
        self._waiting = self._made(max(_FEWEST, min(_CALLS, int(_CALLS_S / each_s))))
        return len(self._waiting)

    def call(self) -> None:
        """Make the next of the calls that were prepared."""
        self._waiting.pop(0)()

    def statements(self) -> JSON:
        """Make all calls that were prepared: steps, statements, connections, as in ``Causes``."""
        if self._trace is None:
            raise AssertionError("statements are asked of a store that is not traced")
        runs = [self._trace.during(partial(_answered, call)) for call in self._taken()]
        return {
            "calls": len(runs),
            "connections": sum(one.opened for one in runs) / len(runs),
            **costs([one for run in runs for one in run.statements], len(runs)),
        }

    def instructions(self) -> JSON:
        """Make all calls that were prepared: what the middle one took, or why that is unknown."""
        if self._counter is None:
            return {"why": self._without}
        return {"instructions": statistics.median(map(self._counter.during, self._taken()))}

    def functions(self) -> JSON:
        """Sample calls of what was prepared, for a third of a second: functions, and samples."""
        try:
            sampler = Sampler()
        except NoProfiler as why:
            return {"why": str(why)}
        sampled_s, until_s = 0.0, monotonic_s() + _SAMPLING_S
        while sampled_s < _SAMPLED_S and monotonic_s() < until_s:
            sampled_s += sampler.during(self._made(self._stretch))
        functions = [asdict(one) for one in shares(sampler.samples)]
        return {"functions": functions, "samples": len(sampler.samples)}

    def close(self) -> None:
        """Close the store and all that looks at it."""
        super().close()
        self._looking.close()
        if self._counter is not None:
            self._counter.close()

    def _taken(self) -> list[Call]:
        """What was prepared, which is then used."""
        taken, self._waiting = self._waiting, []
        return taken

    def _awaits(self, side: Side) -> bool:
        """Whether what the calls answer is to be awaited, by making one."""
        (given,) = side.arguments(1)
        answer = side.call(*given)
        waited(answer, self.wait)
        return inspect.isawaitable(answer)


def _calls(side: Side, wait: Wait | None, number: int) -> list[Call]:
    """So many calls, with their arguments; what these need is made now."""

    def awaiting(*given: Any) -> Any:
        return None if wait is None else wait(side.call(*given))

    call = side.call if wait is None else awaiting
    return [partial(call, *given) for given in side.arguments(number)]


def costs(seen: list[Statement], calls: int) -> JSON:
    """Steps and statements a call, as ``Causes`` has them, the dearest first."""
    times: Counter[str] = Counter()
    steps: Counter[str] = Counter()
    for one in seen:
        text = named(one.text)
        times[text] += 1
        steps[text] += one.steps
    dearest = sorted(times, key=lambda text: (-steps[text], -times[text], text))
    return {
        "steps": sum(steps.values()) / calls,
        "statements": [
            {"text": text, "times": times[text] / calls, "steps": steps[text] / calls}
            for text in dearest[:_STATEMENTS]
        ],
    }


def named(text: str) -> str:
    """The statement without its values, cut to a length; one that is a comment without its dashes.

    Full-text search tells of its own statements in comments.
    """
    plain = normalised(text) or normalised(text.lstrip("- \n"))
    return plain if len(plain) <= _TEXT else f"{plain[:_TEXT]}…"


def _answered(call: Call) -> Outcome:
    return Outcome("ok", call())
