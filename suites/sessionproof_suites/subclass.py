"""``SessionStoreSuite``: the shipped tests as a class that a user's test file can extend."""

from __future__ import annotations

import importlib
import inspect
import pkgutil
from collections.abc import Callable, Iterator, Sequence
from typing import Any, ClassVar

import sessionproof_suites


class SessionStoreSuite:
    """All guarantees for one store, a test each; extend it and name the store.

    ``store`` is ``"module:attr"``, a known name, ``"cmd:COMMAND"``, or a class or function that a
    module holds by its name: the store is opened in other processes, which find it there.
    ``profile`` is smoke, gate or deep. ``baseline`` is a file of known breaks, below pytest's
    rootdir. ``require`` and ``accept_unknown`` are what the options of ``sessionproof run`` take.

    Tests of your own may stand beside. Those that are inherited cannot be replaced: a break that
    is known belongs into the baseline.
    """

    store: ClassVar[str | Callable[..., Any] | None] = None
    profile: ClassVar[str] = "gate"
    baseline: ClassVar[str | None] = None
    require: ClassVar[Sequence[str]] = ()
    accept_unknown: ClassVar[Sequence[str]] = ()
    __test__: ClassVar[bool] = False

    def __init_subclass__(cls) -> None:
        """A class that names a store is collected, whatever ``python_classes`` says."""
        super().__init_subclass__()
        for name in vars(cls):
            if name in _TESTS:
                raise TypeError(
                    f"{cls.__name__} replaces {name}: "
                    "list what is known to be broken in a baseline instead"
                )
        cls.__test__ = cls.store is not None or cls.__name__.startswith("Test")


def _suite_tests() -> Iterator[Callable[..., None]]:
    for module in pkgutil.iter_modules(sessionproof_suites.__path__):
        if module.name.startswith("test_"):
            suite = importlib.import_module(f"sessionproof_suites.{module.name}")
            for name, test in inspect.getmembers(suite, inspect.isfunction):
                if name.startswith("test_") and test.__module__ == suite.__name__:
                    yield test


def _method(test: Callable[..., None]) -> Any:
    """A test that tells what the run said of a suite's test."""
    (guarantee,) = [mark.args[0] for mark in vars(test)["pytestmark"] if mark.name == "guarantee"]
    name = test.__name__

    def told(self: SessionStoreSuite, sessionproof_judged: Any) -> None:  # noqa: ARG001 - a method
        sessionproof_judged.tell(guarantee, name)

    told.__name__, told.__doc__ = name, test.__doc__
    told.__qualname__ = f"{SessionStoreSuite.__name__}.{name}"
    method: Any = told
    method.sessionproof_guarantee = guarantee
    method.__test__ = True  # whatever python_functions says
    return method


_TESTS: dict[str, Any] = {}
for _test in _suite_tests():
    if _test.__name__ in _TESTS:
        raise TypeError(f"two suites have a test {_test.__name__}: give one another name")
    _TESTS[_test.__name__] = _method(_test)
    setattr(SessionStoreSuite, _test.__name__, _TESTS[_test.__name__])
