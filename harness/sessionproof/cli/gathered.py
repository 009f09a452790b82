"""What ``sessionproof scoreboard`` does: judge the stores, show how far it is, write the board."""

from __future__ import annotations

import signal
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

from rich import box
from rich.console import Console
from rich.table import Table
from rich.text import Text

import sessionproof
from sessionproof.cli.standing_by import Watch
from sessionproof.cli.upkeep import say
from sessionproof.contract.clock import monotonic_s
from sessionproof.contract.folders import private_folder
from sessionproof.contract.seed import fresh_seed
from sessionproof.engine.gathering import How, Ran, Under, gather
from sessionproof.engine.machine import cores, facts, make_report_folder
from sessionproof.engine.plan import BadUsage, check_profile
from sessionproof.engine.roster import Asked, check_names, every_store, named_stores
from sessionproof.report.plain import for_terminal
from sessionproof.report.result import EXIT_HOLDS, EXIT_INTERRUPTED, EXIT_USAGE
from sessionproof.report.scoreboard.board import Board, Entry, Standing
from sessionproof.report.scoreboard.compact import Hide, groups, hiding, promises, with_result
from sessionproof.report.scoreboard.files import read_board, write_board, write_entry
from sessionproof.workload.profiles import PROFILES

_MACHINE = ("cpu", "cores", "memory")
_NAME_MOST = 24  # characters of a name that stays on a line
_SMOKE_S = 900.0  # a run of profile smoke takes a minute or two


@dataclass(frozen=True, kw_only=True)
class Wanted:
    """What the command was asked for; what is None is chosen here."""

    stores: tuple[str, ...]
    also: tuple[str, ...]
    isolated: bool
    environments: Path | None
    profile: str
    seed: int | None
    jobs: int | None
    deadline_s: float | None
    report: Path


def judge_many(wanted: Wanted) -> int:
    """Judge all that is wanted and write the board; the exit code."""
    console = Console(stderr=True)
    # A cancelled CI job sends SIGTERM: it ends like Ctrl-C, with what is known so far.
    signal.signal(signal.SIGTERM, signal.default_int_handler)
    try:
        stores, left_out = _chosen(wanted)
        for sentence in left_out:
            say(console, sentence)
        check_profile(wanted.profile)
        make_report_folder(wanted.report)
        with _environments(wanted) as environments:
            board = _board(stores, _how(wanted, environments), console)
        page = write_board(board, wanted.report)
    except BadUsage as error:
        say(console, f"sessionproof: {error}")
        return EXIT_USAGE
    except OSError as error:
        why = error.strerror or type(error).__name__
        say(console, f"sessionproof: --report {wanted.report} cannot be written: {why}")
        return EXIT_USAGE
    except KeyboardInterrupt:
        say(console, "sessionproof: interrupted; no board was written, or not all of it")
        return EXIT_INTERRUPTED
    _print(board, page)
    return EXIT_INTERRUPTED if board.interrupted else EXIT_HOLDS


def write_again(source: Path, report: Path) -> int:
    """Write the pages anew from a board's data; the exit code."""
    console = Console(stderr=True)
    try:
        board = read_board(source)
        make_report_folder(report)
        page = write_board(board, report)
    except (BadUsage, ValueError) as error:
        say(console, f"sessionproof: --from: {error}")
        return EXIT_USAGE
    except OSError as error:
        say(console, f"sessionproof: --report {report} cannot be written: {error.strerror}")
        return EXIT_USAGE
    _print(board, page)
    return EXIT_HOLDS


def _chosen(wanted: Wanted) -> tuple[list[Asked], list[str]]:
    """The stores to judge, by name, and a sentence for each that cannot be; raises BadUsage."""
    left_out: list[str] = []
    if wanted.stores:
        chosen = named_stores([*wanted.stores, *wanted.also])
    else:
        chosen, left_out = every_store(isolated=wanted.isolated)
        chosen += named_stores(wanted.also)
    check_names(chosen)
    return sorted(chosen, key=lambda one: one.name.casefold()), left_out


def _how(wanted: Wanted, environments: Path | None) -> How:
    usual_s = PROFILES[wanted.profile].deadlines.run_s
    return How(
        profile=wanted.profile,
        seed=fresh_seed() if wanted.seed is None else wanted.seed,
        report=wanted.report,
        jobs=wanted.jobs or cores(),
        deadline_s=wanted.deadline_s or (_SMOKE_S if wanted.profile == "smoke" else usual_s),
        environments=environments,
    )


@contextmanager
def _environments(wanted: Wanted) -> Iterator[Path | None]:
    """The folder of the environments; one that nobody named is removed at the end."""
    if not wanted.isolated:
        yield None
    elif wanted.environments is not None:
        try:
            wanted.environments.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            raise BadUsage(
                f"--environments {wanted.environments} cannot be made: {error.strerror}"
            ) from None
        yield wanted.environments.resolve()
    else:
        with private_folder() as folder:
            yield folder.resolve()


def _board(stores: Sequence[Asked], how: How, console: Console) -> Board:
    """Judge the stores; the data of each is written as soon as it is there."""
    made_at = datetime.now(UTC).isoformat(timespec="seconds")
    begun = monotonic_s()
    hide = hiding(_folders(how))
    entries: dict[str, Entry] = {}

    def follow(ran: Ran | None, under: Under) -> None:
        if ran is None:
            watch.look(under)
            return
        entries[ran.asked.name] = entry = _entry(ran, hide)
        with suppress(OSError):  # a full disk may have room again at the end, when all is written
            write_entry(entry, how.report)
        watch.done(entry)

    say(console, f"judging {len(stores)} stores: profile {how.profile}, seed {how.seed}")
    with Watch(console, len(stores), how.jobs) as watch:
        every, interrupted = gather(stores, how, follow)
    known = facts(how.report)
    return Board(
        made_at=made_at,
        sessionproof=sessionproof.__version__,
        profile=how.profile,
        seed=how.seed,
        jobs=how.jobs,
        duration_s=round(monotonic_s() - begun, 1),
        machine={name: known[name] for name in _MACHINE if name in known},
        groups=groups(),
        promises=promises(),
        entries=tuple(entries.get(ran.asked.name) or _entry(ran, hide) for ran in every),
        interrupted=interrupted,
    )


def _entry(ran: Ran, hide: Hide) -> Entry:
    asked = ran.asked
    entry = Entry(
        name=asked.name,
        kind=asked.kind,
        state=ran.state,
        problem=hide(ran.problem),
        package=asked.package,
        version=ran.packages.get(asked.package),
        packages=ran.packages,
        isolated=ran.isolated,
        running_s=ran.running_s,
        installing_s=ran.installing_s,
    )
    return entry if ran.result is None else with_result(entry, ran.result, ran.folder, hide)


def _folders(how: How) -> dict[Path, str]:
    """The folders of this machine that no text of the board shows, and what stands there."""
    folders = {
        Path(sys.base_prefix, "lib"): "python/lib",
        Path(sys.prefix): "environment",
        Path.cwd(): "",
        how.report.resolve(): "",
    }
    if how.environments is not None:
        folders[how.environments] = "environments"
    return folders


def _print(board: Board, page: Path) -> None:
    """The board as a table of numbers, and where its page lies."""
    console = Console()
    table = Table(box=box.SQUARE, header_style="bold", highlight=False)
    shown = [one for one in Standing if one not in (Standing.NOT_CLAIMED, Standing.NOT_RUN)]
    longest = max((len(entry.name) for entry in board.entries), default=0)
    table.add_column("store", overflow="fold", no_wrap=longest <= _NAME_MOST)
    for one in shown:
        table.add_column(one.value, overflow="fold")
    for entry in board.entries:
        counted = entry.counted()
        cells = [str(counted.get(one, 0)) for one in shown] if entry.rows else [entry.state]
        part = f" ({entry.state})" if entry.rows and entry.state != "judged" else ""
        texts = (for_terminal(text, console.encoding) for text in (entry.name + part, *cells))
        table.add_row(*map(Text, texts))
    console.print(table)
    say(console, f"scoreboard: {page}")
