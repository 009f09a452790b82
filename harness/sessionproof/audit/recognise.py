"""Which known schema a database has, and how it differs from it."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence

from sessionproof.audit.catalog import Catalog, expected
from sessionproof.audit.result import EXAMPLES_MAX, Problem
from sessionproof.audit.schemas import Known
from sessionproof.audit.sqltext import parts, tokens

GUARDS = "sessionproof_"
"""How the names of guards begin, which keep counters of a legacy database right."""

_LEAST_SHARE = 0.3  # of the columns of a schema: less is another schema that shares a table


def recognise(
    found: Catalog, settings: Mapping[str, int | str], known: Sequence[Known]
) -> Known | None:
    """The schema that the database has most of, among those with a marked table; None without.

    The header decides the version where it names one of ours.
    """
    candidates = [one for one in known if _marked(found, one) and _share(found, one) > _LEAST_SHARE]
    ours = [one for one in known if one.application_id == (settings["application_id"] or None)]
    named = [one for one in ours if one.application_id and found.tables]
    if named:
        version = str(settings["user_version"])
        exact = [one for one in named if one.version == version]
        if exact or int(settings["user_version"]) > len(named):
            return (exact or named)[-1]
        candidates = [one for one in named if _marked(found, one)] or named
    return max(candidates, key=lambda one: _share(found, one), default=None)


def header_problems(known: Known, settings: Mapping[str, int | str]) -> Iterator[Problem]:
    """What keeps the store from opening a file with this header."""
    if known.application_id is None:
        return
    wanted = {"application_id": known.application_id, "user_version": int(known.version or 0)}
    for name, value in wanted.items():
        seen = int(settings[name])
        newer = name == "user_version" and seen > value
        if seen != value and not newer:
            yield Problem(
                kind="altered-header", count=1, what=f"{name} is {seen}, the schema has {value}",
                sql=f"PRAGMA {name} = {value}",
            )  # fmt: skip


def schema_problems(found: Catalog, known: Known) -> Iterator[Problem]:
    """What the database lacks of the schema, or has otherwise."""
    if not known.sql:
        yield from _column_problems(found, known)
        return
    right = expected(known.sql)
    lacks: dict[tuple[str, str], list[tuple[str, str]]] = {}
    for (kind, name), sql in right.objects.items():
        seen = found.objects.get((kind, name))
        if kind == "table":
            if seen is None:
                yield _missing_table(name)
            elif not right.tables[name].virtual:
                yield from _table_problems(name, seen, sql)
        elif kind == "trigger" or _matters(kind, sql, known):
            table = _table_of(sql)
            if seen is None and _stands_in(found, kind, sql, known):
                continue
            if seen is None:
                lacks.setdefault((f"missing-{kind}", table), []).append((name, sql))
            elif tokens(seen) != tokens(sql):
                drop = f"DROP {kind.upper()} {name};\n{sql}"
                lacks.setdefault((f"altered-{kind}", table), []).append((name, drop))
    for (kind, table), objects in lacks.items():
        names = [name for name, _ in objects]
        how, _, what = kind.partition("-")
        yield Problem(
            kind=kind, table=table, count=len(names), examples=tuple(names[:EXAMPLES_MAX]),
            what=f"of the {what}s of {table}, {how}: {', '.join(names)}",
            sql="\n".join(sql for _, sql in objects),
        )  # fmt: skip


def schema_notes(found: Catalog, known: Known) -> Iterator[str]:
    """What is more or otherwise, without being wrong."""
    right = expected(known.sql) if known.sql else None
    tables = set(right.tables if right else known.tables)
    if _is_guarded(found):
        yield "guards are installed: triggers keep counters and references right"
    for name in sorted(set(found.tables) - tables):
        if name.startswith(GUARDS):
            continue
        yield f"the table {name} is not of the schema"
    if right is None:
        return
    for name in sorted(tables & set(found.tables)):
        more = sorted(set(found.tables[name].columns) - set(right.tables[name].columns))
        if more:
            yield f"the table {name} has more columns than the schema: {', '.join(more)}"
    for (kind, name), sql in sorted(found.objects.items()):
        if name.startswith(GUARDS):
            continue
        if kind != "table" and (kind, name) not in right.objects:
            writes = ", and may change what others write" if kind == "trigger" else ""
            yield f"the {kind} {name} of {_table_of(sql)} is not of the schema{writes}"
    for (kind, name), sql in right.objects.items():
        if kind in ("index", "view") and not _matters(kind, sql, known):
            seen = found.objects.get((kind, name))
            if seen is None or tokens(seen) != tokens(sql):
                yield f"the {kind} {name} is {'missing' if seen is None else 'altered'}"


def _marked(found: Catalog, known: Known) -> bool:
    return any(found.has(table, *columns) for table, columns in known.marks.items())


def _share(found: Catalog, known: Known) -> float:
    """How much of the schema is there: of its columns, from 0 to 1, less for those it lacks."""
    if known.sql:
        columns = {name: shape.columns for name, shape in expected(known.sql).tables.items()}
    else:
        columns = {name: table.columns for name, table in known.tables.items()}
    all_of = {(name, column) for name, names in columns.items() for column in names}
    there = {
        (name, column)
        for name in columns.keys() & found.tables.keys()
        for column in found.tables[name].columns
    }
    return len(all_of & there) / len(all_of | there)


def _column_problems(found: Catalog, known: Known) -> Iterator[Problem]:
    for name, table in known.tables.items():
        if name not in found.tables:
            yield _missing_table(name)
            continue
        for column in table.columns:
            if column not in found.tables[name].columns:
                yield _missing_column(name, column)


def _missing_table(name: str) -> Problem:
    what = f"the table {name} is missing"
    return Problem(kind="missing-table", table=name, count=1, what=what)


def _missing_column(table: str, column: str) -> Problem:
    return Problem(
        kind="missing-column", table=table, column=column, count=1,
        what=f"the table {table} has no column {column}",
    )  # fmt: skip


def _table_problems(name: str, seen: str, right: str) -> Iterator[Problem]:
    """Columns and constraints that are not there as the schema has them; more is no problem."""
    have, tail = parts(seen)
    want, right_tail = parts(right)
    columns = {part[0] for part in have if part}
    lost = []
    for part in sorted(want - have):
        if part[0] in columns or part[0] in _CONSTRAINTS:
            lost.append(" ".join(part))
        else:
            yield _missing_column(name, part[0])
    lost += [" ".join(right_tail)] if tail != right_tail else []
    if lost:
        yield Problem(
            kind="altered-table", table=name, count=1, examples=tuple(lost[:EXAMPLES_MAX]),
            what=f"the table {name} has not all that the schema says",
        )  # fmt: skip


_CONSTRAINTS = frozenset({"constraint", "primary", "unique", "check", "foreign"})


def _is_guarded(found: Catalog) -> bool:
    return any(kind == "trigger" and name.startswith(GUARDS) for kind, name in found.objects)


def _stands_in(found: Catalog, kind: str, sql: str, known: Known) -> bool:
    """Whether guards do the work of a trigger of the schema, one of messages that counts."""
    sessions = known.sessions
    if kind != "trigger" or sessions is None or not _is_guarded(found):
        return False
    return _table_of(sql) == sessions.messages and bool(set(tokens(sql)) & set(sessions.counters))


def _matters(kind: str, sql: str, known: Known) -> bool:
    """Whether an index keeps doubles out, or the store misses it when it opens the file."""
    return kind == "index" and (known.strict or tokens(sql)[1] == "unique")


def _table_of(sql: str) -> str:
    words = tokens(sql)
    return words[words.index("on") + 1] if "on" in words[:-1] else "the database"
