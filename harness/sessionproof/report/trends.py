"""Trends in words: what changed, between which commits and why; as JSON and as Markdown."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any, TypeAlias

import sessionproof
from sessionproof.bench.tracking.archived import ArchivedRun, Commit
from sessionproof.bench.tracking.differences import differences
from sessionproof.bench.tracking.nights import LAST, judged
from sessionproof.bench.tracking.trend import RUNS_LEAST, Change, Line, Trend, Trends
from sessionproof.report.amounts import digits
from sessionproof.report.compared import NO_CAUSE
from sessionproof.report.markdown import code, plain
from sessionproof.report.plain import cut

SCHEMA_VERSION = 1
MARKDOWN, JSON, PAGE = "trend.md", "trend.json", "trend.html"
COMMITS_MAX = 20  # that are listed; the others are counted
_ID_CHARACTERS = 10
_STORE_CHARACTERS = 80

Nightly: TypeAlias = Mapping[tuple[int, str, str], str]
"""What a night said, by the run's place in its store, the operation and the clients."""


@dataclass(frozen=True)
class Told:
    """A change, with the line that it lies in, the trend of that line, and the store."""

    store: str
    trend: Trend
    line: Line
    change: Change

    @property
    def last(self) -> ArchivedRun:
        """The last run before it."""
        return self.line.points[self.change.at - 1].run

    @property
    def first(self) -> ArchivedRun:
        """The first run after it."""
        return self.line.points[self.change.at].run


def changes(every: Iterable[Trends]) -> list[Told]:
    """All changes, what became slowest first."""
    found = [told for one in every for trend in one.rows for told in told_of(one.store, trend)]
    return sorted(found, key=lambda one: -one.change.share)


def told_of(store: str, trend: Trend) -> list[Told]:
    """The changes of one row of a store, in the order of time."""
    return [Told(store, trend, line, change) for line in trend.lines for change in line.changes]


def changed_first(rows: Iterable[Trend]) -> tuple[list[Trend], list[Trend]]:
    """The rows that changed, the largest slowdown first, and the rows that did not."""
    parts: tuple[list[Trend], list[Trend]] = ([], [])
    for row in rows:
        parts[not any(line.changes for line in row.lines)].append(row)
    return sorted(parts[0], key=lambda one: -one.worst), parts[1]


def row_of(trend: Trend) -> str:
    """The row's name: a single client is understood."""
    alone = trend.clients == "one client"
    return trend.operation if alone else f"{trend.operation}, {trend.clients}"


def sentence(one: Told) -> str:
    """The change in a sentence: ``append became 21 % slower: ×2.25 → ×2.72 of its floor``."""
    share, change = one.change.share, one.change
    word = "slower" if share > 0 else "faster"
    return (
        f"{row_of(one.trend)} became {abs(share) * 100:.1f} % {word}: "
        f"×{digits(change.before)} → ×{digits(change.after)} of its floor"
    )


def headed(one: Told, every: Sequence[Trends]) -> str:
    """The sentence, with the store before it where there are several."""
    several = len(every) > 1
    return f"{cut(one.store, _STORE_CHARACTERS)}: {sentence(one)}" if several else sentence(one)


def between(one: Told) -> str:
    """Where the change came in, in a sentence."""
    change = one.change
    number = len(change.commits)
    last, first = (short(run.commit) for run in (one.last, one.first))
    if not number:
        same = one.last.commit and one.first.commit
        return (
            f"no commit came between: both runs are of {first}"
            if same
            else "between two runs whose commits are not known"
        )
    if not change.all_known:
        return f"between {last} and {first}; not every commit between them is known"
    if number == 1:
        return f"at {first}, the only commit since the run before"
    return f"in one of {number} commits after {last}, up to {first}"


def why(change: Change) -> tuple[str, ...]:
    """What the operation does differently since, in sentences; empty where that is not known."""
    return differences(*change.causes) if change.causes else ()


def explained(change: Change) -> tuple[str, ...]:
    """``why`` for people: that nothing differs is said, too, where both sides were counted."""
    return why(change) or ((NO_CAUSE,) if change.causes else ())


def short(commit: Commit | None) -> str:
    """The beginning of a commit's id."""
    return commit.id[:_ID_CHARACTERS] if commit else "a commit that is not known"


def named(commit: Commit) -> str:
    """A commit by its id and its subject."""
    return f"{short(commit)} {commit.subject}".rstrip()


def untold(every: Iterable[Trends]) -> str:
    """Why changes were not looked for; empty when they were."""
    return next((row.untold for one in every for row in one.rows if row.untold), "")


def summary(every: Sequence[Trends]) -> str:
    """What all trends say, in a sentence."""
    runs, rows = (sum(len(part) for part in parts) for parts in
                  ([one.runs for one in every], [one.rows for one in every]))  # fmt: skip
    seen = f"{_number(rows, 'row')} of {_number(runs, 'run')}"
    if untold(every):
        return f"What changed: {untold(every)}. There are {seen}."
    if not any(one.rows for one in every):
        return f"Could not tell: there are {seen} with a ratio to a floor."
    found = changes(every)
    slower = sum(one.change.share > 0 for one in found)
    faster = len(found) - slower
    said = f"{_number(slower, 'slowdown')} and {_number(faster, 'speed-up')} in {seen}."
    if few := sum(row.is_short for one in every for row in one.rows):
        said += f" Could not tell yet of {_number(few, 'row')}: fewer than {RUNS_LEAST} runs"
        said += " that may be compared with the last one."
    return said


def is_untold(every: Sequence[Trends]) -> bool:
    """Whether of no row it is known if it changed."""
    return all(row.untold or row.is_short for one in every for row in one.rows)


def nightly(one: Trends) -> Nightly:
    """What the first look of each night said of each row, from the runs before in its line."""
    lines: dict[str, list[ArchivedRun]] = {}
    found = {}
    for place, (run, line) in enumerate(zip(one.runs, one.lines, strict=True)):
        before = lines.setdefault(line, [])
        for row in judged(run, before[-LAST:]).rows:
            said = "above" if row.is_above else row.verdict
            found[place, row.operation, row.clients] = said if row.gated else ""
        before.append(run)
    return found


def to_json(every: Sequence[Trends]) -> dict[str, Any]:
    """All trends as JSON values; ``run`` of a point is its place in the store's runs."""
    return {
        "schema": SCHEMA_VERSION,
        "sessionproof": sessionproof.__version__,
        "stores": [
            {
                "store": one.store,
                "runs": list(map(_run, one.runs, one.lines)),
                "trends": [_trend(one.store, row) for row in one.rows],
            }
            for one in every
        ],
    }


def render_markdown(every: Sequence[Trends]) -> str:
    """The changes as Markdown; nothing that an archive says is taken for markup."""
    stores = ", ".join(plain(one.store, 80) for one in every) or "no store"
    parts = [f"# Trend of {stores}", plain(summary(every))]
    found = changes(every)
    if found:
        heads = ["store", "operation", "before", "after", "change", "where"]
        lines = [f"| {' | '.join(heads)} |", "|---" * len(heads) + "|"]
        lines += [f"| {' | '.join(plain(cell, 120) for cell in _cells(one))} |" for one in found]
        parts.append("\n".join(lines))
    for one in found:
        parts.append(f"## {plain(headed(one, every), 300)}")
        parts.append(f"{plain(between(one), 300)}.")
        said = [code(named(commit), 120) for commit in one.change.commits[:COMMITS_MAX]]
        said += [plain(fact, 200) for fact in (*explained(one.change), *one.change.facts)]
        if said:
            parts.append("\n".join(f"- {line}" for line in said))
    return "\n\n".join(parts) + "\n"


def _cells(one: Told) -> tuple[str, ...]:
    change = one.change
    return (
        one.store,
        row_of(one.trend),
        f"×{digits(change.before)}",
        f"×{digits(change.after)}",
        percent(change.share),
        between(one),
    )


def percent(share: float) -> str:
    """A share with its sign: ``+21.0 %``."""
    return f"{'+' if share > 0 else '−'}{abs(share) * 100:.1f} %"


def _run(run: ArchivedRun, line: str) -> dict[str, Any]:
    return {
        "version": run.version,
        "commit": None if run.commit is None else asdict(run.commit),
        "started_at": run.started_at,
        "line": line,
    }


def _trend(store: str, row: Trend) -> dict[str, Any]:
    return {
        "operation": row.operation,
        "clients": row.clients,
        "untold": row.untold,
        "lines": [
            {
                "reason": line.reason,
                "points": [{"run": one.place, **asdict(one.ratio)} for one in line.points],
                "changes": [
                    {**asdict(one), "run": line.points[one.at].place, "share": one.share,
                     "said": sentence(Told(store, row, line, one)), "differences": list(why(one))}
                    for one in line.changes
                ],
            }
            for line in row.lines
        ],
    }  # fmt: skip


def _number(count: int, what: str) -> str:
    return f"{count or 'no'} {what}{'' if count == 1 else 's'}"
