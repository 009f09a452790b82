"""Damaged files are refused in one line, or read as far as they are sound; never a traceback."""

import json
import os
import random
import shutil
import sys
from pathlib import Path

import pytest
from commanded import command
from damaging import damaged
from hostile_words import assert_harmless

from fixtures.legacy import build
from fixtures.legacy import damaged as legacy_databases
from sessionproof import Message
from sessionproof.bench.tracking.archive import Archive
from sessionproof.bench.tracking.archived import to_line
from sessionproof.contract.anomalies import Anomaly
from sessionproof.contract.verdicts import Finding, Record, Verdict, record_to_json
from sessionproof.engine.records import read_events, read_records, value_of
from sessionproof.history import files
from sessionproof.history.columns import F, Phase, Type
from sessionproof.history.journal import Journal
from sessionproof.history.tokens import text_of
from sessionproof.reference import ReferenceStore
from sessionproof.report.result import RunResult, concluded, merge
from sessionproof.report.scoreboard.files import write_board
from sessionproof.report.write import write_result

sys.path += [str(Path(__file__).parents[1] / name) for name in ("bench", "report")]

from archived_runs import night
from scoreboard_samples import BROKEN, SOUND, board

MANY = "SESSIONPROOF_DEEP" in os.environ
NUMBER = 120 if MANY else 4


def a_result():
    """The result of a run, with a break."""
    finding = Finding(
        anomaly=Anomaly.CHANGED, did="a", expected="b", seen="c", program=("store.read('s')",)
    )
    record = Record(
        guarantee="CORE-01", test="t", verdict=Verdict.BROKEN, findings=(finding,), examined=9
    )
    return concluded(
        RunResult(
            store="x:Store",
            store_version="1",
            profile="gate",
            seed=1,
            sessionproof="0",
            guarantees=merge([record], ("CORE-01",)),
            started_at="2026-01-01T00:00:00+00:00",
        )
    )


@pytest.fixture(scope="module")
def good(tmp_path_factory):
    """A folder of good files, one of each kind."""
    folder = tmp_path_factory.mktemp("good")
    chats = folder / "chats"
    chats.mkdir()
    with ReferenceStore(chats, durability="process") as store:
        for number in range(6):
            messages = [Message("user", f"text {number} {at}", tokens=at) for at in range(5)]
            store.create(f"s{number}", title=f"title {number}", messages=messages)
            store.set_state(f"s{number}", "k", {"a": number})
        store.snapshot("s1")
        Path(store.backup(str(folder))).rename(folder / "backup.db")
    shutil.copyfile(chats / "sessions.db", folder / "sessions.db")
    for form in ("full", "chat"):
        assert command("export", chats, "--to", folder / f"{form}.jsonl", "--format", form)[0] == 0
    assert command("export", chats, "--to", folder / "csv", "--format", "csv")[0] == 0
    (old,) = [one for one in legacy_databases() if one.name == "enhanced"]
    build(old, folder / "legacy.db")
    write_result(a_result(), folder)
    runs = [night(number, 1.2, 1.3) for number in range(3)]
    (folder / "runs.jsonl").write_text("".join(f"{to_line(run)}\n" for run in runs), "ascii")
    with Archive.opened(folder / "archive.db") as archive:
        archive.add(runs)
    write_board(board(SOUND, BROKEN), folder / "board")
    (folder / "known.toml").write_text('[known]\nCORE-01 = "we know"\n')
    return folder


@pytest.fixture(scope="module")
def history(tmp_path_factory):
    """A folder with the history of two clients: an append of two messages, and a read of them."""
    folder = tmp_path_factory.mktemp("told") / "history"
    folder.mkdir()
    clients = [Journal(folder, number, every=1) for number in range(2)]
    files.name_sessions(folder, ("s1",))
    appended = clients[0].invoke(F.APPEND, 0, 1 << 8, 2, Phase.LOAD)
    clients[0].complete(appended, type=Type.OK, value=7)
    for phase in (Phase.LOAD, Phase.FINAL):
        read = clients[1].invoke(F.READ, 0, 2 << 8, 0, phase)
        clients[1].answered(read, [text_of(1 << 8), text_of((1 << 8) + 1)])
    for client in clients:
        client.close()
    return folder


READERS = {
    "audit": ("sessions.db", lambda bad, to: ("audit", bad)),
    "audit-legacy": ("legacy.db", lambda bad, to: ("audit", bad, "--json")),
    "verify": ("sessions.db", lambda bad, to: ("verify", bad)),
    "sessions": ("sessions.db", lambda bad, to: ("sessions", bad)),
    "recover": ("sessions.db", lambda bad, to: ("recover", bad, "--to", to)),
    "browse": ("sessions.db", lambda bad, to: ("browse", bad, "--out", to / "page.html")),
    "export": ("sessions.db", lambda bad, to: ("export", bad, "--to", to / "out.jsonl")),
    "restore": ("backup.db", lambda bad, to: ("restore", bad, "--to", to)),
    "migrate": ("legacy.db", lambda bad, to: ("migrate", bad, "--to", to)),
    "import-full": ("full.jsonl", lambda bad, to: ("import", bad, "--to", to)),
    "import-chat": ("chat.jsonl", lambda bad, to: ("import", bad, "--to", to)),
    "import-database": ("legacy.db", lambda bad, to: ("import", bad, "--to", to)),
    "bench-import": ("runs.jsonl", lambda bad, to: ("bench", "import", bad, "--archive", to / "a")),
    "bench-result": (
        "result.json", lambda bad, to: ("bench", "import", bad, "--archive", to / "a"),
    ),
    "bench-merge": ("archive.db", lambda bad, to: ("bench", "merge", bad, "--archive", to / "a")),
    "bench-trend": ("archive.db", lambda bad, to: ("bench", "trend", "--archive", bad,
                                                   "--report", to / "r")),
    "compare": (
        "result.json",
        lambda bad, to: ("compare", bad, bad.parent / "sound", "--out", to / "page.html"),
    ),
    "baseline": (
        "known.toml", lambda bad, to: ("run", "no-such-store", "--baseline", bad, "--report", to),
    ),
}  # fmt: skip


@pytest.mark.parametrize("reader", READERS)
def test_a_damaged_file_is_told(reader, good, tmp_path):
    """A command ends with an exit code of its own, says at most a line on stderr, changes nothing.

    What it prints is harmless, whatever was in the file.
    """
    name, words = READERS[reader]
    sound = (good / name).read_bytes()
    for seed in range(NUMBER):
        chance = random.Random(f"{reader} {seed}")
        bad, to = tmp_path / f"bad-{seed}" / name, tmp_path / f"to-{seed}"
        bad.parent.mkdir()
        to.mkdir()
        (bad.parent / "sound").write_bytes(sound)
        bad.write_bytes(damaged(sound, chance))
        before = bad.read_bytes()
        code, out, err = command(*words(bad, to))
        assert code in (0, 1, 2, 4), (reader, seed, code, err)
        assert_harmless(out)
        assert_harmless(err)
        if code == 2:
            assert 1 <= len(err.splitlines()) <= 2, (reader, seed, err)
        assert bad.read_bytes() == before, (reader, seed)
        shutil.rmtree(to)
        shutil.rmtree(bad.parent)


@pytest.mark.parametrize("reader", ["backup", "restore", "migrate", "recover", "verify", "export"])
def test_words_that_are_no_text_are_told(reader, good, tmp_path):
    """SQLite quotes a damaged schema as it is: it is told as damage, though it is no UTF-8."""
    bad = tmp_path / "bad.db"
    data = (good / "legacy.db").read_bytes()
    assert data.count(b"CREATE TRIGGER ") > 0
    bad.write_bytes(data.replace(b"CREATE TRIGGER ", b"CREATE TRI\xff\xfeER "))
    to = tmp_path / "to"
    to.mkdir()
    where = {"verify": (), "backup": ("--to", to), "export": ("--to", to / "x")}
    code, out, err = command(reader, bad, *where.get(reader, ("--to", to)))
    assert code in (1, 2), (code, out, err)
    assert_harmless(out)
    assert_harmless(err)
    assert [one.name for one in to.iterdir() if code == 2] == []


def damaged_folder(good, to, chance):
    """A copy of the folder in which one file is damaged."""
    shutil.copytree(good, to)
    path = chance.choice(sorted(one for one in to.rglob("*") if one.is_file()))
    path.write_bytes(damaged(path.read_bytes(), chance))
    return path


@pytest.mark.parametrize("kind", ["csv", "board"])
def test_a_damaged_folder_is_told(kind, good, tmp_path):
    """So does one that reads a folder, of which one file is damaged."""
    for seed in range(NUMBER):
        bad, to = tmp_path / f"bad-{seed}", tmp_path / f"to-{seed}"
        to.mkdir()
        changed = damaged_folder(good / kind, bad, random.Random(f"{kind} {seed}"))
        words = ("import", bad, "--to", to) if kind == "csv" else ("scoreboard", "--from", bad)
        code, out, err = command(*words)
        assert code in (0, 1, 2, 4), (seed, changed, code, err)
        assert_harmless(out)
        assert_harmless(err)


@pytest.mark.parametrize("what", ["show", "check", "export"])
def test_a_damaged_history_is_told(what, history, tmp_path):
    """A history whose files are damaged is refused in a line, or shown as far as it goes."""
    for seed in range(NUMBER):
        bad = tmp_path / f"bad-{what}-{seed}"
        changed = damaged_folder(history, bad, random.Random(f"{what} {seed}"))
        words = ("history", what, bad)
        if what == "export":
            words += ("--as", "elle", "--out", tmp_path / f"out-{seed}")
        code, out, err = command(*words)
        assert code in (0, 1, 2, 4), (seed, changed, code, err)
        assert_harmless(out)
        assert_harmless(err)


def test_damaged_records_are_told(tmp_path):
    """A record that cannot be read says "could not tell" of its guarantee, or is not there."""
    record = record_to_json(Record(guarantee="CORE-01", test="t", verdict=Verdict.HOLDS))
    begun = {"event": "begun", "nodeid": "a", "guarantee": "CORE-01", "worker": "gw0"}
    sound = f"{json.dumps(begun)}\n{json.dumps(record)}\n".encode()
    for seed in range(20 * NUMBER):
        bad = damaged(sound, random.Random(seed))
        (tmp_path / "records-gw0.jsonl").write_bytes(bad)
        read = read_records(tmp_path)
        assert {one.guarantee for one in read} <= {"CORE-01"} | {one.guarantee for one in read}
        assert all(isinstance(one.get("event"), object) for one in read_events(tmp_path))
        for line in bad.splitlines():
            value = value_of(line)
            assert value is None or "event" in value or "verdict" in value
