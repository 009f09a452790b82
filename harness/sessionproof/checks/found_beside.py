"""What searches may answer that ran beside those who write and delete what is searched for."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Span:
    """A call with its times on a clock that never steps; ``done`` says that it was acknowledged."""

    began_ns: int
    ended_ns: int
    done: bool = True


@dataclass(frozen=True)
class Life:
    """A message with a word of its own: who wrote it, when, and its deletion, if one was begun."""

    word: str
    client: int
    appended: Span
    deleted: Span | None = None


@dataclass(frozen=True)
class Looked:
    """A search for a word: how many hits are its message, and how many are anything else."""

    word: str
    client: int
    during: Span
    hits: int
    strange: int = 0


def is_owed(looked: Looked, life: Life) -> bool:
    """Whether the message must be found: written before, and not about to be deleted."""
    deleted = life.deleted
    return (
        life.appended.done
        and life.appended.ended_ns <= looked.during.began_ns
        and (deleted is None or deleted.began_ns >= looked.during.ended_ns)
    )


def is_gone(looked: Looked, life: Life) -> bool:
    """Whether the message must not be found any more."""
    deleted = life.deleted
    return deleted is not None and deleted.done and deleted.ended_ns <= looked.during.began_ns


def wrong_with(looked: Looked, life: Life, *, own: bool) -> str:
    """What is wrong with a search, in a few words; empty for nothing.

    ``own``: only what a client wrote itself must be seen by it at once.
    """
    if looked.strange:
        return f"{looked.strange} hits are not the message that has the word"
    if looked.hits > 1:
        return f"one message is there {looked.hits} times"
    if own and looked.client != life.client:
        return ""
    if is_owed(looked, life) and not looked.hits:
        return "nothing is found, and its append had been acknowledged"
    if is_gone(looked, life) and looked.hits:
        return "it is found, and its deletion had been acknowledged"
    return ""
