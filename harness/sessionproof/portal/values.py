"""What callers pass, checked before a database sees it; and the errors that name it."""

from __future__ import annotations

import re
import secrets
import uuid
from collections.abc import Mapping
from typing import Any, Final

from sessionproof.contract.errors import NotFound, NotRepresentable, Refused, TooLarge
from sessionproof.contract.message import Json, json_problem

MOST_NUMBER = 2**63
_SURROGATE = re.compile("[\ud800-\udfff]")


class Same:
    """The value of an argument that was not given: what is stored stays."""

    def __repr__(self) -> str:
        return "SAME"


SAME: Final = Same()


def new_id() -> str:
    """A random id, of 122 bits."""
    return str(uuid.UUID(bytes=secrets.token_bytes(16), version=4))


def text(value: object, what: str, most: int, *, least: int = 0) -> str:
    """The value when it is a text of so many characters that both databases can keep."""
    if type(value) is not str:
        raise Refused(f"{what} must be a text, not {_kind(value)}")
    if len(value) > most:
        raise TooLarge(f"{what} has {len(value)} characters, and {most} at most")
    if len(value) < least:
        raise Refused(f"{what} must not be empty")
    return storable(value, what)


def text_or_none(value: object, what: str, most: int) -> str | None:
    """The same, or None."""
    return None if value is None else text(value, what, most)


def storable(value: str, what: str) -> str:
    """The text when both databases can keep it; raises ``NotRepresentable``."""
    if "\0" in value:
        raise NotRepresentable(f"{what} holds U+0000, which PostgreSQL cannot keep")
    if not value.isascii() and _SURROGATE.search(value):
        raise NotRepresentable(f"{what} holds a lone surrogate, which is no text of UTF-8")
    return value


def is_storable(value: object) -> bool:
    """Whether it is a text that a database can have, so that it may be asked for."""
    return type(value) is str and "\0" not in value and not _SURROGATE.search(value)


def json_object(value: object, what: str) -> dict[str, Json] | None:
    """The value when it is a JSON object, or None, that both databases can keep."""
    if value is None:
        return None
    if not isinstance(value, Mapping):
        raise Refused(f"{what} must be an object, not {_kind(value)}")
    plain = dict(value)
    bad = json_problem(plain)
    if bad:
        raise Refused(f"{what} holds {bad}, which JSON cannot express")
    _check_within(plain, what)
    return plain


def whole(value: object, what: str, *, least: int = 0) -> int:
    """The value when it is an integer of at least so much, and of 64 bits."""
    if type(value) is not int or not least <= value < MOST_NUMBER:
        raise Refused(f"{what} must be a whole number of at least {least}")
    return value


def whole_or_none(value: object, what: str, *, least: int = 0) -> int | None:
    """The same, or None."""
    return None if value is None else whole(value, what, least=least)


def one_of(value: object, what: str, words: tuple[str, ...]) -> str:
    """The value when it is one of these words."""
    if type(value) is not str or value not in words:
        raise Refused(f"{what} must be one of {', '.join(words)}")
    return value


def identity(value: object, what: str) -> str:
    """The value when it is a text; no id of ours is longer than 36 characters, or holds U+0000."""
    if type(value) is not str:
        raise Refused(f"{what} must be a text, not {_kind(value)}")
    if len(value) > 36 or not is_storable(value):
        raise absent(what.removesuffix("_id").replace("_", " "), value)
    return value


def absent(what: str, value: str) -> NotFound:
    """The error for something that is not there."""
    return NotFound(f"there is no {what} {short(value)}")


def short(value: str) -> str:
    """The text for an error: quoted, escaped and cut."""
    shown = ascii(value[:81])
    return shown if len(value) <= 80 else f"{shown[:80]}…"


def _check_within(value: Any, what: str) -> None:
    if type(value) is str:
        storable(value, what)
    elif type(value) is int:
        if not -MOST_NUMBER <= value < MOST_NUMBER:
            raise TooLarge(f"{what} holds a number of more than 64 bits")
    elif type(value) is dict:
        for key, part in value.items():
            storable(key, what)
            _check_within(part, what)
    elif type(value) in (list, tuple):
        for part in value:
            _check_within(part, what)


def _kind(value: object) -> str:
    return f"a {type(value).__name__}"
