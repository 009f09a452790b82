"""Bringing a database to the newest version, in one transaction, whoever else is about to."""

from __future__ import annotations

import os
import sqlite3
import threading
from importlib import resources

from sqlalchemy import Connection, Engine, inspect, text

from sessionproof.contract.errors import Refused
from sessionproof.portal.engine import BEGIN
from sessionproof.portal.migrations import HEAD

_LOCK = 0x53505054  # of PostgreSQL's advisory locks: nobody else upgrades this schema meanwhile
_alone = threading.RLock()  # what Alembic is about stands in variables of its module


def upgrade(engine: Engine, *, schema: str | None = None) -> None:
    """Make or upgrade the tables: all of it or nothing. One that is up to date costs a query.

    ``schema`` is made where it is missing. Raises ``Refused`` where the tables are of a newer
    release, or of something else.
    """
    reading = engine.execution_options(**{BEGIN: "BEGIN"})
    with reading.connect() as connection:
        if _version(connection) == HEAD:
            return
    with _alone, engine.begin() as connection:
        if connection.dialect.name == "postgresql":
            _lock(connection, schema or "portal")
        if _version(connection) != HEAD:  # somebody may have been faster
            _migrate(connection)


def run_script(connection: Connection, version: str) -> None:
    """Within a transaction: carry out a version's own SQL for the database that it is."""
    name = f"{version}_{connection.dialect.name}.sql"
    script = (resources.files(__package__ or "") / "versions" / name).read_text("utf-8")
    if connection.dialect.name != "sqlite":
        connection.exec_driver_sql(script.replace("%", "%%"))
        return
    statement = ""
    for line in script.splitlines(keepends=True):
        statement += line
        if sqlite3.complete_statement(statement):
            connection.exec_driver_sql(statement)
            statement = ""


def _version(connection: Connection) -> str | None:
    """The version that the tables have; None where there are none. Raises ``Refused``."""
    tables = inspect(connection).get_table_names()
    if not tables:
        return None
    if "alembic_version" not in tables:
        raise Refused("the database holds tables of something else: name another one")
    found = connection.execute(text("SELECT version_num FROM alembic_version")).scalars().all()
    if len(found) != 1:
        raise Refused("the table alembic_version was changed: restore the database from a backup")
    version = str(found[0])
    if not version.isdecimal():
        raise Refused("the database holds tables of something else: name another one")
    if int(version) > int(HEAD):
        raise Refused(
            f"the tables have version {version}, this release knows {HEAD}: upgrade sessionproof"
        )
    return version


def _lock(connection: Connection, schema: str) -> None:
    connection.execute(
        text("SELECT pg_advisory_xact_lock(:lock ::integer, hashtext(:schema))"),
        {"lock": _LOCK, "schema": schema},
    )
    quoted = connection.dialect.identifier_preparer.quote(schema)
    if not inspect(connection).has_schema(schema):
        connection.exec_driver_sql(f"CREATE SCHEMA {quoted}".replace("%", "%%"))


def _migrate(connection: Connection) -> None:
    from alembic import command  # a database that is up to date does without it
    from alembic.config import Config

    config = Config()
    with resources.as_file(resources.files(__package__ or "")) as folder:
        config.set_main_option("script_location", str(folder).replace("%", "%%"))
        config.attributes["connection"] = connection
        command.upgrade(config, "head")


def _forked() -> None:
    """A thread that is not here may have had the lock."""
    global _alone  # noqa: PLW0603
    _alone = threading.RLock()


if hasattr(os, "register_at_fork"):  # elsewhere nothing is forked
    os.register_at_fork(after_in_child=_forked)
