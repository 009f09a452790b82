"""What ``sessionproof history`` prints: operations as a table, and what a judgement says.

Names of sessions, texts of errors and of messages come from stores: they are escaped.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
from rich import box
from rich.console import Console
from rich.table import Table

from sessionproof.checks.history import judge_history, together
from sessionproof.checks.incidents import Incident, Judged, Level
from sessionproof.cli.lines import cell, line
from sessionproof.contract.anomalies import MEANINGS
from sessionproof.contract.claims import Claims
from sessionproof.history import files
from sessionproof.history.columns import F, History, Type
from sessionproof.history.files import HistoryError
from sessionproof.history.overlap import overlapping
from sessionproof.report.amounts import duration
from sessionproof.report.result import (
    EXIT_BROKEN,
    EXIT_HOLDS,
    EXIT_INTERRUPTED,
    EXIT_UNKNOWN,
    EXIT_USAGE,
)
from sessionproof.trials.windows import Scene, labelled

_INCIDENTS_MOST = 50  # printed; the rest is counted
_NAMES_MOST = 8
_MEANS: dict[Level, str] = {
    "linearizable": "linearizable: one order in time explains every answer",
    "session": "session: each client sees a consistent order, but late by the clock",
    "none": "none: not even each client for itself",
}
_STYLES = {Type.OK: "", Type.FAIL: "yellow", Type.INFO: "yellow"}


def show_history(path: Path, *, session: str | None, most: int) -> int:
    """Print the first operations, and how many there are; answers the exit code."""
    return guarded(lambda: _show(path, session, most))


def check_history(path: Path, *, missing_session: str, atomic_batches: bool, as_json: bool) -> int:
    """Judge the history part by part, print what was found; answers the exit code."""
    claims = Claims(
        missing_session=missing_session,  # type: ignore[arg-type]
        atomic_batches=atomic_batches,
    )
    return guarded(lambda: _check(path, claims, as_json))


def guarded(run: Callable[[], int]) -> int:
    """A file that is no history is one line and exit code 2, never a traceback."""
    errors = Console(stderr=True)
    try:
        return run()
    except HistoryError as error:
        line(errors, f"sessionproof: {error}")
        return EXIT_USAGE
    except KeyboardInterrupt:
        line(errors, "sessionproof: interrupted")
        return EXIT_INTERRUPTED


def _show(path: Path, session: str | None, most: int) -> int:
    console = Console()
    history = files.read(path)
    rows = history.rows
    wanted = np.arange(len(rows))
    if session is not None:
        wanted = np.flatnonzero(rows["session"] == number_of(session, history, path))
    wanted = wanted[np.argsort(rows["inv"][wanted], kind="stable")]
    if len(wanted):
        console.print(_table(history, [int(at) for at in wanted[:most]], console))
    if len(wanted) > most:
        line(console, f"| {len(wanted) - most:,} later operations are not shown: --most", "dim")
    line(console, f"| {_summary(history, wanted)}", "bold")
    return EXIT_HOLDS


def number_of(name: str, history: History, path: Path) -> int:
    """The number of the session with this id; raises HistoryError that names some others."""
    if name in history.sessions:
        return history.sessions.index(name)
    known = ", ".join(map(repr, history.sessions[:_NAMES_MOST]))
    more = ", …" if len(history.sessions) > _NAMES_MOST else ""
    raise HistoryError(f"{path} has no session {name!r}; it has {known or 'none'}{more}")


def _table(history: History, rows: Sequence[int], console: Console) -> Table:
    """One operation a line; times are since the first of the history."""
    table = Table(box=box.SQUARE, header_style="bold", highlight=False)
    for name in ("began", "took", "client", "session", "call", "ended", "answer"):
        justify = "right" if name in {"began", "took"} else "left"
        table.add_column(name, overflow="fold", justify=justify)  # type: ignore[arg-type]
    start = int(history.rows["inv"].min())
    scenes: dict[int, Scene] = {}
    odd: dict[int, list[str]] = {}
    for at, text in history.odd:
        odd.setdefault(at, []).append(text)
    for at in rows:
        row = history.rows[at]
        session = int(row["session"])
        scene = scenes.setdefault(session, Scene(history, session))
        ended = Type(int(row["type"]))
        took = "" if ended is Type.INFO else duration((int(row["ret"]) - int(row["inv"])) / 1e3)
        cells = (
            f"{(int(row['inv']) - start) / 1e6:,.3f} ms",
            took,
            scene.clients[int(row["client"])],
            scene.name(session),
            scene.call(at),
            ended.name.lower(),
            _answer(scene, at, odd.get(at, ())),
        )
        table.add_row(*(cell(console, one) for one in cells), style=_STYLES[ended])
    return table


def _answer(scene: Scene, at: int, odd: Sequence[str]) -> str:
    """What was answered, and the texts in it that no client sent."""
    said = scene.said(at) or "no messages"
    texts = ", ".join(f"'{text}'" for text in odd)
    return f"{said}: {texts}" if texts else said


def _summary(history: History, chosen: Any) -> str:
    """One line: how many operations of how many clients, how they ended, how many overlap."""
    rows = history.rows[chosen]
    overlap = int(overlapping(history)[chosen].sum()) if len(rows) else 0
    # Who goes on under a new number is the same client, and who reads at the end is none of them.
    names = Scene(history, 0).clients
    clients = {names[int(one)].rstrip("′") for one in np.unique(rows["client"])} - {"quiet"}
    ended = np.bincount(rows["type"], minlength=len(Type))
    parts = [
        _many(len(rows), "operation"),
        _many(len(clients), "client"),
        _many(len(np.unique(rows["session"])), "session"),
        *(f"{ended[one]:,} {one.name.lower()}" for one in (Type.OK, Type.FAIL, Type.INFO)),
        f"{overlap:,} overlapping",
    ]
    return ", ".join(parts)


@dataclass(frozen=True)
class _Told:
    """An incident with what is needed of its part of the history."""

    incident: Incident
    sentence: str
    session: str
    operations: tuple[dict[str, Any], ...]


def _check(path: Path, claims: Claims, as_json: bool) -> int:
    told: list[_Told] = []
    judged = Judged()
    for part in files.shards(path):
        one = judge_history(part, claims)
        told += [_told(incident, part) for incident in one.incidents]
        judged = together([judged, one])
    nothing = not any(judged.examined.values())
    if nothing and not judged.unknown:
        judged = replace(judged, unknown=("there is no operation to judge",))
    code = EXIT_BROKEN if told else EXIT_UNKNOWN if judged.unknown else EXIT_HOLDS
    if as_json:
        print(json.dumps(_as_json(told, judged), indent=2))  # noqa: T201 - ASCII, for a program
    else:
        _print(told, judged, code, Console())
    return code


def _told(incident: Incident, part: History) -> _Told:
    operations = []
    for at in incident.rows:
        row = part.rows[at]
        answered = row["type"] != Type.INFO
        operations.append(
            {
                "client": int(row["client"]),
                "call": F(int(row["f"])).name.lower(),
                "id": int(row["id"]),
                "inv_ns": int(row["inv"]),
                "ret_ns": int(row["ret"]) if answered else None,
            }
        )
    sentence = labelled(Scene(part, incident.session), incident.sentence)
    return _Told(incident, sentence, part.sessions[incident.session], tuple(operations))


def _as_json(told: Iterable[_Told], judged: Judged) -> dict[str, Any]:
    return {
        "level": judged.level,
        "examined": {unit: int(number) for unit, number in judged.examined.items()},
        "unknown": list(judged.unknown),
        "incidents": [
            {
                "anomaly": str(one.incident.anomaly),
                "session": one.session,
                "sentence": one.sentence,
                "ids": [int(number) for number in one.incident.ids],
                "flagged": int(one.incident.flagged),
                "operations": list(one.operations),
            }
            for one in told
        ],
    }


def _print(told: Sequence[_Told], judged: Judged, code: int, console: Console) -> None:
    for one in told[:_INCIDENTS_MOST]:
        incident = one.incident
        head = f"| {incident.anomaly}: {MEANINGS[incident.anomaly]}, in session {one.session!r}"
        line(console, head, "bold red")
        line(console, f"|   {one.sentence}")
        if incident.flagged > 1:
            line(console, f"|   it makes {incident.flagged:,} operations wrong", "dim")
    if len(told) > _INCIDENTS_MOST:
        line(console, f"| {len(told) - _INCIDENTS_MOST:,} more with --json", "dim")
    for reason in judged.unknown:
        line(console, f"| could not tell: {reason}", "yellow")
    units = [f"{number:,} {unit}" for unit, number in judged.examined.items()]
    line(console, f"| examined   {', '.join(units) or 'nothing'}")
    so_far = ", as far as it could be judged" if judged.unknown else ""
    line(console, f"| level      {_MEANS[judged.level]}{so_far}")
    verdict = {
        EXIT_BROKEN: (f"| {_many(len(told), 'incident')}", "bold red"),
        EXIT_UNKNOWN: ("| could not tell", "bold yellow"),
        EXIT_HOLDS: ("| nothing contradicts itself", "bold green"),
    }[code]
    line(console, *verdict)


def _many(number: int, thing: str) -> str:
    return f"{number:,} {thing}{'' if number == 1 else 's'}"
