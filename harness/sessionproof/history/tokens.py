"""The texts of messages: each holds the id of its message, and is told from every other text."""

from __future__ import annotations

_FILLER = "the quick brown fox jumps over the lazy dog, and again "
_ODD = 0


def text_of(number: int) -> str:
    """The text of the message with this id; between 10 and 80 characters, made of the id alone."""
    return f"#{number:x} {_FILLER[: number % 53]}"


def id_of(text: object) -> int:
    """The id of the message with this text; 0 for every text that no client has sent."""
    if not isinstance(text, str) or not text.startswith("#"):
        return _ODD
    try:
        number = int(text[1 : text.index(" ")], 16)
    except ValueError:
        return _ODD
    return number if text == text_of(number) else _ODD


def tokens_of(number: int) -> int:
    """The tokens that the message with this id is said to have, from 1 to 7."""
    return 1 + number % 7
