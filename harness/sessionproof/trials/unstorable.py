"""Messages that cannot be stored, or hardly: invalid, strange, refused by the database itself."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from sessionproof.contract.message import Message
from sessionproof.contract.operations import Append
from sessionproof.faults.outsider import CannotMeddle, Manner, Outsider
from sessionproof.scripts.expressions import call
from sessionproof.trials.inputs import good_message, invalid_messages
from sessionproof.trials.lines import made
from sessionproof.trials.single import Trial

_MARK = "message-c41d"
_POISON = "poison-7f3a"
_MANNERS: tuple[Manner, ...] = ("ABORT", "ROLLBACK")


@dataclass(frozen=True)
class Unstorable:
    """A message with what is wrong in words; ``lines`` make it so in a script."""

    words: str
    message: Message
    lines: tuple[str, ...] = ()


def unstorable(trial: Trial) -> Iterator[Unstorable]:
    """All of them."""
    for words, message in (*invalid_messages(trial), *_hard_to_store(trial)):
        yield Unstorable(words, message)
    yield from poisoned(trial)


def sql_lines(path: Path, statements: Sequence[str]) -> list[str]:
    """Lines that carry statements out on a database file, named from the location on."""
    return [
        f"db = sqlite3.connect(directory / {str(path)!r}, isolation_level=None)",
        *(f"db.execute({sql!r})" for sql in statements),
        "db.close()",
    ]


def _hard_to_store(trial: Trial) -> Iterator[tuple[str, Message]]:
    """Well-formed messages that databases tend to refuse only when they are written."""
    good = good_message(trial, "x")
    yield "a lone surrogate", replace(good, content="half \ud83d")
    yield "a NUL character", replace(good, content="a\x00b")
    if "tokens" in trial.claims.keeps:
        yield "a token count above 64 bits", replace(good, tokens=2**70)


def poisoned(trial: Trial) -> list[Unstorable]:
    """Messages that the store's own database refuses, where it is SQLite and their text shows.

    Triggers abort the insertion of any row that holds the poison: the error comes from SQLite,
    in the middle of a batch, as it does for a full disk or a broken index; once it undoes the
    statement, once the whole transaction. The location is the test's own, so the triggers stay.
    """
    mark = Append("marked", (good_message(trial, _MARK),))
    trial.run(trial.program(mark, sessions=("marked",)), examined=0)
    found = []
    try:
        with Outsider() as outsider:
            for manner in _MANNERS:
                lines = _poison(trial, outsider, manner)
                if lines:
                    before = [*made(trial, "marked"), call(mark, "marked")]
                    words = f"a message that the database refuses ({manner.lower()})"
                    bad = good_message(trial, f"with {_POISON}-{manner.lower()}")
                    found.append(Unstorable(words, bad, (*before, *lines)))
    except CannotMeddle as error:
        trial.notes.append(f"no fault could be put into the tables: {error}")
    return [one for one in found for _ in range(4)]  # one for each place in a batch


def _poison(trial: Trial, outsider: Outsider, manner: Manner) -> list[str]:
    root = trial.store.location.root
    lines: list[str] = []
    for one in outsider.databases(root):
        text = f"{_POISON}-{manner.lower()}"
        statements = outsider.poison(one.path, token=_MARK, text=text, manner=manner)
        if statements:
            lines += sql_lines(one.path.relative_to(root), statements)
    return lines
