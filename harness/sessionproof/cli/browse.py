"""``sessionproof browse``: sessions as one page to read and search."""

from __future__ import annotations

import sqlite3
from collections import deque
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

import click

from sessionproof.cli.places import StoredFiles
from sessionproof.cli.times import shown_time

if TYPE_CHECKING:
    from rich.console import Console

    from sessionproof.report.browsing import Browsed


@click.command()
@click.argument("path", type=StoredFiles())
@click.option(
    "--out", required=True, type=click.Path(path_type=Path), help="New file, as page.html."
)
@click.option("--owner", help="The sessions of this owner.")
@click.option("--session", "sessions", multiple=True, help="This session; may be given again.")
@click.option(
    "--most",
    type=click.IntRange(1, 200_000),
    default=20_000,
    show_default=True,
    help="Messages on the page: the newest sessions, and what is newest in them.",
)
@click.option("--title", help="What stands above the page.  [default: the path]")
@click.option("--json", "as_json", is_flag=True, help="Print what is on the page, for programs.")
def browse(
    path: Path,
    *,
    out: Path,
    owner: str | None,
    sessions: tuple[str, ...],
    most: int,
    title: str | None,
    as_json: bool,
) -> None:
    """Write the sessions of PATH, a directory with sessions.db or such a file, as a page.

    One file, private, that needs no network. PATH is only read, and may be in use. Exit codes:
    0 written, 2 refused, 130 interrupted.
    """
    from sessionproof.cli.upkeep import Progress, carried_out, say
    from sessionproof.contract.clock import SystemClock
    from sessionproof.reference.exchange.exporting import write_new
    from sessionproof.reference.exchange.stored import on_database
    from sessionproof.report.browsing import render_page

    def work(progress: Progress) -> dict[str, int]:
        now_us = SystemClock().now_us()
        found, left_out = on_database(
            path,
            lambda db, file: _read(
                db, file, owner=owner, sessions=sessions, most=most, now_us=now_us, told=progress
            ),
        )
        made = f"as of {_time(now_us)}"
        page = render_page(title or str(path), found, made=made, left_out=left_out)
        write_new(out, page)
        return {
            "sessions": len(found), "messages": sum(len(one.messages) for one in found),
            "left_out_sessions": left_out, "left_out_messages": sum(one.earlier for one in found),
        }  # fmt: skip

    def show(done: dict[str, int], console: Console) -> None:
        say(console, f"written   {out}")
        say(console, f"          {done['messages']:,} messages of {done['sessions']:,} sessions")
        if done["left_out_sessions"] or done["left_out_messages"]:
            say(
                console,
                f"left out  {done['left_out_sessions']:,} older sessions, "
                f"{done['left_out_messages']:,} earlier messages: raise --most, or name sessions",
            )

    code = carried_out(
        work,
        as_json=as_json,
        to_json=lambda done: {"file": str(out), **done},
        show=show,
        code=lambda _: 0,
        interrupted="nothing was written",
    )
    click.get_current_context().exit(code)


def _read(
    db: sqlite3.Connection,
    path: Path,
    *,
    owner: str | None,
    sessions: tuple[str, ...],
    most: int,
    now_us: int,
    told: Callable[[str], None],
) -> tuple[list[Browsed], int]:
    """The sessions, newest first, as far as there is room; how many are left out."""
    from sessionproof.reference.copying import one_state
    from sessionproof.reference.exchange.stored import conversations
    from sessionproof.reference.listed import recent
    from sessionproof.report.browsing import Browsed

    found: list[Browsed] = []
    with one_state(db):
        infos = recent(db, path, now_us=now_us, owner=owner, limit=_ALL).sessions
        if sessions:
            unknown = set(sessions) - {one.session_id for one in infos}
            for _ in conversations(db, path, session_ids=sorted(unknown)) if unknown else ():
                pass  # raises for those that are not there
            infos = tuple(one for one in infos if one.session_id in sessions)
        for info in infos:
            if most <= 0 or len(found) >= _MOST_SESSIONS:
                break
            told(f"session {len(found) + 1:,}")
            for one in conversations(db, path, session_ids=(info.session_id,)):
                items = deque(one.messages, most)
                most -= len(items)
                facts = {
                    "title": info.title, "session": info.session_id, "owner": info.owner,
                    "model": info.llm_model, "status": info.status,
                    "tokens": f"{info.total_tokens:,}", "begun": _time(info.created_at_us),
                    "last activity": _time(info.last_activity_us),
                }  # fmt: skip
                found.append(
                    Browsed(
                        session_id=info.session_id,
                        facts={name: text for name, text in facts.items() if text is not None},
                        messages=[
                            (item.seq or 0, _time(item.appended_at_us), item.message)
                            for item in items
                        ],
                        earlier=(info.message_count or 0) - len(items),
                    )
                )
    return found, len(infos) - len(found)


_ALL = 2**31
_MOST_SESSIONS = 20_000


def _time(us: int | None) -> str:
    return shown_time(us or 0, "%Y-%m-%d %H:%M:%S UTC")
