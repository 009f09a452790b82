"""How much of damaged files the reference saves, beside what ``sqlite3 FILE .recover`` saves.

For each class of damage, files of one store are damaged at places drawn by the seed. ``there`` are
the messages that still exist in one piece: no block of 4,096 bytes that holds a part of them
changed. ``missed`` are those of them that were not saved, ``saved`` all messages that read back
equal afterwards, ``shell`` those whose rows the command-line shell of SQLite gives out, ``wrong``
those that nobody appended, that were deleted, or that are in another session. ``untold``: files of
which something was lost without a word, other than by a log that is cut or removed.

The shell ends at the first computed column, so the files that both read are without the one that
the schema has; it is not stored.

    python benchmarks/recovery.py [--files N] [--seed N] [--only CLASS] [--verbose]
"""

from __future__ import annotations

import argparse
import shutil
import sqlite3
import sys
import tempfile
from collections import Counter
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path

from sessionproof import Message, Refused
from sessionproof.contract.clock import VirtualClock
from sessionproof.contract.seed import generator
from sessionproof.faults.damage.classes import STRUCTURAL, TEXTUAL, WHOLE
from sessionproof.faults.damage.done import Damage, Subject
from sessionproof.reference import ReferenceStore
from sessionproof.reference.opening import FILE
from sessionproof.reference.recover import recover
from sessionproof.reference.verify import verify_file
from sessionproof.trials.salvage import files_of, rows_by_shell, untouched

SESSIONS, BATCHES, BATCH = 12, 12, 5
COLUMNS = ("files", "there", "missed", "saved", "shell", "wrong", "refused", "untold", "disorder")


@dataclass(frozen=True)
class Prepared:
    """A store in files: closed, and as a crash left it, with its log; what is in each."""

    closed: Path
    crashed: Path
    older: Path
    texts: dict[str, frozenset[str]]


@dataclass(frozen=True)
class Tried:
    """One damaged file: what was counted, and in words what was done and lost."""

    sums: Counter[str]
    words: str


def main() -> None:
    """Print the table."""
    options = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    options.add_argument("--files", type=int, default=12, help="damaged files per class")
    options.add_argument("--seed", type=int, default=20)
    options.add_argument("--only", default="", help="classes whose name has this in it")
    options.add_argument("--verbose", action="store_true", help="a line for each file")
    given = options.parse_args()
    with tempfile.TemporaryDirectory(prefix="recovery-") as folder:
        prepared = prepare(Path(folder))
        say(f"| damage | {' | '.join(COLUMNS)} |")
        say(f"|---|{'---|' * len(COLUMNS)}")
        total: Counter[str] = Counter()
        for damage in (*STRUCTURAL, *TEXTUAL, *WHOLE):
            if damage.needs == "blocks" or given.only not in damage.name:
                continue
            sums: Counter[str] = Counter()
            for number in range(given.files):
                one = tried(Path(folder), prepared, damage, number, given.seed)
                sums += one.sums if one else Counter()
                if one and given.verbose:
                    say(f"{damage.name} {number} {dict(one.sums)} {one.words}")
            total += sums
            show(damage.name, sums)
        show("all", total)


def show(name: str, sums: Counter[str]) -> None:
    """One line of the table."""
    say(f"| {name} | {' | '.join(f'{sums[column]:,}' for column in COLUMNS)} |")


def say(line: str) -> None:
    """Print a line at once."""
    sys.stdout.write(f"{line}\n")
    sys.stdout.flush()


def prepare(folder: Path) -> Prepared:
    """Write a store with long and short messages, state and deletions; keep it at three times."""
    live, closed, crashed, older = (folder / one for one in ("live", "closed", "crashed", "older"))
    live.mkdir()
    clock = VirtualClock()
    third = BATCHES // 3
    with ReferenceStore(live, clock=clock) as store:
        append(store, clock, range(third))
        store.append("gone", [Message("user", f"<gone.{n}.0.{'y' * 500}>") for n in range(60)])
        store.delete("gone")
        for _ in range(4):
            store.pop_last("session-5")
        store.clear("session-6")
    with ReferenceStore(live, clock=clock) as store:
        append(store, clock, range(third, 2 * third))
        for session in range(SESSIONS):
            store.set_state(f"session-{session}", "topic", f"state of {session}")
        shutil.copytree(live, older)
    with ReferenceStore(live, clock=clock) as store:
        append(store, clock, range(2 * third, BATCHES))
        shutil.copytree(live, crashed)
        texts = {
            name: frozenset(str(message.content) for message in store.read(name))
            for name in store.list()
        }
        store.append("late", [Message("user", f"<late.{n}.0.{'z' * 900}>") for n in range(60)])
        store.delete("late")
    shutil.copytree(live, closed)
    with closing(sqlite3.connect(closed / FILE)) as db:
        db.execute("DROP INDEX sessions_by_deadline")
        db.execute("ALTER TABLE sessions DROP COLUMN deadline_us")
    return Prepared(closed, crashed, older, texts)


def append(store: ReferenceStore, clock: VirtualClock, batches: range) -> None:
    """Messages for all sessions in turns; some of one session take pages of their own."""
    for batch in batches:
        for session in range(SESSIONS):
            random = generator(1, "recovery", batch, session)
            lengths = [random.choice((0, 80, 300)) for _ in range(BATCH)]
            if session == 3:
                lengths[0] = 9_000
            texts = [f"<{session}.{batch}.{n}.{'x' * length}>" for n, length in enumerate(lengths)]
            store.append(f"session-{session}", [Message("user", text, tokens=3) for text in texts])
            clock.move(1_000)


def tried(folder: Path, prepared: Prepared, damage: Damage, number: int, seed: int) -> Tried | None:
    """Damage one file, recover it, and count what came of it; None where there is no place."""
    with_log = damage.needs == "log" or (damage.name == "foreign log" and number % 2 == 1)
    sound = prepared.crashed if with_log else prepared.closed
    spoiled, saved = folder / "spoiled", folder / "saved"
    for path in (spoiled, saved):
        shutil.rmtree(path, ignore_errors=True)
    shutil.copytree(sound, spoiled)
    saved.mkdir()
    texts = {text.encode() for each in prepared.texts.values() for text in each}
    tokens = tuple(sorted(texts))
    subject = Subject(folder=spoiled, file=FILE, tokens=tokens, older=prepared.older)
    done = damage.apply(subject, generator(seed, damage.name, number))
    if done is None:
        return None
    before = files_of(spoiled)
    there = untouched(files_of(sound), before, texts)
    rows = b"\n".join(rows_by_shell(sound / FILE) & rows_by_shell(spoiled / FILE))
    shell = {text for text in texts if text in rows}
    sums = Counter(files=1, there=len(there), shell=len(shell))
    try:
        lost = recover(spoiled, saved).lost
    except Refused:
        sums.update(refused=1, missed=len(there | shell))
        return Tried(sums, f"{done.words} ({done.use})")
    assert files_of(spoiled) == before, "the damaged file was changed"
    with ReferenceStore(saved) as store:
        found = {name: [str(one.content) for one in store.read(name)] for name in store.list()}
    good = {text.encode() for each in found.values() for text in each} & texts
    sums["saved"] = len(good)
    sums["missed"] = len((there | shell) - good)
    sums["wrong"] = sum(_wrong(prepared, name, each) for name, each in found.items())
    ordered = all(each == sorted(set(each), key=_place) for each in found.values())
    sums["disorder"] = int(not ordered or bool(verify_file(saved).problems))
    sums["untold"] = int(len(good) < len(texts) and not lost and damage.needs != "log")
    return Tried(sums, f"{done.words} ({done.use}): {'; '.join(lost)}")


def _wrong(prepared: Prepared, name: str, texts: list[str]) -> int:
    """How many of these texts are no messages of the session; one without a name is some other."""
    known = prepared.texts.get(name)
    if known is None:
        own = [each for each in prepared.texts.values() if each & set(texts)]
        known = own[0] if len(own) == 1 else frozenset()
    return len([text for text in texts if text not in known])


def _place(text: object) -> tuple[int, int]:
    parts = str(text)[1:].split(".")
    return int(parts[1]), int(parts[2])


if __name__ == "__main__":
    main()
