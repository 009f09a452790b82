"""``sessionproof audit``: what is wrong in a database of chat sessions, for people and programs.

Every text of a database is hostile: it is escaped, and never stands at the start of a line.
"""

from __future__ import annotations

import json
import signal
from pathlib import Path

from rich import box
from rich.console import Console
from rich.table import Table
from rich.text import Text

from sessionproof.audit.examine import audit
from sessionproof.audit.file import Unreadable
from sessionproof.audit.result import KINDS, Audit, Problem, audit_to_json
from sessionproof.cli.lines import cell
from sessionproof.cli.upkeep import say
from sessionproof.cli.waiting import Waiting
from sessionproof.report.plain import shown
from sessionproof.report.result import EXIT_BROKEN, EXIT_HOLDS, EXIT_INTERRUPTED, EXIT_USAGE

_SQL_LINES_MAX = 12
_NOTES_MAX = 20
_LABEL_WIDTH = 9


def examine_file(file: Path, *, as_json: bool) -> int:
    """Audit the file and print what was found; answers the exit code."""
    errors = Console(stderr=True)
    waiting = Waiting(errors)
    # A cancelled CI job sends SIGTERM: a copy that was made is removed, as after Ctrl-C.
    signal.signal(signal.SIGTERM, signal.default_int_handler)
    try:
        found = audit(file, progress=waiting.tell)
    except Unreadable as error:
        waiting.end()
        say(errors, f"sessionproof: {error}")
        return EXIT_USAGE
    except KeyboardInterrupt:
        waiting.end()
        say(errors, "sessionproof: interrupted; the file is as it was")
        return EXIT_INTERRUPTED
    waiting.end()
    if as_json:
        print(json.dumps(audit_to_json(found), indent=2))  # noqa: T201 - ASCII, for a program
    else:
        print_audit(found, Console())
    if found.problems:
        return EXIT_BROKEN
    return EXIT_USAGE if found.unchecked else EXIT_HOLDS


def print_audit(found: Audit, console: Console) -> None:
    """Print the audit: the problems in a table, each kind explained, notes, one last sentence."""
    schema = "not known" if found.schema is None else found.schema
    version = f", version {found.version}" if found.version else ""
    _field(console, "file", f"{found.file} (read {found.read})")
    _field(console, "schema", f"{schema}{version}")
    tables = [f"{number:,} {name}" for name, number in found.rows.items()]
    _field(console, "rows", ", ".join(tables) or "none could be counted")
    if found.problems:
        console.print(_table(found, console))
        for kind in dict.fromkeys(problem.kind for problem in found.problems):
            _explain(kind, [one for one in found.problems if one.kind == kind], console)
    for one in found.unchecked:
        _field(console, "unchecked", one)
    for note in found.notes[:_NOTES_MAX]:
        _field(console, "note", note)
    if len(found.notes) > _NOTES_MAX:
        _field(console, "note", f"{len(found.notes) - _NOTES_MAX} more with --json")
    verdict, style = _verdict(found)
    _line(console, Text(verdict, style=style))


def _verdict(found: Audit) -> tuple[str, str]:
    number = len(found.problems)
    if number:
        return f"{number} problem{'s' if number > 1 else ''}", "bold red"
    if found.unchecked:
        return "nothing wrong was seen, but not all could be checked", "bold yellow"
    if found.schema is None:
        return "nothing wrong, as far as can be said without knowing the schema", "bold"
    return "nothing wrong", "bold green"


def _table(found: Audit, console: Console) -> Table:
    table = Table(box=box.SQUARE, header_style="bold", highlight=False)
    for name in ("problem", "where", "how many", "as"):
        justify = "right" if name == "how many" else "left"
        table.add_column(name, overflow="fold", justify=justify)  # type: ignore[arg-type]
    for one in found.problems:
        where = ".".join(part for part in (one.table, one.column) if part)
        table.add_row(
            Text(one.kind, style="red"),
            cell(console, where or one.what),
            f"{one.count:,}",
            cell(console, ", ".join(one.examples)),
        )
    return table


def _explain(kind: str, problems: list[Problem], console: Console) -> None:
    _line(console, Text.assemble((f"{kind}: ", "bold red"), KINDS[kind].means))
    _field(console, "mends", KINDS[kind].mends)
    for sql in dict.fromkeys(one.sql for one in problems if one.sql):
        lines = shown(sql, lines=True).splitlines()
        for place, line in enumerate(_beginning(lines)):
            _field(console, "" if place else "SQL", line)


def _beginning(lines: list[str]) -> list[str]:
    if len(lines) <= _SQL_LINES_MAX:
        return lines
    return [*lines[: _SQL_LINES_MAX - 1], "… the rest with --json"]


def _field(console: Console, label: str, text: str) -> None:
    head = Text(f"{label:<{_LABEL_WIDTH}} ", style="dim")
    _line(console, Text.assemble(head, cell(console, text)))


def _line(console: Console, text: Text) -> None:
    gutter = "│ " if console.encoding.lower().startswith("utf") else "| "
    console.print(Text.assemble((gutter, "dim"), text), soft_wrap=True)
