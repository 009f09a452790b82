"""Whole answers of the checks, held against those that were reviewed.

A test says what matters of an answer: that there is a finding, of which anomaly, at which step.
What else is in it (the words, the expected, the seen, the line of a script) is compared here with
``answers/``, where each test's answers are written in full. A change of words is seen in a diff.
"""

from __future__ import annotations

import dataclasses
import functools
import hashlib
import inspect
import json
import pkgutil
from collections.abc import Callable, Iterator
from enum import Enum
from importlib import import_module
from pathlib import Path
from types import ModuleType
from typing import Any

from sessionproof import checks

FOLDER = Path(__file__).with_name("answers")
_WHOLE = 2_000  # characters of a test's answers that are kept as they are; of more, a digest
_DEEPEST = 12


def written(value: Any, depth: int = 0) -> str:
    """A value in full, the same in every process: sets are sorted, and nothing has an address."""
    if depth > _DEEPEST:
        return "…"

    def inner(one: Any) -> str:
        return written(one, depth + 1)

    match value:
        case Enum():
            return f"{type(value).__name__}.{value.name}"
        case None | bool() | int() | float() | str() | bytes():
            return repr(value)
        case list() | tuple():
            return f"[{', '.join(map(inner, value))}]"
        case set() | frozenset():
            return f"{{{', '.join(sorted(map(inner, value)))}}}"
        case dict():
            pairs = (f"{inner(key)}: {inner(one)}" for key, one in value.items())
            return f"{type(value).__name__}({', '.join(pairs)})"
        case BaseException():
            return f"{type(value).__name__}({value})"
        case type():
            return value.__name__
    if dataclasses.is_dataclass(value):
        facts = ((one.name, getattr(value, one.name)) for one in dataclasses.fields(value))
        return f"{type(value).__name__}({', '.join(f'{name}={inner(one)}' for name, one in facts)})"
    if callable(value):
        return getattr(value, "__qualname__", type(value).__name__).rpartition("<locals>.")[2]
    facts = getattr(value, "__dict__", {})
    return f"{type(value).__name__}({', '.join(f'{name}={inner(facts[name])}' for name in facts)})"


class Ear:
    """Hears what the public functions of the checks answer to a test, not to each other."""

    def __init__(self) -> None:
        self.heard: list[str] | None = None  # None while no test is heard
        self._deep = 0

    def listen(self) -> None:
        """Put itself around every public function, before a test module takes it by name."""
        for found in pkgutil.iter_modules(checks.__path__):
            module = import_module(f"{checks.__name__}.{found.name}")
            for name, one in list(vars(module).items()):
                if inspect.isfunction(one) and one.__module__ == module.__name__ and name[0] != "_":
                    setattr(module, name, self._around(f"{found.name}.{name}", one))

    def _around(self, name: str, function: Callable[..., Any]) -> Callable[..., Any]:
        @functools.wraps(function)
        def asked(*args: Any, **named: Any) -> Any:
            if self.heard is None or self._deep:
                return function(*args, **named)
            self._deep += 1
            try:
                answer = function(*args, **named)
            except Exception as error:
                self._hear(name, error)
                raise
            finally:
                self._deep -= 1
            if isinstance(answer, Iterator):
                answer = self._item_by_item(name, answer)
            else:
                self._hear(name, answer)
            return answer

        return asked

    def _item_by_item(self, name: str, answers: Iterator[Any]) -> Iterator[Any]:
        for one in answers:
            self._hear(name, one)
            yield one

    def _hear(self, name: str, answer: Any) -> None:
        if self.heard is not None:
            self.heard.append(f"{name}: {written(answer)}")


EAR = Ear()
EAR.listen()  # once in a process, in which pytest may run more than once


def kept(heard: list[str]) -> list[str]:
    """What is stored of the answers: each once, in its order; a digest where they are long."""
    lines = list(dict.fromkeys(heard))
    if sum(map(len, lines)) <= _WHOLE:
        return lines
    digest = hashlib.sha256("\n".join(lines).encode("utf-8", "surrogatepass")).hexdigest()
    return [*_first(lines), f"{len(lines)} answers, sha256 {digest}"]


def _first(lines: list[str]) -> Iterator[str]:
    """As many of them as can be read."""
    left = _WHOLE
    for line in lines:
        left -= len(line)
        if left < 0:
            return
        yield line


@functools.cache
def reviewed(module: str) -> dict[str, list[str]]:
    """The answers to each test of a module, as they are stored."""
    path = FOLDER / f"{module}.json"
    return json.loads(path.read_text("utf-8")) if path.exists() else {}


def write(module: ModuleType, answers: dict[str, list[str]]) -> None:
    """Store them in place of those of the same tests; those of tests that are gone are dropped."""
    others = {
        name: told for name, told in reviewed(module.__name__).items()
        if name not in answers and hasattr(module, name.partition("[")[0])
    }  # fmt: skip
    both = {name: told for name, told in sorted((others | answers).items()) if told}
    FOLDER.mkdir(exist_ok=True)
    text = json.dumps(both, indent=1)
    (FOLDER / f"{module.__name__}.json").write_text(text + "\n", "utf-8")
