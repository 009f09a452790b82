"""What the plans of statements say of their cost, and when that is a break.

A plan's words do not tell whether a walk through a table stops early, and a table may be one of
five rows. So a plan only makes a statement suspect. It is broken when the same call takes more
steps of SQLite's machine once there are more rows, at least one for every eighth of them: where the
rows are those of other sessions, or where they are the session's own and the call has no business
with all of them.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from typing import Literal, TypeAlias

Kind = Literal["scan", "count", "sort"]
"""A walk through a table; a count of all its rows, which is one step; a sort in a tree."""

Rows: TypeAlias = Mapping[str, int]
"""Rows by table, names in small letters."""

OTHERS, ITS_OWN = "other sessions", "the session's own messages"
"""What a statement's cost may grow among."""

WHOLE = frozenset({"read"})
"""Calls whose answer is all of a session: they may sort it, and cost as much as it is long."""

# Steps for each row that was added. A walk takes at least one for each that it comes by, and one
# that ends early, as that for a first page, does not come by all of them.
_PART = 1 / 8
_ROW_PART = 1 / 4  # of the rows that were added: more statements than that are one for each

# Names in quotes are kept. All in one pass: a text may hold two dashes, a comment an apostrophe.
_TOKEN = re.compile(
    r"""(?P<comment>/\*.*?\*/|--[^\n]*)
    |(?P<name>"(?:[^"]|"")*")
    |[xX]?'(?:[^']|'')*'
    |(?<![\w\"$.])[-+]?\d+(?:\.\d+)?(?:[eE][-+]?\d+)?\b""",
    re.DOTALL | re.VERBOSE,
)
_NULL = re.compile(r"(?<!IS )(?<!NOT )\bNULL\b")  # as SQLite writes a value that was bound
_LISTS = re.compile(r"\(\?(?:, ?\?)*\)(?:, ?\(\?(?:, ?\?)*\))*")
_COMMENT = re.compile(r"/\*.*?\*/|--[^\n]*", re.DOTALL)
_WORK = ("SELECT", "INSERT", "UPDATE", "DELETE", "REPLACE", "WITH", "VALUES")
_SETTINGS = (
    "PRAGMA", "BEGIN", "COMMIT", "END", "ROLLBACK", "SAVEPOINT", "RELEASE", "ATTACH", "DETACH",
    "EXPLAIN", "ANALYZE", "",
)  # fmt: skip
_SCAN = re.compile(r"SCAN (?:TABLE )?(\S+)")
# A range of rows, as for (rowid>?), or an order in which the first is looked for, as for max().
_RANGE = re.compile(r"SEARCH (?:TABLE )?(\S+)(?: AS \S+)?(?: USING [^=]*)?$")
_AUTOMATIC = re.compile(r"SEARCH (?:TABLE )?(\S+)(?: AS \S+)? USING AUTOMATIC ")
_MADE = re.compile(r"(?:CO-ROUTINE|MATERIALIZE) (?P<name>\S+)")
_SORT = "USE TEMP B-TREE FOR ORDER BY"


@dataclass(frozen=True, slots=True)
class Line:
    """A line of EXPLAIN QUERY PLAN: its number, that of the line that it belongs to, its words."""

    number: int
    parent: int
    text: str


@dataclass(frozen=True, slots=True)
class Suspect:
    """What a plan may do with all rows of a table: ``name`` is the table's or its alias.

    ``line`` says it in SQLite's words, or in ours where it stands in a trigger.
    """

    kind: Kind
    name: str
    line: str


@dataclass(frozen=True, slots=True)
class Cost:
    """Steps of one statement in one call, and the rows of all tables at that time."""

    steps: int
    rows: Rows


@dataclass(frozen=True, slots=True)
class Growth:
    """The same call three times: at first, with more of others, then with more of its own, too."""

    first: Cost
    elsewhere: Cost
    inside: Cost


def normalised(text: str) -> str:
    """The statement with its values and its comments taken out, so that equal ones are equal."""
    bare = _NULL.sub("?", _TOKEN.sub(_bare, text))
    return _LISTS.sub("(?)", " ".join(bare.split()))


def _bare(found: re.Match[str]) -> str:
    """What stands for a comment, a name in quotes, or a value."""
    return found["name"] or (" " if found["comment"] else "?")


def first_word(text: str) -> str:
    """What kind of statement it is, in capitals; empty for one that is a comment alone."""
    found = re.match(r"[\s(;]*([A-Za-z]+)", _COMMENT.sub(" ", text))
    return found.group(1).upper() if found else ""


def reads_or_writes(text: str) -> bool:
    """Whether the statement is one that has a plan."""
    return first_word(text) in _WORK


def number_of(texts: Sequence[str]) -> int:
    """How many of the statements do something: no transactions, and no settings."""
    return sum(first_word(text) not in _SETTINGS for text in texts)


def for_each_row(few: int, many: int, rows: int) -> bool:
    """Whether statements that became ``many`` where ``rows`` were added are one for each of them.

    What reads in chunks takes a few more, which is right.
    """
    return many - few >= max(2, rows * _ROW_PART)


def suspects(plan: Sequence[Line]) -> list[Suspect]:
    """What in a plan may grow with a table.

    A sort is left out where it sorts what a subquery made, as the newest rows in their order, and
    where it sorts only among equals of an order that an index gives. Trees for GROUP BY and
    DISTINCT are no sorts of messages.
    """
    made = {found.group("name") for line in plan if (found := _MADE.match(line.text))}
    out = []
    for line in plan:
        name = _walked(line.text)
        if name is not None and name not in made:
            out.append(Suspect("scan", name, line.text))
        elif line.text == _SORT and any(
            _is_of_a_table(other.text, made) for other in plan if other.parent == line.parent
        ):
            out.append(Suspect("sort", "", line.text))
    return out


def _walked(text: str) -> str | None:
    """The table that a line walks through, as the line names it; None for none."""
    if "VIRTUAL TABLE" in text:
        return None
    found = _SCAN.match(text) or _AUTOMATIC.match(text) or _RANGE.match(text)
    if found is None or found[1].startswith("(") or "CONSTANT ROW" in text:
        return None
    return found[1]


def _is_of_a_table(text: str, made: set[str]) -> bool:
    found = re.match(r"(?:SCAN|SEARCH) (?:TABLE )?(\S+)", text)
    return found is not None and found[1] not in made and not found[1].startswith("(")


def machine_suspects(
    machine: Sequence[tuple[str, int, int, str]], tables: Mapping[int, str]
) -> list[Suspect]:
    """What the plan does not show: counts of whole tables, and what triggers walk through.

    ``machine`` are the instructions as EXPLAIN has them: name, first and second operand, text.
    ``tables`` are tables by the page where they, or an index of theirs, begin.
    """
    out: dict[tuple[Kind, str], Suspect] = {}
    opened: dict[int, str | None] = {}  # by each statement anew
    trigger = inner = ""
    for name, first, second, text in machine:
        if name in ("Init", "Trace") and text.startswith("-- "):
            is_new = text.startswith("-- TRIGGER")
            trigger, inner = (text[3:], "") if is_new else (trigger, f": {text[3:]}")
            opened = {}
        elif name in ("OpenRead", "ReopenIdx", "OpenWrite"):
            opened[first] = tables.get(second)
        elif name == "Count" or (trigger and name in ("Rewind", "Last")):
            kind: Kind = "count" if name == "Count" else "scan"
            table = opened.get(first)
            if table:
                words = f"SCAN {table}{', all rows counted' if name == 'Count' else ''}"
                told = f"{words} in {_named(trigger)}{inner}" if trigger else words
                out.setdefault((kind, table), Suspect(kind, table, told))
    return list(out.values())


def _named(trigger: str) -> str:
    name = trigger.removeprefix("TRIGGER").strip()
    return f"the trigger {name}" if name else "a foreign key's action"


def table_of(name: str, text: str, tables: Collection[str]) -> str | None:
    """The table that a plan means by this name in a statement; None where that is not to be seen.

    Names of tables are in small letters.
    """
    plain = name.lower().removeprefix("main.")
    if plain in tables:
        return plain
    for table in tables:
        alias = rf"[\"`\[]?{re.escape(table)}[\"`\]]?\s+(?:AS\s+)?[\"`\[]?{re.escape(plain)}\b"
        if re.search(rf"(?<![\w]){alias}", text, re.IGNORECASE):
            return table
    return None


def growing(call: str, suspect: Suspect, text: str, growth: Growth) -> str | None:
    """Among what the statement's cost grows, in words; None where it does not.

    ``call`` is the store's method. A walk may grow with the session where the call answers it
    whole, or counts it.
    """
    if suspect.kind != "sort" and _grew(suspect, text, growth.first, growth.elsewhere):
        return OTHERS
    whole = call in WHOLE or (suspect.kind != "sort" and call in ("get", "count"))
    if not whole and _grew(suspect, text, growth.elsewhere, growth.inside):
        return ITS_OWN
    return None


def _grew(suspect: Suspect, text: str, first: Cost, later: Cost) -> bool:
    added = _added(suspect, text, first.rows, later.rows)
    if suspect.kind == "count":
        return added > 0  # one instruction, which visits every page
    return added > 0 and later.steps - first.steps >= added * _PART


def _added(suspect: Suspect, text: str, first: Rows, later: Rows) -> int:
    """The rows that were added to the table, or to the one that most came to where it is a sort.

    Where the table is not to be seen in the statement, as in a view, it is the one that fewest
    came to, but some.
    """
    more = {table: later[table] - first.get(table, 0) for table in later}
    if suspect.kind == "sort":
        return max(more.values(), default=0)
    table = table_of(suspect.name, text, later)
    if table is not None:
        return more[table]
    if suspect.name.lower() in ("sqlite_master", "sqlite_schema", "sqlite_temp_master"):
        return 0
    return min((number for number in more.values() if number > 0), default=0)


def missing_index(
    suspect: Suspect,
    text: str,
    columns: Mapping[str, Sequence[str]],
    indexed: Mapping[str, Sequence[str]],
) -> str:
    """Which index would help, as far as the statement shows it; empty where it does not.

    ``columns`` are those of each table, ``indexed`` the first columns of its indexes, all in small
    letters.
    """
    if suspect.kind == "sort":
        found = re.search(r"\bORDER BY (.+?)(?:\bLIMIT\b|\)|$)", text, re.IGNORECASE)
        return f"no index gives the order of {found[1].strip()}" if found else ""
    table = table_of(suspect.name, text, columns)
    if table is None:
        return ""
    compared = re.findall(r"([\w]+)[\"`\])]*\s*(?:==?|\bIS\b|\bLIKE\b)\s*\?", text, re.IGNORECASE)
    asked = [name.lower() for name in compared if name.lower() in columns[table]]
    for column in asked:
        if column not in indexed[table]:
            return f"no index on {table}({column})"
    return f"the index on {table}({asked[0]}) is not used" if asked else ""
