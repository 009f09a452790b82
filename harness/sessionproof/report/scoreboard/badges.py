"""A store's badge: what its run said, in a few words, as a picture for a README."""

from __future__ import annotations

from sessionproof.report.badge import LABEL
from sessionproof.report.plain import shown
from sessionproof.report.scoreboard.board import Entry, Standing
from sessionproof.svg.badge import badge

_COLOURS = {
    Standing.BROKEN: "red",
    Standing.UNCONFIRMED: "orange",
    Standing.UNKNOWN: "yellow",
    Standing.HOLDS: "green",
}


def badge_of(entry: Entry) -> str:
    """The picture; the number of what is broken is that of the board."""
    message, colour = badge_words(entry)
    return str(badge(LABEL, shown(message), colour=colour)) + "\n"


def badge_words(entry: Entry) -> tuple[str, str]:
    """The message, in the words of a run's own badge, and its colour."""
    if not entry.rows:
        return entry.state, "grey"
    counted = entry.counted()
    parts = [
        f"{counted[standing]} {words}" if standing is not Standing.UNKNOWN else
        f"{words} {counted[standing]}"
        for standing, words in (
            (Standing.BROKEN, "broken"),
            (Standing.UNCONFIRMED, "not confirmed"),
            (Standing.UNKNOWN, "could not tell"),
        )
        if standing in counted
    ]  # fmt: skip
    if not parts or Standing.BROKEN not in counted:
        parts.append(f"holds {counted.get(Standing.HOLDS, 0)}")
    if entry.state != "judged":
        return ", ".join([entry.state, *parts]), "grey"
    worst = next((one for one in counted if one in _COLOURS), None)
    return ", ".join(parts), "grey" if worst is None else _COLOURS[worst]
