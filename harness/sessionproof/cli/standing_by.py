"""How far a command is that judges many stores: who is at work, how much is done and left."""

from __future__ import annotations

from collections.abc import Collection
from contextlib import AbstractContextManager, nullcontext
from typing import Any

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn

from sessionproof.cli.upkeep import say
from sessionproof.engine.gathering import Under
from sessionproof.report.plain import cut, for_terminal
from sessionproof.report.scoreboard.board import Entry, Standing
from sessionproof.report.scoreboard.sentences import standing_words

_TOLD_MOST = 300
_QUIET = (Standing.NOT_CLAIMED, Standing.NOT_RUN)


class Watch:
    """A bar on a terminal, elsewhere a line for each store that is done."""

    def __init__(self, console: Console, stores: int, jobs: int) -> None:
        self._console, self._stores, self._jobs = console, stores, jobs
        self._took: list[float] = []
        self._progress: Progress | None = None
        self._shown: AbstractContextManager[Any] = nullcontext()
        if console.is_terminal:
            self._progress = Progress(
                BarColumn(), MofNCompleteColumn(), TimeElapsedColumn(),
                TextColumn("{task.description}"), console=console, transient=True,
            )  # fmt: skip
            self._shown = self._progress
            self._task = self._progress.add_task("", total=stores)

    def __enter__(self) -> Watch:
        self._shown.__enter__()
        return self

    def __exit__(self, *details: object) -> None:
        self._shown.__exit__(*details)  # type: ignore[arg-type]

    def look(self, under: Under) -> None:
        """Show who is at work, and how long it may still take."""
        if self._progress is not None:
            words = [_names("installing", under.installing), _names("judging", under.running)]
            told = "; ".join(filter(None, [*words, self._left()]))
            self._progress.update(self._task, description=told)

    def done(self, entry: Entry) -> None:
        """Say what came of a store."""
        self._took.append(entry.installing_s + entry.running_s)
        if self._progress is not None:
            self._progress.advance(self._task)
        if entry.rows:
            counted = entry.counted()
            words = standing_words({one: counted[one] for one in counted if one not in _QUIET})
            words = words or "nothing that it claims was examined"
        else:
            words = f"{entry.state}: {entry.problem}"
        told = f"{len(self._took)} of {self._stores}: {entry.name}: {words}"
        safe = for_terminal(cut(told, _TOLD_MOST), self._console.encoding)
        took = f"({self._took[-1]:.0f} s)"
        say(self._console, " ".join(filter(None, [safe, took, self._left()])))

    def _left(self) -> str:
        """How long the rest may take, by what was done took; empty where nothing says it."""
        rest = self._stores - len(self._took)
        took = [one for one in self._took if one]
        if not rest or not took:
            return ""
        minutes = sum(took) / len(took) * rest / min(self._jobs, rest) / 60
        return f"about {minutes:.0f} min left" if minutes >= 1 else "less than a minute left"


def _names(what: str, names: Collection[str]) -> str:
    return f"{what} {', '.join(sorted(names))}" if names else ""
