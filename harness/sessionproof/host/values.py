"""The contract's objects as JSON and back: parameters of calls, and answers.

Parameters travel unjudged as far as JSON can express them: a test that sends a wrong role or a
negative number must reach the store, which is the one to refuse it. Answers are judged on both
sides, as each side distrusts the other: every function here raises ValueError that lists all
problems.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, fields
from typing import Any, get_args, get_type_hints

from sessionproof.contract.message import (
    MESSAGE_FIELDS,
    Message,
    Page,
    Receipt,
    SessionInfo,
    from_json,
    json_problem,
    message_problems,
    to_json,
)
from sessionproof.contract.store import SqliteTables

_SHOWN = 50  # problems; a store that answers 10,000 wrong messages is told with fewer words


def params_to_json(params: Mapping[str, Any]) -> dict[str, Any]:
    """The parameters of a call, ready to be sent."""
    return {name: _TO_JSON.get(name, _plain)(value) for name, value in params.items()}


def params_from_json(params: Mapping[str, Any]) -> dict[str, Any]:
    """The inverse: messages become Message, whatever the types of their fields."""
    return {
        name: _FROM_JSON[name](value) if name in _FROM_JSON else value
        for name, value in params.items()
    }


def _plain(value: Any) -> Any:
    bad = json_problem(value)
    if bad:
        raise ValueError(f"{bad}, which JSON cannot express")
    return value


def _message_to_json(message: Any) -> dict[str, Any]:
    if not isinstance(message, Message):
        raise ValueError(f"{_kind(message)} where a Message is expected")
    out = to_json(message)
    problems = [
        f"{name} holds {bad}" for name, value in out.items() if (bad := json_problem(value))
    ]
    _raise_if(problems, "; JSON cannot express this")
    return out


def _messages_to_json(messages: Any) -> list[dict[str, Any]]:
    return _each(messages, _message_to_json)


def _message_from_json(value: Any) -> Message:
    if not isinstance(value, dict):
        raise ValueError(f"{_kind(value)} where a message is expected")
    unknown = sorted(value.keys() - set(MESSAGE_FIELDS))
    if unknown:
        raise ValueError(f"a message has no field {', '.join(map(repr, unknown))}")
    both: dict[str, Any] = {"role": None, "content": None}
    return Message(**both | value)


def _messages_from_json(value: Any) -> list[Message]:
    return _each(value, _message_from_json)


_TO_JSON: dict[str, Callable[[Any], Any]] = {
    "message": _message_to_json,
    "messages": _messages_to_json,
}
_FROM_JSON: dict[str, Callable[[Any], Any]] = {
    "message": _message_from_json,
    "messages": _messages_from_json,
}


@dataclass(frozen=True, slots=True)
class Answer:
    """One kind of answer: ``to_json`` in the store's process, ``from_json`` in the harness."""

    to_json: Callable[[Any], Any]
    from_json: Callable[[Any], Any]


def _sound_to_json(message: Any) -> dict[str, Any]:
    if not isinstance(message, Message):
        raise ValueError(f"{_kind(message)} where a Message is expected")
    _raise_if(message_problems(message))
    return to_json(message)


def _nothing_from_json(value: Any) -> None:
    if value is not None:
        raise ValueError(f"{_kind(value)} where null is expected")


def _exact(expected: type) -> Callable[[Any], Any]:
    def check(value: Any) -> Any:
        if type(value) is not expected:
            raise ValueError(f"{_kind(value)} where a {expected.__name__} is expected")
        return value

    return check


def _or_null(convert: Callable[[Any], Any]) -> Callable[[Any], Any]:
    return lambda value: None if value is None else convert(value)


def _list_of(convert: Callable[[Any], Any]) -> Callable[[Any], list[Any]]:
    return lambda value: _each(value, convert)


def _object(value: Any) -> dict[str, Any]:
    if type(value) is not dict:
        raise ValueError(f"{_kind(value)} where an object is expected")
    return value


def _receipt_to_json(receipt: Any) -> dict[str, Any]:
    if not isinstance(receipt, Receipt):
        raise ValueError(f"{_kind(receipt)} where a Receipt or None is expected")
    return {"seqs": _SEQS(receipt.seqs), "ids": _IDS(receipt.ids)}


def _receipt_from_json(value: Any) -> Receipt:
    _only(_object(value), ("seqs", "ids"))
    return Receipt(seqs=_SEQS(value.get("seqs")), ids=_IDS(value.get("ids")))


_SEQS = _or_null(_list_of(_exact(int)))
_IDS = _or_null(_list_of(_exact(str)))


def _page_to_json(page: Any) -> dict[str, Any]:
    if not isinstance(page, Page):
        raise ValueError(f"{_kind(page)} where a Page is expected")
    return {"messages": _each(page.messages, _sound_to_json), "next": _cursor(page.next)}


def _page_from_json(value: Any) -> Page:
    _only(_object(value), ("messages", "next"))
    return Page(_each(value.get("messages"), from_json), _cursor(value.get("next")))


def _cursor(value: Any) -> str | int | None:
    if value is not None and type(value) not in (str, int):
        raise ValueError(f"next is {_kind(value)}, expected a text, a whole number or None")
    return value  # type: ignore[no-any-return]


def _record_to_json(record: type) -> Callable[[Any], dict[str, Any]]:
    def convert(value: Any) -> dict[str, Any]:
        if not isinstance(value, record):
            raise ValueError(f"{_kind(value)} where a {record.__name__} is expected")
        out = {item.name: getattr(value, item.name) for item in fields(record)}
        _raise_if(_field_problems(record, out))
        return {name: part for name, part in out.items() if part is not None}

    return convert


def _record_from_json(record: type) -> Callable[[Any], Any]:
    names = tuple(item.name for item in fields(record))

    def convert(value: Any) -> Any:
        _only(_object(value), names)
        _raise_if(_field_problems(record, dict.fromkeys(names) | value))
        return record(**value)

    return convert


def _field_problems(record: type, values: Mapping[str, Any]) -> list[str]:
    """Texts, whole numbers and None by the record's own hints; metadata is an object of JSON."""
    hints = get_type_hints(record)
    problems = []
    for name, value in values.items():
        if name == "metadata":
            bad = json_problem(value) or (None if value is None else _no_dict(value))
            problems += [f"metadata holds {bad}"] if bad else []
        elif type(value) not in (get_args(hints[name]) or (hints[name],)):
            problems.append(f"{name} is {_kind(value)}, expected {_hint(hints[name])}")
    return problems


def _hint(hint: Any) -> str:
    words = {str: "a text", int: "a whole number", type(None): "None"}
    return " or ".join(words[part] for part in get_args(hint) or (hint,))


def _no_dict(value: Any) -> str | None:
    return None if type(value) is dict else f"{_kind(value)} where an object is expected"


def _each(values: Any, convert: Callable[[Any], Any]) -> list[Any]:
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


def _only(value: Mapping[str, Any], names: tuple[str, ...]) -> None:
    unknown = sorted(value.keys() - set(names))
    _raise_if([f"unknown field {name!r}" for name in unknown])


def _raise_if(problems: Sequence[str], end: str = "") -> None:
    if problems:
        more = len(problems) - _SHOWN
        tail = f"; and {more} more" if more > 0 else ""
        raise ValueError("; ".join(problems[:_SHOWN]) + tail + end)


def _kind(value: object) -> str:
    # The type's name alone: repr() of a store's object is the store's code, and may hang.
    return f"a {type(value).__name__}"


_MESSAGES = Answer(_list_of(_sound_to_json), _list_of(from_json))
_NOTHING = Answer(lambda _: None, _nothing_from_json)

ANSWERS: dict[str, Answer] = {
    "append": Answer(_or_null(_receipt_to_json), _or_null(_receipt_from_json)),
    "read": _MESSAGES,
    "close": _NOTHING,
    "create": Answer(_exact(str), _exact(str)),
    "get": Answer(_or_null(_record_to_json(SessionInfo)), _or_null(_record_from_json(SessionInfo))),
    "list": Answer(_list_of(_exact(str)), _list_of(_exact(str))),
    "delete": _NOTHING,
    "clear": _NOTHING,
    "read_last": _MESSAGES,
    "page": Answer(_page_to_json, _page_from_json),
    "count": Answer(_exact(int), _exact(int)),
    "pop_last": Answer(_or_null(_sound_to_json), _or_null(from_json)),
    "delete_message": _NOTHING,
    "edit_message": _NOTHING,
    "replace": _NOTHING,
    "get_state": Answer(_plain, _plain),
    "set_state": _NOTHING,
    "tables": Answer(_record_to_json(SqliteTables), _record_from_json(SqliteTables)),
}
