"""What the reference's design was chosen from: each alternative, measured beside the choice."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import closing
from pathlib import Path
from typing import Any

import reference_clients as clients
import reference_lines as lines

from sessionproof import Message
from sessionproof.contract.measurements import Ratio
from sessionproof.contract.message import MESSAGE_FIELDS
from sessionproof.reference import codec, statements
from sessionproof.reference.connections import connect
from sessionproof.reference.grouping import Writer

_BLOCKS = 9


def tables(disk: Path, memory: Path) -> Iterator[str]:
    """A table for each choice, a row as soon as it is measured."""
    yield from _sharing(memory, "process", 200)
    yield from _sharing(disk, "power", 30)
    yield from _waiting(memory)
    yield from _decoding(memory)
    yield from _checking()


def _sharing(folder: Path, durability: lines.Durability, each: int) -> Iterator[str]:
    writers: dict[str, type[Writer]] = {
        "lock alone": clients.LockAlone,
        "a thread that writes": clients.ByThread,
        "the leader stays for four groups": clients.Staying,
        "**the leader hands on**": Writer,
    }
    yield f"\nTen threads, {durability}: appends a second over lock alone; p99 in ms\n"
    yield from _heading("appends a second", "p99")
    with clients.writer_arms(folder, durability, each, writers) as arms:
        seen = clients.in_blocks(arms, blocks=_BLOCKS)
    floor = [block.cost for block in seen["lock alone"]]
    for name, blocks in seen.items():
        speed = lines.paired(floor, [block.cost for block in blocks])
        p99 = lines.paired([block.p99 for block in blocks], [1e6] * len(blocks))
        yield f"| {name} | {_shown(speed)} | {_shown(p99)} |"


def _waiting(folder: Path) -> Iterator[str]:
    kinds = {
        "SQLite's own waiting": "busy",
        "pauses up to 0.1 ms": "100",
        "**pauses up to 0.5 ms**": "store",
        "pauses up to 2 ms": "2000",
        "pauses up to 10 ms": "10000",
    }
    yield "\nFour processes that think 1 ms: p99 and slowest append over SQLite's own waiting\n"
    yield from _heading("p99", "slowest")
    with clients.process_arms(folder, kinds, 150) as arms:
        seen = clients.in_blocks(arms, blocks=_BLOCKS)
    busy = seen["SQLite's own waiting"]
    for name, blocks in seen.items():
        p99 = lines.paired([one.p99 for one in blocks], [one.p99 for one in busy])
        worst = lines.paired([one.calls.max() for one in blocks], [one.calls.max() for one in busy])
        yield f"| {name} | {_shown(p99)} | {_shown(worst)} |"


def _decoding(folder: Path) -> Iterator[str]:
    with lines.filled(folder, 50) as store:
        path = Path(store.tables().path)
        with closing(connect(path, writes=False, synchronous="NORMAL")) as raw:
            rows = raw.execute(statements.READ_ALL, ("s",)).fetchall()
            ways: dict[str, Callable[[Sequence[Any]], Message]] = {
                "Message(…)": _by_constructor,
                "descriptors of the slots": _by_descriptors,
                "__setstate__": _by_state,
                "**a plain class, then __class__**": codec.decode,
            }
            assert len({repr([way(row) for row in rows]) for way in ways.values()}) == 1
            calls: dict[str, Callable[[], Any]] = {
                name: lambda way=way: [way(row) for row in rows] for name, way in ways.items()
            }
            calls["the query"] = lambda: raw.execute(statements.READ_ALL, ("s",)).fetchall()
            yield "\nFifty rows to messages, over the query that reads them\n"
            yield from _heading("time")
            for name, ratio in lines.compared(calls, "the query").items():
                yield f"| {name} | {_shown(ratio)} |"


def _checking() -> Iterator[str]:
    (message,) = lines.message()

    def in_full() -> Any:
        return codec._problems(message)

    calls = {"in full": in_full, "**a glance first**": lambda: codec._is_plain(message)}
    yield "\nChecking a plain message, over the full check\n"
    yield from _heading("time")
    for name, ratio in lines.compared(calls, "in full").items():
        yield f"| {name} | {_shown(ratio)} |"


def _heading(*columns: str) -> Iterator[str]:
    yield f"| | {' | '.join(columns)} |"
    yield "|---" * (len(columns) + 1) + "|"


def _shown(ratio: Ratio) -> str:
    return f"{ratio.value:.2f} ({ratio.low:.2f} – {ratio.high:.2f})"


def _fields(row: Sequence[Any]) -> tuple[Any, ...]:
    """The fields of a plain message, in the order of ``Message``."""
    role, content, _, *others = row
    return (role, content, *others)


def _by_constructor(row: Sequence[Any]) -> Message:
    role, content, kind, name, call_id, arguments, tokens, duration, created, key, extra = _fields(
        row
    )
    return Message(
        role, content, kind=kind, name=name, call_id=call_id, arguments=arguments, tokens=tokens,
        duration_us=duration, created_at_us=created, id=key, metadata=extra,
    )  # fmt: skip


_SETTERS = [getattr(Message, name).__set__ for name in MESSAGE_FIELDS]


def _by_descriptors(row: Sequence[Any]) -> Message:
    message = object.__new__(Message)
    for setter, value in zip(_SETTERS, _fields(row), strict=True):
        setter(message, value)
    return message


def _by_state(row: Sequence[Any]) -> Message:
    message = object.__new__(Message)
    message.__setstate__(_fields(row))  # type: ignore[attr-defined]
    return message
