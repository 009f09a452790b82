"""Finding a store by its name: a registered name, ``module:attr``, or a scheme such as ``cmd:``.

Other packages register stores by entry points of the group ``sessionproof.stores``, and schemes
by the group ``sessionproof.schemes`` (a function from the text after the colon to a factory).
"""

from __future__ import annotations

import gc
import importlib
import importlib.metadata
import inspect
import sys
from collections.abc import Awaitable, Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from difflib import get_close_matches
from functools import wraps
from typing import Any

from sessionproof.contract.claims import Claims
from sessionproof.contract.clock import SettableClock
from sessionproof.contract.location import Location
from sessionproof.contract.message import Message
from sessionproof.contract.store import as_offered

STORES = "sessionproof.stores"
SCHEMES = "sessionproof.schemes"
_SAID_MOST = 1_000  # characters of what an import raised


class StoreNotFound(Exception):
    """No store of this name can be used; the text is one line that says why and what to do."""


class MissingExtra(StoreNotFound):
    """The store's own package is not installed."""

    def __init__(self, store: str, extra: str, package: str) -> None:
        super().__init__(
            f"{store} needs the package {package}: pip install 'sessionproof[{extra}]'"
        )


@dataclass(frozen=True)
class StoreSpec:
    """A store under test: how to open it, and what it says of itself before it is opened.

    ``open`` takes a Location and answers a handle or an awaitable of one. ``encode`` and
    ``decode`` are the adapter's pure translations, None when it has none. ``claims`` is None when
    the factory declares none; a handle may still carry its own. ``takes_clock``: the factory has a
    keyword ``clock``, and ``open`` gives it one that can be set. ``for_server`` is what a store
    whose data lies on a server of a database has: it takes the address of another server, and
    answers a factory for that.
    """

    name: str
    open: Callable[[Location], Any]
    claims: Claims | None = None
    encode: Callable[[Message], Any] | None = None
    decode: Callable[[Any], Message] | None = None
    version: str | None = None
    takes_clock: bool = False
    for_server: Callable[[str], Any] | None = None


def find_store(name: str) -> StoreSpec:
    """The store of this name; raises StoreNotFound, whose text is one line for the user."""
    scheme, colon, rest = name.partition(":")
    schemes = {point.name: point for point in importlib.metadata.entry_points(group=SCHEMES)}
    if colon and scheme in schemes:
        return spec_of(name, _of_scheme(name, schemes[scheme], rest))
    registered = {point.name: point for point in importlib.metadata.entry_points(group=STORES)}
    if name in registered:
        return spec_of(name, _load(name, registered[name].module, registered[name].attr))
    if colon:
        return spec_of(name, _load(name, scheme, rest))
    near = get_close_matches(name, registered, 1)
    hint = f"; did you mean {near[0]!r}?" if near else ""
    raise StoreNotFound(
        f"no store is called {name!r}: use module:attr, cmd:COMMAND, or a name that "
        f"'sessionproof stores' lists{hint}"
    )


def takes_server(name: str) -> bool:
    """Whether the store of this name has a scheme of the same name, which takes an address.

    ``portal`` is one: ``portal:postgresql://…`` is the same store on a server.
    """
    return all(
        any(point.name == name for point in importlib.metadata.entry_points(group=group))
        for group in (STORES, SCHEMES)
    )


def spec_of(name: str, factory: object) -> StoreSpec:
    """The spec of a class or function that takes a location; raises StoreNotFound."""
    if not callable(factory):
        raise StoreNotFound(
            f"{name} is a {type(factory).__name__}: name a class, or a function open(location)"
        )
    if inspect.isclass(factory):
        missing = [item for item in ("append", "read", "close") if not hasattr(factory, item)]
        if missing:
            raise StoreNotFound(
                f"{name} has no {', no '.join(missing)}: a store needs append, read and close"
            )
    try:
        signature = inspect.signature(factory)
    except (TypeError, ValueError):
        signature = None
    if signature is not None:
        try:
            signature.bind(object())
        except TypeError:
            raise StoreNotFound(
                f"{name}{signature} cannot be called with one location: "
                "give it a class or a function that takes the location alone"
            ) from None
    takes_clock = signature is not None and "clock" in signature.parameters
    claims = getattr(factory, "claims", None)
    if claims is not None and not isinstance(claims, Claims):
        raise StoreNotFound(
            f"{name}.claims is a {type(claims).__name__}: it must be sessionproof.Claims(…)"
        )
    version = getattr(factory, "version", None)
    return StoreSpec(
        name=name,
        open=_with_clock(factory) if takes_clock else factory,
        claims=None if claims is None else as_offered(claims, factory),
        encode=getattr(factory, "encode", None),
        decode=getattr(factory, "decode", None),
        version=version if isinstance(version, str) else None,
        takes_clock=takes_clock,
        for_server=getattr(factory, "for_server", None),
    )


def _with_clock(factory: Callable[..., Any]) -> Callable[[Location], Any]:
    """Opens the store on a clock that can be set; the handle then has ``set_clock``."""

    @wraps(factory, updated=())
    def open_with_clock(location: Location) -> Any:
        clock = SettableClock()
        made = factory(location, clock=clock)
        return _awaited(made, clock) if inspect.isawaitable(made) else _settable(made, clock)

    return open_with_clock


async def _awaited(made: Awaitable[Any], clock: SettableClock) -> Any:
    return _settable(await made, clock)


def _settable(store: Any, clock: SettableClock) -> Any:
    if not hasattr(store, "set_clock"):
        with suppress(AttributeError):  # a class with slots has no room for it
            store.set_clock = clock.set_clock
    return store


def _of_scheme(name: str, point: importlib.metadata.EntryPoint, rest: str) -> object:
    try:
        make = point.load()
    except StoreNotFound:  # which says it in its own words
        raise
    except (Exception, SystemExit) as error:
        raise StoreNotFound(
            f"{name}: the scheme {point.name!r} cannot be loaded: {_in_one_line(error)}"
        ) from error
    try:
        made: object = make(rest)
    except StoreNotFound:
        raise
    except (Exception, SystemExit) as error:
        raise StoreNotFound(
            f"{name}: the scheme {point.name!r} makes no store of it: {_in_one_line(error)}"
        ) from error
    return made


def _load(name: str, module: str, attribute: str) -> object:
    if not attribute:
        raise StoreNotFound(f"{name!r} names no attribute: write it as module:attr")
    try:
        with _no_collections():
            loaded: object = importlib.import_module(module)
    except ModuleNotFoundError as error:
        if error.name not in _parents(module):
            raise StoreNotFound(
                f"{module} cannot be imported: it needs the module {error.name!r}, "
                "which is not installed"
            ) from error
        raise StoreNotFound(
            f"there is no module {module!r} on the import path (started in {sys.path[0] or '.'!r})"
        ) from error
    except StoreNotFound:
        raise
    except (Exception, SystemExit) as error:
        raise StoreNotFound(f"importing {module or name} failed: {_in_one_line(error)}") from error
    for part in attribute.split("."):
        try:
            loaded = getattr(loaded, part)
        except AttributeError as error:
            near = [item for item in dir(loaded) if item.lower() == part.lower()]
            hint = f"; did you mean {near[0]!r}?" if near else ""
            raise StoreNotFound(
                f"module {module!r} has no attribute {attribute!r}{hint}"
            ) from error
        except (Exception, SystemExit) as error:  # a module may import its parts when asked
            raise StoreNotFound(
                f"importing {module}:{attribute} failed: {_in_one_line(error)}"
            ) from error
    return loaded


@contextmanager
def _no_collections() -> Iterator[None]:
    """An import makes little garbage, and collecting it takes a tenth of a long one."""
    collected = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if collected:
            gc.enable()


def _in_one_line(error: BaseException) -> str:
    name = type.__getattribute__(type(error), "__name__")[:_SAID_MOST]
    try:
        text = str.__str__(str(error))[:_SAID_MOST]
    except BaseException:  # noqa: BLE001 - hostile __str__
        text = "its text cannot be shown: __str__ raised"
    return " ".join(f"{name}: {text}".split())


def _parents(module: str) -> list[str]:
    parts = module.split(".")
    return [".".join(parts[: end + 1]) for end in range(len(parts))]
