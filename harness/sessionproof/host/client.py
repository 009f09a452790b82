"""The harness's side: a command, or a Python store in another process, as a store."""

from __future__ import annotations

import itertools
import shlex
import sys
from collections.abc import Callable, Sequence
from typing import Any

from sessionproof.contract.claims import Claims, claims_from_json
from sessionproof.contract.errors import ERRORS, Indefinite, NotRepresentable
from sessionproof.contract.frames import AT, frame_said
from sessionproof.contract.location import Location
from sessionproof.contract.lookup import StoreNotFound
from sessionproof.contract.message import Message, Receipt
from sessionproof.host import wire
from sessionproof.host.calls import Calls
from sessionproof.host.handshake import handshake_problems, opening
from sessionproof.host.process import LINE_BYTES, Process, ProcessEnded, ProtocolError, Started
from sessionproof.host.values import ANSWERS, params_to_json

__all__ = [
    "HostedStore", "MalformedAnswer", "ProcessEnded", "ProtocolError", "Unexpected",
    "command_store", "open_hosted", "python_store_command",
]  # fmt: skip

HANDSHAKE_S = 20.0
GRACE_S = 5.0
_OF_CONTRACT = frozenset(ERRORS.values())


class MalformedAnswer(Indefinite):
    """The store answered what the contract does not allow; the text lists all problems."""


class Unexpected(Indefinite):
    """The store raised something else than an error of the contract.

    ``type`` is its name, ``said`` its text with what is known of the process.
    """

    def __init__(self, text: str, type_name: str | None, said: str) -> None:
        super().__init__(text)
        self.type, self.said = type_name, said


def frame_told(error: BaseException) -> str:
    """The line of code that raised in a store's process, if the process named it."""
    ours = type(error) is Unexpected or type(error) in _OF_CONTRACT
    return frame_said(vars(error).get(AT)) if ours else ""


def command_store(command: str) -> Callable[[Location], HostedStore]:
    """The factory of a store behind a command, as in ``cmd:node store.mjs``; no shell is used."""
    try:
        argv = shlex.split(command)
    except ValueError as error:
        raise StoreNotFound(f"cmd:{command} cannot be split into words: {error}") from None
    if not argv:
        raise StoreNotFound("cmd: names no command: write it as in cmd:node store.mjs")

    def open_command(location: Location) -> HostedStore:
        return HostedStore(argv, location)

    return open_command


def python_store_command(name: str) -> list[str]:
    """The command that serves a Python store with this process's import path.

    It runs in the folder from which it is started, as relative entries of the path need it.
    """
    paths = [f"--path={entry}" for entry in sys.path]
    return [sys.executable, "-m", "sessionproof.host", *paths, name]


def open_hosted(name: str, location: Location, *, handshake_s: float = HANDSHAKE_S) -> HostedStore:
    """The store of this name (``module:attr``, or a known one) in a process of its own."""
    return HostedStore(python_store_command(name), location, handshake_s=handshake_s)


class HostedStore(Calls):
    """A handle whose store is another process: one process for each handle.

    Calls from several threads take turns, as the process answers one at a time. Each method
    raises the contract's errors as the store raised them, and beside them ``Unexpected``,
    ``MalformedAnswer``, ``ProtocolError`` and ``ProcessEnded``, which leave the outcome open.
    """

    def __init__(
        self,
        argv: Sequence[str],
        location: Location,
        *,
        handshake_s: float = HANDSHAKE_S,
        grace_s: float = GRACE_S,
        line_bytes: int = LINE_BYTES,
        started: Started | None = None,
    ) -> None:
        """Start the process, unless it was ``started`` already, and open the location.

        Raises StoreNotFound when the command cannot be started or knows no such store, and the
        errors of the protocol when it does not answer within ``handshake_s``.
        """
        self._grace_s = grace_s
        self._numbers = itertools.count(1)
        try:
            self._process = Process(argv, line_bytes=line_bytes, started=started)
        except (OSError, ValueError) as error:
            raise StoreNotFound(_not_started(argv, error)) from None
        self.pid = self._process.pid
        try:
            shown = self._ask("open", opening(location), deadline_s=handshake_s)
            self.name, self.version, self.claims, self.capabilities = self._shaken(shown)
        except BaseException:
            self._process.kill()
            raise

    def append(self, session_id: str, messages: Sequence[Message]) -> Receipt | None:
        """Add messages to the end of a session."""
        return self._call("append", session_id=session_id, messages=messages)  # type: ignore[no-any-return]

    def read(self, session_id: str) -> Sequence[Message]:
        """All messages of the session, oldest first."""
        return self._call("read", session_id=session_id)  # type: ignore[no-any-return]

    def close(self) -> None:
        """Ask the store to close, and see its process off: nothing of it is left afterwards."""
        if self._process.end is not None:
            return
        try:
            self._call("close")
        finally:
            self._process.finish(self._grace_s)

    def leave(self, grace_s: float = GRACE_S) -> str | None:
        """Go without a word, as a harness that has ended; answers how the process ended.

        One that has not ended by itself after ``grace_s`` is ended.
        """
        self._process.finish(grace_s)
        return self._process.end

    def kill(self) -> None:
        """End the process and its group at once, from any thread; a blocked call ends in error."""
        self._process.kill()

    def stderr_tail(self) -> str:
        """The last 64 KB of what the store's process wrote to stderr."""
        return self._process.stderr_tail()

    @property
    def answers(self) -> int:
        """How many lines its process has answered, that of the handshake among them."""
        return self._process.answers

    @property
    def ended(self) -> str | None:
        """How the process ended ("exit code 1", "signal SIGKILL"); None while it is in use."""
        return self._process.end

    def _call(self, method: str, **params: Any) -> Any:
        try:
            sent = params_to_json(params)
        except (ValueError, RecursionError) as error:
            raise NotRepresentable(f"{method} cannot be sent to another process: {error}") from None
        value = self._ask(method, sent)
        try:
            return ANSWERS[method].from_json(value)
        except (ValueError, RecursionError) as error:
            text = f"{method} answered what the contract does not allow: {error}"
            raise MalformedAnswer(self._process.told(text)) from None

    def _ask(self, method: str, params: dict[str, Any], *, deadline_s: float | None = None) -> Any:
        number = next(self._numbers)
        try:
            line = wire.line_of(wire.request(number, method, params))
        except (TypeError, ValueError, RecursionError) as error:
            raise NotRepresentable(f"{method} cannot be sent to another process: {error}") from None
        asked = "the handshake" if method == "open" else method
        answered = self._process.exchange(line, asked, deadline_s=deadline_s)
        try:
            value = wire.answer_of(answered, number)
        except ValueError as error:
            self._process.kill()
            text = f"{asked} was answered by a line that is {error}: {ascii(answered[:200])[1:]}"
            raise ProtocolError(self._process.told(text)) from None
        if isinstance(value, wire.Failed):
            raise self._raised(method, value)
        return value

    def _raised(self, method: str, failed: wire.Failed) -> Exception:
        error = self._error(method, failed)
        vars(error)[AT] = failed.at
        return error

    def _error(self, method: str, failed: wire.Failed) -> Exception:
        if failed.code in wire.ERROR_OF_CODE:
            return wire.ERROR_OF_CODE[failed.code](failed.text)
        if method == "open" and failed.type == wire.STORE_NOT_FOUND:
            return StoreNotFound(failed.text)
        if failed.type == wire.MALFORMED_ANSWER:
            return MalformedAnswer(failed.text)
        name = failed.type or f"error {failed.code}"
        text = failed.text.removeprefix(f"{name}: ")  # String(error) of JavaScript begins with it
        return Unexpected(
            self._process.told(f"{method} raised {name}: {text}"),
            failed.type,
            said=self._process.told(text if failed.type else f"{name}: {text}"),
        )

    def _shaken(self, shown: Any) -> tuple[str, str | None, Claims | None, frozenset[str]]:
        problems = handshake_problems(shown)
        claims = None
        if not problems and shown["claims"] is not None:
            try:
                claims = claims_from_json(shown["claims"])
            except ValueError as error:
                problems = [str(error)]
        if problems:
            text = f"the handshake's answer is wrong: {'; '.join(problems)}"
            raise ProtocolError(self._process.told(text))
        return shown["name"], shown["version"], claims, frozenset(shown["capabilities"])


def _not_started(argv: Sequence[str], error: Exception) -> str:
    command = shlex.join(argv)
    if isinstance(error, FileNotFoundError):
        return f"cmd:{command} cannot be started: there is no program {argv[0]!r} on the PATH"
    reason = error.strerror if isinstance(error, OSError) else str(error)
    return f"cmd:{command} cannot be started: {argv[0]!r}: {reason}"
