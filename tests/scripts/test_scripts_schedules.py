"""Scripts of schedules: they fail each time against a broken store, and hold once it is mended."""

from __future__ import annotations

import importlib
import subprocess
import sys
import tempfile
import textwrap
from pathlib import Path

import pytest

from sessionproof.checks.history import judge_history
from sessionproof.contract.anomalies import Anomaly
from sessionproof.contract.claims import Claims
from sessionproof.contract.guarantees import GUARANTEES
from sessionproof.contract.location import Location
from sessionproof.contract.lookup import find_store
from sessionproof.contract.message import Message
from sessionproof.contract.verdicts import Finding, Record, Verdict
from sessionproof.engine.reproduce import reproduce
from sessionproof.engine.scripts import source_of
from sessionproof.schedule.decisions import Ended, Key
from sessionproof.schedule.found import Found, Wrong
from sessionproof.schedule.locks import patched
from sessionproof.schedule.points import controlled
from sessionproof.schedule.program import Setup
from sessionproof.schedule.replay import program_of
from sessionproof.schedule.runner import Runner
from sessionproof.schedule.strategies import RandomWalk, Replay
from sessionproof.schedule.table import table_of
from sessionproof.scripts.expressions import Unwritable
from sessionproof.scripts.schedules import schedule_script
from sessionproof.workload.speech import Speech

STORES = '''
"""Stores that lose to a schedule, and the same with the lock that they lack."""

import sqlite3
import threading

from sessionproof import Message, Receipt, SessionInfo


class Loses:
    """Takes the next number, and lets others take it before it is used."""

    begin = "BEGIN"

    def __init__(self, location):
        self.db = sqlite3.connect(
            location.path("s.db"), isolation_level=None, check_same_thread=False
        )
        self.db.execute("CREATE TABLE IF NOT EXISTS m (s, n, text, tokens, UNIQUE (s, n))")
        self.db.execute("CREATE TABLE IF NOT EXISTS c (s PRIMARY KEY, n, tokens)")

    def _next(self, session):
        return self.db.execute(
            "SELECT coalesce(max(n), 0) + 1 FROM m WHERE s = ?", (session,)
        ).fetchone()[0]

    def append(self, session, messages):
        first = self._next(session)
        for at, one in enumerate(messages):
            self.db.execute(
                "REPLACE INTO m VALUES (?, ?, ?, ?)",
                (session, first + at, one.content, one.tokens),
            )
        return Receipt(seqs=[first + at for at in range(len(messages))])

    def read(self, session):
        rows = self.db.execute("SELECT text FROM m WHERE s = ? ORDER BY n", (session,))
        return [Message("user", text) for (text,) in rows.fetchall()]

    def clear(self, session):
        self.db.execute("DELETE FROM m WHERE s = ?", (session,))

    def get(self, session):
        row = self.db.execute(
            "SELECT count(*), coalesce(sum(tokens), 0) FROM m WHERE s = ?", (session,)
        ).fetchone()
        return SessionInfo(session_id=session, message_count=row[0], total_tokens=row[1])

    def close(self):
        self.db.close()


class Drifts(Loses):
    """Counts what it has written in a row that two may read at once."""

    def append(self, session, messages):
        self.db.execute("BEGIN IMMEDIATE")
        with self.db:
            super().append(session, messages)
        n, tokens = self._kept(session)
        total = sum(one.tokens or 0 for one in messages)
        row = (session, n + len(messages), tokens + total)
        self.db.execute("REPLACE INTO c VALUES (?, ?, ?)", row)

    def _kept(self, session):
        row = self.db.execute("SELECT n, tokens FROM c WHERE s = ?", (session,)).fetchone()
        return row or (0, 0)

    def get(self, session):
        n, tokens = self._kept(session)
        return SessionInfo(session_id=session, message_count=n, total_tokens=tokens)


class Waits(Loses):
    """Takes two locks, and readers take them the other way round."""

    one, other = threading.Lock(), threading.Lock()

    def append(self, session, messages):
        with self.one, self.other:
            return super().append(session, messages)

    def read(self, session):
        with self.other, self.one:
            return super().read(session)


class Mended(Loses):
    """All of an append in one transaction that excludes others."""

    def append(self, session, messages):
        self.db.execute("BEGIN IMMEDIATE")
        with self.db:
            return super().append(session, messages)
'''
CLAIMS = Claims(
    handles="threads", consistency="linearizable", seq_start=1,
    keeps=frozenset({"role", "content", "tokens"}),
)  # fmt: skip
SAMPLE = Message("user", "x")
APPEND, OTHER = (1, "append", 0, 1), (2, "append", 0, 1)
TWO = [[APPEND], [OTHER]]


@pytest.fixture
def stores(tmp_path, monkeypatch):
    """The folder of the stores, which can be imported."""
    (tmp_path / "scheduled.py").write_text(textwrap.dedent(STORES))
    monkeypatch.syspath_prepend(str(tmp_path))
    yield tmp_path
    sys.modules.pop("scheduled", None)


def wrong_of(run):
    """What is wrong with an execution."""
    if run.ended is not Ended.DONE:
        return Wrong(Anomaly.HANG, "everybody waits")
    found = judge_history(run.history, CLAIMS).incidents
    if not found:
        return None
    first = found[0]
    return Wrong(first.anomaly, first.sentence, first.session, first.rows, first.ids)


def search(folder, store, program, wanted, *, counted=True):
    """The first of many random schedules that shows this anomaly, replayed once more."""
    with controlled([folder]):
        spec = find_store(f"scheduled:{store}")
        patched(importlib.import_module("scheduled"))
        setup = Setup(spec, "threads", 2, Speech(SAMPLE, counted))

        runner = Runner(setup, lambda: Location(Path(tempfile.mkdtemp(dir=folder))))
        try:
            for seed in range(800):
                run = runner.run(program, RandomWalk(seed), fresh=True)
                assert not run.problem, run.problem
                wrong = wrong_of(run)
                if wrong is not None and wrong.anomaly in wanted:
                    again = runner.run(program, Replay(run.decisions), fresh=True)
                    return Found(
                        program, run.decisions, again, wrong_of(again), seed, 0.0, "random"
                    )
        finally:
            runner.close()
    raise AssertionError("no schedule shows it")


@pytest.fixture
def ran(stores):
    """What the engine says of a script, run against one of the stores."""

    def run(store, anomaly, script):
        finding = Finding(anomaly=anomaly, did="d", expected="e", seen="s", script=script)
        record = Record(guarantee="CONC-14", test="t", verdict=Verdict.BROKEN, findings=(finding,))
        report = stores / "report"
        (out,) = reproduce(f"scheduled:{store}", [record], report, directory=stores)
        return out.findings[0].reproducer, (report / "repro" / "CONC-14.py").read_text()

    return run


def written(found, *, counted=True):
    return schedule_script(found, kind="threads", claims=CLAIMS, sample=SAMPLE, counted=counted)


SEQUENCES = {Anomaly.DUPLICATE_SEQUENCE, Anomaly.LOST_MESSAGE}
BREAKS = [
    ("Loses", TWO, SEQUENCES, ("", "is not in the last read", "was given 2 times")),
    (
        "Drifts",
        [[APPEND], [OTHER, (3, "count", 0, 0)]],
        {Anomaly.COUNTER_DRIFT},
        ("the count is 1, and 2 messages",),
    ),
    (
        "Waits",
        [[APPEND], [(2, "read", 0, 0)]],
        {Anomaly.HANG},
        ("it ended as deadlock: client 1 waits: take the lock; client 2",),
    ),
    (
        "Loses",
        [[APPEND, (3, "clear", 0, 0)], [OTHER, (4, "read", 0, 0)]],
        set(Anomaly) - {Anomaly.HANG},
        ("these answers cannot be",),
    ),
]


@pytest.mark.parametrize(("store", "clients", "wanted", "said"), BREAKS)
def test_a_script_fails_in_each_of_its_replays(stores, ran, store, clients, wanted, said):
    """It breaks the rule in 20 of 20 replays, and never once the store is mended."""
    found = search(stores, store, program_of(clients), wanted)
    script = written(found)
    made, text = ran(store, found.wrong.anomaly, script)
    assert made.fails, (made, text)
    assert any(part and part in made.said for part in said), made.said
    assert "open_store" not in text  # the store is imported under control alone
    mended, _ = ran("Mended", found.wrong.anomaly, script)
    assert mended.fails is False, mended


def test_a_script_prints_its_table(stores):
    """Run by a person it prints steps in columns, how often it broke, and the sentence."""
    found = search(stores, "Loses", program_of(TWO, before=[(9, "append", 0, 2)]), SEQUENCES)
    file = stores / "repro.py"
    finding = Finding(
        anomaly=found.wrong.anomaly, did="d", expected="e", seen="s", script=written(found)
    )  # fmt: skip
    text = source_of("scheduled:Loses", GUARANTEES["CONC-14"], finding, file)
    file.write_text(text)
    ended = subprocess.run(
        [sys.executable, str(file)], cwd=stores, capture_output=True, text=True, timeout=60,
        check=False,
    )  # fmt: skip
    assert ended.returncode == 1, ended.stderr
    assert "20 of 20 replays" in ended.stdout
    assert "before: append a b" in ended.stdout
    assert "client 1" in ended.stdout
    assert "is stopped before:" in ended.stdout
    assert "AssertionError" in ended.stderr
    table = table_of(found)
    assert table.interruptions >= 1
    assert table.clients == ("client 1", "client 2")
    for line in text.splitlines():
        assert len(line) <= 120


def test_deviations_are_told_in_words(stores):
    """Each decision of a schedule says who is stopped in front of what, and who goes on."""
    found = search(stores, "Loses", program_of(TWO), SEQUENCES)
    lines = [line for line in written(found) if line.startswith("    ((")]
    assert len(lines) == len(found.schedule)
    for line, (key, then) in zip(lines, found.schedule, strict=True):
        assert line.startswith(f"    ({tuple(key)}, {then}),  # ")
        assert line.endswith(f"client {then + 1} goes on")
    never = Found(
        found.program, ((Key(1, 99, 1), 0),), found.run, found.wrong, 1, 0.0, "random"
    )  # fmt: skip
    assert any("when client 2 has no more to do" in line for line in written(never))


def test_what_no_rule_sees_is_held_to_its_answers(stores):
    """A rule that would let the found execution pass is not written."""
    found = search(stores, "Loses", program_of(TWO), SEQUENCES)
    other = Found(
        found.program, found.schedule, found.run, Wrong(Anomaly.FUTURE_READ, "x"), 1, 0.0, "random"
    )
    lines = written(other)
    assert any("seen == found" in line for line in lines)
    assert not any("was read before it was sent" in line for line in lines)
    assert not any("seen == found" in line for line in written(found))


def test_a_schedule_without_end_is_no_script(stores):
    """Where it would be too long for a person, it is said so."""
    found = search(stores, "Loses", program_of(TWO), SEQUENCES)
    long = tuple((Key(0, 1, at), 1) for at in range(2_000))
    with pytest.raises(Unwritable, match="too long"):
        written(Found(found.program, long, found.run, found.wrong, 1, 0.0, "random"))
