"""The names that a run takes, with what each needs: told by metadata, nothing of it is imported."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from dataclasses import dataclass
from importlib.metadata import EntryPoint, entry_points
from pathlib import Path
from typing import Literal, TypeAlias

from sessionproof.contract.extras import OURS, requirements_of, versions
from sessionproof.contract.lookup import SCHEMES, STORES

Kind: TypeAlias = Literal["own", "adapter", "other", "scheme"]

_ADAPTERS = f"{OURS}.adapters."
_ROOT = Path(__file__).parents[2]  # the folder on the import path that has the package
_ORDER: tuple[Kind, ...] = ("own", "adapter", "other", "scheme")


@dataclass(frozen=True, slots=True)
class Registered:
    """A store or a scheme that can be named.

    ``distribution`` is who registers it. ``package`` is whose ``version`` is told: the third-party
    package of an adapter, else the distribution; the version is None where it is not installed.
    ``install`` is the command that brings what is missing, None when nothing is.
    """

    name: str
    kind: Kind
    distribution: str
    package: str
    version: str | None
    install: str | None


def registered() -> tuple[Registered, ...]:
    """All of them: our own stores, adapters, stores of other distributions, then schemes."""
    found = [*_of_group(STORES), *_of_group(SCHEMES)]
    return tuple(sorted(found, key=lambda one: (_ORDER.index(one.kind), one.name)))


def _of_group(group: str) -> Iterator[Registered]:
    points = {point.name: point for point in entry_points(group=group)}  # as a run finds them
    for point in points.values():
        distribution, version = _distribution(point)
        if distribution == OURS:
            yield _ours(point, group, version)
        else:
            kind: Kind = "scheme" if group == SCHEMES else "other"
            yield Registered(point.name, kind, distribution, distribution, version, None)


def _ours(point: EntryPoint, group: str, version: str | None) -> Registered:
    """One of this package: it needs the extra of its own name, or those its entry point names."""
    extras = list(point.extras) or [point.name]
    needs = versions(name for extra in extras for name in requirements_of(extra))
    missing = any(found is None for found in needs.values())
    install = f"pip install '{OURS}[{','.join(extras)}]'" if missing else None
    if group == SCHEMES:
        return Registered(point.name, "scheme", OURS, OURS, version, install)
    package = package_of(point.module) if point.module.startswith(_ADAPTERS) else None
    if package is None:
        return Registered(point.name, "own", OURS, OURS, version, install)
    return Registered(point.name, "adapter", OURS, package, versions([package])[package], install)


def package_of(module: str, root: Path = _ROOT) -> str | None:
    """The package that an adapter's file says it needs, as it raises ``MissingExtra`` without it.

    The file is read and not run; None where it says nothing of the kind.
    """
    path = root.joinpath(*module.split("."))
    path = path / "__init__.py" if path.is_dir() else path.with_suffix(".py")
    for node in ast.walk(ast.parse(path.read_text("utf-8"))):
        match node:
            case ast.Call(
                func=ast.Name(id="MissingExtra"), args=[_, _, ast.Constant(value=str(package))]
            ):
                return package
    return None


def _distribution(point: EntryPoint) -> tuple[str, str | None]:
    """Name and version of who registers it; its module's first name where metadata has no name."""
    if point.dist is None or not point.dist.name:
        return point.module.partition(".")[0], None
    return point.dist.name, point.dist.version
