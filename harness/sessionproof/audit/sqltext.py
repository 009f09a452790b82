"""The text of CREATE statements, compared by what it says and not by how it is set."""

from __future__ import annotations

import re
import sqlite3
from collections.abc import Iterator
from functools import lru_cache
from string import ascii_lowercase, ascii_uppercase

_TOKEN = re.compile(
    r"""(?P<blank>\s+|--[^\n]*|/\*.*?(?:\*/|\Z))
    |(?P<text>'(?:[^']|'')*')
    |(?P<name>"(?:[^"]|"")*"|`(?:[^`]|``)*`|\[[^\]]*\])
    |(?P<word>\w+)
    |(?P<mark>\|\||<>|<=|>=|!=|==|.)""",
    re.DOTALL | re.VERBOSE,
)


_TO_SMALL = str.maketrans(ascii_uppercase, ascii_lowercase)


def folded(name: str) -> str:
    """A name of a table or column as SQLite compares it: beyond A to Z it tells case apart."""
    return name.translate(_TO_SMALL)


@lru_cache(maxsize=512)  # the same schemas are compared again and again
def tokens(sql: str) -> tuple[str, ...]:
    """What the statement says: without comments, blanks, quotes around names, and case."""
    found = []
    for match in _TOKEN.finditer(sql):
        if match["name"]:
            found.append(match["name"][1:-1].lower())
        elif not match["blank"]:
            found.append(match[0] if match["text"] else match[0].lower())
    return tuple(word for word in found if word != ";")


def parts(sql: str) -> tuple[frozenset[tuple[str, ...]], tuple[str, ...]]:
    """The columns and constraints of a CREATE TABLE, and the words after them, as STRICT."""
    words = tokens(sql)
    if "(" not in words:
        return frozenset(), words
    depth, current, found, start = 0, list[str](), set[tuple[str, ...]](), words.index("(")
    for place, word in enumerate(words[start:], start):
        depth += {"(": 1, ")": -1}.get(word, 0)
        if depth == 0 or (depth == 1 and word == ","):
            found.add(tuple(current))
            current = []
        elif place > start:
            current.append(word)
        if depth == 0:
            return frozenset(found), words[place + 1 :]
    return frozenset(found), ()


def checks(sql: str) -> list[str]:
    """The conditions of all CHECKs in a CREATE TABLE, as they are written."""
    found, depth, start = list[str](), 0, -1
    last = ""
    for match in _TOKEN.finditer(sql):
        if match["blank"]:
            continue
        if start < 0 and last == "check" and match[0] == "(":
            start, depth = match.end(), 0
        elif start >= 0 and match["mark"]:
            depth += {"(": 1, ")": -1}.get(match[0], 0)
            if depth < 0:
                found.append(sql[start : match.start()].strip())
                start = -1
        last = match[0].lower() if match["word"] else ""
    return found


def statements(sql: str) -> Iterator[str]:
    """The statements of a script; the bodies of triggers stay whole."""
    pending = ""
    for line in sql.splitlines(keepends=True):
        pending += line
        if sqlite3.complete_statement(pending):
            yield pending.strip()
            pending = ""
