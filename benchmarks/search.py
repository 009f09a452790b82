"""Measures the search of the reference, as ratios within one run, and its cost for who appends.

``python benchmarks/search.py`` fills a store with 100,000 messages of 40 words, of which one is in
every message, and prints Markdown tables. Each search is measured beside its floor: raw SQL that
finds the same numbers in the index and reads the same rows, without messages made of them and
without snippets. What an append pays for the search is measured against a file without the search's
triggers, and against one whose triggers fill an index with each append. ``--messages N`` changes
the size.
"""

from __future__ import annotations

import argparse
import sqlite3
import statistics
import sys
import tempfile
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, closing
from pathlib import Path

import reference_lines as lines

from sessionproof import Message
from sessionproof.contract.clock import monotonic_ns
from sessionproof.contract.measurements import Ratio
from sessionproof.contract.seed import generator
from sessionproof.engine.machine import facts, fast_folder
from sessionproof.reference import ReferenceStore, searching
from sessionproof.reference.finding.queries import expression, terms_of

QUERIES = ("every", "word7", "every word7", '"every word7"', "word12*")
SESSIONS, VOCABULARY, WORDS = 100, 20_000, 39
CALLS = 15

FLOOR = (
    "SELECT m.*, s.session_id FROM (SELECT rowid AS id FROM search_index WHERE search_index MATCH "
    "? AND rowid > 0 ORDER BY rowid DESC LIMIT 100) AS h JOIN messages AS m ON m.id = h.id "
    "JOIN sessions AS s ON s.id = m.sid ORDER BY h.id DESC"
)
RANKED = (
    "SELECT rowid FROM (SELECT rowid, bm25(search_index, 1.0, 0.0) AS score FROM search_index "
    "WHERE search_index MATCH ? AND rowid > 0 ORDER BY rowid DESC LIMIT 2000) "
    "ORDER BY score LIMIT 100"
)
EAGER = """
CREATE VIRTUAL TABLE eager USING fts5 (content);
CREATE TRIGGER eager_insert AFTER INSERT ON messages
BEGIN
    INSERT INTO eager (rowid, content) VALUES (NEW.id, NEW.content);
END;
"""


def texts(number: int) -> Iterator[str]:
    """Texts of forty words, the first of which is in all of them."""
    chance = generator(1, "texts")
    words = [f"word{at}" for at in range(VOCABULARY)]
    for _ in range(number):
        yield " ".join(("every", *chance.choices(words, k=WORDS)))


def filled(store: ReferenceStore, messages: int) -> None:
    """Let it have so many messages, in sessions."""
    said = [Message("user", text) for text in texts(messages)]
    for session in range(SESSIONS):
        store.append(f"s{session}", said[session::SESSIONS])


def median_ms(call: Callable[[], object]) -> float:
    """Of some calls, after one that is not counted."""
    call()
    spent = []
    for _ in range(CALLS):
        begun = monotonic_ns()
        call()
        spent.append((monotonic_ns() - begun) / 1e6)
    return statistics.median(spent)


def searches(store: ReferenceStore, raw: sqlite3.Connection) -> Iterator[str]:
    """A row for each query and order."""
    yield "| query | order | hits | median ms | beside its floor | 99 % interval |"
    yield "|---|---|---|---|---|---|"
    for query in QUERIES:
        match = expression(terms_of(query))
        for order, sql in (("newest", FLOOR), ("best", RANKED)):

            def found(query: str = query, order: searching.Order = order) -> list[object]:  # type: ignore[assignment]
                return [*store.search(query, order=order)]

            calls = {
                "store": found,
                "raw": lambda sql=sql, match=match: raw.execute(sql, (match,)).fetchall(),
            }
            seen = lines.compared(calls, "raw", rounds=60)["store"]
            yield (
                f"| `{query}` | {order} | {len(found())} | {median_ms(found):.2f} | {shown(seen)} |"
            )


def shown(seen: Ratio) -> str:
    """A ratio as two cells."""
    return f"{seen.value:.2f} × | {seen.low:.2f} – {seen.high:.2f}"


def appends(folder: Path) -> Iterator[str]:
    """What an append pays."""
    yield "| append of 40 words | beside one without triggers of the search | 99 % interval |"
    yield "|---|---|---|"
    (text,) = texts(1)
    batch = [Message("user", text)]
    with ExitStack() as stack:
        arms: dict[str, Callable[[], object]] = {}
        for name, prepare in (("as it is", ""), ("without", "drop"), ("index by trigger", EAGER)):
            store = stack.enter_context(lines.filled(folder, 1_000))
            store._write(lambda db, prepare=prepare: prepared(db, prepare))
            arms[name] = lambda store=store: store.append("s", batch)
        for name, seen in lines.compared(arms, "without").items():
            yield f"| {name} | {shown(seen)} |"


def prepared(db: sqlite3.Connection, how: str) -> None:
    """Take the search's triggers away, or have another index filled by triggers."""
    if how == "drop":
        named = "SELECT name FROM sqlite_schema WHERE type = 'trigger' AND name GLOB 'search_*'"
        for (name,) in db.execute(named).fetchall():
            db.execute(f"DROP TRIGGER {name}")
    elif how:
        db.executescript(how)


def indexing(store: ReferenceStore, path: Path, messages: int) -> Iterator[str]:
    """What the first search pays for all that was appended before it."""
    before, begun = path.stat().st_size, monotonic_ns()
    searching.catch_up(store)
    spent_s = (monotonic_ns() - begun) / 1e9
    store._write(lambda db: db.execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchall())
    payload = sum(map(len, texts(messages)))
    yield (
        f"The first search looked at {messages:,} messages in {spent_s:.1f} s, "
        f"{spent_s / messages * 1e6:.0f} µs each; the file grew by "
        f"{(path.stat().st_size - before) / payload:.2f} times the bytes of the texts."
    )


def report(folder: Path, messages: int) -> Iterator[str]:
    """All tables."""
    with ReferenceStore(tempfile.mkdtemp(dir=folder), durability="process") as store:
        filled(store, messages)
        path = Path(store.tables().path)
        store._write(lambda db: db.execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchall())
        yield from indexing(store, path, messages)
        yield ""
        with closing(sqlite3.connect(path)) as raw:
            yield from searches(store, raw)
    yield ""
    yield from appends(folder)


def main(given: Sequence[str]) -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--messages", type=int, default=100_000)
    options = parser.parse_args(given)
    with tempfile.TemporaryDirectory(dir=fast_folder(), prefix="sessionproof-") as folder:
        for what, how in facts(Path(folder)).items():
            sys.stdout.write(f"- {what}: {how}\n")
        for text in report(Path(folder), options.messages):
            sys.stdout.write(f"{text}\n")
            sys.stdout.flush()


if __name__ == "__main__":
    main(sys.argv[1:])
