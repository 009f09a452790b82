"""Rows that contradict others: repeated numbers, orphans, counters."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from sessionproof.audit import schemas
from sessionproof.audit.checks import shown
from sessionproof.audit.counts import differs
from sessionproof.audit.result import EXAMPLES_MAX
from sessionproof.audit.tables import Reference, quoted
from sessionproof.reference.mending.scene import Scene, can_be_null, columns_of, rows, set_aside


def repeats(scene: Scene) -> None:
    """Messages that share a number or an id: the later row gets a new one. Makes indexes anew."""
    sessions = scene.known.sessions
    if sessions is None:
        return
    table = sessions.messages
    wrong = [
        unique
        for unique in scene.known.tables[table].unique
        if scene.found.has(table, *unique) and _doubles(scene, table, unique)
    ]
    if not wrong:
        return
    names = columns_of(scene, table)
    some = ", ".join(map(quoted, names))
    db = scene.connection
    # The rows alone, through no index: it may lack some of them.
    db.execute(
        f"CREATE TEMP TABLE held AS SELECT {some} FROM main.{quoted(table)} NOT INDEXED "
        "ORDER BY rowid"
    )
    for place, unique in enumerate(wrong):
        db.execute(f"CREATE INDEX temp.held_{place} ON held ({', '.join(map(quoted, unique))})")
        _renew(scene, sessions, unique)
    db.execute(f"DELETE FROM main.{quoted(table)}")  # whole trees: no index is asked
    db.execute(f"INSERT INTO main.{quoted(table)} ({some}) SELECT {some} FROM temp.held")
    db.execute("DROP TABLE temp.held")


def _doubles(scene: Scene, table: str, unique: tuple[str, ...]) -> bool:
    some = ", ".join(map(quoted, unique))
    whole = " AND ".join(f"{quoted(column)} IS NOT NULL" for column in unique)
    query = (
        f"SELECT 1 FROM {quoted(table)} NOT INDEXED WHERE {whole} GROUP BY {some} "
        "HAVING COUNT(*) > 1"
    )
    return scene.connection.execute(query).fetchone() is not None


def _renew(scene: Scene, sessions: schemas.Sessions, unique: tuple[str, ...]) -> None:
    """Give the later of repeated rows of ``temp.held`` a new number or id."""
    same = " AND ".join(f"o.{quoted(one)} = held.{quoted(one)}" for one in unique)
    later = f"EXISTS (SELECT 1 FROM temp.held AS o WHERE {same} AND o.rowid < held.rowid)"
    column, given, digest = unique[-1], "lower(hex(randomblob(16)))", ""
    if sessions.number in unique:
        column, key = str(sessions.number), quoted(sessions.message_key)
        of_all = f"SELECT max(o.{quoted(column)}) FROM temp.held AS o WHERE o.{key} = held.{key}"
        given = f"1 + ({of_all})"
        if sessions.next:
            after = f"SELECT s.{quoted(sessions.next)} - 1 FROM {quoted(sessions.table)} AS s"
            own = f"s.{quoted(sessions.key)} = held.{key}"
            given = f"1 + max(({of_all}), coalesce(({after} WHERE {own}), 0))"
    elif can_be_null(scene, sessions.messages, column):
        given = "NULL"
        digest = ", digest = NULL" if scene.found.has(sessions.messages, "digest") else ""
    number = scene.connection.execute(
        f"UPDATE temp.held SET {quoted(column)} = {given}{digest} WHERE {later}"
    ).rowcount
    scene.changes.append(
        f"{rows(number)} of {sessions.messages} with the {column} of an earlier one: made anew"
    )


def orphans(scene: Scene) -> None:
    """Rows whose parent is gone are set aside; of a session, what it names is made known again."""
    sessions = scene.known.sessions
    table = sessions.table if sessions else None  # first, as others may name the same
    declared = (Reference(one.table, one.columns, one.parent, one.keys) for one in _all(scene))
    references = [
        one
        for one in sorted(dict.fromkeys(declared), key=lambda one: one.table != table)
        if scene.found.has(one.table, *one.columns) and scene.found.has(one.parent, *one.keys)
    ]
    for _ in references:  # what is set aside may leave others without their parent
        before = len(scene.changes)
        for one in references:
            if one.table == table:
                _make_known(scene, one)
            else:
                where = one.orphans().partition(" WHERE ")[2]
                why = f"they belong to rows of {one.parent} that are not there"
                set_aside(scene, one.table, where, why)
        if len(scene.changes) == before:
            break


def _all(scene: Scene) -> Iterator[schemas.Reference]:
    yield from scene.found.references
    yield from scene.known.references


def _make_known(scene: Scene, one: Reference) -> None:
    """Put back the rows that sessions name: what they must have beside is taken from sessions."""
    needed = scene.connection.execute(
        'SELECT lower(name) FROM pragma_table_info(?) WHERE "notnull" AND dflt_value IS NULL',
        (one.parent,),
    ).fetchall()
    child = scene.found.tables[one.table].columns
    values = {key: f"c.{quoted(by)}" for key, by in zip(one.keys, one.columns, strict=True)}
    for (name,) in needed:
        values.setdefault(name, f"min(c.{quoted(name if name in child else one.columns[0])})")
    added = scene.connection.execute(
        f"INSERT INTO {quoted(one.parent)} ({', '.join(map(quoted, values))}) "
        f"SELECT {', '.join(values.values())} {one.orphans()} "
        f"GROUP BY {', '.join(f'c.{quoted(column)}' for column in one.columns)}"
    ).rowcount
    if added > 0:
        scene.changes.append(f"{rows(added)} of {one.parent} put back, as sessions name them")


def counters(scene: Scene) -> None:
    """Counters and totals as the messages give them, the next number above the highest."""
    sessions = scene.known.sessions
    if sessions is None or not scene.found.has(sessions.messages, sessions.message_key):
        return
    told: dict[str, list[str]] = {}
    for row, name, after, high, pairs in list(_counted(scene)):
        right = {column: real for column, (kept, real) in pairs.items() if differs(kept, real)}
        if sessions.next and (type(after) is not int or after <= high):
            right[sessions.next] = high + 1
        if right:
            values = ", ".join(f"{quoted(column)} = ?" for column in right)
            scene.connection.execute(
                f"UPDATE {quoted(sessions.table)} SET {values} WHERE rowid = ?",
                (*right.values(), row),
            )
        for column, real in right.items():
            kept = after if column == sessions.next else pairs[column][0]
            told.setdefault(column, []).append(f"{shown(name)}: {shown(kept)}, now {real}")
    for column, those in told.items():
        some = "; ".join(those[:EXAMPLES_MAX])
        scene.changes.append(
            f"{column} is computed anew in {rows(len(those))} of {sessions.table} ({some})"
        )


def _counted(scene: Scene) -> Iterator[tuple[int, Any, Any, int, dict[str, tuple[Any, Any]]]]:
    """Of each session: row, name, next number, highest number, counters as kept and as real."""
    known, sessions = scene.known, scene.known.sessions
    if sessions is None:
        return
    columns = [one for one in sessions.counters if scene.found.has(sessions.table, one)]
    sums = [
        "COUNT(*)" if source is None else f"coalesce(SUM(m.{quoted(source)}), 0)"
        for source in (sessions.counters[column] for column in columns)
    ]
    key, high = f"m.{quoted(sessions.message_key)}", "0"
    if sessions.next and sessions.number:
        high = f"coalesce(MAX(m.{quoted(sessions.number)}), 0)"
    inner = "".join(f", {one} AS t{place}" for place, one in enumerate(sums))
    pairs = "".join(
        f", s.{quoted(column)}, coalesce(r.t{place}, 0)" for place, column in enumerate(columns)
    )
    after = f"s.{quoted(sessions.next)}" if sessions.next else "NULL"
    found = scene.connection.execute(
        f"SELECT s.rowid, s.{quoted(known.tables[sessions.table].label[0])}, {after}, "
        f"coalesce(r.high, 0){pairs} FROM {quoted(sessions.table)} AS s LEFT JOIN "
        f"(SELECT {key} AS k, {high} AS high{inner} FROM {quoted(sessions.messages)} AS m "
        f"GROUP BY {key}) AS r ON r.k = s.{quoted(sessions.key)}"
    )
    for row, name, next_number, highest, *values in found:
        counted = zip(columns, zip(values[::2], values[1::2], strict=True), strict=True)
        yield row, name, next_number, highest, dict(counted)
