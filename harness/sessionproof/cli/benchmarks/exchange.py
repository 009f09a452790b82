"""What the commands of the archive do: runs out of files, into files, and what they say of it."""

from __future__ import annotations

import itertools
import os
import shutil
import sys
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, nullcontext, suppress
from functools import partial
from pathlib import Path
from tempfile import NamedTemporaryFile
from typing import BinaryIO, TypeAlias

from rich.console import Console

from sessionproof.bench.tracking.archive import Archive, ArchiveRefused
from sessionproof.bench.tracking.archived import ArchivedRun, from_line, to_line
from sessionproof.cli.upkeep import give_up_stdout, say
from sessionproof.engine.commits import commit_of
from sessionproof.engine.plan import BadUsage
from sessionproof.report.archiving import Origin, archived
from sessionproof.report.write import read_result

STDIN = Path("-")
LINE_BYTES_MOST = 64 * 1024 * 1024
_CONFLICT = (b"<<<<<<< ", b"=======", b">>>>>>> ", b"||||||| ")

Runs: TypeAlias = Callable[[], Iterator[ArchivedRun]]


def exported(archive: Path, out: Path) -> None:
    """Write all runs, or print them; raises ArchiveRefused and BadUsage."""
    with Archive.opened(archive, create=False) as opened:
        lines = (f"{to_line(run)}\n".encode("ascii") for run in opened.runs())
        if out == STDIN:
            _print(lines)
            return
        if out.exists() and out.samefile(archive):
            raise BadUsage(f"{out} is the archive itself: name another file")
        number = _written(out, lines)
    say(Console(stderr=True), f"{number:,} runs of {archive} written to {out}")


def imported(archive: Path, inputs: Sequence[Path], *, commit: str | None) -> None:
    """Add the runs of each input, one after the other; raises ArchiveRefused and BadUsage."""
    if inputs.count(STDIN) > 1:
        raise BadUsage("- is standard input, which can be read once")
    origin = Origin(commit=commit_of(Path.cwd(), commit)) if commit else Origin()
    for one in inputs:
        with _readable_again(one) as file:
            _add(archive, one, partial(_runs_of, file, one, origin))


def merged(archive: Path, others: Sequence[Path]) -> None:
    """Add the runs of each archive, one after the other; raises ArchiveRefused."""
    for one in others:
        with Archive.opened(one, create=False) as other:
            if archive.exists() and archive.samefile(one):
                raise ArchiveRefused(f"{one} is the archive itself: name another")
            _add(archive, one, other.runs)


def runs_of_lines(name: str, lines: BinaryIO) -> Iterator[ArchivedRun]:
    """The runs of JSON Lines; ValueError names the file and the line, and what is wrong there."""
    for number in itertools.count(1):
        line = lines.readline(LINE_BYTES_MOST + 1)
        if not line:
            return
        if len(line) > LINE_BYTES_MOST:
            raise ValueError(f"{name}, line {number}: it is longer than any run")
        if line.startswith(_CONFLICT):
            raise ValueError(
                f"{name}, line {number}: a conflict that git left: keep the runs of both sides, in "
                "any order, and strike the lines with its marks"
            )
        if not line.strip():
            continue
        try:
            yield from_line(line)
        except ValueError as error:
            raise ValueError(f"{name}, line {number}: {error}") from None


def _add(archive: Path, source: Path, runs: Runs) -> None:
    """Add what the source holds, whole or not at all, and say how many are new."""
    read = 0

    def counted() -> Iterator[ArchivedRun]:
        nonlocal read
        for run in runs():
            read += 1
            if not opened.holds_measurement(run):
                yield run

    if not archive.exists():  # what is refused is to leave no empty archive behind
        for _ in runs():
            pass
    with Archive.opened(archive) as opened:
        new = opened.add(counted())
        say(Console(stderr=True), f"{new:,} new of {read:,} runs in {source}; "
                                  f"{archive} has {opened.count():,}")  # fmt: skip


@contextmanager
def _readable_again(path: Path) -> Iterator[Path]:
    """The input; of what can be read once, as standard input and pipes, a copy.

    So the archive is not kept from others while somebody still writes into the pipe.
    """
    if path != STDIN and not path.is_fifo():
        yield path
        return
    with NamedTemporaryFile(prefix="sessionproof-") as copy:
        with _opened(path) as source:
            shutil.copyfileobj(source, copy)
            copy.flush()
        yield Path(copy.name)


def _runs_of(file: Path, given: Path, origin: Origin) -> Iterator[ArchivedRun]:
    """The runs of an input, whichever form it has; errors name it as it was given."""
    name = "standard input" if given == STDIN else str(given)
    with _opened(file) as lines:
        is_result = lines.readline(16).strip() == b"{"  # over many lines, as no run of an export is
        lines.seek(0)
        if not is_result:
            yield from runs_of_lines(name, lines)
            return
    try:
        yield archived(read_result(file), origin)
    except ValueError as error:
        raise ValueError(f"{name}: {error}") from None


@contextmanager
def _opened(path: Path) -> Iterator[BinaryIO]:
    try:
        found = nullcontext(sys.stdin.buffer) if path == STDIN else path.open("rb")
    except OSError as error:
        raise BadUsage(f"cannot read {path}: {error.strerror}") from None
    with found as file:
        try:
            yield file
        except OSError as error:  # a folder, most of all
            raise BadUsage(f"cannot read {path}: {error.strerror}") from None


def _print(lines: Iterator[bytes]) -> None:
    try:
        for line in lines:
            sys.stdout.buffer.write(line)
        sys.stdout.buffer.flush()
    except BrokenPipeError:
        raise  # who reads has enough
    except OSError as error:
        give_up_stdout()
        raise BadUsage(f"the runs cannot be printed: {error.strerror}") from None


def _written(out: Path, lines: Iterator[bytes]) -> int:
    """Write the lines, and answer how many; a file gives way to the new one in one step."""
    real = out.resolve()  # where it is a link, the link stays
    is_file = real.is_file() or not real.exists()  # no pipe and no device
    draft = real.with_name(f".{real.name}.{os.getpid()}.draft") if is_file else real
    try:
        with draft.open("wb") as file:
            number = sum(1 for line in lines if file.write(line))
            file.flush()
            if is_file:
                os.fsync(file.fileno())
                draft.replace(real)
    except OSError as error:
        raise BadUsage(f"cannot write {out}: {error.strerror}") from None
    finally:
        if is_file:
            with suppress(OSError):  # a name that could not be made cannot be removed
                draft.unlink(missing_ok=True)
    return number
