"""``sessionproof sessions``: the newest sessions, the largest, sums, slow answers."""

from __future__ import annotations

import sqlite3
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass
from datetime import date, datetime, tzinfo
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click
from click.core import ParameterSource

from sessionproof.cli.places import StoredFiles
from sessionproof.cli.times import shown_time
from sessionproof.contract.clock import SystemClock
from sessionproof.contract.lifetime import STATUSES

if TYPE_CHECKING:
    from rich.console import Console

_TAKES = {
    "recent": {"owner", "status", "day", "cursor", "limit"},
    "largest": {"owner", "by", "limit"},
    "statistics": set[str](),
    "timeout": {"limit"},
    "tokens": {"owner", "day", "limit"},
    "slow": {"owner", "session", "model", "least_ms", "limit"},
}
"""The options that choose rows, by listing; any other is refused, since it would be ignored."""

_ROWS_MOST = 1_000_000
_WIDEST = 40  # characters of a cell
_GAP = "  "  # between columns


@dataclass(frozen=True, slots=True, kw_only=True)
class _Asked:
    now_us: int
    owner: str | None
    status: str | None
    session: str | None
    model: str | None
    day: date | None
    zone: tzinfo
    by: str
    least_us: int
    limit: int
    cursor: str | None


@dataclass(frozen=True, slots=True)
class _Listed:
    """Rows, and the cursor of those that follow."""

    rows: Sequence[Any]
    next: str | None = None


@click.command()
@click.argument("path", type=StoredFiles())
@click.argument("what", type=click.Choice(tuple(_TAKES)), default="recent")
@click.option("--owner", help="recent, largest, tokens, slow: of this owner alone.")
@click.option("--status", type=click.Choice(STATUSES), help="recent: of this status alone.")
@click.option("--session", help="slow: in this session alone.")
@click.option("--model", help="slow: of sessions that name this model.")
@click.option(
    "--day",
    type=click.DateTime(["%Y-%m-%d"]),
    help="recent: last active on this day; tokens: of this day alone.",
)
@click.option(
    "--zone", default="UTC", show_default=True, help="Whose days and times, as Asia/Tokyo."
)
@click.option(
    "--by",
    type=click.Choice(("messages", "tokens", "duration")),
    default="messages",
    show_default=True,
    help="largest: what counts.",
)
@click.option(
    "--least-ms",
    type=click.IntRange(0, 10**12),
    default=10_000,
    show_default=True,
    help="slow: at least.",
)
@click.option(
    "--limit",
    type=click.IntRange(1, _ROWS_MOST),
    default=20,
    show_default=True,
    help="Rows at most, but for statistics.",
)
@click.option("--cursor", help="recent: go on where an earlier page ended, as it said.")
@click.option("--json", "as_json", is_flag=True, help="Print the rows as JSON, for programs.")
def sessions(
    path: Path,
    what: str,
    *,
    owner: str | None,
    status: str | None,
    session: str | None,
    model: str | None,
    day: datetime | None,
    zone: str,
    by: str,
    least_ms: int,
    limit: int,
    cursor: str | None,
    as_json: bool,
) -> None:
    """List sessions of PATH, a directory with sessions.db or such a file, which is only read.

    WHAT is recent (by last activity), largest, statistics (sums by model and status), timeout
    (past their limits, and not yet swept), tokens (by day and model) or slow (messages).
    Exit codes: 0 listed, 2 refused, 130 interrupted.
    """
    from sessionproof.cli.upkeep import carried_out
    from sessionproof.reference.exchange.stored import on_database

    _require_taken(what)
    asked = _Asked(
        now_us=SystemClock().now_us(), owner=owner, status=status, session=session, model=model,
        day=None if day is None else day.date(), zone=_zone(zone), by=by,
        least_us=least_ms * 1_000, limit=limit, cursor=cursor,
    )  # fmt: skip
    code = carried_out(
        lambda _: on_database(path, lambda db, file: _LISTINGS[what](db, file, asked)),
        as_json=as_json,
        to_json=lambda found: {
            "what": what, "rows": [_plain(asdict(row)) for row in found.rows], "next": found.next,
        },
        show=lambda found, console: _show(found, console, asked.zone),
        code=lambda _: 0,
    )  # fmt: skip
    click.get_current_context().exit(code)


def _require_taken(what: str) -> None:
    """Refuse options that the listing does not have: their rows would not be those asked for."""
    context = click.get_current_context()
    for name in sorted({one for names in _TAKES.values() for one in names} - _TAKES[what]):
        if context.get_parameter_source(name) is ParameterSource.COMMANDLINE:
            having = ", ".join(one for one, names in _TAKES.items() if name in names)
            option = f"--{name.replace('_', '-')}"
            raise click.UsageError(f"{option} is an option of {having}, and not of {what}")


def _zone(name: str) -> tzinfo:
    from zoneinfo import ZoneInfo

    try:
        return ZoneInfo(name)
    except (ValueError, OSError, KeyError):
        raise click.UsageError(f"--zone {name!r} is not known: name it as Europe/Berlin") from None


def _recent(db: sqlite3.Connection, path: Path, asked: _Asked) -> _Listed:
    from sessionproof.reference import listed

    page = listed.recent(
        db, path, now_us=asked.now_us, owner=asked.owner, status=asked.status, day=asked.day,
        zone=asked.zone, limit=asked.limit, cursor=asked.cursor,
    )  # fmt: skip
    return _Listed(page.sessions, page.next)


def _largest(db: sqlite3.Connection, path: Path, asked: _Asked) -> _Listed:
    from sessionproof.reference import listed

    found = listed.largest(
        db, path, now_us=asked.now_us, by=asked.by, owner=asked.owner, limit=asked.limit
    )
    return _Listed(found)


def _statistics(db: sqlite3.Connection, path: Path, asked: _Asked) -> _Listed:
    from sessionproof.reference import listed

    return _Listed(listed.statistics(db, path, now_us=asked.now_us))


def _timeout(db: sqlite3.Connection, path: Path, asked: _Asked) -> _Listed:
    from sessionproof.reference import listed

    return _Listed(listed.at_timeout(db, path, now_us=asked.now_us, limit=asked.limit))


def _tokens(db: sqlite3.Connection, path: Path, asked: _Asked) -> _Listed:
    from sessionproof.reference import listed

    found = listed.tokens(
        db, path, owner=asked.owner, first=asked.day, last=asked.day, zone=asked.zone
    )
    return _Listed(found[-asked.limit :])


def _slow(db: sqlite3.Connection, path: Path, asked: _Asked) -> _Listed:
    from sessionproof.reference import listed

    found = listed.slow(
        db, path, least_us=asked.least_us, session_id=asked.session, owner=asked.owner,
        llm_model=asked.model, limit=asked.limit,
    )  # fmt: skip
    return _Listed(found)


_LISTINGS: dict[str, Callable[[sqlite3.Connection, Path, _Asked], _Listed]] = {
    "recent": _recent,
    "largest": _largest,
    "statistics": _statistics,
    "timeout": _timeout,
    "tokens": _tokens,
    "slow": _slow,
}


def _show(found: _Listed, console: Console, zone: tzinfo) -> None:
    from rich.console import Console
    from rich.table import Table
    from rich.text import Text

    from sessionproof.cli.upkeep import say
    from sessionproof.report.plain import cut, for_terminal

    if not found.rows:
        say(console, "none")
        return
    columns = [column for column in _COLUMNS if column.name in asdict(found.rows[0])]
    rows = [
        [
            for_terminal(cut(_cell(one, asdict(row)[one.name], zone), _WIDEST), console.encoding)
            for one in columns
        ]
        for row in found.rows
    ]
    widths = _widths(columns, rows, room=console.width if console.is_terminal else None)
    table = Table(box=None, pad_edge=False, header_style="")
    for column, width in zip(columns, widths, strict=True):
        justify: Any = "right" if column.shown is _number else "left"
        table.add_column(column.title, justify=justify, no_wrap=True, width=width)
    for row in rows:
        table.add_row(*map(Text, row))
    Console(width=sum(widths) + len(_GAP) * len(widths)).print(table, crop=False)
    if found.next:
        say(console, f"more with --cursor {found.next}")


def _widths(
    columns: Sequence[_Column], rows: Sequence[list[str]], *, room: int | None
) -> list[int]:
    """The cells of each column. Where there is no room, texts give way, and no id: it is copied.

    ``room`` is None in a file or another program, which have room for all of it.
    """
    from rich.cells import cell_len

    widths = [
        max(cell_len(column.title), *(cell_len(row[place]) for row in rows))
        for place, column in enumerate(columns)
    ]
    for place, column in reversed([*enumerate(columns)]):
        excess = 0 if room is None else sum(widths) + len(_GAP) * len(widths) - room
        if excess > 0 and column.name in _LEAST:
            widths[place] = max(widths[place] - excess, min(widths[place], _LEAST[column.name]))
    return widths


def _number(value: int) -> str:
    return f"{value:,}"


@dataclass(frozen=True, slots=True)
class _Column:
    """A field of a row, its title, and how it is shown; ``_time`` needs the zone."""

    name: str
    title: str
    shown: Callable[..., str] = str


def _time(us: int, zone: tzinfo) -> str:
    return shown_time(us, zone=zone)


def _content(message: dict[str, Any]) -> str:
    return f"{message['duration_us'] / 1e6:.1f} s: {message['content']}"


_COLUMNS = (
    _Column("day", "day"),
    _Column("session_id", "session"),
    _Column("seq", "number", _number),
    _Column("sessions", "sessions", _number),
    _Column("message_count", "messages", _number),
    _Column("messages", "messages", _number),
    _Column("total_tokens", "tokens", _number),
    _Column("tokens", "tokens", _number),
    _Column("last_activity_us", "last activity", _time),
    _Column("status", "status"),
    _Column("run_out", "limit"),
    _Column("deadline_us", "ran out", _time),
    _Column("owner", "owner"),
    _Column("llm_model", "model"),
    _Column("title", "title"),
    _Column("message", "took", _content),
)
"""What people see of any listing, in this order; JSON has all of it."""

_LEAST = {"owner": 6, "llm_model": 6, "title": 6, "message": 12}
"""What is left of texts of users where a terminal is narrow."""


def _cell(column: _Column, value: Any, zone: tzinfo) -> str:
    if value is None:
        return ""
    return _time(value, zone) if column.shown is _time else column.shown(value)


def _plain(value: Any) -> Any:
    """Dates as texts, all else as it is."""
    if isinstance(value, dict):
        return {name: _plain(one) for name, one in value.items()}
    return value.isoformat() if isinstance(value, date) else value
