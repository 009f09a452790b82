"""What clients did in an execution, as plain values: what the rules of scripts look at.

Each message has a letter, in the order of the program: the calls before, client 1, client 2.
"""

from __future__ import annotations

from collections.abc import Sequence
from itertools import chain
from typing import Any, NamedTuple

from sessionproof.contract.operations import MALFORMED
from sessionproof.history.columns import BATCH, MISSING, NONE, F, History, Phase, Type
from sessionproof.schedule.program import Program, Run

NAMES: dict[F, str] = {
    F.APPEND: "append", F.READ: "read", F.READ_LAST: "read_last", F.PAGES: "page",
    F.COUNT: "count", F.CREATE: "create", F.DELETE: "delete", F.CLEAR: "clear",
    F.REPLACE: "replace", F.SET_STATE: "set_state",
}  # fmt: skip
SENDS = (F.APPEND, F.CREATE, F.REPLACE)
READS = (F.READ, F.READ_LAST, F.PAGES)
NOBODYS = "nobody's"
"""The letter of a message that no client sent, or that was changed."""

_ALPHABET = "abcdefghijklmnopqrstuvwxyz"
_OUTCOMES = {Type.OK: "ok", Type.FAIL: "refused", Type.INFO: "unknown"}


class Done(NamedTuple):
    """One operation and what came of it.

    ``client`` counts from 0; who does what comes before the clients has the number behind theirs.
    ``texts`` are letters of what it sent. ``outcome`` is ok, refused, unknown or malformed.
    ``answer`` are letters (reads), numbers (appends of stores that have some), or count and total.
    ``began`` and ``ended`` are ticks of one clock.
    """

    client: int
    call: str
    texts: list[str]
    outcome: str
    answer: Any
    began: int
    ended: int


def letters_of(program: Program) -> dict[int, str]:
    """The letter of each message that the program sends, by its id."""
    calls = (one for one in chain(program.before, *program.clients) if one[1].f in SENDS)
    ids = (number * BATCH + place for number, call in calls for place in range(call.n))
    return {one: _letter(at) for at, one in enumerate(ids)}


def _letter(at: int) -> str:
    """Of the 27th message ``a2``, and so on."""
    times, place = divmod(at, len(_ALPHABET))
    return f"{_ALPHABET[place]}{times + 1 if times else ''}"


def done_of(program: Program, run: Run, session: int = 0) -> list[Done]:
    """What came of each operation on a session, in the order in which they began.

    Of attempts that were refused and repeated, the last is there.
    """
    history, letters = run.history, letters_of(program)
    rows = history.rows
    places = [
        at
        for at in rows["inv"].argsort(kind="stable")
        if rows["session"][at] == session and rows["phase"][at] == Phase.LOAD
    ]
    last = {int(rows["id"][at]): int(at) for at in places}
    clients = len(program.clients) + 1
    return [_done(history, at, letters, clients) for at in sorted(last.values(), key=places.index)]


def _done(history: History, at: int, letters: dict[int, str], clients: int) -> Done:
    row = history.rows[at]
    f, first = F(int(row["f"])), int(row["id"])
    outcome = _OUTCOMES[Type(int(row["type"]))]
    answer: Any = None
    if error_of(history, at).startswith(MALFORMED):
        outcome, answer = "malformed", error_of(history, at)
    elif row["length"] == MISSING:
        outcome = "refused"
    elif outcome == "ok":
        answer = answer_of(history, at, letters)
    return Done(
        client=int(row["client"]) % clients,
        call=NAMES[f],
        texts=[letters[first + k] for k in range(int(row["n"]))] if f in SENDS else [],
        outcome=outcome,
        answer=answer,
        began=int(row["inv"]),
        ended=int(row["ret"]),
    )


def answer_of(history: History, at: int, letters: dict[int, str]) -> Any:
    """What an operation answered, as in ``Done``; None where it is nothing."""
    row = history.rows[at]
    match F(int(row["f"])):
        case F.COUNT:
            return int(row["length"]), int(row["value"]) if row["value"] != NONE else None
        case F.APPEND if row["value"] != NONE:
            return [int(row["value"]) + k for k in range(int(row["n"]))]
        case F.APPEND:
            return []
        case f if f in READS:
            answer = history.lists.of(at)
            return [letters.get(int(one), NOBODYS) for one in ([] if answer is None else answer)]
        case _:
            return None


def error_of(history: History, at: int) -> str:
    """Why an operation failed, empty where it did not."""
    error = int(history.rows["error"][at])
    return history.errors[error] if 0 < error < len(history.errors) else ""


def last_of(program: Program, run: Run, session: int = 0) -> list[str]:
    """The letters of a session's messages when all was quiet; none where there is no session."""
    letters = letters_of(program)
    return next((answer_of(run.history, at, letters) for at in _final(run, session, F.READ)), [])


def counts_of(run: Run, session: int = 0) -> list[tuple[int, int | None]]:
    """Count and total as they were when all was quiet, in each way to ask for them."""
    return [answer_of(run.history, at, {}) for at in _final(run, session, F.COUNT)]


def _final(run: Run, session: int, f: F) -> Sequence[int]:
    rows = run.history.rows
    fits = (rows["phase"] == Phase.FINAL) & (rows["session"] == session) & (rows["f"] == f)
    answered = fits & (rows["type"] == Type.OK) & (rows["length"] != MISSING)
    return [int(at) for at in answered.nonzero()[0]]
