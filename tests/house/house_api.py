"""``docs/api.md``, made of the docstrings of what an adapter and a test import.

``python -m tests.house.house_api --write`` writes it anew.
"""

from __future__ import annotations

import dataclasses
import inspect
import re
import sys
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any

import sessionproof
from sessionproof.contract.store import CAPABILITIES, CORE
from sessionproof.reference import AsyncReferenceStore, ReferenceStore

PAGE = Path(__file__).parents[2] / "docs" / "api.md"
TYPES = (
    "Message", "Claims", "Limits", "Location", "Receipt", "SessionInfo", "Page", "Step", "Swept",
    "SnapshotInfo", "Hit", "Health", "HealthCheck", "Verified", "Recovered", "Repaired",
    "Migrated", "SqliteTables",
)  # fmt: skip
ERRORS = (
    "Refused", "Conflict", "NotFound", "Expired", "TooLarge", "NotRepresentable", "Indefinite",
)  # fmt: skip
ELSEWHERE = ("SessionStore", "Json", "__version__")  # the core's table; a type; a text

_HEAD = """\
# Python

What `from sessionproof import …` has, and the methods of a store. The page is generated from the \
docstrings; `docs/adapters.md` tells how they are used.

Everything that is not on this page is our own and may change. Every method of a store may be \
`async def`. Times and spans are whole microseconds, points in time count from 1970 in UTC.
"""


def page() -> str:
    """The whole page."""
    parts = [
        _HEAD, "## The core\n", "Every store has these.\n", _methods(_of(CORE)),
        "## Capabilities\n", "One method more is one capability more.\n",
        _methods(_of(CAPABILITIES)),
        "## Types\n", *map(_type, TYPES),
        "## Errors\n", _errors(),
        "## SessionStoreSuite\n", _said(sessionproof.SessionStoreSuite),
        "## ReferenceStore\n", "From `sessionproof.reference`. It has all methods of a store "
        "that it claims, and these of its own.\n", _signature(ReferenceStore), "",
        _said(ReferenceStore), _methods(_own(ReferenceStore)),
        "## AsyncReferenceStore\n", _said(AsyncReferenceStore),
    ]  # fmt: skip
    return "\n".join(parts)


def _of(methods: Any) -> dict[str, Callable[..., Any]]:
    """The functions of protocols, by their names."""
    return {name: vars(one.protocol)[name] for name, one in methods.items()}


def _own(store: type) -> dict[str, Callable[..., Any]]:
    """What a store has beyond the contract."""
    return {
        name: one
        for name, one in sorted(vars(store).items())
        if inspect.isfunction(one) and not name.startswith("_")
        and name not in {*CORE, *CAPABILITIES}
    }  # fmt: skip


def _methods(methods: dict[str, Callable[..., Any]]) -> str:
    rows = (f"| {_signature(one, name)} | {_cell(_said(one))} |" for name, one in methods.items())
    return "\n".join(["| method | it does |", "|---|---|", *rows, ""])


def _signature(called: Callable[..., Any], name: str = "") -> str:
    """A call as code: names and defaults without types, which the words tell."""
    signature = inspect.signature(called)
    plain = [
        one.replace(annotation=inspect.Parameter.empty)
        for one in signature.parameters.values()
        if one.name not in ("self", "store")  # modules' functions that are methods say store
    ]
    text = str(inspect.Signature(plain))
    return f"`{_cell((name or called.__name__) + text)}`"


def _type(name: str) -> str:
    kind = getattr(sessionproof, name)
    rows = [
        f"| `{one.name}` | `{_cell(str(one.type))}` | {_default(one)} |"
        for one in dataclasses.fields(kind)
    ]
    functions = {
        each: one
        for each, one in vars(kind).items()
        if inspect.isfunction(one) and not each.startswith("_")
    }
    table = ["| field | type | default |", "|---|---|---|", *rows, ""]
    more = [_methods(functions)] if functions else []
    return "\n".join([f"### {name}\n", _said(kind), *table, *more])


def _default(field: dataclasses.Field[Any]) -> str:
    if field.default is not dataclasses.MISSING:
        value = field.default
        if isinstance(value, frozenset):
            return "`{" + ", ".join(map(repr, sorted(value))) + "}`" if value else "empty"
        return f"`{value!r}`"
    return "required" if field.default_factory is dataclasses.MISSING else "empty"


def _errors() -> str:
    rows = (
        f"| `{name}` | `{getattr(sessionproof, name).__bases__[0].__name__}` | "
        f"{_cell(_said(getattr(sessionproof, name)))} |"
        for name in ERRORS
    )
    return "\n".join(["| error | is a | it says |", "|---|---|---|", *rows, ""])


def _said(documented: Any) -> str:
    """A docstring as Markdown; its paragraphs are kept."""
    text = inspect.getdoc(documented)
    assert text, f"{documented} has no docstring"
    paragraphs: Iterable[str] = (" ".join(one.split()) for one in text.split("\n\n"))
    return re.sub(r"``(.+?)``", r"`\1`", "\n\n".join(paragraphs)) + "\n"


def _cell(text: str) -> str:
    return " ".join(text.replace("|", "\\|").split())


if __name__ == "__main__":
    if sys.argv[1:] == ["--write"]:
        PAGE.write_text(page(), "utf-8")
    else:
        sys.stdout.write(page())
