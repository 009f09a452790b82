"""Measures listings, exports and imports of the reference, as docs/exchange.md names them.

``python benchmarks/exchange.py`` makes one store with so many sessions of one message, of which 100
are ann's, and one store with a session of so many messages; it lists the first, and writes and
stores both. Times say little on a shared machine: the sizes they grow with do not change.
"""

from __future__ import annotations

import argparse
import statistics
import sys
import tempfile
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path

from sessionproof.contract.clock import monotonic_ns
from sessionproof.engine.machine import fast_folder
from sessionproof.reference import ReferenceStore

_OWNED = 100
_ROUNDS = 5


def milliseconds(call: Callable[[], object]) -> float:
    """How long one call takes."""
    start = monotonic_ns()
    call()
    return (monotonic_ns() - start) / 1e6


def filled(folder: Path, *, sessions: int, messages: int) -> Path:
    """A directory with so many sessions of so many messages each; the last 100 are ann's."""
    folder.mkdir()
    file = folder / "chats.jsonl"
    with file.open("w", encoding="utf-8") as lines:
        lines.write('{"sessionproof":{"form":1}}\n')
        for number in range(sessions):
            owner = "ann" if number >= sessions - _OWNED else f"user{number % 1000}"
            lines.write(
                f'{{"session":{{"session_id":"s{number}","owner":"{owner}","llm_model":"m"}}}}\n'
            )
            said = f'"role":"assistant","content":"{"x" * 200}","tokens":50,"duration_us":11000000'
            lines.writelines(f'{{"message":{{{said}}}}}\n' for _ in range(messages))
        total = sessions * messages
        lines.write(f'{{"end":{{"sessions":{sessions},"messages":{total}}}}}\n')
    (folder / "store").mkdir()
    with ReferenceStore(folder / "store", durability="process") as store:
        store.import_sessions(file)
    return folder / "store"


def listings(directory: Path) -> Iterator[str]:
    """A row for each listing: of all sessions, and of ann's."""
    yield "| listing | of all, ms | of an owner with 100, ms |"
    yield "|---|---|---|"
    with ReferenceStore(directory, durability="process") as store:
        slow = partial(store.slow_responses, least_us=10_000_000)
        calls: dict[str, tuple[Callable[[], object], Callable[[], object] | None]] = {
            "recent_sessions": (store.recent_sessions, partial(store.recent_sessions, owner="ann")),
            "largest_sessions": (
                store.largest_sessions,
                partial(store.largest_sessions, owner="ann"),
            ),
            "session_statistics": (store.session_statistics, None),
            "sessions_at_timeout": (store.sessions_at_timeout, None),
            "token_use": (store.token_use, partial(store.token_use, owner="ann")),
            "slow_responses": (slow, partial(slow, owner="ann")),
        }
        for name, (everybody, owned) in calls.items():
            cells = [
                f"{statistics.median(milliseconds(call) for _ in range(_ROUNDS)):.2g}"
                if call
                else "–"
                for call in (everybody, owned)
            ]
            yield f"| `{name}` | {' | '.join(cells)} |"


def moves(folder: Path, directories: dict[str, Path]) -> Iterator[str]:
    """A row for each store: written, and stored elsewhere, once."""
    yield "| store | written, s | stored, s | file, MB |"
    yield "|---|---|---|---|"
    for number, (name, directory) in enumerate(directories.items()):
        file, other = folder / f"{number}.jsonl", folder / f"other{number}"
        other.mkdir()
        with ReferenceStore(directory) as store:
            written = milliseconds(partial(store.export_sessions, file))
        with ReferenceStore(other) as store:
            stored = milliseconds(partial(store.import_sessions, file))
        size = file.stat().st_size / 1e6
        yield f"| {name} | {written / 1e3:.1f} | {stored / 1e3:.1f} | {size:.0f} |"


def main() -> int:
    """Print the tables."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--number", type=int, default=100_000, help="sessions, and messages")
    number = parser.parse_args().number
    with tempfile.TemporaryDirectory(dir=fast_folder()) as name:
        folder = Path(name)
        one = filled(folder / "one", sessions=1, messages=number)
        many = filled(folder / "many", sessions=number, messages=1)
        stores = {f"one session of {number:,}": one, f"{number:,} sessions of one": many}
        for line in (*listings(many), "", *moves(folder, stores)):
            sys.stdout.write(f"{line}\n")
    return 0


if __name__ == "__main__":
    sys.exit(main())
