"""Batches that cannot be stored whole: all of each is there, or nothing, and life goes on."""

from __future__ import annotations

import sqlite3
from collections.abc import Callable, Iterator, Sequence
from contextlib import closing
from dataclasses import replace
from functools import partial
from typing import Any

from sessionproof.contract.anomalies import Anomaly
from sessionproof.contract.message import Message
from sessionproof.contract.operations import Append, Read, as_call, shown_text
from sessionproof.contract.store import SqliteTables
from sessionproof.trials.inputs import good_message, invalid_messages
from sessionproof.trials.single import Trial

_POISON = "poison-7f3a"


def whole_or_not_at_all(trial: Trial) -> None:
    """A batch with one invalid element in each place: all of it is there, or nothing."""
    wrong = [*invalid_messages(trial), *_hard_to_store(trial)]
    for number, (words, bad) in enumerate(trial.within_time([*wrong, *poisoned(trial)])):
        place = number % 4
        good = [good_message(trial, f"batch {number} element {at}") for at in range(3)]
        batch = (*good[:place], bad, *good[place:])
        start = trial.run(trial.program(Append("s0", (good_message(trial, "before"),))), examined=0)
        handle, session = trial.handle(), start[-1].session_id or ""
        operation = Append("s0", batch)
        outcome = handle.invoke(operation, session)
        # Contents are looked at raw: a store that does not validate may give back what it got.
        read = handle.perform("read", partial(_read_texts, session=session))
        did = f"appended a batch of 4 with {words} at place {place + 1} to a session with 1 message"
        trial.require_ok(read, f"{did}, then read")
        batch_texts = [None if one is bad else _text_of(one) for one in batch]
        before: list[str | None] = ["before #0"]
        expected = [*before, *batch_texts] if outcome.type == "ok" else before
        _require_texts(
            trial,
            expected,
            read.value,
            did=f"{did}; the append {_ended(outcome.type)}",
            words="the whole batch" if outcome.type == "ok" else "nothing of the batch",
            program=[as_call(operation), as_call(Read("s0"))],
        )
        _goes_on(trial, session, expected)
        trial.count("batches")


def _goes_on(trial: Trial, session: str, before: list[str | None]) -> None:
    """The next append adds itself alone: nothing of a failed batch was waiting for it."""
    after = trial.handle().invoke(Append("s0", (good_message(trial, "after"),)), session)
    trial.require_ok(after, "appended a plain message after a batch that could not be stored")
    read = trial.handle().perform("read", partial(_read_texts, session=session))
    trial.require_ok(read, "read after a batch that could not be stored")
    _require_texts(
        trial,
        [*before, "after"],
        read.value,
        did="appended a batch that could not be stored, then a plain message",
        words="what was there, and the plain message",
        program=(),
    )


def _require_texts(
    trial: Trial,
    expected: list[str | None],
    seen: list[str],
    *,
    did: str,
    words: str,
    program: Sequence[str],
) -> None:
    """Raise Broken unless these texts were read; None stands for any text."""
    limit = trial.claims.limits.retention
    kept = expected if limit is None else expected[-limit:]
    same = len(kept) == len(seen) and all(
        want in (None, have) for want, have in zip(kept, seen, strict=True)
    )
    trial.require(
        same,
        Anomaly.LOST_MESSAGE if len(seen) < len(kept) else Anomaly.TORN_BATCH,
        did=did,
        expected=f"{len(kept)} message{'s' * (len(kept) > 1)}: {words}",
        seen=f"{len(seen)} messages: " + ", ".join(shown_text(text, 40) for text in seen),
        program=program,
    )


def _text_of(message: Message) -> str:
    return message.content if isinstance(message.content, str) else ""


def _read_texts(call: Callable[..., Any], *, session: str) -> list[str]:
    """The texts of a session's messages; what is no text is named by its type."""
    contents = [message.content for message in call("read", session)]
    return [one if type(one) is str else f"({type(one).__name__})" for one in contents]


def poisoned(trial: Trial) -> list[tuple[str, Message]]:
    """A message that the store's own database refuses, where the store shows its tables.

    A trigger aborts the insertion of any row that holds the poison: the error comes from SQLite,
    in the middle of a batch, as it does for a full disk or a broken index. The location is the
    test's own, so the trigger stays.
    """
    tables = _tables(trial)
    if tables is None:
        return []
    try:
        with closing(sqlite3.connect(tables.path, timeout=10)) as connection:
            described = connection.execute(f'PRAGMA table_info("{tables.messages}")')
            holds = " OR ".join(f"instr(NEW.\"{row[1]}\", '{_POISON}')" for row in described)
            connection.execute(
                f'CREATE TRIGGER sessionproof_poison BEFORE INSERT ON "{tables.messages}" '
                f"WHEN {holds} BEGIN SELECT RAISE(ABORT, 'poisoned by sessionproof'); END"
            )
    except (sqlite3.Error, TypeError, ValueError) as error:
        trial.notes.append(f"no fault could be put into the tables: {error}")
        return []
    return [("a message that the database refuses", good_message(trial, f"with {_POISON}"))] * 4


def _tables(trial: Trial) -> SqliteTables | None:
    if "tables" not in trial.capabilities:
        return None
    trial.run(trial.program(Append("s0", (good_message(trial, "before"),))), examined=0)
    outcome = trial.handle().perform("tables()", lambda call: call("tables"))
    return outcome.value if isinstance(outcome.value, SqliteTables) else None


def _hard_to_store(trial: Trial) -> Iterator[tuple[str, Message]]:
    """Well-formed messages that databases tend to refuse only when they are written."""
    good = good_message(trial, "x")
    yield "a lone surrogate", replace(good, content="half \ud83d")
    yield "a NUL character", replace(good, content="a\x00b")
    if "tokens" in trial.claims.keeps:
        yield "a token count above 64 bits", replace(good, tokens=2**70)


def _ended(kind: str) -> str:
    return "returned normally" if kind == "ok" else "raised"
