"""Looking for a program that shows a fault, within a budget; then shrinking it, within another.

Hypothesis draws and shrinks. What a program showed is remembered by its text, so a store that
fails only now and then cannot make the search contradict itself; past a budget the round is left
at once, so a slow store ends in seconds.
"""

from __future__ import annotations

import contextlib
import hashlib
import importlib
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Generic, TypeVar

import hypothesis
from hypothesis import HealthCheck, Phase, settings
from hypothesis.strategies import SearchStrategy

from sessionproof.contract.clock import monotonic_s
from sessionproof.contract.seed import derive

P = TypeVar("P")
F = TypeVar("F")

_ROUND = 25  # programs drawn between two looks at the clock


@dataclass(frozen=True)
class Counterexample(Generic[P, F]):
    """The smallest program found, what it showed, and what the first one showed."""

    program: P
    fault: F
    first_program: P
    first_fault: F


@dataclass(frozen=True)
class Searched(Generic[P, F]):
    """What a search came to: programs run, and the counterexample if there is one."""

    programs: int
    counterexample: Counterexample[P, F] | None


class _Found(Exception):
    """Tells Hypothesis that a program fails."""


class _Spent(BaseException):
    """Ends a round at once: Hypothesis catches every Exception, and would go on drawing."""


def search(
    strategy: SearchStrategy[P],
    judge: Callable[[P], F | None],
    *,
    seed: int,
    enough: Callable[[float], bool],
    shrink_s: float,
) -> Searched[P, F]:
    """Draw programs until ``judge`` answers a fault or ``enough(seconds)`` says stop.

    ``judge`` runs a program and answers its fault or None. The same seed draws the same programs.
    """
    started = monotonic_s()
    state = _State(judge, shrink_s)
    rounds = 0
    while state.smallest is None and not (rounds and enough(monotonic_s() - started)):
        _one_round(
            strategy, state, derive(seed, "round", rounds), lambda: enough(monotonic_s() - started)
        )
        rounds += 1
    if state.smallest is None or state.first is None:
        return Searched(state.runs, None)
    return Searched(state.runs, Counterexample(*state.smallest, *state.first))


class _State(Generic[P, F]):
    """What is remembered over the rounds of one search."""

    def __init__(self, judge: Callable[[P], F | None], shrink_s: float) -> None:
        self._judge = judge
        self._shrink_s = shrink_s
        self._remembered: dict[bytes, F | None] = {}
        self._found_at = 0.0
        self.runs = 0
        self.first: tuple[P, F] | None = None
        self.smallest: tuple[P, F] | None = None

    def visit(self, program: P, stop: Callable[[], bool]) -> None:
        """Run the program unless its verdict is known; end the round when the budget is spent."""
        key = hashlib.blake2b(
            repr(program).encode("utf-8", "surrogatepass"), digest_size=16
        ).digest()
        if self.first is None:
            if self.runs > 0 and stop():
                raise _Spent
            # Drawn again it runs again: a store may fail only now and then.
            self._remembered[key] = self._run(program)
        elif key not in self._remembered:
            if monotonic_s() - self._found_at > self._shrink_s:
                raise _Spent
            self._remembered[key] = self._run(program)
        fault = self._remembered[key]
        if fault is not None:
            self._fails(program, fault)
            raise _Found

    def _run(self, program: P) -> F | None:
        self.runs += 1
        return self._judge(program)

    def _fails(self, program: P, fault: F) -> None:
        if self.first is None:
            self.first = (program, fault)
            self._found_at = monotonic_s()
        # Hypothesis may run a larger one after a smaller one; the smallest by its text counts.
        if self.smallest is None or len(repr(program)) <= len(repr(self.smallest[0])):
            self.smallest = (program, fault)


def _one_round(
    strategy: SearchStrategy[P], state: _State[P, F], seed: int, stop: Callable[[], bool]
) -> None:
    @hypothesis.seed(seed)
    @settings(
        max_examples=_ROUND,
        database=None,
        deadline=None,
        phases=(Phase.generate, Phase.shrink),
        suppress_health_check=list(HealthCheck),
        print_blob=False,
        report_multiple_bugs=False,
    )
    @hypothesis.given(strategy)
    def attempt(program: P) -> None:
        state.visit(program, stop)

    with _only_the_seed(), contextlib.suppress(_Found, _Spent):
        attempt()


@contextlib.contextmanager
def _only_the_seed() -> Iterator[None]:
    """Keep Hypothesis from mixing constants of the imported local modules into what it draws.

    With them the same seed draws other programs in another process, and reading the modules
    costs a second in each. There is no setting for it; where the name is gone, nothing is done.
    """
    providers = importlib.import_module("hypothesis.internal.conjecture.providers")
    collect = getattr(providers, "_get_local_constants", None)
    none_collected = getattr(providers, "_local_constants", None)
    if collect is None or none_collected is None:
        yield
        return
    providers._get_local_constants = lambda: none_collected  # type: ignore[attr-defined]
    try:
        yield
    finally:
        providers._get_local_constants = collect  # type: ignore[attr-defined]
