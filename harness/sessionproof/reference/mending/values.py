"""Values that no row may have: taken out where the row can do without them, else with the row."""

from __future__ import annotations

from sessionproof.audit.rows import rules_of
from sessionproof.audit.schemas import Sessions
from sessionproof.audit.sqltext import checks, tokens
from sessionproof.audit.tables import quoted
from sessionproof.reference.digest import TEXT, add_function
from sessionproof.reference.mending.scene import Scene, can_be_null, change, set_aside

_ESSENTIAL = frozenset({"role", "kind", "content", "content_json", "arguments"})
"""Columns without which a message is another one: a row that has them wrong is set aside whole."""


def unreadable(scene: Scene) -> None:
    """Texts that are no UTF-8, so that reading the row fails."""
    for name, shape in scene.found.tables.items():
        if name in scene.known.tables and not shape.virtual:
            for column in shape.columns:
                one = quoted(column)
                where = f"typeof({one}) = 'text' AND NOT is_text(CAST({one} AS BLOB))"
                _bad_value(scene, name, column, where, "is no text in UTF-8")


def values(scene: Scene) -> None:
    """What a rule of the schema forbids, whether the table itself holds the rule or not."""
    for name, table in scene.known.tables.items():
        if name not in scene.found.tables or scene.found.tables[name].virtual:
            continue
        for rule in rules_of(table, held=False):
            if scene.found.has(name, rule.column):
                _by_digest(scene, name, rule.column, rule.broken)
                _bad_value(scene, name, rule.column, rule.broken, rule.what)


def _by_digest(scene: Scene, table: str, column: str, where: str) -> None:
    """A word that was changed by itself, put right where the digest says which one it was."""
    words = scene.known.tables[table].words.get(column)
    messages = scene.known.sessions and scene.known.sessions.messages
    if words is None or table != messages or not scene.found.has(table, "digest"):
        return  # the digest of another table is of something else
    add_function(scene.connection)
    others = ", ".join(f"x.{quoted(one)}" for one in scene.found.tables[table].columns)
    others = others.replace(f"x.{quoted(column)}", f"w.word AS {quoted(column)}")
    for word in sorted(words):
        given = f"SELECT {others} FROM {quoted(table)} AS x, (SELECT '{word}' AS word) AS w"
        same = f"SELECT same_digest({TEXT}, m.digest) FROM ({given} WHERE x.id = y.id) AS m"
        change(
            scene,
            table,
            f"rowid IN (SELECT y.id FROM {quoted(table)} AS y WHERE ({where}) AND ({same}))",
            f"{quoted(column)} = '{word}'",
            f"{column} is {word!r} again, as their digests say",
            digests="kept",
        )


def _bad_value(scene: Scene, table: str, column: str, where: str, why: str) -> None:
    """The rows in which a column is wrong: without the value where that can be, else set aside."""
    sessions = scene.known.sessions
    if sessions is not None and table == sessions.table:
        _bad_fact(scene, sessions, column, where, why)
        return
    if sessions is not None and column == sessions.number and not scene.known.strict:
        return  # a number that only sorts, such as 1.5, does so
    sort = f"{column} {why}"
    if column.endswith("id") and (column,) in scene.known.tables[table].unique:
        given = f"{quoted(column)} = lower(hex(randomblob(16)))"
        change(scene, table, where, given, f"{sort}: it gets an id of its own")
    elif can_be_null(scene, table, column) and column not in _ESSENTIAL:
        change(scene, table, where, f"{quoted(column)} = NULL", f"{sort}: the value is set aside")
    else:
        set_aside(scene, table, where, sort)


def _bad_fact(scene: Scene, sessions: Sessions, column: str, where: str, why: str) -> None:
    """A session keeps its messages, whatever is wrong with it, unless it has no key at all."""
    table, one, sort = sessions.table, quoted(column), f"{column} {why}"
    if column in (sessions.next, *sessions.counters):
        return  # computed below
    if column == sessions.key:
        if why == "is NULL":
            set_aside(scene, table, where, sort)
    elif column == "status":
        active = f"{one} = 'active'"  # which no digest of a session holds
        change(scene, table, where, active, f"{sort}: it is active again", digests="kept")
    elif column == "tag":
        change(
            scene, table, where, f"{one} = lower(hex(randomblob(8)))", f"{sort}: it is made anew"
        )
    elif column in scene.known.tables[table].label:
        name = f"{one} = 'recovered-' || {quoted(sessions.key)}"
        change(scene, table, where, name, f"{sort}: the session is called after its row")
    elif can_be_null(scene, table, column):
        change(scene, table, where, f"{one} = NULL", f"{sort}: the value is set aside")


def constraints(scene: Scene) -> None:
    """Rows that break a CHECK of their table; of sessions, what the counters do not mend stays."""
    sessions = scene.known.sessions
    for name, shape in scene.found.tables.items():
        for rule in checks(scene.found.objects.get(("table", name), "")):
            named = sorted(set(tokens(rule)) & set(shape.columns))
            why = f"breaks CHECK ({' '.join(rule.split())})"
            free = [column for column in named if can_be_null(scene, name, column)]
            if named == free[:1] and named[0] not in _ESSENTIAL:
                _bad_value(scene, name, named[0], f"NOT ({rule})", why)
            elif sessions is None or name != sessions.table:
                set_aside(scene, name, f"NOT ({rule})", why)
