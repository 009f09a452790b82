"""The result as a badge: one short line and a colour, in the form that shields.io reads."""

from __future__ import annotations

from sessionproof.contract.verdicts import Verdict
from sessionproof.report import words
from sessionproof.report.result import (
    EXIT_BROKEN,
    EXIT_HOLDS,
    EXIT_INTERRUPTED,
    EXIT_NOTHING,
    EXIT_REGRESSION,
    RunResult,
    counts,
)

LABEL = "sessionproof"


def badge(result: RunResult) -> dict[str, str | int]:
    """The endpoint's JSON: ``schemaVersion``, ``label``, ``message``, ``color``.

    Bright green is for a run that decided all it claims and saw nothing broken. Whatever is known
    to be broken, was accepted unjudged, or was not claimed is in the message, and takes the
    brightness.
    """
    message, colour = _words(result)
    return {"schemaVersion": 1, "label": LABEL, "message": message, "color": colour}


def _words(result: RunResult) -> tuple[str, str]:
    new, known = len(words.new_breaks(result)), len(words.known_breaks(result))
    match result.exit_code:
        case code if code == EXIT_INTERRUPTED:
            found = new and f"{new} broken"
            return _joined("interrupted", found), "red" if new else "lightgrey"
        case code if code == EXIT_BROKEN and new:
            return _joined(f"{new} broken", known and f"{known} known"), "red"
        case code if code == EXIT_BROKEN:
            return "baseline is stale", "red"
        case code if code == EXIT_NOTHING:
            return "nothing examined", "lightgrey"
        case code if code == EXIT_REGRESSION:
            return "slower than before", "orange"
        case code if code == EXIT_HOLDS:
            return _good(result, known)
        case _ if not result.complete:
            return "cut short", "yellow"
        case _:
            unknown = words.of(result, Verdict.UNKNOWN, gated=True)
            left = sum(not words.accepted(result, one) for one in unknown)
            return _joined(f"could not tell {left}", known and f"{known} known broken"), "yellow"


def _good(result: RunResult, known: int) -> tuple[str, str]:
    number = counts(result)
    unknown, seen = number[Verdict.UNKNOWN], len(words.tried(result))
    holds = f"holds {number[Verdict.HOLDS]}"
    text = _joined(
        f"{known} known broken" if known else holds,
        known and holds,
        unknown and f"could not tell {unknown}",
        seen and f"{seen} not claimed seen broken",
        not result.claims_declared and "no claims",
    )
    if known:
        return text, "orange"
    if unknown or seen:
        return text, "yellow"
    return text, "brightgreen" if result.claims_declared else "green"


def _joined(*parts: str | int) -> str:
    return ", ".join(part for part in parts if isinstance(part, str))
