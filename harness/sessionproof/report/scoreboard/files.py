"""A board's files: the data, whole or not at all, and read back; then all pages made from it.

Below its folder lie ``scoreboard.json`` and ``data/NAME.json``; ``index.html``, ``README.md``,
``stores/NAME.html`` and ``badges/NAME.svg`` are made from them.
"""

from __future__ import annotations

import json
import re
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any, TypeVar

from sessionproof.contract.decoding import decoded
from sessionproof.report.plain import shown
from sessionproof.report.scoreboard.badges import badge_of
from sessionproof.report.scoreboard.board import SCHEMA_VERSION, Board, Entry
from sessionproof.report.scoreboard.pages import render_board, render_store
from sessionproof.report.scoreboard.readme import render_readme
from sessionproof.report.write import read_versioned, write_whole

DATA, PAGE, README = "scoreboard.json", "index.html", "README.md"
STORE_DATA, STORE_PAGES, BADGES = "data", "stores", "badges"
RUNS = "runs"
_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,59}")
T = TypeVar("T", Board, Entry)


def write_board(board: Board, folder: Path) -> Path:
    """Write all files of the board into its folder, which is made; the path of the page.

    Those of stores that an earlier board in the folder had, and this one has not, are removed.
    """
    earlier = _earlier_names(folder)
    for name in (STORE_DATA, STORE_PAGES, BADGES):
        (folder / name).mkdir(parents=True, exist_ok=True)
    for entry in board.entries:
        write_entry(entry, folder)
    write_whole(folder / DATA, _board_text(board))
    for entry in board.entries:
        page = render_store(board, entry, has_run=(folder / _run_page(entry)).is_file())
        write_whole(folder / STORE_PAGES / f"{entry.name}.html", page)
        write_whole(folder / BADGES / f"{entry.name}.svg", badge_of(entry))
    write_whole(folder / README, render_readme(board))
    write_whole(folder / PAGE, render_board(board))
    _remove(earlier - {entry.name for entry in board.entries}, folder)
    return folder / PAGE


def write_entry(entry: Entry, folder: Path) -> None:
    """Write the data of one store."""
    (folder / STORE_DATA).mkdir(parents=True, exist_ok=True)
    value = {"schema": SCHEMA_VERSION, **_without_empty(asdict(entry))}
    text = json.dumps(value, separators=(",", ":"), allow_nan=False)
    write_whole(folder / STORE_DATA / f"{entry.name}.json", text + "\n")


def read_board(folder: Path) -> Board:
    """The board in a folder; raises ValueError in one line that names the file."""
    value = _read(folder / DATA)
    names = value.get("entries")
    if not isinstance(names, list) or not all(_is_name(name) for name in names):
        raise ValueError(f"{shown(str(folder / DATA))} is no board: entries must be names")
    board = _decoded(Board, {**value, "entries": []}, folder / DATA)
    entries = []
    for name in names:
        path = folder / STORE_DATA / f"{name}.json"
        entry = _decoded(Entry, _read(path), path)
        if entry.name != name:
            raise ValueError(f"{shown(str(path))} is about {shown(entry.name)}")
        entries.append(entry)
    return replace(board, entries=tuple(entries))


def _board_text(board: Board) -> str:
    value = {"schema": SCHEMA_VERSION, **asdict(replace(board, entries=()))}
    value["entries"] = [entry.name for entry in board.entries]
    return json.dumps(value, indent=1, allow_nan=False) + "\n"


def _without_empty(value: dict[str, Any]) -> dict[str, Any]:
    """The rows without what is at its default, as most of it is."""
    rows = [{key: one for key, one in row.items() if one not in ("", 0, None)}
            for row in value["rows"]]  # fmt: skip
    return {**value, "rows": [{**row, "gated": row.get("gated", False)} for row in rows]}


def _read(path: Path) -> dict[str, Any]:
    older = "use the sessionproof that wrote it"
    return read_versioned(path, "no data of a scoreboard", SCHEMA_VERSION, older=older)


def _decoded(kind: type[T], value: dict[str, Any], path: Path) -> T:
    try:
        return decoded(kind, value, may_lack=_MAY_LACK)
    except ValueError as error:
        raise ValueError(f"{shown(str(path))} is no data of a scoreboard: {error}") from None


_MAY_LACK = (
    "reason", "examined", "unit", "findings", "confirmed", "example", "interrupted", "claim",
)  # fmt: skip


def _is_name(name: object) -> bool:
    return isinstance(name, str) and _NAME.fullmatch(name) is not None


def _run_page(entry: Entry) -> str:
    return f"{RUNS}/{entry.name}/{PAGE}"


def _earlier_names(folder: Path) -> set[str]:
    """The stores of the board that lies in the folder; none where there is none."""
    try:
        names = _read(folder / DATA).get("entries")
    except ValueError:
        return set()
    return {name for name in names if _is_name(name)} if isinstance(names, list) else set()


def _remove(names: set[str], folder: Path) -> None:
    """Remove the files of these stores."""
    for name in names:
        (folder / STORE_DATA / f"{name}.json").unlink(missing_ok=True)
        (folder / STORE_PAGES / f"{name}.html").unlink(missing_ok=True)
        (folder / BADGES / f"{name}.svg").unlink(missing_ok=True)
