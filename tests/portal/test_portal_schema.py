"""The tables: models and migrations agree; databases of others and newer ones stay as they are."""

from __future__ import annotations

import ast
import re
import sqlite3
import subprocess
import sys
import threading
from pathlib import Path

import pytest
import sqlalchemy
from alembic import command
from alembic.autogenerate import compare_metadata
from alembic.config import Config
from alembic.migration import MigrationContext
from alembic.script import ScriptDirectory
from sqlalchemy import create_engine, text
from sqlalchemy.schema import CreateTable

import sessionproof.portal.migrations as migrations
from sessionproof.contract.errors import Refused
from sessionproof.portal import Portal, portal_at
from sessionproof.portal.engine import Address, address_of, engine_of
from sessionproof.portal.migrations import running
from sessionproof.portal.models import Base

FOLDER = Path(migrations.__file__).parent


@pytest.fixture(scope="module")
def with_tables():
    """Here they are to be made, each time."""
    return False


@pytest.mark.skipif(
    sqlalchemy.__version__ < "2.1", reason="an older one cannot reflect a computed column here"
)
def test_models_and_migrations_agree(portal):
    """Alembic finds nothing that the models have and the migrations have not, or the reverse."""
    with portal.database.engine.connect() as connection:
        context = MigrationContext.configure(connection, opts={"compare_server_default": True})
        assert compare_metadata(context, Base.metadata) == []


def test_models_and_migrations_make_the_same_tables(portal, place, foreign, rows):
    """Every column, constraint and check is the same, which Alembic's comparison does not see."""
    if place.path is not None:
        made = dict(rows("SELECT name, sql FROM sqlite_master WHERE type = 'table'"))
        engine = portal.database.engine
        modelled = {
            name: str(CreateTable(table).compile(engine))
            for name, table in Base.metadata.tables.items()
        }
        assert {n: _plain(made[n]) for n in modelled} == {n: _plain(modelled[n]) for n in modelled}
        return
    query = (
        "SELECT c.conrelid::regclass::text, c.conname, pg_get_constraintdef(c.oid) "
        "FROM pg_constraint AS c WHERE c.connamespace = '{}'::regnamespace "
        "AND c.conrelid <> 'alembic_version'::regclass ORDER BY 1, 2"
    )
    made = rows(query.format(place.schema))
    foreign.execute("CREATE SCHEMA modelled; SET search_path = modelled")
    try:
        foreign.execute("CREATE TABLE alembic_version (n int)")
        for table in Base.metadata.sorted_tables:
            foreign.execute(str(CreateTable(table).compile(portal.database.engine)))
        assert rows(query.format("modelled")) == made
    finally:
        foreign.execute("DROP SCHEMA modelled CASCADE")


def _plain(sql: str) -> list[str]:
    return sorted(re.sub(r"\s+", " ", line).strip(" ,") for line in sql.splitlines() if line)


def test_the_head_is_the_newest_version():
    """What the package takes for the newest version is the end of Alembic's chain."""
    config = Config()
    config.set_main_option("script_location", str(FOLDER))
    script = ScriptDirectory.from_config(config)
    assert script.get_heads() == [migrations.HEAD]
    assert [one.revision for one in script.walk_revisions()] == [
        f"{n:04}" for n in range(int(migrations.HEAD), 0, -1)
    ]


def test_alembics_own_command_does_the_same(place, monkeypatch):
    """``alembic upgrade head`` on DATABASE_URL makes what opening makes; opening finds it done."""
    if place.path is None:
        pytest.skip("its own command works in the schema of the address")
    sqlite3.connect(place.path).close()
    place.path.touch()
    monkeypatch.setenv("DATABASE_URL", place.url)
    config = Config()
    config.set_main_option("script_location", str(FOLDER))
    command.upgrade(config, "head")
    with sqlite3.connect(place.path) as made:
        assert made.execute("SELECT version_num FROM alembic_version").fetchone() == ("0001",)


def test_opening_again_changes_nothing(opened, rows):
    """A database that is up to date is not written to."""
    opened().users.add("ann@example.org")
    opened()
    assert rows("SELECT count(*) FROM users") == [(1,)]
    assert rows("SELECT version_num FROM alembic_version") == [("0001",)]


def test_a_newer_schema_is_refused_in_a_line(opened, foreign):
    """A release that does not know the version leaves the tables alone, and says what to do."""
    foreign.execute("UPDATE alembic_version SET version_num = '9999'")
    with pytest.raises(Refused, match=r"version 9999.*upgrade sessionproof") as told:
        opened()
    assert len(str(told.value).splitlines()) == 1


@pytest.mark.parametrize("version", ["", "abc", "ä"])
def test_another_programs_versions_are_refused(opened, foreign, version):
    """Tables that Alembic manages for another program are not taken for the portal's."""
    foreign.execute(f"UPDATE alembic_version SET version_num = '{version}'")
    with pytest.raises(Refused, match="something else"):
        opened()


def test_tables_of_something_else_stay_as_they_are(place, opened):
    """A database with other tables is refused, and nothing is added to it."""
    if place.path is not None:
        with sqlite3.connect(place.path) as other:
            other.execute("CREATE TABLE theirs (x)")
        other.close()
        before = place.path.read_bytes()
        with pytest.raises(Refused, match="another application"):
            opened()
        assert place.path.read_bytes() == before
        return
    with place.connect() as other:
        other.execute(f"CREATE SCHEMA {place.schema}; CREATE TABLE theirs (x int)")
        with pytest.raises(Refused, match="something else"):
            opened()
        found = other.execute("SELECT count(*) FROM pg_tables WHERE schemaname = current_schema()")
        assert found.fetchone() == (1,)


def test_a_migration_that_fails_leaves_nothing(place, monkeypatch):
    """Tables and triggers come in one transaction: all of them or none."""
    original = running.run_script

    def half(connection, version):
        original(connection, version)
        connection.execute(text("CREATE TABLE users (x integer)"))  # is there already

    monkeypatch.setattr(running, "run_script", half)
    with pytest.raises(Refused) as told:
        Portal(**place.options)
    assert len(str(told.value).splitlines()) == 1
    if place.path is not None:
        assert list(place.path.parent.iterdir()) == []
        return
    with place.connect() as other:
        found = other.execute(f"SELECT count(*) FROM pg_namespace WHERE nspname = '{place.schema}'")
        assert found.fetchone() == (0,)


def test_many_open_a_fresh_database_at_once(opened):
    """Threads that open one new place at the same moment all get it, and all of it."""
    clients, wrong = 8, []
    together = threading.Barrier(clients)

    def client(number: int) -> None:
        try:
            together.wait(30)
            opened().users.add(f"{number}@example.org")
        except Exception as error:  # noqa: BLE001 - any at all is what the test looks for
            wrong.append(error)

    threads = [threading.Thread(target=client, args=(n,)) for n in range(clients)]
    for one in threads:
        one.start()
    for one in threads:
        one.join(60)
    assert wrong == []
    assert opened().users.by_email("7@example.org") is not None


OPEN_AND_ADD = """
import sys
from sessionproof.portal import Portal
with Portal(sys.argv[1], schema=sys.argv[2] or None) as portal:
    portal.users.add(sys.argv[3])
"""


def test_many_processes_open_a_fresh_database_at_once(place, opened):
    """Processes that open one new place at the same moment all get it."""
    names = [f"{n}@example.org" for n in range(3)]
    command_line = [sys.executable, "-c", OPEN_AND_ADD, place.url, place.schema or ""]
    crew = [subprocess.Popen([*command_line, name]) for name in names]
    assert [one.wait(60) for one in crew] == [0, 0, 0]
    portal = opened()
    assert all(portal.users.by_email(name) for name in names)


@pytest.mark.parametrize(
    ("url", "says"),
    [
        ("", "no database is named"),
        ("mysql://x", "begins with neither"),
        ("sqlite://", "is a file"),
        ("sqlite:///:memory:", "is a file"),
        ("postgresql://u:secret@[::1/x", "no address"),
    ],
)
def test_an_address_that_is_none_is_told_in_a_line(url, says):
    """A wrong address is refused before anything is connected to, and shows no password."""
    with pytest.raises(Refused, match=says) as told:
        address_of(url)
    assert "secret" not in str(told.value)
    assert len(str(told.value).splitlines()) == 1


def test_the_address_of_the_environment(monkeypatch, tmp_path):
    """Without an address it is what DATABASE_URL holds; without that the remedy is told."""
    monkeypatch.setenv("DATABASE_URL", f"sqlite:///{tmp_path}/x.db")
    assert address_of() == Address(f"{tmp_path}/x.db", path=tmp_path / "x.db")
    monkeypatch.delenv("DATABASE_URL")
    with pytest.raises(Refused, match="DATABASE_URL"):
        address_of()


def test_a_password_is_in_no_error_and_no_name():
    """A server that cannot be reached is named without its password."""
    pytest.importorskip("psycopg")
    url = "postgresql://ann:se-cret@127.0.0.1:1/nowhere"
    with pytest.raises(Refused, match=r"127\.0\.0\.1:1") as told:
        Portal(url)
    assert "se-cret" not in str(told.value) + repr(address_of(url))
    assert len(str(told.value).splitlines()) == 1


@pytest.mark.parametrize("password", ["p%ZZhunter2", "hunter2 hunter2", "hunter2%00", "hunter2%41"])
def test_a_password_that_is_no_part_of_an_address_is_not_shown(password):
    """What a driver says of an address, and what its parts print as, hold no password."""
    pytest.importorskip("psycopg")
    for url in (
        f"postgresql://ann:{password}@127.0.0.1:1/nowhere",
        f"postgres://ann@127.0.0.1:1/nowhere?password={password}",
        f"postgresql://ann:{password}@127.0.0.1:1/nowhere?sslmod=x",
    ):
        with pytest.raises(Refused, match=r"127\.0\.0\.1:1") as told:
            Portal(url)
        cause = told.value.__cause__
        said = f"{told.value}{cause}{address_of(url)!r}{portal_at(url)!r}"
        assert "hunter2" not in said


def test_a_portal_has_one_server():
    """Two addresses are refused, and shown without their passwords."""
    with pytest.raises(Refused, match="one server") as told:
        address_of("postgresql://ann:hunter2@h/d,postgresql://ann:hunter2@i/d")
    assert "hunter2" not in str(told.value)


def test_missing_and_strange_places_are_told_in_a_line(tmp_path):
    """A missing folder, a folder, an empty file and no database: refused, and left as they are."""
    (tmp_path / "empty.db").touch()
    (tmp_path / "text.db").write_text("no database" * 100)
    (tmp_path / "folder.db").mkdir()
    before = sorted(tmp_path.rglob("*"))
    for name in ("missing/x.db", "empty.db", "text.db", "folder.db"):
        with pytest.raises(Refused) as told:
            Portal(f"sqlite:///{tmp_path / name}")
        assert str(tmp_path / name).removesuffix("/x.db") in str(told.value)
        assert len(str(told.value).splitlines()) == 1
    assert sorted(tmp_path.rglob("*")) == before


def test_a_new_file_is_its_owners_alone(tmp_path):
    """What people said is readable by nobody else."""
    with Portal(f"sqlite:///{tmp_path}/x.db") as portal:
        portal.users.add("ann@example.org")
        assert {one.stat().st_mode & 0o777 for one in tmp_path.iterdir()} == {0o600}


def test_the_migrations_import_no_model():
    """A version is never changed by what the models become: it says all of its columns itself."""
    for file in (FOLDER / "versions").glob("*.py"):
        tree = ast.parse(file.read_text("utf-8"))
        imported = {n.module for n in ast.walk(tree) if isinstance(n, ast.ImportFrom)}
        assert "sessionproof.portal.models" not in imported


def test_engines_stay_usable_for_other_tools(place, portal):
    """An engine of the address does what SQLAlchemy's own does, with keys on."""
    engine = engine_of(portal.database.address)
    with engine.begin() as connection:
        assert connection.execute(text("SELECT count(*) FROM users")).scalar() == 0
    engine.dispose()
    assert create_engine("sqlite://").dialect.name == "sqlite"
