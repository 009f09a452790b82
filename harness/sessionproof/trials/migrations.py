"""Legacy files, taken over and given back.

The files are of the packaged schemas, with drawn contents. What is asked of the store is asked of
a handle elsewhere; a schema whose first file, in which all is right, is refused is one that the
store does not take over.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, replace
from functools import cached_property, partial
from itertools import count, cycle
from pathlib import Path
from typing import Any

from sessionproof.checks.counters import FACTS, kept_facts
from sessionproof.checks.messages import compare
from sessionproof.contract.anomalies import Anomaly
from sessionproof.contract.clock import monotonic_s
from sessionproof.contract.message import Message, SessionInfo
from sessionproof.contract.operations import Append, Count, Get, List, Outcome, Read
from sessionproof.contract.upkeep import Migrated
from sessionproof.contract.verdicts import Finding
from sessionproof.scripts.expressions import Unwritable
from sessionproof.scripts.migrations import migrated_script, rolled_back_script
from sessionproof.trials.chats import at, courier, folder_for, require_end
from sessionproof.trials.inputs import good_message
from sessionproof.trials.legacy_files import SCHEMAS, LegacyFile, drawn, written
from sessionproof.trials.lines import made, said
from sessionproof.trials.single import Lines, NotClaimed, Trial
from sessionproof.workload import upkeep
from sessionproof.workload.guard import CannotOpen, Handle
from sessionproof.workload.sessions import begin

_NAME = "old.db"


def taken_over(trial: Trial) -> None:
    """Migrate legacy files; raises Broken, NotClaimed.

    Every valid message is in its session, the other rows are counted and told, counters are right,
    a dry run says beforehand what comes of it, and to migrate again changes nothing.
    """
    with courier(trial) as lender:
        for legacy in _files(trial, lender):
            _TakenOver(trial, lender, legacy).judge()
            trial.count("files")


def rolled_back(trial: Trial) -> None:
    """Migrate legacy files, append, roll back; raises Broken, NotClaimed.

    The file lies elsewhere, or in the directory, under a name of its own or the store's. It is
    then byte for byte what it was, with its log.
    """
    own = _own_name(trial) or _NAME
    with courier(trial) as lender:
        for legacy, name in zip(_files(trial, lender), cycle((own, None, own, _NAME))):
            # In the store's own place its log would be that of the new file as well.
            _roll_back(trial, lender, replace(legacy, logged=name != own), name)
            trial.count("files")


def _files(trial: Trial, lender: Handle) -> Iterator[LegacyFile]:
    """Files to migrate: one of each schema, then more as long as there is time."""
    start_s, refusals = monotonic_s(), {one: _refused(trial, lender, one) for one in SCHEMAS}
    taken = [schema for schema, why in refusals.items() if not why]
    if not taken:
        told = "; ".join(f"{schema}: {why}" for schema, why in refusals.items())
        raise NotClaimed(f"the store takes over none of the legacy schemas ({told})")
    if len(taken) < len(SCHEMAS):
        trial.notes.append(f"of the legacy schemas, the store takes over {', '.join(taken)}")
    for number in count(1):
        for schema in taken:
            if number > 1 and trial.enough(monotonic_s() - start_s):
                return
            yield drawn(trial.seed, schema, number)


def _refused(trial: Trial, lender: Handle, schema: str) -> str:
    """Why the store does not take over a file in which all is right; empty where it does."""
    legacy = drawn(trial.seed, schema, 0)
    path = folder_for(trial, "legacy") / _NAME
    written(legacy, path)
    outcome = upkeep.migrate(lender, path, folder_for(trial, "migrated"), dry_run=True)
    require_end(trial, outcome, f"asked for a dry run of the migration of {legacy.words}")
    failure = outcome.failure
    return failure.text[:120] if failure is not None and outcome.type == "fail" else ""


def _own_name(trial: Trial) -> str | None:
    """The name of the store's own database file in its directory, where it shows one."""
    if "tables" not in trial.capabilities:
        return None
    trial.store.fresh_location()
    shown = trial.store.handle().perform("tables", lambda call: str(call("tables").path))
    trial.store.close()
    path = Path(shown.value) if shown.type == "ok" else None
    here = path is not None and path.parent.resolve() == trial.store.location.root.resolve()
    return path.name if path is not None and here else None


@dataclass
class _TakenOver:
    """One file, and what came of it."""

    trial: Trial
    lender: Handle
    legacy: LegacyFile

    @cached_property
    def path(self) -> Path:
        """The old file."""
        path = folder_for(self.trial, "legacy") / _NAME
        written(self.legacy, path)
        return path

    @cached_property
    def files(self) -> Mapping[str, bytes]:
        """The old file and its log, as they were before."""
        return _bytes(self.path.parent)

    def judge(self) -> None:
        """Raise Broken."""
        directory = folder_for(self.trial, "migrated")
        assert self.files  # read before anybody else sees them
        would = self._migrate(directory, "asked for a dry run", dry_run=True)
        self._require(
            not _bytes(directory), Anomaly.OVERWRITTEN, "asked for a dry run",
            "nothing is written", f"there are {', '.join(_bytes(directory))}",
        )  # fmt: skip
        answer = self._migrate(directory, "migrated")
        self._told(would, answer)
        self._served(directory, "migrated")
        again = self._migrate(directory, "migrated twice")
        self._require(
            not again.changed, Anomaly.WRONG_ANSWER, "migrated twice",
            "the second time answers changed=False", "changed=True",
        )  # fmt: skip
        self._served(directory, "migrated twice")

    def _migrate(self, directory: Path, did: str, *, dry_run: bool = False) -> Migrated:
        outcome = upkeep.migrate(self.lender, self.path, directory, dry_run=dry_run)
        answer: Migrated = self._ok(outcome, did)
        return answer

    def _told(self, would: Migrated, answer: Migrated) -> None:
        """What is answered is what was in the file."""
        legacy = self.legacy
        wanted = (len(legacy.sessions), legacy.messages)
        seen = (answer.sessions, answer.messages)
        self._require(
            seen == wanted, Anomaly.WRONG_ANSWER, "migrated",
            "sessions={}, messages={}".format(*wanted),
            "sessions={}, messages={}".format(*seen),
        )  # fmt: skip
        self._require(
            answer.set_aside >= len(legacy.stray) and bool(answer.notes or not legacy.stray),
            Anomaly.LOST_MESSAGE,
            "migrated",
            f"set_aside={len(legacy.stray)}, and a note that tells of them",
            f"set_aside={answer.set_aside}, notes={answer.notes}",
        )
        self._require(
            answer.changed, Anomaly.WRONG_ANSWER, "migrated", "changed=True", "changed=False"
        )
        foretold = (would.sessions, would.messages, would.set_aside)
        self._require(
            foretold == (*seen, answer.set_aside), Anomaly.WRONG_ANSWER, "asked for a dry run",
            "sessions={}, messages={}, set_aside={}".format(*seen, answer.set_aside),
            "sessions={}, messages={}, set_aside={}".format(*foretold),
        )  # fmt: skip

    def _served(self, directory: Path, did: str) -> None:
        """Every session is read, counted and in order."""
        store = at(self.trial, directory)
        try:
            handle = store.handle()
            for name, expected in self.legacy.sessions.items():
                self._session(handle, name, expected, did)
            if "list" in handle.capabilities:
                self._listed(self._ok(handle.invoke(List()), did), did)
            if "verify" in handle.capabilities:
                found = self._ok(upkeep.verify(handle), did)
                self._require(
                    found.ok, Anomaly.COUNTER_DRIFT, did, "verify finds nothing wrong",
                    "; ".join(found.problems[:2]),
                )  # fmt: skip
        except CannotOpen as error:
            self._require(False, Anomaly.UNREADABLE, did, "the new store opens", str(error))
        finally:
            store.close()

    def _session(self, handle: Handle, name: str, expected: Sequence[Message], did: str) -> None:
        seen = self._ok(handle.invoke(Read("s0"), name), did)
        wrong = compare(expected, seen, self._fields)
        if wrong is not None:
            self._require(
                False, wrong.anomaly, f"{did}, and read the session {name}",
                wrong.expected, wrong.seen,
            )  # fmt: skip
        if "count" in handle.capabilities:
            counted = self._ok(handle.invoke(Count("s0"), name), did)
            self._counter(name, "count", counted, len(expected), did)
        info = self._ok(handle.invoke(Get("s0"), name), did) if self._facts else None
        if isinstance(info, SessionInfo):
            for fact, field in self._facts.items():
                real = sum((getattr(one, field) or 0) if field else 1 for one in expected)
                if getattr(info, fact) is not None:
                    self._counter(name, fact, getattr(info, fact), real, did)

    def _counter(self, name: str, fact: str, seen: int, real: int, did: str) -> None:
        self._require(
            seen == real, Anomaly.COUNTER_DRIFT, f"{did}, and asked for the counters of {name}",
            f"{fact} {real}, as its messages give", f"{fact} {seen}",
        )  # fmt: skip

    def _listed(self, listed: Sequence[str], did: str) -> None:
        more = sorted(set(listed) - self.legacy.sessions.keys())
        less = sorted(self.legacy.sessions.keys() - set(listed))
        told = [f"{name!r} is listed" for name in more] + [f"{name!r} is not" for name in less]
        anomaly = Anomaly.PHANTOM_SESSION if more else Anomaly.LOST_SESSION
        self._require(
            not told, anomaly, did, "exactly the sessions of the file are listed", "; ".join(told)
        )

    @property
    def _fields(self) -> frozenset[str]:
        return frozenset(self.trial.claims.keeps - {"id", "kind", "name", "call_id", "arguments"})

    @property
    def _facts(self) -> dict[str, str | None]:
        if "get" not in self.trial.capabilities:
            return {}
        return {fact: FACTS[fact] for fact in kept_facts(tuple(FACTS), self.trial.claims)}

    def _ok(self, outcome: Outcome, did: str) -> Any:
        _owed(self.trial, outcome, f"{did}: {self.legacy.words}", self._lines)
        return outcome.value

    def _require(self, holds: bool, anomaly: Anomaly, did: str, expected: str, seen: str) -> None:
        """Raise Broken unless it holds, with a script that does all of it again."""
        if not holds:
            told = f"{did}: {self.legacy.words}"
            finding = Finding(anomaly=anomaly, did=told, expected=expected, seen=seen)
            raise self.trial.broken(finding, self._lines)

    def _lines(self) -> list[str]:
        return migrated_script(
            self.files,
            _NAME,
            words=self.legacy.words,
            sessions=self.legacy.sessions,
            stray=len(self.legacy.stray),
            fields=sorted(self._fields),
            facts=self._facts,
            counts="count" in self.trial.capabilities,
        )


def _roll_back(trial: Trial, lender: Handle, legacy: LegacyFile, inside: str | None) -> None:
    """Migrate, append, roll back. ``inside`` is the file's name where it lies in the directory."""
    directory = folder_for(trial, "migrated")
    place = folder_for(trial, "legacy") if inside is None else directory
    path = place / (inside or _NAME)
    written(legacy, path)
    before = _bytes(place)
    where = "elsewhere" if inside is None else f"in the directory, as {inside}"
    did = f"migrated {legacy.words} that lies {where}"
    lines = partial(
        rolled_back_script, before, path.name, words=legacy.words, inside=inside is not None,
        made=[*made(trial, "s0"), f"store.append(s0, [{said(trial, 'after')}])"],
    )  # fmt: skip
    _owed(trial, upkeep.migrate(lender, path, directory), did, lines)
    did += ", appended, and rolled back"
    _written_since(trial, directory, did, lines)
    _owed(trial, upkeep.rollback(lender, directory), did, lines)
    for name, data in before.items():
        there = place / name
        if not data and name != path.name:
            continue  # an empty log says as much as none
        if not there.is_file() or there.read_bytes() != data:
            seen = f"{name} is {'another' if there.is_file() else 'gone'}"
            expected = "the old file is where it was, byte for byte, and its log with it"
            finding = Finding(anomaly=Anomaly.OVERWRITTEN, did=did, expected=expected, seen=seen)
            raise trial.broken(finding, lines)


def _written_since(trial: Trial, directory: Path, did: str, lines: Lines) -> None:
    """Append a message to what was migrated."""
    store = at(trial, directory)
    try:
        handle = store.handle()
        session = begin(handle, "since", trial.claims, trial.capabilities)
        _owed(trial, session, did, lines)
        append = Append("s0", (good_message(trial, "after"),))
        _owed(trial, handle.invoke(append, str(session.value)), did, lines)
    except CannotOpen as error:
        finding = Finding(
            anomaly=Anomaly.UNREADABLE, did=did, expected="the new store opens", seen=str(error)
        )
        raise trial.broken(finding, lines) from None
    finally:
        store.close()


def _owed(trial: Trial, outcome: Outcome, did: str, lines: Lines) -> None:
    """Raise Broken unless the call succeeded."""
    script: Sequence[str] = ()
    if outcome.failure is not None:
        with suppress(Unwritable):
            script = lines()
    trial.require_ok(outcome, did, script)


def _bytes(folder: Path) -> dict[str, bytes]:
    """What lies in a folder, by name."""
    return {
        str(one.relative_to(folder)): one.read_bytes()
        for one in sorted(folder.rglob("*"))
        if one.is_file()
    }
