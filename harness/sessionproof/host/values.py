"""The contract's objects as JSON and back: parameters of calls, and answers.

Messages travel as far as JSON can express them, whatever the types of their fields: a test that
sends a role 7 must reach the store, and a store that gives a role 7 back is judged by whoever
reads it, as it would be in one process. What is no message at all, or not to be expressed, is
told here, on both sides: every function raises ValueError that lists all problems.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, fields
from functools import cache
from typing import Any, get_args, get_type_hints

from sessionproof.contract.health import SEVERITIES, Health, HealthCheck
from sessionproof.contract.lifetime import Swept
from sessionproof.contract.message import (
    MESSAGE_FIELDS,
    Message,
    Page,
    Receipt,
    SessionInfo,
    to_json,
)
from sessionproof.contract.searching import Hit
from sessionproof.contract.snapshots import SnapshotInfo
from sessionproof.contract.store import SqliteTables
from sessionproof.contract.transactions import Step
from sessionproof.contract.upkeep import Migrated, Recovered, Repaired, Verified

_SHOWN = 50  # problems; a store that answers 10,000 wrong messages is told with fewer words

Convert = Callable[[Any], Any]


def params_to_json(params: Mapping[str, Any]) -> dict[str, Any]:
    """The parameters of a call, ready to be sent."""
    return {name: _TO_JSON.get(name, _plain)(value) for name, value in params.items()}


def params_from_json(params: Mapping[str, Any]) -> dict[str, Any]:
    """The inverse: messages become Message."""
    return {
        name: _FROM_JSON[name](value) if name in _FROM_JSON else value
        for name, value in params.items()
    }


@dataclass(frozen=True, slots=True)
class Answer:
    """One kind of answer: ``to_json`` in the store's process, ``from_json`` in the harness."""

    to_json: Convert
    from_json: Convert


def _plain(value: Any) -> Any:
    """A copy in JSON's own types: subclasses lose their class, and their code is not run later."""
    if value is None or type(value) in (str, int, bool):
        return value
    if isinstance(value, str):
        return str.__str__(value)
    if isinstance(value, int):
        return int.__add__(value, 0)
    if isinstance(value, float):
        if not math.isfinite(value):
            raise ValueError("a number without a value, which JSON cannot express")
        return float.__add__(value, 0.0)
    if isinstance(value, Mapping):
        return {_key(key): _plain(part) for key, part in value.items()}
    if isinstance(value, (list, tuple)):
        return [_plain(part) for part in value]
    raise ValueError(f"{_kind(value)}, which JSON cannot express")


def _key(key: Any) -> str:
    if not isinstance(key, str):
        raise ValueError(f"a key that is {_kind(key)}, which JSON cannot express")
    return str.__str__(key)


def _message_to_json(message: Any) -> dict[str, Any]:
    _expect(message, Message, "a Message")
    out, problems = {}, []
    for name, value in to_json(message).items():
        try:
            out[name] = _plain(value)
        except ValueError as error:
            problems.append(f"{name} holds {error}")
    _raise_if(problems)
    return out


def _message_from_json(value: Any) -> Message:
    _only(value, MESSAGE_FIELDS, "a message")
    parts: dict[str, Any] = {"role": None, "content": None, **value}
    return Message(**parts)


def _receipt_to_json(receipt: Any) -> dict[str, Any]:
    _expect(receipt, Receipt, "a Receipt or None")
    return {"seqs": _SEQS(receipt.seqs), "ids": _IDS(receipt.ids)}


def _receipt_from_json(value: Any) -> Receipt:
    _only(value, ("seqs", "ids"), "a receipt")
    return Receipt(seqs=_SEQS(value.get("seqs")), ids=_IDS(value.get("ids")))


def _page_to_json(page: Any) -> dict[str, Any]:
    _expect(page, Page, "a Page")
    return {"messages": _each(page.messages, _message_to_json), "next": _cursor(page.next)}


def _page_from_json(value: Any) -> Page:
    _only(value, ("messages", "next"), "a page")
    return Page(_each(value.get("messages"), _message_from_json), _cursor(value.get("next")))


def _cursor(value: Any) -> Any:
    if value is None or isinstance(value, str):
        return _plain(value)
    return _whole(value)


def _record_to_json(record: type) -> Convert:
    def convert(value: Any) -> dict[str, Any]:
        _expect(value, record, f"a {record.__name__}")
        out = {item.name: _plain(getattr(value, item.name)) for item in fields(record)}
        _raise_if(_field_problems(record, out))
        return {name: part for name, part in out.items() if part is not None}

    return convert


def _record_from_json(record: type) -> Convert:
    names = tuple(item.name for item in fields(record))

    def convert(value: Any) -> Any:
        _only(value, names, f"a {record.__name__}")
        _raise_if(_field_problems(record, dict.fromkeys(names) | value))
        return record(**{key: tuple(it) if type(it) is list else it for key, it in value.items()})

    return convert


def _field_problems(record: type, values: Mapping[str, Any]) -> list[str]:
    """Texts, whole numbers, objects and None, as the record's own hints say."""
    problems = []
    for name, hint in _hints(record).items():
        if hint == _SENTENCES:
            try:
                _IDS(values[name])
            except ValueError as error:
                problems.append(f"{name}: {error}")
            continue
        allowed = [dict if part not in _WORDS else part for part in get_args(hint) or (hint,)]
        if type(values[name]) not in allowed:
            words = " or ".join(_WORDS[part] for part in allowed)
            problems.append(f"{name} is {_kind(values[name])}, expected {words}")
    return problems


_hints = cache(get_type_hints)

_SENTENCES = tuple[str, ...]

_WORDS: dict[type, str] = {
    str: "a text",
    int: "a whole number",
    bool: "true or false",
    dict: "an object",
    type(None): "None",
}


def _text(value: Any) -> str:
    _expect(value, str, "a text")
    return str.__str__(value)


def _whole(value: Any) -> int:
    if isinstance(value, bool) or not isinstance(value, int):
        raise ValueError(f"{_kind(value)} where a whole number is expected")
    return int.__add__(value, 0)


def _null(value: Any) -> None:
    _expect(value, type(None), "null")


def _or_none(convert: Convert) -> Convert:
    return lambda value: None if value is None else convert(value)


def _list_of(convert: Convert) -> Convert:
    return lambda value: _each(value, convert)


def _each(values: Any, convert: Convert) -> list[Any]:
    if not isinstance(values, Sequence) or isinstance(values, (str, bytes, bytearray)):
        raise ValueError(f"{_kind(values)} where a sequence is expected")
    out, problems = [], []
    for index, value in enumerate(values):
        try:
            out.append(convert(value))
        except ValueError as error:
            problems.append(f"[{index}]: {error}")
    _raise_if(problems)
    return out


def _only(value: Any, names: Sequence[str], what: str) -> None:
    _expect(value, dict, what)
    _raise_if([f"{what} has no field {name!r}" for name in sorted(value.keys() - set(names))])


def _expect(value: Any, expected: type, what: str) -> None:
    if not isinstance(value, expected):
        raise ValueError(f"{_kind(value)} where {what} is expected")


def _raise_if(problems: Sequence[str]) -> None:
    if problems:
        more = len(problems) - _SHOWN
        raise ValueError("; ".join(problems[:_SHOWN]) + (f"; and {more} more" if more > 0 else ""))


def _kind(value: object) -> str:
    # The type's name alone: repr() of a store's object is the store's code, and may hang.
    return f"a {type(value).__name__}"


_SEQS = _or_none(_list_of(_whole))
_IDS = _or_none(_list_of(_text))


def _step_to_json(step: Any) -> dict[str, Any]:
    _expect(step, Step, "a Step")
    where = {"session_id": _plain(step.session_id)}
    if step.messages is None:
        return where
    return {**where, "messages": _each(step.messages, _message_to_json)}


def _step_from_json(value: Any) -> Step:
    _only(value, ("session_id", "messages"), "a step")
    said = value.get("messages")
    messages = None if said is None else tuple(_each(said, _message_from_json))
    return Step(_text(value.get("session_id")), messages)


def _step_answer_to_json(answer: Any) -> Any:
    """An object for a receipt, an array for what was read, null for an append without a receipt."""
    if answer is None or isinstance(answer, Receipt):
        return _RECEIPT.to_json(answer)
    return _each(answer, _message_to_json)


def _step_answer_from_json(value: Any) -> Any:
    if value is None or isinstance(value, dict):
        return _RECEIPT.from_json(value)
    return _each(value, _message_from_json)


_TO_JSON: dict[str, Convert] = {
    "message": _message_to_json,
    "messages": _list_of(_message_to_json),
    "steps": _list_of(_step_to_json),
}
_FROM_JSON: dict[str, Convert] = {
    "message": _message_from_json,
    "messages": _list_of(_message_from_json),
    "steps": _list_of(_step_from_json),
}

_MESSAGES = Answer(_TO_JSON["messages"], _FROM_JSON["messages"])
NOTHING = Answer(lambda _: None, _null)
_INFO = Answer(_record_to_json(SessionInfo), _record_from_json(SessionInfo))

_VERIFIED, _RECOVERED, _REPAIRED, _MIGRATED = (
    Answer(_record_to_json(record), _record_from_json(record))
    for record in (Verified, Recovered, Repaired, Migrated)
)

_SWEPT = Answer(_record_to_json(Swept), _record_from_json(Swept))


def _hit_to_json(hit: Any) -> dict[str, Any]:
    _expect(hit, Hit, "a Hit")
    found = {"session_id": _text(hit.session_id), "message": _message_to_json(hit.message)}
    return found if hit.snippet is None else {**found, "snippet": _text(hit.snippet)}


def _hit_from_json(value: Any) -> Hit:
    _only(value, ("session_id", "message", "snippet"), "a hit")
    message = _message_from_json(value.get("message"))
    return Hit(_text(value.get("session_id")), message, _or_none(_text)(value.get("snippet")))


def _check_to_json(check: Any) -> dict[str, Any]:
    _expect(check, HealthCheck, "a HealthCheck")
    if check.severity not in SEVERITIES:
        raise ValueError(f"a severity that is none of {', '.join(SEVERITIES)}")
    return {name: _text(getattr(check, name)) for name in ("name", "severity", "text")}


def _check_from_json(value: Any) -> HealthCheck:
    _only(value, ("name", "severity", "text"), "a result")
    check = HealthCheck(*(_text(value.get(name)) for name in ("name", "severity", "text")))  # type: ignore[arg-type]
    _check_to_json(check)
    return check


def _health_to_json(health: Any) -> dict[str, Any]:
    _expect(health, Health, "a Health")
    return {"checks": _each(health.checks, _check_to_json)}


def _health_from_json(value: Any) -> Health:
    _only(value, ("checks",), "a Health")
    return Health(tuple(_each(value.get("checks"), _check_from_json)))


_SNAPSHOT = Answer(_record_to_json(SnapshotInfo), _record_from_json(SnapshotInfo))

_RECEIPT = Answer(_or_none(_receipt_to_json), _or_none(_receipt_from_json))

ANSWERS: dict[str, Answer] = {
    "append": _RECEIPT,
    "read": _MESSAGES,
    "close": NOTHING,
    "create": Answer(_text, _text),
    "get": Answer(_or_none(_INFO.to_json), _or_none(_INFO.from_json)),
    "list": Answer(_list_of(_text), _list_of(_text)),
    "delete": NOTHING,
    "clear": NOTHING,
    "read_last": _MESSAGES,
    "page": Answer(_page_to_json, _page_from_json),
    "count": Answer(_whole, _whole),
    "pop_last": Answer(_or_none(_message_to_json), _or_none(_message_from_json)),
    "delete_message": NOTHING,
    "edit_message": NOTHING,
    "replace": NOTHING,
    "get_state": Answer(_plain, _plain),
    "set_state": NOTHING,
    "append_with_state": _RECEIPT,
    "transact": Answer(_list_of(_step_answer_to_json), _list_of(_step_answer_from_json)),
    "add_llm_model": NOTHING,
    "set_llm_model": NOTHING,
    "delete_llm_model": NOTHING,
    "set_limits": NOTHING,
    "touch": NOTHING,
    "set_status": NOTHING,
    "sweep": _SWEPT,
    "set_clock": NOTHING,
    "snapshot": Answer(_text, _text),
    "restore_snapshot": Answer(_text, _text),
    "snapshots": Answer(_list_of(_SNAPSHOT.to_json), _list_of(_SNAPSHOT.from_json)),
    "search": Answer(_list_of(_hit_to_json), _list_of(_hit_from_json)),
    "health": Answer(_health_to_json, _health_from_json),
    "maintain": Answer(_list_of(_text), _list_of(_text)),
    "tables": Answer(_record_to_json(SqliteTables), _record_from_json(SqliteTables)),
    "verify": _VERIFIED,
    "backup": Answer(_text, _text),
    "restore": Answer(_or_none(_text), _or_none(_text)),
    "recover": _RECOVERED,
    "repair": _REPAIRED,
    "migrate": _MIGRATED,
    "rollback": NOTHING,
    "add_user": Answer(_text, _text),
    "sign_in": Answer(_text, _text),
    "whose": Answer(_text, _text),
    "sign_out": NOTHING,
    "set_user_active": NOTHING,
    "rename_user": NOTHING,
    "delete_user": NOTHING,
    "set_owner": NOTHING,
    "sessions_of": Answer(_list_of(_text), _list_of(_text)),
    "manager": Answer(_plain, _plain),
}
