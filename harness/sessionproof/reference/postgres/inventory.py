"""What the steps of the schema make, and what a schema has of it: told without asking a server.

Bodies of functions are compared; of other things that they are there, valid and switched on.
Definitions are not, as PostgreSQL writes them otherwise in each version.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterator, Mapping
from typing import TypeAlias

from sessionproof.reference.postgres.pool import Connection
from sessionproof.reference.postgres.statements import fetch
from sessionproof.reference.steps import Steps

Inventory: TypeAlias = Mapping[tuple[str, str], str]
"""Kind and name of each thing, to what of it is compared."""

_COMMENT = re.compile(r"--[^\n]*")
_MADE = re.compile(
    r"CREATE (?:OR REPLACE )?(?P<unique>UNIQUE )?(?P<kind>TABLE|DOMAIN|INDEX|TRIGGER|FUNCTION) "
    r"(?P<name>\w+)(?P<rest>(?:[^;$']|'[^']*'|\$\$.*?\$\$)*);",
    re.DOTALL,
)
_ON = re.compile(r"\bON (\w+)")
_BODY = re.compile(r"\$\$(.*?)\$\$", re.DOTALL)
_RULES = {
    "p": re.compile(r"\bPRIMARY KEY\b"),
    "f": re.compile(r"\bREFERENCES\b"),
    "u": re.compile(r"\bUNIQUE\b"),
    "c": re.compile(r"\bCHECK \("),
}
_TABLES = (
    "SELECT c.relname, coalesce(string_agg(r.contype, '' ORDER BY r.contype), '') "
    "FROM pg_class AS c LEFT JOIN pg_constraint AS r ON r.conrelid = c.oid AND r.convalidated "
    "AND r.contype IN ('p', 'f', 'u', 'c') "
    "WHERE c.relnamespace = {schema} AND c.relkind = 'r' GROUP BY c.oid, c.relname"
)
_DOMAINS = (
    "SELECT t.typname, coalesce(string_agg(r.contype, ''), '') "
    "FROM pg_type AS t LEFT JOIN pg_constraint AS r ON r.contypid = t.oid AND r.convalidated "
    "AND r.contype = 'c' WHERE t.typnamespace = {schema} AND t.typtype = 'd' "
    "GROUP BY t.oid, t.typname"
)
_INDEXES = (
    "SELECT c.relname, t.relname || CASE WHEN i.indisunique THEN ' unique' ELSE '' END "
    "FROM pg_index AS i JOIN pg_class AS c ON c.oid = i.indexrelid "
    "JOIN pg_class AS t ON t.oid = i.indrelid "
    "WHERE c.relnamespace = {schema} AND i.indisvalid AND i.indisready AND NOT EXISTS ("
    "SELECT FROM pg_constraint AS r WHERE r.conindid = c.oid AND r.contype IN ('p', 'u'))"
)
_TRIGGERS = (
    "SELECT g.tgname, c.relname FROM pg_trigger AS g JOIN pg_class AS c ON c.oid = g.tgrelid "
    "WHERE c.relnamespace = {schema} AND NOT g.tgisinternal AND g.tgenabled IN ('O', 'A')"
)
_FUNCTIONS = "SELECT p.proname, p.prosrc FROM pg_proc AS p WHERE p.pronamespace = {schema}"
# Those that hold foreign keys have no name of ours.
_SWITCHED_OFF = (
    "SELECT DISTINCT c.relname FROM pg_trigger AS g JOIN pg_class AS c ON c.oid = g.tgrelid "
    "WHERE c.relnamespace = {schema} AND g.tgisinternal AND g.tgenabled NOT IN ('O', 'A')"
)
_ASKED = {
    "table": _TABLES, "domain": _DOMAINS, "index": _INDEXES, "trigger": _TRIGGERS,
    "function": _FUNCTIONS,
}  # fmt: skip
_HERE = "(SELECT oid FROM pg_namespace WHERE nspname = current_schema())"


def made_by(steps: Steps) -> Inventory:
    """What the steps make, the later ones in place of the earlier."""
    text = "\n".join(_COMMENT.sub("", step.sql) for step in steps)
    return dict(map(_described, _MADE.finditer(text)))


def present(db: Connection) -> Inventory:
    """What the schema of the connection has, that is valid and switched on."""
    return {
        (kind, name): told
        for kind, sql in _ASKED.items()
        for name, told in fetch(db, sql.format(schema=_HERE), ())
    }


def amiss(db: Connection, steps: Steps) -> Iterator[str]:
    """A sentence for each thing of the steps that is not there, or is otherwise."""
    there = present(db)
    for (kind, name), told in made_by(steps).items():
        found = there.get((kind, name))
        if found is None:
            yield f"the {kind} {name} is not there, not valid or switched off"
        elif found != told:
            what = {"table": "constraints", "domain": "constraints", "function": "code"}.get(kind)
            yield f"the {kind} {name} has not the {what or 'definition'} that the schema gives it"
    for (table,) in fetch(db, _SWITCHED_OFF.format(schema=_HERE), ()):
        yield f"the foreign keys of the table {table} are switched off"


def _described(made: re.Match[str]) -> tuple[tuple[str, str], str]:
    kind, name, rest = made["kind"].lower(), made["name"], made["rest"]
    told = ""
    if kind in ("table", "domain"):
        rules = Counter({letter: len(rule.findall(rest)) for letter, rule in _RULES.items()})
        told = "".join(sorted(rules.elements()))
    elif kind == "function":
        told = "".join(_BODY.findall(rest))
    elif found := _ON.search(rest):
        told = f"{found[1]}{' unique' if made['unique'] else ''}"
    return (kind, name), told
