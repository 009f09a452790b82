"""What ``sessionproof nightly`` does: one slice after the other, each written down at once."""

from __future__ import annotations

import os
import shutil
import signal
import threading
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

from rich import box
from rich.console import Console
from rich.table import Table
from rich.text import Text

import sessionproof
from sessionproof.cli.servers import Servers, words_of
from sessionproof.cli.upkeep import say
from sessionproof.contract.seed import fresh_seed
from sessionproof.engine import addresses
from sessionproof.engine.machine import check_location, facts
from sessionproof.engine.nightly import Known, next_slice, taken
from sessionproof.engine.plan import BadUsage, check_profile, wanted_rows
from sessionproof.engine.slices import RUNS, Where, carried_out
from sessionproof.reference.chores.alone import alone
from sessionproof.report.nightly import files
from sessionproof.report.nightly.corpus import Corpus, after
from sessionproof.report.nightly.night import Night
from sessionproof.report.nightly.pages import write_pages
from sessionproof.report.nightly.standing import Told, exit_code, headline, missed, problems, told
from sessionproof.report.nightly.words import render_markdown, shown_row, slice_words, span
from sessionproof.report.plain import cut, for_terminal
from sessionproof.report.result import EXIT_INTERRUPTED, EXIT_USAGE
from sessionproof.report.write import append_to_job

NIGHTS_KNOWN = 14
"""Of so many nights it is known how long slices took, and so many keep their reports."""
_GOES_ON = timedelta(hours=18)
_CELL_CHARACTERS_MAX = 300


@dataclass(frozen=True, kw_only=True)
class Wanted:
    """What the command was asked for; what is None is chosen here."""

    stores: tuple[str, ...]
    servers: Servers
    budget_s: float
    folder: Path
    resume: bool | None
    profile: str
    workers: int | None
    seed: int | None
    only: tuple[str, ...]
    require: tuple[str, ...]
    accept_unknown: tuple[str, ...]
    baseline: Path | None
    location: Path | None


def judge_all_night(wanted: Wanted) -> int:
    """Spend the budget, write all down, print what the night says; the exit code."""
    console = Console(stderr=True)
    try:
        words = _checked(wanted)
        wanted.folder.mkdir(parents=True, exist_ok=True)
        with alone(wanted.folder) as is_alone:
            if not is_alone:
                raise BadUsage(f"--folder {wanted.folder} is in use by another night: name another")
            return _judge(wanted, words, console)
    except (BadUsage, ValueError) as error:
        say(console, f"sessionproof: {error}")
        return EXIT_USAGE
    except OSError as error:
        why = error.strerror or type(error).__name__
        say(console, f"sessionproof: --folder {wanted.folder} cannot be written: {why}")
        return EXIT_USAGE


def _checked(wanted: Wanted) -> dict[str, tuple[str, ...]]:
    """The words of each store on a command line by its name without passwords; raises BadUsage."""
    check_profile(wanted.profile)
    wanted_rows([*wanted.only, *wanted.accept_unknown])
    if wanted.location is not None:
        check_location(wanted.location)
    found: dict[str, tuple[str, ...]] = {}
    for store in wanted.stores:
        words = words_of(store, wanted.servers) or (store,)
        name = " ".join([addresses.named(store), *words[1:]])
        if name in found:
            raise BadUsage(f"{name} is named twice: name each store once")
        found[name] = words
    return found


def _judge(wanted: Wanted, words: Mapping[str, tuple[str, ...]], console: Console) -> int:
    """What the night comes to, in a folder that nobody else uses."""
    folder = wanted.folder
    night = begun(_asked(wanted, tuple(words)), folder, resume=wanted.resume)
    corpus = files.corpus_before(folder, night.name)
    earlier, _ = files.newest(folder, NIGHTS_KNOWN)
    _forget(folder, [*(one.name for one in earlier), night.name])
    _say_begin(night, corpus, console)
    with _interruptible() as stop:
        where = Where(
            words=dict(words), folder=folder, night=night.name, options=night.options, stop=stop
        )
        known = taken(one for one in earlier if one.name != night.name)
        for so_far in slices(night, corpus, known, where):
            files.write_night(so_far, folder)
            _say_slice(so_far, console)
    return _concluded(so_far, corpus, folder, console)


def slices(night: Night, corpus: Corpus, known: Known, where: Where) -> Iterator[Night]:
    """The night after each slice, and once more when it has ended; at least once.

    It ends early when it is told to stop. A slice that was interrupted counts for what it saw
    broken alone.
    """
    yield night
    while not where.stop.is_set():
        left_s = night.budget_s - night.spent_s
        one = next_slice(night, corpus, known, left_s=left_s)
        if one is None:
            yield replace(night, ended=True)
            return
        kept = sum(bool(ran.report) for ran in night.ran)
        ran = carried_out(one, where, number=len(night.ran) + 1, left_s=left_s, kept=kept)
        if where.stop.is_set() and not ran.rows:
            return
        night = replace(night, ran=(*night.ran, ran))
        yield night


def begun(asked: Night, folder: Path, *, resume: bool | None) -> Night:
    """The night that was interrupted, or the one that is asked for; raises BadUsage.

    ``resume`` None goes on where the same was asked not long ago.
    """
    earlier = files.names(folder)
    last = files.read_night(folder, earlier[-1]) if earlier else None
    if last is None or last.ended or resume is False:
        if resume:
            raise BadUsage(f"--resume: no night in {folder} was interrupted; leave it out")
        return _with_name(asked, earlier)
    other = [
        name
        for name in ("stores", "profile", "rows", "options", "seed")
        if getattr(last, name) != getattr(asked, name) and (name != "seed" or asked.seed >= 0)
    ]
    if resume and other:
        raise BadUsage(
            f"--resume: the night {last.name} was asked otherwise ({', '.join(other)}): "
            "repeat its command, or give --fresh"
        )
    old = _moment(asked.started_at) - _moment(last.started_at) > _GOES_ON
    if not resume and (other or old):
        return _with_name(asked, earlier)
    return replace(last, budget_s=asked.budget_s)


def _asked(wanted: Wanted, stores: tuple[str, ...]) -> Night:
    """The night that is asked for, with a seed below 0 where none was named."""
    options: list[str] = []
    for name, values in (
        ("--require", wanted.require),
        ("--accept-unknown", wanted.accept_unknown),
    ):
        options += [word for value in values for word in (name, value)]
    for name, value in (
        ("--baseline", wanted.baseline),
        ("--location", wanted.location),
        ("-n", wanted.workers),
    ):
        options += [] if value is None else [name, str(value)]
    return Night(
        started_at=datetime.now(UTC).isoformat(timespec="seconds"),
        sessionproof=sessionproof.__version__,
        machine=facts(wanted.folder),
        stores=stores,
        profile=wanted.profile,
        seed=-1 if wanted.seed is None else wanted.seed,
        budget_s=wanted.budget_s,
        rows=wanted_rows(wanted.only),
        options=tuple(options),
    )


def _with_name(asked: Night, earlier: Sequence[str]) -> Night:
    """The night with a seed, and with a name that comes after all earlier ones."""
    night = asked if asked.seed >= 0 else replace(asked, seed=fresh_seed())
    while earlier and night.name <= earlier[-1]:  # within one second, or a clock was set back
        later = _moment(_started(earlier[-1])) + timedelta(seconds=1)
        night = replace(night, started_at=later.isoformat(timespec="seconds"))
    return night


def _started(name: str) -> str:
    """When the night of a name began, as ISO 8601."""
    day, _, time = name.partition("T")
    return f"{day}T{time[:2]}:{time[2:4]}:{time[4:6]}+00:00"


def _moment(text: str) -> datetime:
    return datetime.fromisoformat(text)


def _forget(folder: Path, kept: Sequence[str]) -> None:
    """Remove the reports of old nights; what they said stays."""
    for path in files.forget(folder / RUNS, kept):
        shutil.rmtree(path, ignore_errors=True)


@contextmanager
def _interruptible() -> Iterator[threading.Event]:
    """An event that the first Ctrl-C or SIGTERM sets: the slice ends with what it knows."""
    stop = threading.Event()

    def interrupt(*_: object) -> None:
        if stop.is_set():
            raise KeyboardInterrupt
        stop.set()

    before = {one: signal.signal(one, interrupt) for one in (signal.SIGINT, signal.SIGTERM)}
    try:
        yield stop
    finally:
        for one, handler in before.items():
            signal.signal(one, handler)


def _concluded(night: Night, corpus: Corpus, folder: Path, console: Console) -> int:
    """Write the corpus and the pages, print what the night says; the exit code."""
    code = exit_code(corpus, night, interrupted=not night.ended)
    found = told(corpus, night)
    left = after(corpus, night)
    if night.ended:
        files.write_corpus(left, folder)
    page = write_pages(folder, night, found, left, code)
    out = Console()
    _print(night, found, out)
    say(out, f"report: {page}")
    unsaid = append_to_job(render_markdown(night, found), os.environ)
    for problem in filter(None, [*problems(night), unsaid]):
        say(console, f"sessionproof: {problem}")
    if code == EXIT_INTERRUPTED:
        say(console, "sessionproof: interrupted; the same command goes on with this night")
    return code


def _say_begin(night: Night, corpus: Corpus, console: Console) -> None:
    seeds = f"{len(corpus.entries)} seed{'' if len(corpus.entries) == 1 else 's'} to replay"
    goes_on = f", going on after {len(night.ran)} slices" if night.ran else ""
    say(
        console,
        f"night {night.name} of {', '.join(night.stores)}: {span(night.budget_s)}, profile "
        f"{night.profile}, seed {night.seed}, {seeds}{goes_on}",
    )


def _say_slice(night: Night, console: Console) -> None:
    """A line for the slice that just ended."""
    if not night.ran or night.ended:
        return
    ran = night.ran[-1]
    words = f"{ran.asked.part}, seed {ran.asked.seed}: {slice_words(ran)} ({span(ran.seconds)})"
    store = f"{ran.asked.store} " if len(night.stores) > 1 else ""
    say(console, f"{len(night.ran)} {store}{words}")


def _print(night: Night, found: Sequence[Told], console: Console) -> None:
    """A table of what does not simply hold, and the night in a sentence."""
    if found:
        several = len(night.stores) > 1
        table = Table(box=box.SQUARE, header_style="bold", highlight=False)
        for head in ("", "guarantee", "how often", "seen"):
            table.add_column(head, overflow="fold")
        for one in found:
            cells = (one.standing.value, shown_row(one, several=several), one.how, one.said)
            table.add_row(*(_text(cell, console) for cell in cells))
        console.print(table)
        for one in found:
            if one.repeat:
                say(console, f"| {one.row}: {one.repeat}")
    say(console, f"| {headline(found, night)}")
    for sentence in missed(night):
        say(console, f"| {sentence}")


def _text(value: Any, console: Console) -> Text:
    return Text(for_terminal(cut(str(value), _CELL_CHARACTERS_MAX), console.encoding))
