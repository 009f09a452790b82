"""What a night says of each guarantee: new, mended, flaky, still broken; and its exit code."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from enum import StrEnum

from sessionproof.contract.verdicts import Verdict
from sessionproof.report.nightly.corpus import Corpus, Kept, Tally, after, tallies
from sessionproof.report.nightly.night import SPEED, Night, Ran, Seen, seen_of
from sessionproof.report.result import (
    EXIT_BROKEN,
    EXIT_HOLDS,
    EXIT_INTERRUPTED,
    EXIT_NOTHING,
    EXIT_REGRESSION,
    EXIT_UNKNOWN,
    EXIT_USAGE,
)


class Standing(StrEnum):
    """Where a guarantee stands after a night, beside the nights before."""

    NEW = "new"
    FLAKY = "flaky"
    STILL = "still broken"
    MENDED = "mended"
    OPEN = "not settled"
    UNSURE = "could not tell"
    KNOWN = "known"


BROKEN = (Standing.NEW, Standing.FLAKY, Standing.STILL)
"""What was seen broken tonight, and counts."""


@dataclass(frozen=True, kw_only=True)
class Told:
    """What a night says of a guarantee that it does not simply call held.

    ``how`` says in a clause how often it was seen. ``said`` is what was seen, ``repeat`` the
    command that looks again, ``report`` the folder of a run that saw it, empty where none was kept.
    """

    store: str
    row: str
    standing: Standing
    how: str = ""
    said: str = ""
    repeat: str = ""
    report: str = ""


def told(corpus: Corpus, night: Night) -> list[Told]:
    """What the night says beside the corpus before it: what is new first, then as ``Standing``."""
    names = [
        (store, row)
        for store in night.stores
        for row in night.rows
        if any(seen_of(night.of(store), row)) or (store, row) in corpus.open_rows()
    ]
    view = _View(corpus, after(corpus, night), night)
    found = [one for name in names if (one := view.told(*name)) is not None]
    order = list(Standing)
    return sorted(found, key=lambda one: order.index(one.standing))


def exit_code(corpus: Corpus, night: Night, *, interrupted: bool = False) -> int:
    """The code of the command: the first that applies, as for a run.

    A store that does not open is bad usage; one that was broken and is not settled could not be
    told.
    """
    standings = {one.standing for one in told(corpus, night)}
    judged = [one for one in night.ran if one.asked.part != SPEED]
    speeds = {one.exit_code for one in night.ran if one.asked.part == SPEED}
    if interrupted:
        return EXIT_INTERRUPTED
    if any(one.state == "not opened" for one in night.ran):
        return EXIT_USAGE
    if standings & set(BROKEN) or any(one.stale for one in night.ran):
        return EXIT_BROKEN
    if not any(one.held or one.rows for one in judged) and not speeds:
        return EXIT_NOTHING
    died = any(one.state == "died" for one in night.ran)
    if died or standings & {Standing.OPEN, Standing.UNSURE} or EXIT_UNKNOWN in speeds:
        return EXIT_UNKNOWN
    return EXIT_REGRESSION if EXIT_REGRESSION in speeds else EXIT_HOLDS


def headline(found: Sequence[Told], night: Night) -> str:
    """The night in a sentence."""
    counted = {one: sum(each.standing is one for each in found) for one in Standing}
    parts = [f"{number} {one.value}" for one, number in counted.items() if number]
    slower = any(one.exit_code == EXIT_REGRESSION for one in night.ran if one.asked.part == SPEED)
    parts += ["slower than usual"] if slower else []
    held = {(one.asked.store, row) for one in night.ran for row in one.held}
    held -= {(one.store, one.row) for one in found}
    hold = f"{len(held)} {'guarantee holds' if len(held) == 1 else 'guarantees hold'}"
    if not any(one.held or one.rows or one.asked.part == SPEED for one in night.ran):
        return "Nothing was examined."
    if not counted[Standing.NEW]:
        parts.insert(0, "nothing new")
    said = ", ".join(parts)
    return f"{said[:1].upper()}{said[1:]}; {hold}."


def problems(night: Night) -> list[str]:
    """What went wrong with the night itself, each in a sentence and once."""
    every = [
        f"{one.asked.store}: {text}"
        for one in night.ran
        for text in (one.problem if one.state in ("not opened", "died") else "", *one.stale)
        if text
    ]
    return list(dict.fromkeys(every))


def missed(night: Night) -> list[str]:
    """For each store a sentence where the night did not come to some of its guarantees."""
    found = []
    for store in night.stores:
        ran = [one for one in night.of(store) if one.state != "not run"]
        asked = {row for one in ran for row in one.asked.rows}
        if number := len(set(night.rows) - asked):
            found.append(
                f"the night did not come to {number} of {len(night.rows)} guarantees of {store}: "
                "it needs a larger budget, or another night"
            )
    return found


@dataclass(frozen=True)
class _View:
    """A night between the corpus before it and the one that it leaves."""

    before: Corpus
    left: Corpus
    night: Night

    def told(self, store: str, row: str) -> Told | None:
        """What is said of a guarantee; None where it holds, as always."""
        ran = self.night.of(store)
        seen = seen_of(ran, row)
        breaks = [(one, each) for one, each in seen if each.is_break]
        entries = [one for one in self.left.entries if (one.store, one.row) == (store, row)]
        earlier = [one for one in self.before.entries if (one.store, one.row) == (store, row)]
        was_open = any(one.is_open for one in earlier)
        held = sum(row in one.held for one in ran)
        if breaks:
            standing, how = self._broken(entries, earlier, was_open=was_open)
            return _told(store, row, standing, how, breaks)
        if was_open:
            return self._gone(store, row, [one for one in earlier if one.is_open])
        if any(each.known is not None for _, each in seen):
            return _told(store, row, Standing.KNOWN, "", [one for one in seen if one[1].known])
        unsure = [(one, each) for one, each in seen if each.is_unsure]
        if unsure and not held:
            return _told(store, row, Standing.UNSURE, f"in {_times(len(unsure))}", unsure)
        return None

    def _broken(
        self, entries: Sequence[Kept], earlier: Sequence[Kept], *, was_open: bool
    ) -> tuple[Standing, str]:
        now = [one for one in entries if one.is_open]
        rate = _rate(now)
        if was_open:
            tonight = tallies(self.night)
            spared = any(tonight[one.key].held for one in earlier if one.key in tonight)
            sometimes = spared or any(0 < one.shown < one.tried for one in now)
            return (Standing.FLAKY if sometimes else Standing.STILL), f"{rate}, since {_since(now)}"
        back = any(one.calm for one in earlier)
        return Standing.NEW, f"{rate}, came back after it was mended" if back else rate

    def _gone(self, store: str, row: str, entries: Sequence[Kept]) -> Told | None:
        """What is said of what was broken, and was not seen so tonight."""
        tonight = tallies(self.night)
        pairs = [(one, tonight.get(one.key, Tally())) for one in entries]
        last = entries[-1]
        if all(tally.out for _, tally in pairs):
            return None  # not claimed any more, or in the baseline
        open_yet = [
            (one, tally) for one, tally in pairs if not tally.out and tally.held < one.needed
        ]
        if not open_yet:
            held = sum(tally.held for _, tally in pairs)
            how = f"0 of {held} replays broke it; {_rate(entries)} before"
            return Told(store=store, row=row, standing=Standing.MENDED, how=how,
                        said=last.said, repeat=last.repeat)  # fmt: skip
        needed = sum(one.needed for one, _ in open_yet)
        held = sum(tally.held for _, tally in open_yet)
        how = f"it held in {held} of the {needed} replays that would tell" if held else (
            "no replay told: the time was over, or it could not be judged"
        )  # fmt: skip
        return Told(store=store, row=row, standing=Standing.OPEN, how=how,
                    said=last.said, repeat=last.repeat)  # fmt: skip


def _told(
    store: str, row: str, standing: Standing, how: str, seen: Sequence[tuple[Ran, Seen]]
) -> Told:
    _, first = seen[0]
    report = next((ran.report for ran, _ in seen if ran.report), "")
    return Told(
        store=store,
        row=row,
        standing=standing,
        how=how,
        said=first.said or (first.known or ""),
        repeat=first.repeat,
        report=report,
    )


def _rate(entries: Iterable[Kept]) -> str:
    """How often the seeds of a guarantee broke it, in a clause."""
    every = list(entries)
    shown, tried = sum(one.shown for one in every), sum(one.tried for one in every)
    if len(every) == 1 and tried == 1:
        return "seen once"
    seeds = "its seed" if len(every) == 1 else f"its {len(every)} seeds"
    return f"{shown} of {tried} runs with {seeds} broke it"


def _since(entries: Iterable[Kept]) -> str:
    return min((one.since for one in entries), default="")[:10]


def _times(number: int) -> str:
    return "1 run" if number == 1 else f"{number} runs"


def tone(found: Sequence[Told], code: int) -> Verdict:
    """The verdict whose colour the night wears; an interrupted one that of what it saw broken."""
    standings = {one.standing for one in found}
    if code in (EXIT_BROKEN, EXIT_REGRESSION) or standings & set(BROKEN):
        return Verdict.BROKEN
    if code == EXIT_HOLDS:
        return Verdict.NOT_CLAIMED if Standing.KNOWN in standings else Verdict.HOLDS
    return Verdict.UNKNOWN
