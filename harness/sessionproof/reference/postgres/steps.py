"""The schema on PostgreSQL: numbered steps of SQL, applied in order, each once.

The comment of the schema says that it is ours and how many steps it has. Steps are never changed
once released: a new one is added.
"""

from __future__ import annotations

import re

from psycopg import sql

from sessionproof.contract.errors import Refused
from sessionproof.reference.postgres.pool import Connection, transaction
from sessionproof.reference.steps import Steps, steps_in

_NUMBER = re.compile(r"[1-9][0-9]{0,5}")
MARK = "sessionproof step "
"""What the comment of a schema of ours begins with; the number of its steps follows."""

_LOCK = 0x53505246  # as the application id of files
_VERSION = (
    "SELECT obj_description(n.oid, 'pg_namespace') FROM pg_namespace AS n WHERE n.nspname = %s"
)
_EMPTY = (
    "SELECT NOT EXISTS (SELECT FROM pg_class AS c JOIN pg_namespace AS n ON n.oid = c.relnamespace "
    "WHERE n.nspname = %s)"
)


def shipped() -> Steps:
    """The steps of this package, numbered from 1 without a gap."""
    return steps_in(__package__)


def version_of(db: Connection, schema: str) -> int | None:
    """The number of the last step that the schema has; None where there is no such schema.

    Raises ``Refused`` for a schema that is not ours; 0 is an empty one.
    """
    found = db.execute(_VERSION, (schema,)).fetchone()
    if found is None:
        return None
    mark = found[0] or ""
    if mark.startswith(MARK):
        said = mark.removeprefix(MARK)
        if not _NUMBER.fullmatch(said):
            raise Refused(f"the comment of the schema {schema!r} was changed: {mark!r}")
        return int(said)
    (empty,) = db.execute(_EMPTY, (schema,)).fetchone() or (False,)
    if not empty:
        raise Refused(f"the schema {schema!r} holds tables of something else: name another one")
    return 0


def prepare(db: Connection, schema: str, steps: Steps) -> None:
    """Bring the schema to the last step, in one transaction: all of it or nothing.

    One that is up to date costs one query. Raises ``Refused`` where it is newer or not ours.
    """
    if version_of(db, schema) == len(steps):
        return
    with transaction(db):
        lock(db, schema)  # others may upgrade it, too
        version = version_of(db, schema)
        if version is None:
            db.execute(sql.SQL("CREATE SCHEMA {}").format(sql.Identifier(schema)))
        version = version or 0
        if version > len(steps):
            raise Refused(
                f"the schema {schema!r} has {version} steps, this release knows {len(steps)}: "
                "use a newer one"
            )
        apply(db, schema, steps, since=version)


def lock(db: Connection, schema: str) -> None:
    """Within a transaction: nobody else makes, upgrades or replaces this schema before its end."""
    db.execute("SELECT pg_advisory_xact_lock(%s::integer, hashtext(%s))", (_LOCK, schema))


def apply(db: Connection, schema: str, steps: Steps, *, since: int) -> None:
    """Within a transaction: carry out the steps behind the first ``since``, and write that down."""
    for step in steps[since:]:
        db.execute(step.sql.encode())
    if since < len(steps):
        db.execute(
            sql.SQL("COMMENT ON SCHEMA {} IS {}").format(
                sql.Identifier(schema), f"{MARK}{len(steps)}"
            )
        )
