"""Nights in words: one slice in a line, lengths of time, and the summary as Markdown."""

from __future__ import annotations

from collections.abc import Sequence

from sessionproof.report.markdown import code, plain
from sessionproof.report.nightly.night import SPEED, Night, Ran
from sessionproof.report.nightly.standing import Standing, Told, headline, missed, problems

_ROWS_MOST = 40
_NAMES_MOST = 6


def slice_words(ran: Ran) -> str:
    """What came of a slice, in a clause: ``15 held, 1 broken: CONC-01``."""
    if ran.asked.part == SPEED or not (ran.held or ran.rows):
        return ran.problem or ran.said or "nothing of it is claimed"
    broken = [one.id for one in ran.rows if one.is_break]
    unsure = [one.id for one in ran.rows if one.is_unsure]
    parts = [f"{len(ran.held)} held"] if ran.held else []
    parts += [f"{len(broken)} broken: {_names(broken)}"] if broken else []
    parts += [f"could not tell of {_names(unsure)}"] if unsure else []
    parts += [ran.problem] if ran.problem else []
    return ", ".join(parts) or "nothing that counts"


def span(seconds: float) -> str:
    """``41 s``, ``12 min``, ``5 h 30 min``."""
    if seconds < 100:
        return f"{seconds:.0f} s"
    minutes = round(seconds / 60)
    if minutes < 100:
        return f"{minutes} min"
    hours, rest = divmod(minutes, 60)
    return f"{hours} h {rest} min" if rest else f"{hours} h"


def shown_row(one: Told, *, several: bool) -> str:
    """The guarantee, with its store before it where there are several."""
    return f"{one.store} {one.row}" if several else one.row


def render_markdown(night: Night, found: Sequence[Told]) -> str:
    """The night for the page of a job; nothing that a store said is taken for markup."""
    lines = [f"## The night of {night.day}", "", plain(headline(found, night)), ""]
    shown = [one for one in found if one.standing is not Standing.KNOWN][:_ROWS_MOST]
    if shown:
        several = len(night.stores) > 1
        lines += ["| | guarantee | how often | seen | again |", "|---|---|---|---|---|"]
        lines += [
            f"| {one.standing.value} | {plain(shown_row(one, several=several))} | {plain(one.how)} "
            f"| {plain(one.said, 200)} | {_in_cell(one.repeat)} |"
            for one in shown
        ]
        lines.append("")
    lines += [f"- {plain(one, 300)}" for one in (*problems(night), *missed(night))]
    spent = f"{len(night.ran)} slices, {span(night.spent_s)} of {span(night.budget_s)}"
    state = "" if night.ended else " It was interrupted: the same command goes on with it."
    lines.append(f"{spent}, profile {code(night.profile)}, seed {night.seed}.{state}")
    return "\n".join(lines) + "\n"


def _names(ids: Sequence[str]) -> str:
    more = f" and {len(ids) - _NAMES_MOST} more" if len(ids) > _NAMES_MOST else ""
    return ", ".join(ids[:_NAMES_MOST]) + more


def _in_cell(command: str) -> str:
    """A command as code within a table, where an upright stroke would end the cell."""
    return code(command, 300) if "|" not in command else plain(command, 300)
