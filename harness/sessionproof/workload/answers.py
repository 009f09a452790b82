"""What a store answered a client, copied into plain values at once; they are judged later.

Unlike ``shapes``, only what a history keeps is looked at: it is done between two calls.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from itertools import islice

from sessionproof.contract.message import Message, Page, Receipt, SessionInfo
from sessionproof.history.columns import MISSING, NONE
from sessionproof.workload.shapes import kind

_LONGEST = 2_000_000  # messages of one answer


class Malformed(Exception):
    """The store answered what the contract does not allow; the text says what."""


def texts_of(answer: object) -> list[str]:
    """The texts of the messages that a read answered, copied; raises Malformed."""
    if isinstance(answer, str | bytes | Mapping) or not isinstance(answer, Sequence):
        raise Malformed(f"got {kind(answer)}, expected a list or another sequence of messages")
    return [_text(at, message) for at, message in enumerate(islice(answer, _LONGEST))]


def _text(at: int, message: object) -> str:
    if not isinstance(message, Message):
        raise Malformed(f"messages[{at}] is {kind(message)}, expected sessionproof.Message")
    said_in = message.content
    if message.kind == "tool_call" and isinstance(message.arguments, Mapping):
        said_in = message.arguments.get("text")
    if type(said_in) is str:
        return said_in
    return str.__str__(said_in) if isinstance(said_in, str) else f"({kind(said_in)})"


def next_cursor(page: object, texts: list[str]) -> str | int | None:
    """The cursor after this page, whose texts are added; raises Malformed."""
    if not isinstance(page, Page):
        raise Malformed(f"page answered {kind(page)}, expected sessionproof.Page")
    texts += texts_of(page.messages)
    cursor = page.next
    if cursor is None or type(cursor) in (str, int):
        return cursor
    if isinstance(cursor, bool) or not isinstance(cursor, str | int):
        raise Malformed(f"Page.next is {kind(cursor)}, expected a string, an integer or None")
    return str.__str__(cursor) if isinstance(cursor, str) else int.__add__(cursor, 0)


def first_number(answer: object, messages: int) -> int:
    """The sequence number of the first of so many messages, ``NONE`` where there is none.

    Also ``NONE`` where they do not follow each other: without atomic batches, those of another
    client may lie between them. Raises Malformed.
    """
    if answer is None:
        return NONE
    if not isinstance(answer, Receipt):
        raise Malformed(f"append answered {kind(answer)}, expected sessionproof.Receipt or None")
    if answer.seqs is None:
        return NONE
    if isinstance(answer.seqs, str | bytes) or not isinstance(answer.seqs, Sequence):
        raise Malformed(f"seqs is {kind(answer.seqs)}, expected a list of integers")
    seqs = [_integer(seq, "seqs holds") for seq in islice(answer.seqs, messages + 1)]
    if len(seqs) != messages:
        raise Malformed(f"seqs has not {messages} entries for {messages} messages")
    return seqs[0] if seqs == [*range(seqs[0], seqs[0] + messages)] else NONE


def counted(answer: object, method: str, *, tokens: bool) -> tuple[int, int]:
    """How many messages, and how many tokens or ``NONE``; raises Malformed."""
    if method == "count":
        return _amount(answer, "count answered"), NONE
    if answer is None:
        return MISSING, NONE
    if not isinstance(answer, SessionInfo):
        raise Malformed(f"get answered {kind(answer)}, expected sessionproof.SessionInfo")
    total = answer.total_tokens if tokens else None
    return (
        _amount(answer.message_count, "message_count is"),
        NONE if total is None else _amount(total, "total_tokens is"),
    )


def keeps_no_count(answer: object) -> bool:
    """A fact that is None is not kept, and is not judged."""
    return isinstance(answer, SessionInfo) and answer.message_count is None


def _amount(value: object, what: str) -> int:
    """Negative ones have meanings of their own in a history."""
    amount = _integer(value, what)
    if amount < 0:
        raise Malformed(f"{what} {amount}, expected 0 or more")
    return amount


def _integer(value: object, what: str) -> int:
    if isinstance(value, bool) or not isinstance(value, int):
        raise Malformed(f"{what} {kind(value)}, expected an integer")
    return int.__add__(value, 0)
