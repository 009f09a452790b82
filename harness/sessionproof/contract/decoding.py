"""JSON values as dataclasses: the type of every field is looked at, and what does not fit is named.

The inverse of ``dataclasses.asdict`` after a way through JSON, for files that others may have
changed. Known are dataclasses, enums, literals, unions, tuples of one type, mappings by text.
"""

from __future__ import annotations

import dataclasses
import json
import types
from collections.abc import Collection, Mapping
from enum import Enum
from functools import lru_cache
from typing import Any, Literal, NoReturn, TypeVar, Union, get_args, get_origin, get_type_hints

T = TypeVar("T")

_SHOWN_CHARACTERS = 40
_WHOLE_MOST = 2**53  # beyond it whole numbers are no exact floats
_PLAIN = (int, str, bool)


def parsed(text: str | bytes) -> Any:
    """The text as JSON values; ValueError for what is no JSON, NaN and infinity included."""
    try:
        return json.loads(text, parse_constant=_no_constant)
    except RecursionError:
        raise ValueError("it is nested too deeply") from None


def decoded(kind: type[T], value: Any, *, may_lack: Collection[str] = ()) -> T:
    """``value`` as the dataclass; ValueError names the field that does not fit, in one line.

    Fields that the class does not know are passed over. Those that ``may_lack`` names are left at
    their defaults where they are missing.
    """
    answer = _decoded(kind, value, "", may_lack)
    assert isinstance(answer, kind)
    return answer


def _decoded(hint: Any, value: Any, where: str, may_lack: Collection[str]) -> Any:
    """``value`` as the type that ``hint`` names; plain ones first, as they are most."""
    if hint in _PLAIN or type(value) is hint:
        return _of(hint, value, where)
    origin, parts = get_origin(hint), get_args(hint)
    if hint is Any:
        return value
    if origin in (Union, types.UnionType):
        return _decoded(_fitting(parts, value, where), value, where, may_lack)
    if origin is Literal:
        if value not in parts:
            raise ValueError(f"{where} has the unknown word {_shown(value)}")
        return value
    if dataclasses.is_dataclass(hint):
        return _dataclass(hint, _of(dict, value, where), where, may_lack)
    if origin is tuple:
        items = _of(list, value, where)
        if parts[0] in _PLAIN and set(map(type, items)) <= {parts[0]}:
            return tuple(items)  # thousands of numbers, most of all
        return tuple(
            _decoded(parts[0], item, f"{where}[{n}]", may_lack) for n, item in enumerate(items)
        )
    if origin in (dict, Mapping):
        entries = _of(dict, value, where).items()
        return {
            key: _decoded(parts[1], item, f"{where}.{_printable(key)}", may_lack)
            for key, item in entries
        }
    if isinstance(hint, type) and issubclass(hint, Enum):
        try:
            return hint(value)
        except ValueError:
            raise ValueError(f"{where} has the unknown word {_shown(value)}") from None
    if hint is float and type(value) is int and abs(value) <= _WHOLE_MOST:
        return value  # as it was written, so that writing it again gives the same text
    return _of(hint, value, where)


def _fitting(parts: tuple[Any, ...], value: Any, where: str) -> Any:
    """The part of a union that a value is to be: none for null, else by the field ``kind``."""
    fitting = [one for one in parts if (one is types.NoneType) is (value is None)]
    if len(fitting) == 1:
        return fitting[0]
    kind = _of(dict, value, where).get("kind")
    for one in fitting:
        if kind == one.kind:
            return one
    raise ValueError(f"{where}.kind has the unknown word {_shown(kind)}")


def _dataclass(hint: Any, value: dict[str, Any], where: str, may_lack: Collection[str]) -> Any:
    hints = _hints(hint)
    given = {}
    for item in dataclasses.fields(hint):
        inner = f"{where}.{item.name}".removeprefix(".")
        if item.name not in value:
            if item.name in may_lack and not _is_owed(item):
                continue
            raise ValueError(f"{inner} is missing")
        given[item.name] = _decoded(hints[item.name], value[item.name], inner, may_lack)
    return hint(**given)


@lru_cache(256)
def _hints(hint: type) -> dict[str, Any]:
    return get_type_hints(hint)


def _is_owed(item: dataclasses.Field[Any]) -> bool:
    missing = dataclasses.MISSING
    return item.default is missing and item.default_factory is missing


def _of(kind: type, value: Any, where: str) -> Any:
    if type(value) is not kind:  # bool is no int here
        names = {dict: "an object", list: "a list", str: "a string", bool: "true or false"}
        expected = names.get(kind, "null" if kind is types.NoneType else "a number")
        raise ValueError(f"{where or 'it'} must be {expected}")
    return value


def _shown(value: object) -> str:
    """The value as JSON, the beginning of it."""
    text = json.dumps(value)
    if len(text) <= _SHOWN_CHARACTERS:
        return text
    return f"{text[:_SHOWN_CHARACTERS]} … ({len(text):,} characters)"


def _printable(text: str) -> str:
    return text if text.isprintable() else ascii(text)[1:-1]


def _no_constant(name: str) -> NoReturn:
    raise ValueError(f"{name} is not JSON")
