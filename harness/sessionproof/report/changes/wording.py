"""The changes between two runs in words: a sentence, titles, cells, JSON."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from sessionproof.contract.verdicts import Verdict
from sessionproof.report.amounts import interval
from sessionproof.report.changes.between import (
    Changed,
    ChangedSpeed,
    Changes,
    Kind,
    anomalies,
    exit_code,
)
from sessionproof.report.result import GuaranteeResult
from sessionproof.report.words import SYMBOLS, unclaimed

TITLES: Mapping[Kind, str] = {
    Kind.BROKE: "held before, and is broken",
    Kind.UNSEEN: "broken, and not known to hold before",
    Kind.UNTOLD: "could not be told now",
    Kind.WITHDRAWN: "not claimed any more",
    Kind.KNOWN: "broken now, as the baseline lists",
    Kind.OTHERWISE: "broken in both, in another way",
    Kind.MENDED: "mended",
    Kind.TOLD: "holds, and was not known to",
    Kind.OPEN: "seen otherwise, and claimed in neither",
}
ABOUT: Mapping[Kind, str] = {
    Kind.BROKE: "The first run saw it hold, and the second saw it break.",
    Kind.UNSEEN: "The first run could not tell, did not run it, or held it against nobody: "
    "whether the break is new is not known.",
    Kind.UNTOLD: "Neither that it holds nor that it is broken.",
    Kind.WITHDRAWN: "The second run does not hold it against the store, whatever it saw.",
    Kind.KNOWN: "It does not fail, and it does not hold.",
    Kind.OTHERWISE: "The search is random, and shows now one and now another face of a break.",
    Kind.MENDED: "The second run found nothing. The search is random: that is no proof.",
    Kind.TOLD: "The first run could not tell, or it was not claimed.",
    Kind.OPEN: "It decides nothing.",
}
TONES: Mapping[Kind, Verdict] = {
    Kind.BROKE: Verdict.BROKEN,
    Kind.UNSEEN: Verdict.BROKEN,
    Kind.UNTOLD: Verdict.UNKNOWN,
    Kind.WITHDRAWN: Verdict.NOT_CLAIMED,
    Kind.KNOWN: Verdict.BROKEN,
    Kind.OTHERWISE: Verdict.BROKEN,
    Kind.MENDED: Verdict.HOLDS,
    Kind.TOLD: Verdict.HOLDS,
    Kind.OPEN: Verdict.NOT_CLAIMED,
}
_NAMED_MOST = 6  # ids of a kind in the sentence


def tone(found: Changes) -> Verdict:
    """The verdict whose colour the whole wears."""
    return {0: Verdict.HOLDS, 1: Verdict.BROKEN}.get(exit_code(found), Verdict.UNKNOWN)


def headline(found: Changes) -> str:
    """The whole in a sentence or two: what broke, what else is not as it was, what is slower."""
    if not found.common and not found.of(Kind.BROKE):
        return "Nothing was judged in both runs."
    said = [] if found.of(Kind.BROKE) else ["Nothing that held is broken"]
    for kind in Kind:
        if rows := found.of(kind):
            names = [row.after.id for row in rows]
            more = len(names) - _NAMED_MOST
            also = f" and {more} more" if more > 0 else ""
            said.append(f"{TITLES[kind]}: {', '.join(names[:_NAMED_MOST])}{also}")
    for slower, word in ((True, "slower"), (False, "faster")):
        if speeds := [name_of(row) for row in found.speeds if row.is_slower is slower]:
            said.append(f"{word}: {', '.join(speeds[:_NAMED_MOST])}")
    text = "; ".join(said)
    return f"{text[:1].upper()}{text[1:]}."


def standing(row: GuaranteeResult) -> str:
    """A verdict with its symbol, and whether it decides nothing."""
    mark = ", not claimed" if unclaimed(row) else ""
    return f"{SYMBOLS[row.verdict]} {row.verdict.shown}{mark}"


def why(row: Changed) -> str:
    """What a reader of the table wants to know next: anomalies, reasons."""
    match row.kind:
        case Kind.OTHERWISE:
            before = ", ".join(anomalies(row.before)) or "no finding"
            return f"{before} before, {', '.join(anomalies(row.after)) or 'no finding'} now"
        case Kind.MENDED:
            return f"was {', '.join(anomalies(row.before)) or row.before.reason}"
        case Kind.KNOWN:
            return row.after.known or ""
        case _:
            found = ", ".join(anomalies(row.after))
            return row.after.reason or found


def name_of(row: ChangedSpeed) -> str:
    """An operation and who calls; one client is understood."""
    return row.operation if row.clients == "one client" else f"{row.operation}, {row.clients}"


def percent(row: ChangedSpeed) -> str:
    """``+12 %``; from twice on ``×2.1``."""
    return f"×{row.times:.1f}" if row.times >= 2 else f"{100 * (row.times - 1):+.0f} %"


def speed_cells(row: ChangedSpeed) -> tuple[str, str, str, str]:
    """The name, the ratio before and after, and the change."""
    return name_of(row), interval(row.before), interval(row.after), percent(row)


def to_json(found: Changes) -> dict[str, Any]:
    """For programs; ``docs/compare.md`` has the fields."""
    return {
        "exit_code": exit_code(found),
        "verdict": headline(found),
        "notes": list(found.notes),
        "differences": [
            {"what": one.what, "before": one.before, "after": one.after}
            for one in found.differences
        ],
        "guarantees": [
            {
                "id": row.after.id, "change": row.kind.value, "before": row.before.verdict.value,
                "after": row.after.verdict.value, "why": why(row),
            }
            for kind in Kind
            for row in found.of(kind)
        ],
        "speeds": [
            {
                "operation": row.operation, "clients": row.clients,
                "before": row.before.value, "after": row.after.value, "times": row.times,
            }
            for row in found.speeds
        ],
        "growths": [
            {
                "operation": row.after.operation, "along": row.after.along,
                "before": row.before.verdict, "after": row.after.verdict,
            }
            for row in found.growths
        ],
    }  # fmt: skip
