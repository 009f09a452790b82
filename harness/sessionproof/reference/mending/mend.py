"""Rows that contradict each other, mended on a connection within a transaction of the caller's.

The audit says what is wrong; each step here mends one kind of it. What is right stays as it is: a
message keeps its number unless an earlier row has the same. What cannot be mended where it stands
is set aside, never dropped.
"""

from __future__ import annotations

import sqlite3

from sessionproof.audit.catalog import catalog, expected
from sessionproof.audit.checks import (
    constraint_problems,
    integrity_problems,
    key_problems,
    orphan_problems,
)
from sessionproof.audit.counts import session_problems
from sessionproof.audit.recognise import schema_problems
from sessionproof.audit.result import Problem
from sessionproof.audit.rows import repeat_problems, row_problems
from sessionproof.audit.schemas import Known
from sessionproof.audit.sqltext import tokens
from sessionproof.audit.tables import quoted
from sessionproof.contract.errors import Refused
from sessionproof.reference.finding.index import forget
from sessionproof.reference.finding.looking import index_problems
from sessionproof.reference.in_place import Keep
from sessionproof.reference.mending.rows import counters, orphans, repeats
from sessionproof.reference.mending.scene import Scene, scene_of
from sessionproof.reference.mending.values import constraints, unreadable, values

_HOPELESS = frozenset({"corrupt-file", "missing-table", "missing-column"})
_FOREIGN = frozenset({"altered-table", "altered-header"})


def mend(connection: sqlite3.Connection, keep: Keep) -> tuple[str, ...]:
    """Mend all rows of a known schema and answer what was changed; raises ``Refused``.

    ``keep`` takes every row that is set aside, and every row of which a value is.
    """
    scene = scene_of(connection, keep)
    before = _problems(scene)
    if hopeless := next((one for one in before if _is_hopeless(one, scene.known)), None):
        raise Refused(
            f"no row can be mended while {hopeless.what}: save what can be read with "
            "sessionproof recover, or restore a backup"
        )
    triggers = take_triggers(scene)
    indexes(scene, before)
    unreadable(scene)
    values(scene)
    constraints(scene)
    repeats(scene)
    orphans(scene)
    counters(scene)
    put_back(scene, triggers)
    search(scene)
    left = _problems(scene) if scene.changes else []
    if scene.known.strict and left:
        raise Refused(
            f"{left[0].what}, and that cannot be mended row by row: save what can be read with "
            "sessionproof recover, or restore a backup"
        )
    return tuple(scene.changes)


def _problems(scene: Scene) -> list[Problem]:
    db, found, known = scene.connection, scene.found, scene.known
    return [
        *integrity_problems(db),
        *schema_problems(found, known),
        *constraint_problems(db, found),
        *orphan_problems(db, found, known.references),
        *key_problems(db, found),
        *session_problems(db, found, known),
        *row_problems(db, found, known, held=()),
        *repeat_problems(db, found, known, trusted=False),
    ]


def _is_hopeless(problem: Problem, known: Known) -> bool:
    return problem.kind in _HOPELESS or (known.strict and problem.kind in _FOREIGN)


def take_triggers(scene: Scene) -> dict[str, str]:
    """Take all triggers away, so that mending is no activity, and nothing refuses it."""
    rows = scene.connection.execute(
        "SELECT name, sql FROM sqlite_schema WHERE type = 'trigger' ORDER BY rowid"
    ).fetchall()
    for name, _ in rows:
        scene.connection.execute(f"DROP TRIGGER {quoted(name)}")
    return dict(rows)


def put_back(scene: Scene, triggers: dict[str, str]) -> None:
    """The triggers as they were; those of the store itself as its schema has them."""
    right = expected(scene.known.sql).objects if scene.known.strict else {}
    for (kind, name), sql in right.items():
        if kind not in ("index", "trigger"):
            continue
        seen = triggers.pop(name, None) if kind == "trigger" else _sql(scene, kind, name)
        if seen is None or tokens(seen) != tokens(sql):
            scene.changes.append(f"the {kind} {name} is made anew as the schema has it")
            scene.connection.execute(f"DROP {kind.upper()} IF EXISTS {quoted(name)}")
        elif kind == "index":
            continue
        scene.connection.execute(sql)
    for sql in triggers.values():
        scene.connection.execute(sql)
    scene.found = catalog(scene.connection)


def _sql(scene: Scene, kind: str, name: str) -> str | None:
    query = "SELECT sql FROM sqlite_schema WHERE type = ? AND name = ?"
    found = scene.connection.execute(query, (kind, name)).fetchone()
    return None if found is None else str(found[0])


def search(scene: Scene) -> None:
    """The index of the search is emptied when it is wrong, or may be: the next one fills it."""
    if not scene.found.has("search_mark", "mark"):
        return
    try:
        wrong = any(index_problems(scene.connection))
    except sqlite3.DatabaseError:  # its own tables are damaged
        wrong = True
    if wrong:
        scene.changes.append("the index of the search is emptied: the next search makes it anew")
    if scene.changes:  # what was mended here went past the triggers
        forget(scene.connection)


def indexes(scene: Scene, problems: list[Problem]) -> None:
    """First of all: what asks through a damaged index sees rows as missing that are there."""
    for problem in problems:
        if problem.kind != "damaged-index" or problem.sql is None:
            continue
        try:
            scene.connection.execute(problem.sql)
        except sqlite3.IntegrityError:  # rows repeat what should be unique
            repeats(scene)
        scene.changes.append(f"an index is built anew: {problem.sql}")
