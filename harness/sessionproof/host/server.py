"""A Python store's side: calls come in as lines, answers go out as lines.

A synchronous store runs outside any event loop, as in a plain program. One that is asynchronous
lives on one loop in the main thread, which goes on running between the calls.
"""

from __future__ import annotations

import argparse
import contextlib
import inspect
import io
import os
import sys
import traceback
from collections.abc import Awaitable, Coroutine, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any, BinaryIO, TypeVar

from sessionproof.contract.claims import Claims, claims_to_json
from sessionproof.contract.errors import ERRORS, NotRepresentable
from sessionproof.contract.frames import frame_of
from sessionproof.contract.location import Location
from sessionproof.contract.lookup import StoreNotFound, StoreSpec, find_store
from sessionproof.contract.store import (
    CAPABILITIES,
    CORE,
    as_offered,
    capabilities_of,
    shape_problems,
    takes_first_messages,
)
from sessionproof.host import wire
from sessionproof.host.values import ANSWERS, params_from_json

if TYPE_CHECKING:
    import asyncio

_TEXT = 10_000  # characters of an exception's text that are sent
_OPEN = wire.Shape(positional=("protocol", "root", "url", "namespace"), keywords=())

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class Channel:
    """The pipes to the harness, of the process that took them."""

    calls: BinaryIO
    answers: BinaryIO
    process: int = field(default_factory=os.getpid)

    def receive(self) -> bytes:
        """The next line; empty when the harness has gone."""
        return self.calls.readline()

    def send(self, line: bytes) -> None:
        """Write one line whole. A process that the store forked off ends here: it has no say."""
        if os.getpid() != self.process:
            os._exit(0)
        self.answers.write(line)
        self.answers.flush()


def take_stdio() -> Channel:
    """The process's stdin and stdout, for the protocol alone.

    The store, its libraries and its children then find an empty stdin, and what they print goes
    to stderr: a stray print can neither break a line nor be taken for an answer.
    """
    sys.stdout.flush()
    channel = Channel(os.fdopen(os.dup(0), "rb"), os.fdopen(os.dup(1), "wb"))
    nothing = os.open(os.devnull, os.O_RDONLY)
    os.dup2(nothing, 0)
    os.close(nothing)
    os.dup2(2, 1)
    if isinstance(sys.stdout, io.TextIOWrapper):
        sys.stdout.reconfigure(line_buffering=True)  # prints and errors keep their order
    return channel


def begun(program: str, given: Sequence[str] | None = None) -> Channel:
    """The pipes of a process of the harness that serves, and its import path set.

    The command line of the module ``program`` gives the path by ``--path``, an entry each; all of
    them together replace it.
    """
    parser = argparse.ArgumentParser(prog=f"python -m {program}")
    parser.add_argument("--path", action="append", metavar="ENTRY")
    arguments = parser.parse_args(given)
    channel = take_stdio()
    if arguments.path is not None:
        sys.path[:] = arguments.path
    return channel


def serve(name: str, channel: Channel) -> None:
    """Answer calls to the store of this name until it is closed, or the harness has gone."""
    host = Host(name)
    try:
        while host.running and not host.asynchronous and (line := channel.receive()):
            channel.send(_at_once(host.answer(line)))
        if host.running and host.asynchronous:
            host.runner.run(_serve_on_loop(host, channel))
    finally:
        host.end()


async def _serve_on_loop(host: Host, channel: Channel) -> None:
    import asyncio

    host.on_loop = True
    receive = asyncio.get_running_loop().run_in_executor
    while host.running and (line := await receive(None, channel.receive)):
        channel.send(await host.answer(line))


def _at_once(coroutine: Coroutine[Any, Any, T]) -> T:
    """The result of a coroutine that awaits nothing, without a loop."""
    try:
        coroutine.send(None)
    except StopIteration as done:
        return done.value  # type: ignore[no-any-return]
    raise RuntimeError("a synchronous call waited for an event loop")


class _Wrong(Exception):
    """A line that is no call of the protocol."""

    def __init__(self, code: int, text: str) -> None:
        super().__init__(text)
        self.code = code


class _Malformed(Exception):
    """An answer of the store that the contract does not allow."""


class Host:
    """A store that answers lines.

    ``running`` until it was asked to close. ``asynchronous`` once the store shows that it needs
    a loop, ``on_loop`` once its calls come from there.
    """

    def __init__(self, name: str) -> None:
        self.running = True
        self.on_loop = False
        self._spec = _found(name)
        self._handle: Any = None
        self._capabilities: frozenset[str] = frozenset()
        self._creates_empty = False
        self.asynchronous = isinstance(self._spec, StoreSpec) and _wants_loop(
            inspect.unwrap(self._spec.open)
        )

    @cached_property
    def runner(self) -> asyncio.Runner:
        """The store's one loop, made when it is first needed: asyncio takes a while to import."""
        import asyncio

        return asyncio.Runner()

    def end(self) -> None:
        """Close the loop, if there is one."""
        if "runner" in vars(self):
            self.runner.close()

    async def answer(self, line: bytes) -> bytes:
        """The answer to one line, whatever the store does, as long as the process lives."""
        number = None
        try:
            number, method, params = _call_of(line)
            if method == "open":
                shown = self._opened(await self._settled(self._open(params)))
            else:
                value = await self._settled(self._start(method, params))
                shown = _shown(method, value)
            return wire.line_of(wire.result(number, shown))
        except BaseException as error:  # noqa: BLE001 - SystemExit too is an answer, not our end
            return wire.line_of(_failure_of(number, error))

    async def _settled(self, value: Any) -> Any:
        if not inspect.isawaitable(value):
            return value
        if self.on_loop:
            return await value
        self.asynchronous = True  # a plain function that answers an awaitable
        return self.runner.run(_awaited(value))

    def _open(self, params: dict[str, Any]) -> Any:
        if self._handle is not None:
            raise _Wrong(wire.INVALID_REQUEST, "the location is open already")
        (version, root, url, namespace), _ = _split(_OPEN, params)
        if version != wire.VERSION:
            text = f"this host speaks protocol {wire.VERSION}, not {ascii(version)[:50]}"
            raise _Wrong(wire.INVALID_PARAMS, text)
        if isinstance(self._spec, StoreNotFound):
            raise self._spec
        return self._spec.open(Location(Path(root), url, namespace))

    def _opened(self, handle: Any) -> dict[str, Any]:
        problems = shape_problems(handle)
        if problems:
            raise StoreNotFound("; ".join(problems))
        assert isinstance(self._spec, StoreSpec)
        claims = _declared(handle, "claims", Claims, self._spec.claims)
        self._capabilities = capabilities_of(handle)
        self._creates_empty = not takes_first_messages(handle)
        self.asynchronous = self.asynchronous or _wants_loop(handle)
        self._handle = handle
        return {
            "protocol": wire.VERSION,
            "name": self._spec.name,
            "version": _declared(handle, "version", str, self._spec.version),
            "claims": None if claims is None else claims_to_json(as_offered(claims, handle)),
            "capabilities": sorted(self._capabilities),
        }

    def _start(self, method: str, params: dict[str, Any]) -> Any:
        if self._handle is None:
            raise _Wrong(wire.INVALID_REQUEST, f"{method} before open: open the location first")
        if method not in CORE and method not in self._capabilities:
            raise _Wrong(wire.METHOD_NOT_FOUND, f"the store has no method {ascii(method)[:100]}")
        positional, keywords = _split(wire.SHAPES[method], params)
        if method == "close":
            self.running = False
        if method == "create" and self._creates_empty and keywords.pop("messages"):
            raise NotRepresentable("create takes no messages")
        return getattr(self._handle, method)(*positional, **keywords)


def _found(name: str) -> StoreSpec | StoreNotFound:
    try:
        return find_store(name)
    except StoreNotFound as error:
        return error  # told when the location is opened: until then nobody listens


def _wants_loop(owner: object) -> bool:
    methods = (getattr(owner, name, None) for name in (*CORE, *CAPABILITIES))
    return any(map(inspect.iscoroutinefunction, (owner, *methods)))


async def _awaited(value: Awaitable[T]) -> T:
    return await value


def _declared(handle: object, name: str, expected: type[T], otherwise: T | None) -> T | None:
    own = getattr(handle, name, None)
    return own if isinstance(own, expected) else otherwise


def _call_of(line: bytes) -> tuple[int | str, str, dict[str, Any]]:
    try:
        call = wire.value_of(line)
    except ValueError as error:
        raise _Wrong(wire.PARSE_ERROR, f"the line is {error}") from None
    if not isinstance(call, dict) or call.get("jsonrpc") != "2.0":
        raise _Wrong(wire.INVALID_REQUEST, "the line is no JSON-RPC 2.0 call")
    number, method, params = call.get("id"), call.get("method"), call.get("params", {})
    if not isinstance(number, (int, str)) or type(method) is not str or type(params) is not dict:
        raise _Wrong(wire.INVALID_REQUEST, "a call needs id, method, and params by name")
    return number, method, params


def _split(shape: wire.Shape, params: dict[str, Any]) -> tuple[list[Any], dict[str, Any]]:
    try:
        return shape.split(params_from_json(params))
    except ValueError as error:
        raise _Wrong(wire.INVALID_PARAMS, str(error)) from None


def _shown(method: str, value: Any) -> Any:
    try:
        return ANSWERS[method].to_json(value)
    except ValueError as error:
        text = f"{method} answered what the contract does not allow: {error}"
        raise _Malformed(text) from None


def _failure_of(number: object, error: BaseException) -> dict[str, Any]:
    text = _text(error)
    if isinstance(error, _Wrong):
        return wire.failure(number, error.code, text, "InvalidCall")
    if isinstance(error, _Malformed):
        return wire.failure(number, wire.UNEXPECTED, text, wire.MALFORMED_ANSWER)
    if isinstance(error, StoreNotFound):
        return wire.failure(number, wire.UNEXPECTED, text, wire.STORE_NOT_FOUND)
    for ancestor in type(error).__mro__:
        if ERRORS.get(ancestor.__name__) is ancestor:
            name = ancestor.__name__
            return wire.failure(number, wire.CODES[name], text, name, frame_of(error))
    with contextlib.suppress(BaseException):  # one that cannot be shown is still one
        traceback.print_exception(error, limit=-20)  # to stderr, as evidence
    return wire.failure(number, wire.UNEXPECTED, text, type(error).__name__, frame_of(error))


def _text(error: BaseException) -> str:
    try:
        return str.__getitem__(str(error), slice(_TEXT))  # a plain str, even of a subclass
    except BaseException as worse:  # noqa: BLE001 - __str__ is the store's code
        return f"its text cannot be read: __str__ raised {type(worse).__name__}"
