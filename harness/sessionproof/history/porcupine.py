"""Histories for Porcupine: an array of operations in JSON, one a line.

Reads are told by length and digest, so none is left out for want of its list. An operation of
unknown outcome returns behind all others: it may take effect at any time, or so late that nobody
sees it. Each session is a history of its own.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from itertools import islice

import numpy as np

from sessionproof.history.columns import MISSING, F, History, Type
from sessionproof.history.opinions import (
    LINES,
    REMOVED,
    Export,
    Mask,
    Units,
    counted,
    remaining,
    removed,
    session_names,
    units,
)

_READS = (F.READ, F.PAGES, F.READ_LAST)
_ANSWERS = (*_READS, F.COUNT)
_SENDS = (F.APPEND, F.CREATE, F.REPLACE)
_CALLS = {f: "read" if f == F.PAGES else f.name.lower() for f in F}


def exported(history: History, *, atomic_batches: bool) -> Export:
    """All that is about messages. Without atomic batches each appended message is an operation."""
    reasons = _left_out(history)
    rows = remaining(history, reasons)
    chosen = units(history, rows, atomic_batches=atomic_batches)
    return Export(_text(history, chosen), len(rows), counted(reasons))


def _left_out(history: History) -> dict[str, Mask]:
    rows = history.rows
    reads = np.isin(rows["f"], _ANSWERS)
    refused = rows["type"] == Type.FAIL
    # A write that is refused as there is no such session tells of the session.
    tells = ~reads & (rows["f"] != F.CREATE) & (rows["length"] == MISSING)
    other = rows["f"] == F.SET_STATE
    silent = ~other & ((refused & ~tells) | (reads & (rows["type"] == Type.INFO)))
    pages = (rows["f"] == F.PAGES) & removed(history) & ~silent
    return {
        "that neither send nor read messages": other,
        "refused, or reads that were never answered": silent,
        f"pages {REMOVED}": pages,
    }


def _text(history: History, chosen: Units) -> Iterator[str]:
    before = "[\n"
    lines = _lines(history, chosen)
    while some := [*islice(lines, LINES)]:
        yield before + ",\n".join(some)
        before = ",\n"
    yield "\n]\n" if len(chosen.row) else "[]\n"


def _lines(history: History, chosen: Units) -> Iterator[str]:
    rows = history.rows[chosen.row]
    if not len(rows):
        return
    answered = rows["type"] != Type.INFO
    start = int(rows["inv"].min())
    end = 1 + max(int(rows["inv"].max()), int(rows["ret"][answered].max(initial=start)))
    keys = [json.dumps(name) for name in session_names(history)]
    columns = (
        rows["client"],
        rows["session"],
        rows["f"],
        rows["inv"] - start,
        np.where(answered, rows["ret"], end) - start,
        chosen.part,
        chosen.first,
        chosen.n,
        rows["n"],
    )
    for client, session, f, inv, ret, part, first, sent, n, output in zip(
        *(column.tolist() for column in columns), _outputs(history, chosen), strict=True
    ):
        more = f', "N": {n}' if f == F.READ_LAST else ""
        if f in _SENDS:
            more = f', "Ids": {[*range(first, first + sent)]}'
        yield (
            f'{{"ClientId": {client}, "Input": {{"Session": {keys[session]}, '
            f'"Call": "{"append" if part else _CALLS[f]}"{more}}}, "Call": {inv}, '
            f'"Output": {output}, "Return": {ret}}}'
        )


def _outputs(history: History, chosen: Units) -> Iterator[str]:
    """What each was answered; null where nobody knows."""
    rows = history.rows[chosen.row]
    columns = (rows[name].tolist() for name in ("f", "type", "length", "digest", "value"))
    for at, f, ending, length, digest, value in zip(chosen.row.tolist(), *columns, strict=True):
        if ending == Type.INFO:
            yield "null"
        elif length == MISSING:
            yield '{"Missing": true}'
        elif f in _READS:
            ids = history.lists.of(at)
            full = "" if ids is None else f', "Ids": {ids.tolist()}'
            yield f'{{"Length": {length}, "Digest": {digest}{full}}}'
        elif f == F.COUNT:
            yield f'{{"Length": {length}, "Tokens": {value}}}'
        else:
            yield "{}"
