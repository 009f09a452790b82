"""Backups and restores on PostgreSQL: whole, private, all or nothing, and taken back."""

import random
import shutil
import signal
import stat
import subprocess
import sys
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import psycopg
import pytest

from sessionproof.contract.addresses import schema_of
from sessionproof.contract.errors import Refused
from sessionproof.contract.message import Message
from sessionproof.reference.postgres import programs, restoring, scripts, steps
from sessionproof.reference.postgres.place import Place
from sessionproof.reference.postgres.store import PostgresStore
from sessionproof.reference.steps import Step
from sessionproof.trials.bad_backups import BAD, foreign_database

TEXTS = (
    "plain", "two\nlines", "\\.", "\\N", "tab\t\\t", "é ❤ \u2028", "", "COPY x.y (a) FROM stdin;"
)  # fmt: skip


@pytest.fixture
def folder(tmp_path):
    made = tmp_path / "backups"
    made.mkdir()
    return made


@pytest.fixture
def at(server, tmp_path):
    """Opens the store of a directory of this name; its schema is dropped at the end."""
    stores = []

    def open_at(name):
        directory = tmp_path / name
        directory.mkdir(exist_ok=True)
        stores.append(PostgresStore(directory, url=server.url, preset="cli", durability="process"))
        return stores[-1]

    yield open_at
    for one in stores:
        one.close()
    server.terminate_backends()  # a pg_dump whose caller was killed is still at it
    with psycopg.connect(server.url, autocommit=True) as db:
        for name in {one.schema for one in stores}:
            db.execute(f"DROP SCHEMA IF EXISTS {name} CASCADE")


def filled(store):
    for name in ("a", "b"):
        store.append(name, [Message("user", text, tokens=2) for text in TEXTS])
    store.append("b", [Message("assistant", {"x": [1.0, "é"]}, id="own", metadata={"k": None})])
    store.pop_last("a")
    store.set_state("a", "k", {"deep": ["\\.", "\n"]})
    store.set_llm_model("b", "model")
    store.snapshot("b")
    return store


def contents(store):
    """All that a user can read."""
    ids = sorted(store.list())
    return [
        (one, store.read(one), store.get(one), store.get_state(one, "k"), store.search("plain"))
        for one in ids
    ]


def schemas(url):
    with psycopg.connect(url) as db:
        return {name for (name,) in db.execute("SELECT nspname FROM pg_namespace")}


def test_a_backup_is_whole_and_private(at, folder, server):
    """It holds every row, nobody else may read it, and PostgreSQL's own programs can."""
    store = filled(at("here"))
    made = Path(store.backup(folder))
    assert stat.S_IMODE(made.stat().st_mode) == 0o600
    assert list(folder.iterdir()) == [made]
    tools = programs.client(1)
    assert scripts.row_counts(tools, made)["messages"] == 2 * len(TEXTS)
    listed = subprocess.run([tools.restore, "--list", made], capture_output=True, check=True)
    assert b"TABLE DATA" in listed.stdout


def test_what_is_restored_is_what_was_there(at, folder):
    """Ids, numbers, state, models, snapshots and words are those of the backup; numbers go on."""
    store, other = filled(at("here")), at("there")
    before, made = contents(store), store.backup(folder)
    other.append("gone", [Message("user", "x")])
    kept = store.restore(made, folder.parent / "there")
    assert kept is not None
    assert Path(kept).parent == folder.parent / "there"
    assert contents(other) == before
    assert [one.snapshot_id for one in other.snapshots("b")] == [
        one.snapshot_id for one in store.snapshots("b")
    ]
    assert other.verify().ok
    assert other.append("b", [Message("user", "more")]).seqs == (len(TEXTS) + 2,)
    assert other.append("new", [Message("user", "more")]).seqs == (1,)
    store.restore(kept, folder.parent / "there")
    assert other.list() == ["gone"]
    assert [one.content for one in other.read("gone")] == ["x"]


def test_into_nothing(at, folder, tmp_path):
    """A directory whose schema is not there gets one, and there is no copy of nothing."""
    store = filled(at("here"))
    made = store.backup(folder)
    (tmp_path / "fresh").mkdir()
    assert store.restore(made, tmp_path / "fresh") is None
    assert contents(at("fresh")) == contents(store)


def test_a_handle_that_is_open_goes_on(at, folder):
    """Whoever has the schema open, and has asked it before, reads and writes what was restored."""
    store, user = filled(at("here")), at("there")
    for _ in range(9):  # so that its statements are prepared
        user.append("a", [Message("user", "old")])
        user.read("a")
    made = store.backup(folder)
    store.restore(made, folder.parent / "there")
    assert user.read("a") == store.read("a")
    user.append("a", [Message("user", "new")])
    assert user.count("a") == store.count("a") + 1
    assert user.verify().ok


@pytest.mark.parametrize("bad", BAD, ids=lambda bad: bad.words)
def test_a_bad_backup_replaces_nothing(at, folder, bad):
    """One that is empty, cut, overwritten or no dump is refused in a line, and leaves no copy."""
    store, other = filled(at("here")), filled(at("there"))
    other.append("own", [Message("user", "x")])
    before, made = contents(other), Path(store.backup(folder))
    made.write_bytes(bad.spoil(made.read_bytes()))
    with pytest.raises(Refused, match="no backup in order") as told:
        store.restore(made, folder.parent / "there")
    assert "\n" not in str(told.value)
    assert contents(other) == before
    assert not list((folder.parent / "there").iterdir())


def test_files_of_others_are_refused(at, folder, tmp_path, server):
    """A database file, a dump of another application, and nothing at all are no backups."""
    store = at("here")
    foreign_database(folder / "other.db")
    with psycopg.connect(server.url, autocommit=True) as db:
        db.execute("CREATE SCHEMA kitchen CREATE TABLE recipes (name text)")
        db.execute("INSERT INTO kitchen.recipes VALUES ('soup')")
        tools = programs.client(1)
        subprocess.run(
            [tools.dump, "-Fc", "-n", "kitchen", "-f", folder / "kitchen", "-d", server.url],
            check=True,
        )
        db.execute("DROP SCHEMA kitchen CASCADE")
    shutil.copy(folder / "kitchen", folder / "sealed")
    scripts.seal(folder / "sealed")
    for name, why in (
        ("other.db", "does not end as a backup of ours"),
        ("kitchen", "does not end as a backup of ours"),
        ("sealed", "a dump of something else"),
        ("nothing", "it is no file"),
    ):
        with pytest.raises(Refused, match=why):
            store.restore(folder / name, tmp_path / "here")
    with pytest.raises(Refused, match="is no directory: make it first"):
        store.restore(folder / "nothing", tmp_path / "nowhere")
    with pytest.raises(Refused, match="is no folder: make it first"):
        store.backup(tmp_path / "nowhere")


def test_any_damage_is_refused(at, folder):
    """Whatever byte of a backup is another one, or missing: it is refused before it is read."""
    made, tools = Path(filled(at("here")).backup(folder)), programs.client(1)
    right, data = scripts.row_counts(tools, made), made.read_bytes()
    draw = random.Random(5)
    for _ in range(100):
        changed = bytearray(data)
        changed[draw.randrange(len(data))] ^= 1 << draw.randrange(8)
        made.write_bytes(bytes(changed))
        with pytest.raises(Refused, match="no backup in order"):
            scripts.row_counts(tools, made)
        made.write_bytes(data[: draw.randrange(len(data))])
        with pytest.raises(Refused, match="no backup in order"):
            scripts.row_counts(tools, made)
    made.write_bytes(data)
    assert scripts.row_counts(tools, made) == right


def test_an_older_backup_is_brought_up(at, folder, monkeypatch):
    """A backup that has fewer steps than this release gets them, and its data stays."""
    store = filled(at("here"))
    whole = steps.shipped()
    made, before = store.backup(folder), contents(store)
    added = Step(len(whole) + 1, "more", "CREATE TABLE more (id bigint PRIMARY KEY);")
    monkeypatch.setattr(steps, "shipped", lambda: (*whole, added))
    with at("there") as newer:
        store.restore(made, folder.parent / "there")
        assert contents(newer) == before
        assert newer.verify().ok
        of_newer = newer.backup(folder)
    monkeypatch.setattr(steps, "shipped", lambda: whole)
    with pytest.raises(Refused, match=f"has {len(whole) + 1} steps, this release knows"):
        store.restore(of_newer, folder.parent / "here")


def test_data_with_problems_is_no_backup(at, folder, server):
    """A store whose counters are wrong is not backed up, unless one asks for it as it is."""
    store = filled(at("here"))
    with psycopg.connect(server.url, autocommit=True) as db:
        db.execute(f"UPDATE {store.schema}.sessions SET total_tokens = 99 WHERE session_id = 'a'")
    with pytest.raises(Refused, match="as the data has problems"):
        store.backup(folder)
    assert not list(folder.iterdir())
    from sessionproof.reference.postgres.dumps import make_backup

    made = make_backup(Place(server.url, store.schema), folder, as_it_is=True)
    with pytest.raises(Refused, match="choose another backup"):
        store.restore(made.path, folder.parent / "here")
    kept = restoring.put_back(
        made.path, Place(server.url, store.schema), kept_in=folder, as_it_is=True
    )
    assert kept.before is not None
    store.restore(kept.before, folder.parent / "here")  # a copy of what was is taken as it is
    assert store.get("a").total_tokens == 99


def test_old_backups_make_room_for_new_ones(at, folder):
    """So many stay as were asked for; damaged ones count for nothing, others' files stay."""
    store, other = filled(at("here")), filled(at("there"))
    theirs = Path(other.backup(folder))
    notes = folder / "notes.txt"
    notes.write_text("mine")
    made = [Path(store.backup(folder)) for _ in range(3)]
    made[-1].write_bytes(b"nothing")
    made.append(Path(store.backup(folder, keep=2)))
    left = {one.name for one in folder.iterdir()}
    assert left == {one.name for one in (theirs, notes, made[1], made[2], made[3])}


def test_a_dry_run_changes_nothing(at, folder, server):
    """A backup is tried beside what is there; afterwards everything is as before."""
    store = filled(at("here"))
    made = store.backup(folder)
    store.append("a", [Message("user", "newer")])
    before, there = contents(store), schemas(server.url)
    done = restoring.put_back(made, Place(server.url, store.schema), kept_in=folder, dry_run=True)
    assert (done.before, done.rows["messages"]) == (None, 2 * len(TEXTS))
    assert (contents(store), schemas(server.url)) == (before, there)


def test_restores_wait_for_nobody_for_ever(at, folder, server, monkeypatch):
    """Where somebody keeps a table, a restore is refused, and nothing has changed."""
    store = filled(at("here"))
    made, before = store.backup(folder), contents(store)
    from sessionproof.reference.postgres import pool

    monkeypatch.setattr(pool, "LOCK_MS", 200)
    with psycopg.connect(server.url) as db:
        db.execute(f"LOCK TABLE {store.schema}.messages IN ROW EXCLUSIVE MODE")
        with pytest.raises(Refused, match="holds a lock"):
            store.restore(made, folder.parent / "here")
    assert contents(store) == before
    assert not list((folder.parent / "here").iterdir())


def test_a_restore_lets_transactions_end(at, folder, server):
    """Who has locked a session goes on to its messages, and the restore waits until he has."""
    store = filled(at("here"))
    made, before = store.backup(folder), contents(store)
    waiting = "SELECT count(*) FROM pg_locks WHERE NOT granted"
    with ThreadPoolExecutor(1) as thread, psycopg.connect(server.url) as db:
        db.execute(f"SET search_path = {store.schema}")
        db.execute("SELECT FROM sessions FOR UPDATE")
        restored = thread.submit(store.restore, made, folder.parent / "here")
        while db.execute(waiting).fetchone() == (0,) and not restored.done():
            time.sleep(0.01)
        db.execute("DELETE FROM messages")
        db.commit()
        assert restored.result(60)
    assert contents(store) == before


def test_writers_beside_a_backup(at, folder):
    """What was acknowledged before a backup began is in it, and batches are whole."""
    store = at("here")
    ended, said = threading.Event(), []

    def write():
        while not ended.is_set():
            receipt = store.append("a", [Message("user", "x")] * 3)
            said.append(receipt.seqs[-1])

    writer = threading.Thread(target=write)
    writer.start()
    try:
        while len(said) < 5:
            time.sleep(0.01)
        least, made = said[-1], store.backup(folder)
    finally:
        ended.set()
        writer.join()
    with at("there") as other:
        store.restore(made, folder.parent / "there")
        assert other.count("a") >= least
        assert other.count("a") % 3 == 0
        assert other.verify().ok


def test_the_password_is_on_no_command_line(at, folder, server, tmp_path, monkeypatch):
    """pg_dump gets it by its environment, and nothing that is told shows it."""
    real = programs.client(1)
    spy = tmp_path / "pg_dump"
    spy.write_text(f'#!/bin/sh\necho "$PGPASSWORD" "$@" > {tmp_path}/seen\nexec {real.dump} "$@"\n')
    spy.chmod(0o755)
    monkeypatch.setattr(
        programs, "client", lambda _: programs.Client(spy, real.restore, real.version)
    )
    url = server.url.replace("postgresql://", "postgresql://sessionproof:sesame@", 1)
    with PostgresStore(url=url, schema=at("here").schema, preset="cli") as store:
        store.append("a", [Message("user", "x")])
        made = store.backup(folder)
        word, *arguments = (tmp_path / "seen").read_text().split()
        assert word == "sesame"
        assert "sesame" not in " ".join(arguments)
        with pytest.raises(Refused) as told:
            store.restore(folder / "nothing", folder)
        assert "sesame" not in str(told.value) + repr(Place(url, "x")) + made


def test_programs_that_are_missing_or_old(at, folder, monkeypatch):
    """Without pg_dump, or with one that is older than the server, one line says what to install."""
    store = at("here")
    newer = programs.client(1).version + 1
    with pytest.raises(Refused, match=f"is older than the server, which is {newer}: install"):
        programs.client(newer)
    monkeypatch.setattr(programs, "folders", lambda _program: iter(()))
    with pytest.raises(Refused, match=r"not installed here: install .*postgresql-client"):
        store.backup(folder)


_KILLED = """
import sys
from sessionproof.reference.postgres.store import PostgresStore
from sessionproof.reference.steps import Step
with PostgresStore(sys.argv[2], url=sys.argv[1], preset="cli") as store:
    print("ready", flush=True)
    while True:
        if sys.argv[3] == "backup":
            print(store.backup(sys.argv[4]), flush=True)
        else:
            store.restore(sys.argv[4], sys.argv[2])
"""


@pytest.mark.parametrize("what", ["backup", "restore"])
def test_kills_in_the_middle(at, folder, server, tmp_path, what):
    """After kill -9 a restore is done or undone, and a file with a backup's name is a backup."""
    with at("small") as small:
        small.append("only", [Message("user", "x")])
        other = small.backup(folder)
    store = filled(at("here"))
    before = contents(store)
    draw = random.Random(3)
    for _ in range(3):
        into = folder if what == "backup" else other
        process = subprocess.Popen(
            [sys.executable, "-c", _KILLED, server.url, tmp_path / "here", what, into],
            stdout=subprocess.PIPE,
        )
        process.stdout.readline()
        time.sleep(draw.uniform(0.0, 0.6))
        process.send_signal(signal.SIGKILL)
        process.wait()
        process.stdout.close()
        names = sorted(store.list())
        assert names in (["a", "b"], ["only"])
        assert store.verify().ok
        if names == ["a", "b"]:
            assert contents(store) == before
        else:
            (tmp_path / "here").mkdir(exist_ok=True)
            first = next(iter(sorted((tmp_path / "here").glob("*.before-restore"))))
            store.restore(first, tmp_path / "here")
            assert contents(store) == before
        for one in folder.glob("*.backup"):
            assert scripts.row_counts(programs.client(1), one)["messages"] >= 1
    shutil.rmtree(folder)
    assert schema_of(tmp_path / "here") in schemas(server.url)
    assert what == "backup" or any((tmp_path / "here").iterdir())
