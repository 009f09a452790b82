"""What ``sessionproof bench run --archive`` adds: runs are kept, and held against those before."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from rich import box
from rich.console import Console
from rich.table import Table

from sessionproof.bench.tracking.archive import Archive, ArchiveRefused
from sessionproof.bench.tracking.archived import ArchivedRun, Commit, changed_facts
from sessionproof.bench.tracking.nights import AGREEING, LAST, Nights, confirmed, judged
from sessionproof.cli.lines import cell
from sessionproof.cli.upkeep import say
from sessionproof.contract.causes import Causes
from sessionproof.engine.commits import commit_of, commits_between, has_changes
from sessionproof.engine.plan import BadUsage
from sessionproof.report import nights
from sessionproof.report.archiving import Origin, archived
from sessionproof.report.plain import cut
from sessionproof.report.result import RunResult

_CELL_CHARACTERS_MAX = 200


@dataclass(frozen=True, kw_only=True)
class Keeping:
    """Where runs are kept, of which commit, and whether they are judged and their causes counted.

    ``commit`` is a name that was given; None for what the current folder stands at.
    """

    archive: Path
    commit: str | None = None
    gate: bool = True
    causes: bool = True


@dataclass(frozen=True, kw_only=True)
class Measured:
    """A store's result. ``called`` is its name from run to run.

    ``again`` takes a number from 0 and measures once more by a fresh process, with a seed of that
    number; it answers None when that failed.
    """

    called: str
    result: RunResult
    causes: tuple[Causes, ...]
    again: Callable[[int], RunResult | None]


def checked(keeping: Keeping, console: Console) -> Commit | None:
    """The commit, once it is sure that the archive can be used, and made; raises BadUsage."""
    here = Path.cwd()
    commit = commit_of(here, keeping.commit)
    try:
        with Archive.opened(keeping.archive):
            pass
    except ArchiveRefused as error:
        raise BadUsage(f"--archive: {error}") from None
    if commit is None:
        say(console, "no commit is known here: the run is kept without one (--commit ID names it)")
    elif keeping.commit is None and has_changes(here):
        say(console, f"the folder has changes since {commit.id[:12]}: the run is kept as of it")
    return commit


def kept(
    measured: Sequence[Measured], keeping: Keeping, commit: Commit | None, console: Console
) -> list[Nights]:
    """Add the runs to the archive, and hold each against its line. Raises ArchiveRefused.

    Further runs of a store are only made for what lies above its limit, and are not kept: of runs
    that come in threes when they are slow, the median would be too high.
    """
    runs = [_kept(one, keeping, commit) for one in measured]
    say(console, f"archive: {len(runs)} added to {keeping.archive}")
    if not keeping.gate:
        return []
    found = []
    for one, run in zip(measured, runs, strict=True):
        first = _held(run, keeping.archive)
        for number in range(AGREEING):
            if not first.open:
                break
            say(console, f"{one.called}: above the limit are {_names(first)}; measuring once more")
            first = confirmed(first, _further(one, number))
        found.append(first)
    return found


def print_nights(every: Sequence[Nights], console: Console) -> None:
    """A table a store, once its line has a limit; what explains it, the verdict in a sentence."""
    for one in every:
        if any(row.limit is not None for row in one.rows):
            console.print(_table(one, console))
        for operation, said in nights.causes(one):
            say(console, cut(f"| {operation}: {'; '.join(said)}", 1_000))
        for note in one.notes:
            say(console, f"| {note}")
        say(console, f"| {one.store}: {nights.headline(one)}")


def _kept(one: Measured, keeping: Keeping, commit: Commit | None) -> ArchivedRun:
    run = archived(one.result, Origin(commit=commit, causes=one.causes), store=one.called)
    with Archive.opened(keeping.archive) as archive:
        before = archive.last(run.line, before=run.when, number=1)
        since = before[0].commit if before else None
        if since is not None and commit is not None:
            run = replace(run, between=commits_between(Path.cwd(), since.id, commit.id))
        archive.add([run])
    return run


def _held(run: ArchivedRun, path: Path) -> Nights:
    with Archive.opened(path, create=False) as archive:
        before = archive.last(run.line, before=run.when, number=LAST)
        other = None if before else archive.latest(run.store, before=run.when)
    changed = () if other is None else changed_facts(other, run)
    notes = (f"a new line begins: {'; '.join(changed)}",) if changed else ()
    return judged(run, before, notes=notes)


def _further(one: Measured, number: int) -> ArchivedRun | None:
    result = one.again(number)
    try:
        return None if result is None else archived(result, Origin(), store=one.called)
    except ValueError:  # it has no speeds
        return None


def _table(one: Nights, console: Console) -> Table:
    table = Table(box=box.SQUARE, header_style="bold", highlight=False)
    for head in nights.HEADS:
        table.add_column(head, overflow="fold")
    for row in one.rows:
        table.add_row(*(cell(console, one, most=_CELL_CHARACTERS_MAX) for one in nights.cells(row)))
    return table


def _names(found: Nights) -> str:
    return ", ".join(row.operation for row in found.open)
