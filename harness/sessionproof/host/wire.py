"""The protocol as data: its version, its methods and error codes, and its lines.

Lines are JSON with ASCII escapes, so that lone surrogates and U+0000 survive every pipe and every
language's decoder.
"""

from __future__ import annotations

import inspect
import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, NoReturn

from sessionproof.contract.errors import ERRORS
from sessionproof.contract.frames import frame_said
from sessionproof.contract.store import CAPABILITIES, CORE, Capability

VERSION = 1

# Codes stand in stores of other languages: a code once given keeps its meaning for ever.
CODES: dict[str, int] = {
    "Refused": -32001,
    "Conflict": -32002,
    "NotFound": -32003,
    "Expired": -32004,
    "TooLarge": -32005,
    "NotRepresentable": -32006,
    "Indefinite": -32007,
}
UNEXPECTED = -32000  # any other exception of the store; its type's name stands in data.type
PARSE_ERROR = -32700
INVALID_REQUEST = -32600
METHOD_NOT_FOUND = -32601
INVALID_PARAMS = -32602

ERROR_OF_CODE = {code: ERRORS[name] for name, code in CODES.items()}

# Values of data.type beside the contract's errors.
STORE_NOT_FOUND = "StoreNotFound"  # answers open: there is no such store, or it is unusable
MALFORMED_ANSWER = "MalformedAnswer"  # the store answered what the contract does not allow


@dataclass(frozen=True, slots=True)
class Shape:
    """The parameters of one method: all are always sent, by name."""

    positional: tuple[str, ...]
    keywords: tuple[str, ...]

    def split(self, params: Mapping[str, Any]) -> tuple[list[Any], dict[str, Any]]:
        """The arguments as the contract calls them; raises ValueError that lists all problems.

        A store may name its positional parameters as it likes, so names count on the wire alone.
        """
        names = {*self.positional, *self.keywords}
        if params.keys() != names:
            problems = [f"{name} is missing" for name in sorted(names - params.keys())]
            problems += [f"{name} is unknown" for name in sorted(params.keys() - names)]
            raise ValueError(f"params: {', '.join(problems)}")
        positional = [params[name] for name in self.positional]
        return positional, {name: params[name] for name in self.keywords}


def _shape(capability: Capability) -> Shape:
    parameters = [item for item in capability.signature.parameters.values() if item.name != "self"]
    kinds = inspect.Parameter
    return Shape(
        positional=tuple(item.name for item in parameters if item.kind is not kinds.KEYWORD_ONLY),
        keywords=tuple(item.name for item in parameters if item.kind is kinds.KEYWORD_ONLY),
    )


SHAPES: dict[str, Shape] = {
    name: _shape(capability) for name, capability in {**CORE, **CAPABILITIES}.items()
}

_encode = json.JSONEncoder(ensure_ascii=True, allow_nan=False, separators=(",", ":")).encode


def _no_number(word: str) -> NoReturn:
    raise ValueError(f"{word} is not JSON")


_decode = json.JSONDecoder(parse_constant=_no_number).decode


def line_of(value: Mapping[str, Any]) -> bytes:
    """One line; raises TypeError, ValueError or RecursionError for what JSON cannot express."""
    return _encode(value).encode("ascii") + b"\n"


def value_of(line: bytes) -> Any:
    """The value of one line; raises ValueError that says in a few words what is wrong with it."""
    try:
        return _decode(line.decode("utf-8"))
    except UnicodeDecodeError as error:
        raise ValueError(f"not UTF-8 at byte {error.start}") from None
    except json.JSONDecodeError as error:
        raise ValueError(f"not JSON ({error.msg} at character {error.pos})") from None
    except RecursionError:
        raise ValueError("nested too deeply") from None


def request(number: int, method: str, params: Mapping[str, Any]) -> dict[str, Any]:
    """A call; ``number`` comes back in its answer."""
    return {"jsonrpc": "2.0", "id": number, "method": method, "params": params}


def result(number: object, value: object) -> dict[str, Any]:
    """The answer to a call that took place."""
    return {"jsonrpc": "2.0", "id": number, "result": value}


def failure(number: object, code: int, text: str, type_name: str, at: str = "") -> dict[str, Any]:
    """The answer to a call that did not, or of which nobody knows; ``at`` names a line of code."""
    data = {"type": type_name, "at": at} if at else {"type": type_name}
    error = {"code": code, "message": text, "data": data}
    return {"jsonrpc": "2.0", "id": number, "error": error}


@dataclass(frozen=True, slots=True)
class Failed:
    """An error as it came over the wire; ``at`` is the line of code that raised, if it says so."""

    code: int
    text: str
    type: str | None
    at: str = ""


def answer_of(line: bytes, number: int) -> Any:
    """The result in this line, or Failed; raises ValueError when it is no answer to the call."""
    value = value_of(line)
    if not isinstance(value, dict):
        raise ValueError("not an object")
    if value.get("jsonrpc") != "2.0":
        raise ValueError('no JSON-RPC 2.0 (it needs "jsonrpc": "2.0")')
    if type(value.get("id")) is not int or value["id"] != number:
        raise ValueError(f"an answer to another call (it needs the id {number})")
    if ("result" in value) == ("error" in value):
        raise ValueError("without exactly one of result and error")
    return value["result"] if "result" in value else _failed(value["error"])


def _failed(error: object) -> Failed:
    if not isinstance(error, dict):
        raise ValueError("an error that is no object")
    code, text, data = error.get("code"), error.get("message"), error.get("data")
    if type(code) is not int or type(text) is not str:
        raise ValueError("an error without a whole code and a text message")
    told = data if isinstance(data, dict) else {}
    name = told.get("type")
    return Failed(code, text, name if isinstance(name, str) else None, frame_said(told.get("at")))
