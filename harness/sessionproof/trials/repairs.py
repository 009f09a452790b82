"""Rows that contradict each other: found by the store's own check, and mended by its repair.

Each class of damage is done to a closed store that was filled anew. The largest of its three
sessions is damaged, or the smallest one loses its row; the one between is nobody's concern.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Sequence
from contextlib import closing
from dataclasses import dataclass, replace
from itertools import count
from pathlib import Path
from typing import Any

from sessionproof.audit.tables import counter_problems, orphan_problems, quoted
from sessionproof.contract.anomalies import Anomaly
from sessionproof.contract.clock import monotonic_s
from sessionproof.contract.message import Message
from sessionproof.contract.operations import Append, Outcome, Read, session_of
from sessionproof.contract.seed import generator
from sessionproof.contract.store import SqliteTables
from sessionproof.contract.upkeep import Repaired
from sessionproof.faults.rows import RowDamage, done, row_damages
from sessionproof.scripts import repairs as lines
from sessionproof.trials import healths
from sessionproof.trials.audits import answered, look
from sessionproof.trials.chats import courier, files_of, require_end, unknown
from sessionproof.trials.inputs import good_message
from sessionproof.trials.lines import made, said
from sessionproof.trials.repaired import (
    Numbers,
    bytes_of,
    damage_done,
    lacking,
    numbers_in,
    rows_in,
)
from sessionproof.trials.single import CouldNotTell, NotClaimed, Trial
from sessionproof.workload import upkeep
from sessionproof.workload.execute import execute
from sessionproof.workload.guard import CannotOpen, Handle

_SIZES = {"s0": 5, "s1": 3, "s2": 2}


@dataclass(frozen=True)
class _Chats:
    """A closed store with three sessions: what was read of them, and what the tables say."""

    directory: Path
    tables: SqliteTables
    ids: dict[str, str]
    before: dict[str, tuple[Message, ...]]
    numbers: Numbers
    usual: set[str]


def mended(trial: Trial) -> None:
    """Do each class of damage that the tables allow, and have it found and mended; raises Broken.

    Raises NotClaimed where the store shows no tables of its own, or they allow none.
    """
    with courier(trial) as lender:
        for number in count():
            if number and trial.enough(monotonic_s() - trial.started_s):
                return
            chats = _filled(trial)
            classes = _classes(trial, chats, number)
            tried = trial.examined["damages"]
            for damage in trial.within_time(classes):
                if done(chats.tables.path, damage):
                    _Case(trial, lender, chats, damage).judge()
                    trial.count("damages")
                    chats = _filled(trial)
            if trial.examined["damages"] == tried:
                raise NotClaimed("the tables do not let their rows contradict each other")
            if trial.time_is_up():
                return


def _classes(trial: Trial, chats: _Chats, number: int) -> list[RowDamage]:
    """All classes, in an order that is drawn; each round damages another message."""
    random = generator(trial.seed, "rows", number)
    place = random.randrange(1, _SIZES["s0"] - 1)
    with closing(sqlite3.connect(chats.tables.path)) as connection:
        found = row_damages(connection, chats.tables, place=place, roles=trial.claims.validates)
    random.shuffle(found)
    return found


def _filled(trial: Trial) -> _Chats:
    """Three sessions on an empty location, with the store closed again; raises Broken."""
    trial.store.fresh_location()
    program = trial.program(
        *(
            Append(name, (_message(trial, f"{name} says {at}", at),))
            for name, size in _SIZES.items()
            for at in range(size)
        ),
        sessions=tuple(_SIZES),
    )
    transcript = execute(program, trial.store)
    trial.conclude(transcript, trial.against_oracle(transcript))
    handle = trial.handle()
    ids = {session_of(one.operation): str(one.session_id) for one in transcript}
    found = upkeep.verify(handle)
    trial.require_ok(found, "asked verify about a store in which nothing was damaged")
    trial.require(
        found.value.ok,
        Anomaly.WRONG_ANSWER,
        did="appended to three sessions, then asked verify",
        expected="no problems",
        seen="; ".join(found.value.problems[:3]),
        script=[] if found.value.ok else [*_made(trial), *lines.nothing_found()],
    )
    before = {name: _read(handle, session) for name, session in ids.items()}
    tables = answered(trial, look(trial, lambda tables: tables))
    trial.require_ok(trial.store.close(), "closed the store")
    usual = healths.usual_signs(trial, lambda: _made(trial))
    directory = trial.store.location.root
    if not Path(tables.path).resolve().is_relative_to(directory.resolve()):
        raise NotClaimed("the store's tables do not lie in its location")
    numbers = numbers_in(tables)
    if sorted(map(len, numbers.values())) != sorted(_SIZES.values()):
        raise CouldNotTell("the rows of the table of messages are not the messages")
    return _Chats(directory, tables, ids, before, numbers, usual)


def _message(trial: Trial, text: str, number: int) -> Message:
    message = good_message(trial, text)
    told: dict[str, Any] = {"tokens": number + 1, "duration_us": 1000 * (number + 1)}
    return replace(message, **{name: told[name] for name in told if name in trial.claims.keeps})


@dataclass(frozen=True)
class _Case:
    """One damage that was done, from what verify says of it to what is there after the repair."""

    trial: Trial
    lender: Handle
    chats: _Chats
    damage: RowDamage

    def judge(self) -> None:
        """Raise Broken unless it is found, told by a dry run, mended after a backup, and gone."""
        self._found()
        self._dry_run()
        rows = rows_in(Path(self.chats.tables.path), self._tables)
        answer = self._repaired(dry_run=False)
        self._backed_up(answer, rows)
        self._mended()
        again = self._repaired(dry_run=True)
        self._require(
            not again.changes, Anomaly.UNMENDED, "repaired it twice",
            "the second repair has nothing to do", "; ".join(again.changes[:3]),
            lines.nothing_is_left(),
        )  # fmt: skip
        self._goes_on()

    @property
    def _tables(self) -> list[str]:
        named = (self.chats.tables.messages, self.chats.tables.sessions)
        return [name for name in named if name is not None]

    def _require(
        self, holds: bool, anomaly: Anomaly, did: str, expected: str, seen: str,
        script: Sequence[str],
    ) -> None:  # fmt: skip
        if holds:
            return  # the lines of a script take longer than most looks
        before = [*_made(self.trial), *lines.damaged(self.damage.statements)]
        self.trial.require(
            holds, anomaly, did=f"rows damaged by SQL: {self.damage.words}; {did}",
            expected=expected, seen=seen, program=self.damage.statements,
            script=[*before, *script],
        )  # fmt: skip

    def _open(self) -> Handle | None:
        """The store where the damage is; None where it refuses to open."""
        try:
            return self.trial.handle()
        except CannotOpen:
            return None

    def _found(self) -> None:
        handle = self._open()
        if handle is None:
            return
        healths.require_told(self.trial, handle, self.damage, self.chats.usual, self._damaged)
        asked: list[str | None] = [None]
        if self.damage.about == "counter":
            asked.append(self.chats.ids["s0"])
        for session in asked:
            outcome = upkeep.verify(handle, session)
            require_end(self.trial, outcome, "asked verify about damaged rows")
            self._require(
                outcome.type != "ok" or not outcome.value.ok,
                Anomaly.UNNOTICED,
                f"asked verify{' about that session' if session else ''}",
                "a problem, or an error",
                "no problems",
                lines.is_found("s0" if session else None),
            )
        self.trial.require_ok(self.trial.store.close(), "closed the store")

    def _damaged(self) -> list[str]:
        return [*_made(self.trial), *lines.damaged(self.damage.statements), lines.AGAIN]

    def _repaired(self, *, dry_run: bool) -> Repaired:
        outcome = upkeep.repair(self.lender, self.chats.directory, dry_run=dry_run)
        how = "a dry run of repair" if dry_run else "repair"
        self.trial.require_ok(
            outcome,
            f"rows damaged by SQL: {self.damage.words}; asked for {how}",
            []
            if outcome.type == "ok"
            else [
                *_made(self.trial),
                *lines.damaged(self.damage.statements),
                *lines.repaired(dry_run=dry_run),
                lines.AGAIN,
            ],
        )
        answer: Repaired = outcome.value
        return answer

    def _dry_run(self) -> None:
        before = bytes_of(self.chats.directory)
        answer = self._repaired(dry_run=True)
        after = bytes_of(self.chats.directory)
        script = lines.dry_run_only_tells()
        changed = sorted(path.name for path in before.keys() | after.keys() if
                         before.get(path) != after.get(path))  # fmt: skip
        self._require(
            not changed, Anomaly.OVERWRITTEN, "asked for a dry run of repair",
            "no file is changed", f"changed: {', '.join(changed)}", script,
        )  # fmt: skip
        self._require(
            bool(answer.changes), Anomaly.UNMENDED, "asked for a dry run of repair",
            "it says what would be done", "it says that nothing is wrong", script,
        )  # fmt: skip

    def _backed_up(self, answer: Repaired, rows: dict[str, list[str]]) -> None:
        """A backup has all rows as they were before the repair."""
        made = Path(answer.backup) if answer.backup is not None else None
        seen = "no backup" if made is None else "" if made.exists() else f"there is no {made}"
        if made is not None and made.exists():
            name = Path(self.chats.tables.path).name
            file = next((one for one in files_of(made) if one.name == name), made)
            if made.is_file() or file is not made:
                seen = lacking(file, self._tables, rows)
        self._require(
            not seen, Anomaly.BAD_BACKUP, "repaired it",
            "a backup was made before, with every row as it was", seen,
            lines.backup_has_it([quoted(name) for name in self._tables]),
        )  # fmt: skip

    def _mended(self) -> None:
        """Verify is content, so is SQL of ours, and good messages are as they were."""
        handle = self._open()
        script = lines.is_mended("s0", good="seen")
        if handle is None:
            self._require(
                False, Anomaly.UNMENDED, "repaired it", "the store opens", "it does not", script
            )
            return
        found = upkeep.verify(handle)
        self.trial.require_ok(found, "asked verify after a repair")
        problems = list(found.value.problems)
        looks = look(
            self.trial, lambda tables: [*orphan_problems(tables), *counter_problems(tables)]
        )
        problems += looks.answer or []
        self._require(
            not problems, Anomaly.UNMENDED, "repaired it", "nothing is wrong any more",
            "; ".join(problems[:3]), script,
        )  # fmt: skip
        after = {name: _read(handle, session) for name, session in self.chats.ids.items()}
        for name in _SIZES:
            self._require_good(name, after[name])
        self.trial.require_ok(self.trial.store.close(), "closed the store")
        self._require_numbers()

    def _require_good(self, name: str, after: tuple[Message, ...]) -> None:
        before = self.chats.before[name]
        harm = damage_done(self.damage, name, before, after)
        if harm is None:
            return
        anomaly, seen = harm
        good = "[one.content for one in seen] == [one.content for one in before]"
        if self.damage.place is not None and name == "s0":
            kept = f"[*before[:{self.damage.place - 1}], *before[{self.damage.place + 1}:]]"
            good = f"set(one.id for one in {kept}) <= set(one.id for one in seen)"
        reads = f"before = store.read({name})"
        script = [*_made(self.trial), reads, *lines.damaged(self.damage.statements)]
        self.trial.require(
            False,
            anomaly,
            did=f"rows damaged by SQL: {self.damage.words}; repaired it, then read a session",
            expected="good messages are as they were",
            seen=seen,
            program=self.damage.statements,
            script=[*script, *lines.is_mended(name, good=good)],
        )

    def _require_numbers(self) -> None:
        """Good messages keep their numbers, where they have any."""
        if self.chats.tables.message_seq is None:
            return
        after = [set(numbers) for numbers in numbers_in(self.chats.tables).values()]
        largest = max(self.chats.numbers, key=lambda name: len(self.chats.numbers[name]))
        least = min(self.chats.numbers, key=lambda name: len(self.chats.numbers[name]))
        for session, numbers in self.chats.numbers.items():
            if session == least and self.damage.about == "orphans":
                continue
            at = self.damage.place if session == largest else None
            good = {number for place, number in enumerate(numbers) if place != at}
            table, column = self.chats.tables.messages, self.chats.tables.message_seq
            query = f"'SELECT {quoted(column)} FROM {quoted(table)}'"
            self._require(
                any(good <= numbers for numbers in after),
                Anomaly.CHANGED,
                "repaired it",
                f"good messages keep their numbers {sorted(good)}",
                f"the numbers of the sessions are {[sorted(numbers) for numbers in after]}",
                [
                    *lines.repaired(dry_run=False),
                    f"numbers = sqlite3.connect(path).execute({query}).fetchall()",
                    f"good = {sorted(good)!r}",
                    "assert set(good) <= {number for (number,) in numbers}, numbers",
                    lines.AGAIN,
                ],
            )

    def _goes_on(self) -> None:
        """A next append is the last message of the damaged session, and all others stay."""
        handle, session = self.trial.handle(), self.chats.ids["s0"]
        before = _read(handle, session)
        message = _message(self.trial, "goes on", 9)
        added = handle.invoke(Append("s0", (message,)), session)
        script = [
            *lines.repaired(dry_run=False),
            lines.AGAIN,
            "before = store.read(s0)",
            f"store.append(s0, [{said(self.trial, 'goes on')}])",
            "after = [one.content for one in store.read(s0)]",
            "assert after[:-1] == [one.content for one in before], after",
            "assert len(after) == len(before) + 1, after",
        ]
        failed = added.failure
        self._require(
            failed is None, Anomaly.STUCK, "repaired it, then appended", "the store goes on",
            "" if failed is None else f"it raised {failed.type}: {failed.text[:300]}", script,
        )  # fmt: skip
        after = _read(handle, session)
        self._require(
            after[:-1] == before and after[-1:] != before[-1:], Anomaly.STUCK,
            "repaired it, then appended", "what was there, and then the new message",
            f"{len(after)} messages instead of {len(before) + 1}, or others", script,
        )  # fmt: skip
        found = upkeep.verify(handle)
        self._require(
            found.type == "ok" and found.value.ok, Anomaly.UNMENDED,
            "repaired it, appended, then asked verify", "no problems",
            "; ".join(found.value.problems[:3]) if found.type == "ok" else "an error", script,
        )  # fmt: skip
        self.trial.require_ok(self.trial.store.close(), "closed the store")


def _read(handle: Handle, session: str) -> tuple[Message, ...]:
    """What is read; nothing of a session that is not known, or of one that raises."""
    outcome: Outcome = handle.invoke(Read("s0"), session)
    return () if outcome.failure is not None or unknown(outcome) else tuple(outcome.value)


def _made(trial: Trial) -> list[str]:
    """The lines that fill three sessions."""
    out = made(trial, *_SIZES)
    for name, size in _SIZES.items():
        out += [f"store.append({name}, [{said(trial, f'{name} says {at}')}])" for at in range(size)]
    return out
