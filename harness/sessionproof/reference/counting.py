"""Triggers of a legacy database that keep the sessions' counters, whatever they are called."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from sessionproof.audit.catalog import Catalog
from sessionproof.audit.recognise import GUARDS
from sessionproof.audit.schemas import Sessions
from sessionproof.audit.sqltext import tokens
from sessionproof.contract.errors import Refused

_STARTS = frozenset({"update", "insert", "delete", "select", "replace", "with"})


@dataclass(frozen=True, slots=True)
class Counting:
    """A trigger that writes into counters: its event, and what else of the session it sets.

    ``times`` are columns with their values, as SQL.
    """

    name: str
    sql: str
    event: str
    times: tuple[tuple[str, str], ...]


def counting_triggers(found: Catalog, schema: str, sessions: Sessions) -> tuple[Counting, ...]:
    """All triggers of the file that count; raises ``Refused`` for one that does more than that."""
    named = {name: sql for (kind, name), sql in found.objects.items() if kind == "trigger"}
    each = (
        counting(name, sql, schema, sessions)
        for name, sql in named.items()
        if not name.startswith(GUARDS)
    )
    return tuple(one for one in each if one is not None)


def counting(name: str, sql: str, schema: str, sessions: Sessions) -> Counting | None:
    """What a trigger counts; None for one that writes into no counter. Raises ``Refused``."""
    words = tokens(sql)
    sets = [*_sets(words)]
    if not any(table == sessions.table and one in sessions.counters for table, one, _ in sets):
        return None
    others = [one for one in _statements(words) if one[:1] != ("update",)]
    elsewhere = {table for table, _, _ in sets} - {sessions.table}
    if others or elsewhere or words[words.index("on") + 1] != sessions.messages:
        raise Refused(
            f"the trigger {name} counts, and does more than the {schema} schema knows: "
            "split it in two, then try again"
        )
    event = next(word for word in words if word in ("insert", "delete", "update"))
    times = tuple((column, value) for _, column, value in sets if column not in sessions.counters)
    return Counting(name, sql, event, times)


def _statements(words: tuple[str, ...]) -> Iterator[tuple[str, ...]]:
    """The statements between BEGIN and END."""
    depth, start = 0, -1
    begin, end = words.index("begin") + 1, len(words) - 1
    for place in range(begin, end):
        depth += {"(": 1, ")": -1, "case": 1, "end": -1}.get(words[place], 0)
        if depth == 0 and words[place] in _STARTS:
            if start >= 0:
                yield words[start:place]
            start = place
    if start >= 0:
        yield words[start:end]


def _sets(words: tuple[str, ...]) -> Iterator[tuple[str, str, str]]:
    """Table, column and value of all that UPDATEs of the trigger set."""
    for statement in _statements(words):
        if statement[0] != "update" or "set" not in statement:
            continue
        table = statement[statement.index("set") - 1]
        depth, part = 0, list[str]()
        for word in (*statement[statement.index("set") + 1 :], ","):
            if depth == 0 and word in (",", "where"):
                if len(part) > 2 and part[1] == "=":
                    yield table, part[0], " ".join(part[2:])
                part = []
                if word == "where":
                    break
                continue
            depth += {"(": 1, ")": -1}.get(word, 0)
            part.append(word)
