"""What to know of a store before using it, in plain sentences: what breaks, what is not promised.

They are made of what the registry says a break does to a chat, and of what the store claims.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from sessionproof.report.scoreboard.board import Board, Entry, Promise, Row, Standing

_LISTED = 8
_SEEN_MOST = 200
_ASIDE = re.compile(r"\s*(?:\[SQL: .*|\(Background on this error at: \S+\))", re.DOTALL)

# By claim and value: what follows "its documents say that it".
_SAID: Mapping[str, Mapping[str, str]] = {
    "handles": {
        "one": "is for one client at a time; many clients were not judged",
        "tasks": "is for several tasks of one event loop; threads and processes were not judged",
        "threads": "is for several threads of one process; several processes were not judged",
        "processes": "may be used by several processes at a time",
    },
    "durability": {
        "none": "may lose what was acknowledged at a crash; that was not judged",
        "process": "keeps what was acknowledged when its process is killed; of a loss of power "
        "nothing is promised",
        "power": "keeps what was acknowledged when the power is lost",
        "power-strict": "keeps what was acknowledged when the power is lost, on any file system",
    },
    "writes": {
        "replace": "writes a conversation as a whole; that clients who write at the same time "
        "keep each other's messages was not judged",
    },
    "order": {"timestamp": "orders messages by their times, and not by when they were added"},
    "missing_session": {"refuses": "takes messages for sessions alone that were made before"},
}
# The weakest values, where the documents are silent.
_SILENT: Mapping[str, Mapping[str, str]] = {
    "handles": {
        "one": "Its documents promise nothing of several clients at a time, so many clients were "
        "not judged."
    },
    "durability": {
        "none": "Its documents promise nothing of crashes, so what a crash leaves was not judged."
    },
}


@dataclass(frozen=True)
class Sentence:
    """A sentence, and the id of the guarantee whose evidence it rests on; empty for a claim.

    ``standing`` is that of the guarantee; None for a claim.
    """

    text: str
    guarantee: str = ""
    standing: Standing | None = None


def what_to_know(board: Board, entry: Entry) -> list[Sentence]:
    """The sentences: what was wrong with the run, what is broken, what is not promised."""
    claimed = () if entry.claims is None else _of_claims(entry.claims, entry.claims_declared)
    return [*_of_run(entry), *_of_rows(board, entry), *claimed, *_of_place(entry)]


def standing_words(counted: Mapping[Standing, int]) -> str:
    """``2 broken, could not tell 1, 14 hold``; empty where nothing was judged."""
    words = {
        Standing.HOLDS: "hold",
        Standing.UNCONFIRMED: "broken and not confirmed",
        Standing.UNKNOWN: "could not be told",
    }
    return ", ".join(
        f"{number} {words.get(standing, standing.value)}" for standing, number in counted.items()
    )


def _of_run(entry: Entry) -> Iterator[Sentence]:
    heads = {
        "cut short": "This is a part of what would be known",
        "not opened": "It could not be opened, and nothing was judged",
        "not installed": "It could not be installed, and nothing was judged",
        "died": "Nothing was judged",
        "not run": "Nothing was judged",
    }
    if entry.state in heads:
        yield Sentence(f"{heads[entry.state]}: {entry.problem}")
    if entry.rows and not entry.claims_declared:
        yield Sentence(
            "Its adapter declares no claims, so guarantees that need one decide nothing here."
        )


def _of_rows(board: Board, entry: Entry) -> Iterator[Sentence]:
    for row in (*entry.of(Standing.BROKEN), *entry.of(Standing.UNCONFIRMED)):
        broken = "Broken" if row.standing is Standing.BROKEN else "Broken in the run, not confirmed"
        told = " ".join(_of_break(row, board.promises.get(row.id)))
        yield Sentence(f"{broken}: {told}", row.id, row.standing)
    for row in entry.of(Standing.NOT_CLAIMED):
        known = board.promises.get(row.id)
        if row.remark == "seen broken" and known is not None:
            said = f"Not claimed, and seen not to hold: {known.promise}"
            yield Sentence(said, row.id, row.standing)
    unknown = [row.id for row in entry.of(Standing.UNKNOWN)]
    if unknown:
        yield Sentence(f"Could not be judged, so nothing is known of them: {_listed(unknown)}.")


def _of_break(row: Row, known: Promise | None) -> Iterator[str]:
    """The promise, what was seen of it here, and what such a break can do."""
    yield row.reason if known is None else known.promise
    if row.example is not None:
        yield f"Seen: {_short(row.example.seen)}"
    if known is not None:
        yield f"What such a break can do: {known.damage}"


def _short(seen: str) -> str:
    """The part of what was seen that says most, on a line."""
    plain = " ".join(_ASIDE.sub("", seen).split())
    _, differs, difference = plain.partition("; first difference at ")
    said = f"at {difference}" if differs else plain
    if len(said) > _SEEN_MOST:
        return f"{said[:_SEEN_MOST].rstrip()}…"
    return said if said.endswith(".") else f"{said}."


def _of_claims(claims: Mapping[str, Any], declared: bool) -> Iterator[Sentence]:
    """What the claims come to; a claim with a source is said by the documents."""
    sources = claims.get("sources") or {}
    for name, by_value in _SAID.items():
        value = str(claims.get(name))
        if name not in sources and value in _SILENT.get(name, {}) and declared:
            yield Sentence(_SILENT[name][value])
        elif value in by_value:
            yield Sentence(f"{_who(declared, name in sources)} {by_value[value]}.")
    if claims.get("atomic_batches") is False:
        yield Sentence("It does not promise that several messages land whole or not at all.")
    kept = (claims.get("limits") or {}).get("retention")
    if kept is not None:
        who = _who(declared, "limits" in sources)
        yield Sentence(f"{who} keeps the newest {kept:,} messages of a session, and no others.")


def _who(declared: bool, sourced: bool) -> str:
    if not declared:
        return "As far as was seen, it"
    return "Its documents say that it" if sourced else "Its adapter claims that it"


def _of_place(entry: Entry) -> Iterator[Sentence]:
    if entry.not_representable:
        what = dict.fromkeys(item.partition(": ")[0] for item in entry.not_representable)
        yield Sentence(f"It has no place for: {_listed(list(what))}.")


def _listed(items: Sequence[str]) -> str:
    more = len(items) - _LISTED
    return ", ".join(items[:_LISTED]) + (f", and {more} more" if more > 0 else "")
