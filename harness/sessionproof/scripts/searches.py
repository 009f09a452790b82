"""Scripts of searches: what was done, what was looked for, and what should have been found."""

from __future__ import annotations

from collections.abc import Sequence

from sessionproof.contract.operations import (
    DeleteMessage,
    EditMessage,
    Operation,
    Outcome,
    Reopen,
    session_of,
)
from sessionproof.scripts.expressions import call, expression, values
from sessionproof.scripts.program import CLOSE, OPEN, suppressed


def step_lines(operation: Operation, outcome: Outcome, *, at: int = 0) -> list[str]:
    """An operation as lines; its session is the variable of its name. ``at`` is a place."""
    if isinstance(operation, Reopen):
        return [CLOSE, OPEN]
    name = session_of(operation)
    place = at if isinstance(operation, DeleteMessage | EditMessage) else 0
    line = call(operation, name, at=place)
    return suppressed([line]) if outcome.failure is not None else [line]


def looked(query: str) -> str:
    """A search in the middle, whose answer is judged at the end alone."""
    return f"store.search({expression(query)}, limit=10_000)"


def found_lines(query: str, words: Sequence[str], sessions: Sequence[str]) -> list[str]:
    """That a search finds each stored message that has all ``words`` once, and no other."""
    return _found(query, f"all(word in one[1].lower() for word in {[*words]!r})", sessions)


def found_texts_lines(query: str, texts: Sequence[str], sessions: Sequence[str]) -> list[str]:
    """That a search finds each stored message of one of these texts once, and no other."""
    return _found(query, f"one[1] in {values([*texts])}", sessions)


def _found(query: str, condition: str, sessions: Sequence[str]) -> list[str]:
    return [
        *_stored(sessions),
        f"stored = [one for one in stored if {condition}]",
        f"hits = {looked(query)}",
        "seen = sorted((hit.session_id, hit.message.content or '') for hit in hits)",
        "assert seen == sorted(stored), seen",
    ]


def once_lines(query: str, limit: int, sessions: Sequence[str]) -> list[str]:
    """That a search is no error, and answers stored messages, each once, within the limit."""
    return [
        *_stored(sessions),
        f"hits = store.search({expression(query)}, limit={limit})",
        f"assert len(hits) <= {limit}, len(hits)",
        "for hit in hits:",
        "    stored.remove((hit.session_id, hit.message.content or ''))",
    ]


def order_lines(query: str, limit: int, texts: Sequence[str]) -> list[str]:
    """That a search answers messages of these texts in this order."""
    return [
        f"hits = store.search({expression(query)}, limit={limit})",
        "seen = [hit.message.content for hit in hits]",
        f"assert seen == {values([*texts])}, seen",
    ]


def _stored(sessions: Sequence[str]) -> list[str]:
    lines = ["stored = []"]
    for name in sessions:
        lines.append("with suppress(NotFound):")
        lines.append(f"    stored += [({name}, m.content or '') for m in store.read({name})]")
    return lines
