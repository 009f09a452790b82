"""A history taken apart by session, and put together again."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from itertools import zip_longest

import numpy as np
import numpy.typing as npt

from sessionproof.history.columns import History, Lists, no_lists

_ERRORS_MOST = 60_000  # a row has 16 bits for its error
_OTHER = "…"


def taken(history: History, keep: npt.NDArray[np.bool_]) -> History:
    """The operations for which ``keep`` holds, with their answers; all names stay."""
    places = np.cumsum(keep) - 1
    lists = history.lists
    kept = keep[lists.row]
    lengths = np.diff(lists.start)
    start = np.concatenate([[0], np.cumsum(lengths[kept])]).astype(np.int64)
    ids = lists.ids[np.repeat(kept, lengths)]
    odd = tuple((int(places[row]), text) for row, text in history.odd if keep[row])
    return History(
        rows=history.rows[keep],
        lists=Lists(places[lists.row[kept]].astype(np.int64), start, ids),
        sessions=history.sessions,
        errors=history.errors,
        odd=odd,
    )


def shard_of(history: History, shard: int, shards: int) -> History:
    """The operations of the sessions whose number leaves ``shard`` when divided by ``shards``."""
    if shards == 1:
        return history
    return taken(history, history.rows["session"] % np.uint32(shards) == shard)


def sharded(history: History, shards: int) -> Iterator[History]:
    """Each shard of a history, in order."""
    return (shard_of(history, shard, shards) for shard in range(shards))


def joined(parts: Sequence[History]) -> History:
    """One history of one or more: numbers of sessions mean the same in all, those of errors not."""
    if len(parts) == 1:
        return parts[0]
    errors, codes = _merged([part.errors for part in parts])
    rows = np.concatenate([part.rows for part in parts])
    first = np.cumsum([0, *map(len, parts)])
    for part, code, at in zip(parts, codes, first, strict=False):
        if part.errors != errors[: len(part.errors)]:
            mine = rows[at : at + len(part)]
            mine["error"] = code[mine["error"]]
    return History(
        rows=rows,
        lists=_joined_lists([part.lists for part in parts], first),
        sessions=merged_names(part.sessions for part in parts),
        errors=errors,
        odd=tuple(
            (int(at) + row, text)
            for part, at in zip(parts, first, strict=False)
            for row, text in part.odd
        ),
    )


def merged_names(names: Iterable[tuple[str, ...]]) -> tuple[str, ...]:
    """The first name that anybody knows of each session, empty where none does."""
    known = list(dict.fromkeys(names))
    if len(known) == 1:
        return known[0]
    return tuple(next(filter(None, one), "") for one in zip_longest(*known, fillvalue=""))


def _joined_lists(lists: Sequence[Lists], first: npt.NDArray[np.int64]) -> Lists:
    ends = np.cumsum([0, *(len(one.ids) for one in lists)])
    if not ends[-1] and not any(len(one.row) for one in lists):
        return no_lists()
    rows = [one.row + at for one, at in zip(lists, first, strict=False)]
    starts = [one.start[:-1] + at for one, at in zip(lists, ends, strict=False)]
    return Lists(
        np.concatenate(rows),
        np.concatenate([*starts, ends[-1:]]),
        np.concatenate([one.ids for one in lists]),
    )


def _merged(
    tables: Sequence[tuple[str, ...]],
) -> tuple[tuple[str, ...], list[npt.NDArray[np.uint16]]]:
    """All texts of errors, each once; and for each table, the new numbers of its old ones."""
    known: dict[str, int] = {"": 0}
    codes = []
    for table in tables:
        code = [_code(known, text) for text in table]
        codes.append(np.array(code, dtype=np.uint16))
    return tuple(known), codes


def _code(known: dict[str, int], text: str) -> int:
    if text not in known and len(known) >= _ERRORS_MOST:
        text = _OTHER
    return known.setdefault(text, len(known))
