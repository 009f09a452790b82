"""Appends that cannot be stored: the database is locked, its table is broken, the disk is full.

Each fault is fair: it happens to users, ends by itself, and leaves the store's data as they were.
Not tried, as a correct store may be harmed by it: files that are removed, replaced or cut.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any, Literal

from sessionproof.checks.transcript import Fault, judge
from sessionproof.contract.operations import (
    Append,
    Completed,
    Operation,
    Outcome,
    Read,
    Reopen,
)
from sessionproof.contract.verdicts import Finding
from sessionproof.faults.failing.full_disk import FullDisk
from sessionproof.faults.outsider import CannotMeddle, Manner, Outsider
from sessionproof.scripts.attempts import attempt, texts_of
from sessionproof.scripts.expressions import call
from sessionproof.trials.inputs import good_message
from sessionproof.trials.lines import made
from sessionproof.trials.single import NotClaimed, Trial
from sessionproof.trials.telling import program_of
from sessionproof.trials.unstorable import sql_lines
from sessionproof.workload.execute import Transcript, execute

_BEFORE, _DISTURBED, _AFTER = "before-93ab", "disturbed-93ab", "after-93ab"
_LONGEST_HOLD_S = 8.0  # longer than the five seconds that most stores wait
_HOLD_SHARES = 2.5
_TABLES_MOST = 4  # beside that of the messages


@dataclass(frozen=True)
class _Met:
    """An append under a fault: its outcome, and the lines of a script before and after it."""

    outcome: Outcome
    met: bool
    script: tuple[tuple[str, ...], tuple[str, ...]]


Meets = Callable[[Trial, Outsider, Append, str], _Met | None]


@dataclass(frozen=True)
class _Fault:
    """``words`` say what is wrong while the append to ``session`` runs; ``meet`` does it."""

    name: str
    words: str
    meet: Meets
    session: str = "s0"


def kept_or_refused(trial: Trial) -> None:
    """One append under each fault: when it returns normally it is kept, and life goes on.

    A definite refusal must leave nothing behind; after any other error the message may be there.
    An append is evidence when it raised, or when it ended after a lock was let go. Raises
    NotClaimed when no append of the store could be disturbed.
    """
    met: list[str] = []
    with Outsider() as outsider:
        for fault in trial.within_time(list(_faults())):
            if _one(trial, outsider, fault):
                met.append(fault.name)
                trial.count("faults")
    if not met:
        raise NotClaimed("nothing of the store's could be made to fail")
    trial.notes.append(
        f"appends met: {', '.join(dict.fromkeys(met))} ({_hold_s(trial):g} s a lock)"
    )


def _faults() -> Iterator[_Fault]:
    for manner, words in (
        ("ABORT", "the database refused the row"),
        ("FAIL", "the database refused the row, and kept the statement's other effects"),
        ("ROLLBACK", "the database refused the row, and rolled the transaction back"),
    ):
        yield _Fault("refused rows", words, _poisoned(manner))  # type: ignore[arg-type]
    for place in range(_TABLES_MOST):
        for session in ("s0", "s1"):  # one with messages, a new one
            words = "the database refused new rows of another table than that of the messages"
            yield _Fault("refused rows beside", words, _refused_beside(place), session)
    for session in ("s0", "s1"):
        words = "no file could grow or change, as on a full disk"
        yield _Fault("full disk", words, _on_a_full_disk, session)
    yield _Fault("write lock", "another process held the write lock", _locked("write"))
    words = "another process was reading, so nothing could be committed"
    yield _Fault("read lock", words, _locked("read"))


def _one(trial: Trial, outsider: Outsider, fault: _Fault) -> bool:
    """Whether an append met the fault; raises Broken."""
    trial.store.fresh_location()
    start = trial.program(Append("s0", (good_message(trial, _BEFORE),)), sessions=("s0", "s1"))
    before = trial.run(start, examined=0)
    ids = {done.operation.session: done.session_id or "" for done in before}  # type: ignore[union-attr]
    disturbed = Append(fault.session, (good_message(trial, _DISTURBED),))
    try:
        met = fault.meet(trial, outsider, disturbed, ids[fault.session])
    except CannotMeddle:  # the store keeps its files to itself
        return False
    if met is None:
        return False
    transcript = (*before, Completed(disturbed, met.outcome, ids[fault.session]))
    if not trial.store.dropped:
        durable = trial.claims.at_least("durability", "process")
        again: list[Operation] = [Reopen(), Read(fault.session)] if durable else []
        after = Append(fault.session, (good_message(trial, _AFTER),))
        transcript += execute((after, Read(fault.session), *again), trial.store, ids=ids)
    found = judge(transcript, trial.claims, disturbed={len(before)})
    if found is not None:
        _tell(trial, fault, met, transcript, found)
    return met.met


def _poisoned(manner: Manner) -> Meets:
    def meet(trial: Trial, outsider: Outsider, append: Append, session: str) -> _Met | None:
        root = trial.store.location.root
        statements = [
            (found.path.relative_to(root), sql)
            for found in outsider.databases(root)
            for sql in outsider.poison(
                found.path, token=_BEFORE, text=_DISTURBED, manner=manner
            )
        ]  # fmt: skip
        if not statements:
            return None
        outcome = trial.handle().invoke(append, session)
        paths = dict.fromkeys(path for path, _ in statements)
        for path in paths:
            outsider.mend(root / path)
        begin: list[str] = []
        for path in paths:
            begin += sql_lines(path, [sql for where, sql in statements if where == path])
        return _Met(outcome, outcome.type != "ok", (tuple(begin), ()))

    return meet


def _refused_beside(place: int) -> Meets:
    """No new row into a table in which the text of messages does not lie: places, counters, names.

    An append needs such a table, and raises; or it does not, and is kept.
    """

    def meet(trial: Trial, outsider: Outsider, append: Append, session: str) -> _Met | None:
        root = trial.store.location.root
        tables = [
            (found.path, statements)
            for found in outsider.databases(root)
            for statements in outsider.refuse_beside(found.path, token=_BEFORE)
        ]
        if place >= len(tables):
            return None
        path, statements = tables[place]
        outsider.run(path, statements)
        outcome = trial.handle().invoke(append, session)
        outsider.mend(path)
        begin = sql_lines(path.relative_to(root), statements)
        return _Met(outcome, outcome.type != "ok", (tuple(begin), ()))

    return meet


def _locked(how: Literal["write", "read"]) -> Meets:
    def meet(trial: Trial, outsider: Outsider, append: Append, session: str) -> _Met | None:
        root = trial.store.location.root
        # Who reads a database with a write-ahead log is in nobody's way.
        found = [one.path for one in outsider.databases(root) if how == "write" or not one.wal]
        if not found or not outsider.hold(found, how, for_s=_hold_s(trial)):
            return None
        outcome = trial.handle().invoke(append, session)
        waited = not outsider.release()
        paths = ", ".join(f"directory / {str(path.relative_to(root))!r}" for path in found)
        begin = [
            f"locks = [sqlite3.connect(path, isolation_level=None) for path in [{paths}]]",
            "for lock in locks:",
        ]
        if how == "write":
            begin.append("    lock.execute('BEGIN IMMEDIATE')")
        else:
            reads = "('BEGIN', 'SELECT COUNT(*) FROM sqlite_schema')"
            begin += [f"    for sql in {reads}:", "        lock.execute(sql).fetchall()"]
        end = ("for lock in locks:", "    lock.close()")
        return _Met(outcome, outcome.type != "ok" or waited, (tuple(begin), end))

    return meet


def _hold_s(trial: Trial) -> float:
    """Short in short profiles: a store that waits longer then shows that its wait ends well."""
    return min(_LONGEST_HOLD_S, trial.profile.share_s * _HOLD_SHARES)


def _on_a_full_disk(trial: Trial, _outsider: Outsider, append: Append, session: str) -> _Met | None:
    """Nothing else of this process writes meanwhile: the test waits for the answer."""
    if not FullDisk.fits(trial.store.spec):
        return None
    with FullDisk(trial.store.spec) as disk:  # there is space at its end, also after a hang

        def fill(call: Callable[..., Any]) -> None:
            disk.fill()
            try:
                call("append", session, [*append.messages])
            finally:
                disk.heal()

        outcome = trial.handle().perform("append on a full disk", fill)
    begin = (
        "limits = resource.getrlimit(resource.RLIMIT_FSIZE)",
        "resource.setrlimit(resource.RLIMIT_FSIZE, (0, limits[1]))",
    )
    end = ("resource.setrlimit(resource.RLIMIT_FSIZE, limits)",)
    return _Met(outcome, outcome.type != "ok", (begin, end))


def _tell(trial: Trial, fault: _Fault, met: _Met, transcript: Transcript, found: Fault) -> None:
    """Raise Broken with the fault in the words of this experiment."""
    upto = transcript[: found.index + 1]
    failure = met.outcome.failure
    ended = "returned normally" if failure is None else f"raised {failure.type}"
    *program, last = program_of(upto, trial.claims, {})
    finding = Finding(
        anomaly=found.anomaly,
        did=f"appended a message while {fault.words}; the append {ended}; afterwards: {last}",
        expected=found.expected,
        seen=found.seen,
        program=(*program, last),
        change=found.change,
    )
    raise trial.broken(finding, lambda: _script(trial, fault, met, upto))


def _script(trial: Trial, fault: _Fault, met: _Met, upto: Transcript) -> list[str]:
    """The experiment as lines that run; none where it cannot be told in a straight line."""
    if trial.store.dropped:
        return []
    begin, end = met.script

    def append(text: str, session: str) -> str:
        return call(Append(session, (good_message(trial, text),)), session)

    lines = [
        *made(trial, "s0", "s1"),
        append(_BEFORE, "s0"),
        *begin,
        *attempt(append(_DISTURBED, fault.session), quiet=True),
        *end,
    ]
    after = append(_AFTER, fault.session)
    if upto[-1].outcome.type != "ok":
        return [*lines, *attempt(after), "assert not raised, 'it works again'"]
    if met.outcome.type == "info":
        return []  # the append left it open, and only what was read in between decides
    if Reopen in map(type, (done.operation for done in upto)):
        after = f"{after}; store.close(); store = open_store(location)"
    there = f"({_DISTURBED!r} in texts)"
    right = f"raised or {there}" if met.outcome.type == "ok" else f"not raised or not {there}"
    return [*lines, *after.split("; "), texts_of(fault.session), f"assert {right}, texts"]
