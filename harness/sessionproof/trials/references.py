"""Sessions and what belongs to them: unknown ones, deleted ones, and what deletion leaves."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import Any

from hypothesis import strategies as st

from sessionproof.audit.tables import (
    orphan_problems,
    rows_with_references,
    tables_with,
    virtual_tables,
)
from sessionproof.checks.deletion import count_deletions, judge_deleted
from sessionproof.checks.transcript import judge
from sessionproof.contract.anomalies import Anomaly
from sessionproof.contract.message import Message
from sessionproof.contract.operations import (
    Append,
    AppendWithState,
    Clear,
    Completed,
    Count,
    Create,
    Delete,
    EditMessage,
    Get,
    GetState,
    Operation,
    PopLast,
    Program,
    Read,
    ReadLast,
    ReadPages,
    Reopen,
    Replace,
    SetState,
    message_call,
    session_of,
)
from sessionproof.contract.store import SqliteTables
from sessionproof.trials.audits import and_audited, look, shown
from sessionproof.trials.inputs import good_message
from sessionproof.trials.lines import made, said, tolerated
from sessionproof.trials.single import Judge, NotClaimed, Trial
from sessionproof.workload import programs
from sessionproof.workload.execute import Transcript
from sessionproof.workload.sessions import creation

_LOOKS = (Read, ReadLast, ReadPages, Count, Get, GetState)


def appended_to_unknown(trial: Trial) -> None:
    """Appends to sessions that nobody made: what the claim says, seen from all sides."""
    kinds = programs.kinds_for(trial.capabilities, trial.claims)
    # What becomes of a message's fields is for other guarantees: its text says whether it is there.
    there = replace(trial.claims, keeps=trial.claims.keeps & {"content"})
    check = _and_no_orphans(trial, lambda transcript: judge(transcript, there))
    asked = programs.observations(["s0"], kinds)
    again = [Reopen(), *asked] if Reopen in kinds else []
    made = [Create("s0"), *asked] if Create in kinds else []
    for size in (1, 3):
        batch = Append("s0", trial.several(size))
        steps: list[Operation] = [batch, *asked, *again, batch, *made, *asked]
        transcript = trial.run(trial.program(*steps, sessions=()), check, examined=0)
        trial.count("appends", count_unknown(transcript))
    names = ["s0", "s1", "s2"]
    used = [kind for kind in (Append, Create, Delete, Reopen) if kind in kinds]
    one = programs.operation_strategy(trial.words, used, names, trial.text_seed)
    ends = programs.observations(names, kinds)
    steps_drawn = st.lists(one, min_size=1, max_size=8)
    trial.search(
        steps_drawn.map(lambda steps: programs.tokened([*_created_once(steps), *ends])),
        check,
        count=count_unknown,
    )


def _created_once(steps: Sequence[Operation]) -> list[Operation]:
    """The steps without creations of sessions that are there: those are another matter."""
    known: set[str] = set()
    out = []
    for step in steps:
        name = session_of(step)
        if isinstance(step, Create) and name in known:
            continue
        if isinstance(step, Append | AppendWithState | Create):
            known.add(name)
        elif isinstance(step, Delete):
            known.discard(name)
        out.append(step)
    return out


def count_unknown(transcript: Sequence[Completed]) -> int:
    """How many appends met an unknown session that was looked at afterwards."""
    known: set[str] = set()
    waiting: dict[str, int] = {}
    number = 0
    for done in transcript:
        operation, session = done.operation, session_of(done.operation)
        if isinstance(operation, Append) and session not in known:
            waiting[session] = waiting.get(session, 0) + 1
        if isinstance(operation, _LOOKS):
            number += waiting.pop(session, 0)
        if done.outcome.type == "ok":
            if isinstance(operation, Append | AppendWithState | Create):
                known.add(session)
            elif isinstance(operation, Delete):
                known.discard(session)
                waiting.pop(session, None)
    return number


def deleted_and_asked(trial: Trial) -> None:
    """Sessions filled in any way, deleted, and asked for everything, once more after reopening."""
    kinds = programs.kinds_for(trial.capabilities, trial.claims)
    asked = programs.observations(["s0", "s1"], kinds)
    again = [Reopen(), *asked] if Reopen in kinds else []
    popped = [PopLast("s0"), *asked] if PopLast in kinds else []
    fills = [kind for kind in (SetState, EditMessage, Clear, Replace) if kind in kinds]
    ended = (*asked, Delete("s0"), *asked, *popped, *again)  # asked before: caches are filled
    trial.search(
        trial.strategy(Append, Append, *fills, sessions=2, most=10).map(lambda p: (*p, *ended)),
        lambda transcript: judge_deleted(transcript, trial.claims.keeps),
        count=lambda transcript: count_deletions(transcript, reused=False),
    )


def deleted_and_used_again(trial: Trial) -> None:
    """Ids that are deleted and used again, several times, also with a reopening between."""
    if trial.claims.session_ids == "store":
        raise NotClaimed("session ids are the store's own, so none is used again")
    kinds = programs.kinds_for(trial.capabilities, trial.claims)
    fills = [kind for kind in (SetState, Clear, Replace, PopLast) if kind in kinds]
    one = programs.operation_strategy(
        trial.words, [Append, Append, *fills], ["s0"], trial.text_seed
    )
    asked = programs.observations(["s0"], kinds)
    state = [SetState("s0", "step", 2)] if SetState in kinds else []
    first = Append("s0", trial.several(2))
    must_create = programs.beginnings(["s0"], trial.words, trial.capabilities)

    def lives(bodies: list[list[Operation]], reopen: bool, create: bool) -> Program:
        own = create and Create in kinds
        begun = creation("s0", trial.several(1), trial.claims) if own else must_create
        between = [Reopen()] if reopen and Reopen in kinds else []
        steps: list[Operation] = [*must_create, first, *state]
        for body in bodies:
            steps += [*asked, Delete("s0"), *between, *begun, *body, *asked]
        return programs.tokened(steps)

    check = lambda transcript: judge_deleted(transcript, trial.claims.keeps)  # noqa: E731
    for reopen in (False, True):
        program = lives([[first]], reopen, create=False)
        again = trial.run(program, check, examined=0)
        trial.count("deletions", count_deletions(again, reused=True))
    bodies = st.lists(st.lists(one, min_size=1, max_size=3), min_size=1, max_size=3)
    trial.search(
        st.builds(lives, bodies, st.booleans(), st.booleans()),
        check,
        count=lambda transcript: count_deletions(transcript, reused=True),
    )


def no_orphans(trial: Trial) -> None:
    """Any sequence of operations, then SQL: every row's session is there, and all it refers to."""
    rows = shown(trial, lambda tables: (rows_with_references(tables), orphan_problems(tables)))
    if not rows[0] and not rows[1]:
        raise NotClaimed("no row of the store's tables refers to another table")
    kinds = programs.changes(trial.capabilities, trial.claims)
    removals = [kind for kind in kinds if kind in (Delete, Clear, Replace)]
    check = _and_no_orphans(trial, lambda _: None)
    state: list[Operation] = [SetState("s0", "step", 2)] if SetState in kinds else []
    filled = [Append("s0", trial.several(3)), *state]
    for change in programs.one_of_each(trial.words, kinds, "s0", trial.text_seed):
        trial.run(trial.program(*filled, change), check, examined=0)
    seen = 0

    def examined(_transcript: Transcript) -> int:
        """Rows that were not there at the last look."""
        nonlocal seen
        before, seen = seen, look(trial, rows_with_references).answer or 0
        return max(0, seen - before)

    drawn = trial.strategy(Append, Append, *removals, *kinds, sessions=3, most=16)
    trial.search(drawn, check, count=examined)


def _and_no_orphans(trial: Trial, check: Judge) -> Judge:
    """The check, then the audit of references, where the store shows its tables."""
    return and_audited(
        trial,
        check,
        orphan_problems,
        anomaly=Anomaly.ORPHAN,
        expected="every row of the store's tables refers to rows that are there",
        asked="orphan_problems(store.tables())",
    )


def nothing_is_left(trial: Trial) -> None:
    """What was seen of a session before it was deleted leads nowhere: ids, cursors, tables."""
    for number in range(3):
        word = f"forgotten-{trial.seed % 9973}-{number}"
        message = good_message(trial, word)
        steps = (Append("s0", (message,) * 3), Append("s1", (good_message(trial, "stays"),)))
        start = trial.run(trial.program(*steps, sessions=("s0", "s1")), examined=0)
        session = next(done.session_id for done in start if session_of(done.operation) == "s0")
        _deleted(trial, session or "", message)
        if "tables" in trial.capabilities:
            _no_remains(trial, word)
        trial.count("deletions")


def _deleted(trial: Trial, session: str, message: Message) -> None:
    """Delete the session, then use the names of its parts that were seen before."""
    handle = trial.handle()
    read = handle.invoke(Read("s0"), session)
    trial.require_ok(read, "read a filled session")
    old = read.value[0].id if read.value else None
    cursor = None
    if "page" in trial.capabilities:
        paged = handle.perform("page", lambda call: call("page", session, limit=1).next)
        trial.require_ok(paged, "asked for the first page of a filled session")
        cursor = paged.value
    trial.require_ok(handle.invoke(Delete("s0"), session), "deleted a filled session")
    if cursor is not None:
        _leads_nowhere(
            trial, session, "asked for the page after a cursor from before",
            "seen += store.page(s0, cursor=cursor, limit=2).messages",
            lambda call: len(call("page", session, cursor=cursor, limit=2).messages),
        )  # fmt: skip
    if old is not None and "edit_message" in trial.capabilities:
        _leads_nowhere(
            trial, session, "edited a message by its id from before",
            f"store.edit_message(s0, old[0].id, {message_call(message)})",
            lambda call: call("edit_message", session, old, message),
        )  # fmt: skip
    if old is not None and "delete_message" in trial.capabilities:
        _leads_nowhere(
            trial, session, "deleted a message by its id from before",
            "store.delete_message(s0, old[0].id)",
            lambda call: call("delete_message", session, old),
        )  # fmt: skip


def _leads_nowhere(
    trial: Trial, session: str, did: str, line: str, action: Callable[[Callable[..., Any]], object]
) -> None:
    """Do this with a deleted session; it may be refused. Then nothing of it may be read."""
    tried = trial.handle().perform(did, action)
    again = trial.handle().invoke(Read("s0"), session)
    number = tried.value if type(tried.value) is int else 0
    number += len(again.value) if again.type == "ok" else 0
    before = [
        *made(trial, "s0"),
        f"store.append(s0, [{said(trial, 'one')}, {said(trial, 'two')}])",
        "old, seen = store.read(s0), []",
        *(["cursor = store.page(s0, limit=1).next"] if "cursor" in line else []),
        "store.delete(s0)",
    ]
    trial.require(
        number == 0,
        Anomaly.RESURRECTION,
        did=f"deleted a session, then {did}, then read the session",
        expected="nothing of it, or an error",
        seen=f"{number} messages",
        program=[*before, line, "seen += store.read(s0)"],
        script=[
            *before,
            *tolerated(line),
            *tolerated("seen += store.read(s0)"),
            "assert not seen, f'{len(seen)} messages of a deleted session are answered'",
        ],
    )


def _no_remains(trial: Trial, word: str) -> None:
    """No row of the deleted session is left, unless the store keeps the session on purpose.

    A store that marks sessions as deleted keeps the messages themselves, each with its session:
    no operation reaches them, and that is right. Damage is a row whose session is gone, and a
    copy in a table of children or in a search index that outlives the message itself.
    """
    seen = look(trial, lambda tables: _remains(tables, word)).answer
    if seen is None:
        return
    problems, kept = seen
    program = [
        *made(trial, "s0", "s1"),
        f"store.append(s1, [{said(trial, 'stays')}])",
        "before = rows()",
        f"store.append(s0, [{said(trial, word)}])",
        "store.delete(s0)",
        "after = rows()",
    ]
    trial.require(
        not problems,
        Anomaly.ORPHAN,
        did="appended messages, deleted their session, then read the store's tables",
        expected="no row of the session without it, and no copy of its messages without them",
        seen="; ".join(problems[:5]),
        program=["# rows(): how many rows each table has", *program],
        script=[*_ROWS, *program, "assert after == before, f'{before} became {after}'"],
    )
    note = f"rows of deleted sessions are kept in {', '.join(kept)}, and no operation reaches them"
    if kept and note not in trial.notes:
        trial.notes.append(note)


_ROWS = (
    "import sqlite3",
    "def rows():",
    "    db = sqlite3.connect(store.tables().path)",
    "    tables = \"SELECT name FROM sqlite_master WHERE type = 'table'\"",
    "    names = [name for (name,) in db.execute(tables) if not name.startswith('sqlite_')]",
    "    count = 'SELECT COUNT(*) FROM \"{}\"'.format",
    "    found = {name: db.execute(count(name)).fetchone()[0] for name in names}",
    "    db.close()",
    "    return found",
)


def _remains(tables: SqliteTables, word: str) -> tuple[list[str], list[str]]:
    """What is damage, a sentence each; and the tables that keep the deleted text on purpose."""
    problems = orphan_problems(tables)
    holding = tables_with(tables, word)
    if tables.messages not in holding:
        copies = {*(tables.children or {}), *virtual_tables(tables)}
        problems += [
            f"{number} rows of {name} still hold the text of messages that are gone"
            for name, number in holding.items()
            if name in copies
        ]
    return problems, [] if problems else sorted(holding)
