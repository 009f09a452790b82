"""``sessionproof bench run``: the performance tables of several stores side by side."""

from __future__ import annotations

import itertools
import re
import signal
from collections.abc import Iterable, Sequence
from contextlib import nullcontext
from dataclasses import dataclass, replace
from pathlib import Path

from rich import box
from rich.console import Console
from rich.table import Table
from rich.text import Text

from sessionproof.bench.tracking.archived import Commit
from sessionproof.bench.tracking.nights import ONE_CLIENT
from sessionproof.cli.benchmarks.asked import check_asked
from sessionproof.cli.benchmarks.keeping import Keeping, Measured, checked, kept, print_nights
from sessionproof.cli.run import Watch
from sessionproof.cli.servers import Servers, opened
from sessionproof.cli.upkeep import say
from sessionproof.contract.causes import Causes
from sessionproof.contract.folders import private_folder
from sessionproof.contract.seed import derive, fresh_seed
from sessionproof.engine import addresses
from sessionproof.engine.judge import LOG
from sessionproof.engine.judge import judge as run_plan
from sessionproof.engine.machine import fast_folder, make_report_folder
from sessionproof.engine.plan import BadUsage, Plan, make_plan
from sessionproof.report import nights
from sessionproof.report.archiving import TABLE as TABLE_ID
from sessionproof.report.archiving import speeds_of
from sessionproof.report.comparison import Column, Rows, facts, named, tables, write_comparison
from sessionproof.report.plain import cut, for_terminal
from sessionproof.report.result import EXIT_HOLDS, EXIT_INTERRUPTED, EXIT_USAGE, RunResult
from sessionproof.trials.causes.counting import causes_of

TABLE = (TABLE_ID,)
GROWTH = ("SCALE-01", "SCALE-02")
_OTHER = re.compile(r"[^A-Za-z0-9]+")
_CELL_CHARACTERS_MAX = 200
_HEAD_WIDTH, _CELL_WIDTH, _PROMISE_WIDTH = 16, 23, 20
_INTERRUPTED = "the measurement was interrupted"


@dataclass(frozen=True, kw_only=True)
class Wanted:
    """What is measured of each store, and where its location and its servers are.

    With ``causes`` it is counted, too, what the operations of the performance table do.
    """

    servers: Servers
    profile: str
    only: tuple[str, ...]
    seed: int
    location: Path | None
    causes: bool = False


def measure(
    stores: Sequence[str],
    *,
    servers: Servers,
    profile: str,
    scale: bool,
    report: Path,
    seed: int | None,
    location: Path | None,
    keeping: Keeping | None = None,
) -> int:
    """Measure the stores one after the other, print and write the tables; the exit code.

    With ``keeping`` the runs are added to an archive, and held against those before.
    """
    console = Console(stderr=True)
    # A cancelled CI job sends SIGTERM: it ends like Ctrl-C, with what is known so far.
    signal.signal(signal.SIGTERM, signal.default_int_handler)
    try:
        check_asked(profile=profile, location=location, report=report)
        shown = [addresses.named(store) for store in stores]
        commit = None if keeping is None else checked(keeping, console)
    except BadUsage as error:
        say(console, f"sessionproof: {error}")
        return EXIT_USAGE
    wanted = Wanted(
        servers=servers,
        profile=profile,
        only=TABLE + (GROWTH if scale else ()),
        seed=fresh_seed() if seed is None else seed,
        location=location,
        causes=keeping is not None and keeping.causes,
    )
    columns = measured_columns(stores, shown, wanted, report, console)
    code = _shown(columns, report, console)
    if keeping is None or code == EXIT_INTERRUPTED:
        return code
    again = [
        _of_again(store, column, report / f"{folder}-again", wanted, console)
        for store, column, folder in zip(stores, columns, folders(named(shown)), strict=True)
        if not column.problem
    ]
    of_night = _judged(again, keeping, commit, report, console)
    return of_night if of_night == EXIT_INTERRUPTED else code or of_night


def _shown(columns: Sequence[Column], report: Path, console: Console) -> int:
    """Print and write the tables; the exit code."""
    page, unwritten = None, ""
    try:
        page = write_comparison(columns, report)
    except OSError as error:  # what was measured is shown all the same
        unwritten = f"--report {report} cannot be written: {_in_a_line(error)}"
    print_comparison(columns, Console())
    if page is not None:
        say(Console(), f"report: {page}")
    say_problems(columns, console)
    if unwritten:
        say(console, f"sessionproof: {unwritten}")
    if any(map(is_interrupted, columns)):
        return EXIT_INTERRUPTED
    return EXIT_USAGE if unwritten or any(one.problem for one in columns) else EXIT_HOLDS


def say_problems(columns: Iterable[Column], console: Console) -> None:
    """Which stores were not measured, and why."""
    for one in columns:
        if one.problem:
            say(console, f"sessionproof: {one.store} was not measured: {one.problem}")


def _of_again(
    store: str, column: Column, folder: Path, wanted: Wanted, console: Console
) -> Measured:
    """What a column came to, and how to measure it once more."""
    assert column.result is not None
    unmeasured = replace(column, result=None, causes=())

    def again(number: int) -> RunResult | None:
        seed = derive(wanted.seed, "again", number) % 2**32
        further = replace(wanted, only=TABLE, seed=seed, causes=False)
        one = _column(store, unmeasured, folder, further, console)
        if is_interrupted(one):
            raise KeyboardInterrupt
        return None if one.problem else one.result

    on = wanted.servers.kind
    count = f" --servers {wanted.servers.count}" if wanted.servers.count else ""
    called = f"{column.store} --on {on}{count}" if on else column.store
    return Measured(called=called, result=column.result, causes=column.causes, again=again)


def _judged(
    measured: Sequence[Measured],
    keeping: Keeping,
    commit: Commit | None,
    report: Path,
    console: Console,
) -> int:
    """Keep the runs, print and write what they are beside those before; the exit code."""
    try:
        found = kept(measured, keeping, commit, console)
    except ValueError as error:
        say(console, f"sessionproof: not all was kept: {error}")
        return EXIT_USAGE
    except KeyboardInterrupt:
        say(console, "sessionproof: interrupted before the runs were judged")
        return EXIT_INTERRUPTED
    if not found:
        return EXIT_HOLDS
    print_nights(found, Console())
    try:
        say(Console(), f"report: {nights.write_nights(found, report)}")
    except OSError as error:
        say(console, f"sessionproof: --report {report} cannot be written: {_in_a_line(error)}")
        return EXIT_USAGE
    return nights.exit_code(found)


def measured_columns(
    stores: Sequence[str], shown: Sequence[str], wanted: Wanted, report: Path, console: Console
) -> list[Column]:
    """Measure the stores one after the other; what goes wrong with one is its column's problem.

    ``shown`` are their names without passwords. The reports of the runs go below ``report``.
    """
    columns: list[Column] = []
    names = named(shown)
    each = zip(stores, shown, names, folders(names), strict=True)
    for at, (given, store, name, folder) in enumerate(each, start=1):
        if columns and is_interrupted(columns[-1]):
            columns.append(Column(name=name, store=store, problem=_INTERRUPTED))
            continue
        say(console, f"measuring {store}, {at} of {len(stores)}: profile {wanted.profile}, "
                     f"seed {wanted.seed}")  # fmt: skip
        unmeasured = Column(name=name, store=store)
        columns.append(_column(given, unmeasured, report / folder, wanted, console))
    return columns


def folders(names: Iterable[str]) -> list[str]:
    """A folder's name for each store's report, with a number where another store has it."""
    found: list[str] = []
    for name in names:
        plain = _OTHER.sub("-", name).strip("-").lower()[:80] or "store"
        same = (f"{plain}-{number}" for number in itertools.count(2))
        found.append(next(one for one in itertools.chain([plain], same) if one not in found))
    return found


def is_interrupted(one: Column) -> bool:
    """Whether somebody ended the measurement before this store was measured."""
    return one.problem == _INTERRUPTED


def _column(
    store: str, unmeasured: Column, folder: Path, wanted: Wanted, console: Console
) -> Column:
    """Measure one store, by its whole name; what goes wrong with it is its column's problem."""
    try:
        parent = wanted.location or fast_folder()
        with (
            private_folder(parent) as directory,
            opened(store, wanted.servers, parent) as found,
        ):
            with console.status("opening the store") if console.is_terminal else nullcontext():
                plan = make_plan(
                    found.name, profile=wanted.profile, seed=wanted.seed,
                    directory=directory, only=wanted.only, called=found.words,
                )  # fmt: skip
            make_report_folder(folder)
            with Watch(console) as watch:
                judged = run_plan(plan, folder, workers=1, follow=watch.follow)
            causes = _causes(plan, judged.result, console) if wanted.causes else ()
    except BadUsage as error:
        return replace(unmeasured, problem=str(error))
    except OSError as error:  # a full disk, most of all
        return replace(unmeasured, problem=_in_a_line(error))
    except KeyboardInterrupt:
        return replace(unmeasured, problem=_INTERRUPTED)
    if judged.unwritten:
        return replace(unmeasured, problem=judged.unwritten)
    page = f"{folder.name}/{judged.page.name}"
    column = replace(unmeasured, result=judged.result, page=page, causes=causes)
    if judged.never_started:
        return replace(column, problem=f"no test ran; what pytest said is in {folder / LOG}")
    return replace(column, problem=_problem(column))


def _causes(plan: Plan, result: RunResult, console: Console) -> tuple[Causes, ...]:
    """What the operations of the table do that one client was timed at."""
    operations = [one.operation for one in speeds_of(result) if one.clients == ONE_CLIENT]
    if not operations or result.interrupted:
        return ()
    say(console, f"counting what the calls of {plan.store} do")
    return causes_of(plan.store, plan.claims, plan.capabilities, operations, folder=plan.directory)


def _in_a_line(error: OSError) -> str:
    said = ": ".join(str(part) for part in (error.filename, error.strerror) if part)
    return said or " ".join(str(error).split()) or type(error).__name__


def _problem(one: Column) -> str:
    """Why the table of a run is not whole; empty when it is."""
    if one.result is None or one.result.interrupted:
        return _INTERRUPTED
    if one.measured.speeds:
        return ""
    reasons = [row.reason for row in one.result.guarantees if row.id in TABLE and row.reason]
    return next(iter(reasons), "nothing was measured")


def print_comparison(columns: Sequence[Column], console: Console) -> None:
    """The tables, each in as many parts as the width needs, and the facts of the machine."""
    beside = max(1, (console.width - _HEAD_WIDTH - _PROMISE_WIDTH) // _CELL_WIDTH)
    for table in tables(columns):
        for first in range(0, len(columns), beside):
            console.print(
                _table(table, columns, range(len(columns))[first : first + beside], console)
            )
    for name, value in facts(columns).items():
        fact = for_terminal(f"| {name:<12} {cut(value, 200)}", console.encoding)
        console.print(Text(fact), soft_wrap=True)


def _table(
    table: Rows, columns: Sequence[Column], places: Sequence[int], console: Console
) -> Table:
    """The table with the stores at these places; what is promised stands beside the last."""

    def text(value: str) -> Text:
        short = cut(value, _CELL_CHARACTERS_MAX)
        return Text(for_terminal(short, console.encoding, lines=True))

    promised = places[-1] == len(columns) - 1 and any(row.promised for row in table.rows)
    shown = Table(box=box.SQUARE, header_style="bold", highlight=False, show_lines=True)
    for name in [table.of, *(columns[at].name for at in places)]:
        shown.add_column(text(name), overflow="fold")
    if promised:
        shown.add_column("promised elsewhere", overflow="fold")
    for row in table.rows:
        cells = [row.head, *("\n".join(filter(None, row.cells[at])) for at in places)]
        cells += [row.promised.replace(", ", "\n")] if promised else []
        shown.add_row(*map(text, cells))
    return shown
