"""What the strips of a page show: each guarantee and each group of a store, night by night."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from markupsafe import Markup

from sessionproof.contract.guarantees import GUARANTEES
from sessionproof.contract.verdicts import Verdict
from sessionproof.report.nightly.night import SPEED, Night, Seen
from sessionproof.report.result import EXIT_REGRESSION, EXIT_UNKNOWN
from sessionproof.svg.night_strip import NIGHTS_MOST, night_strip

WORST = ("broken", "not-claimed", "could-not-tell", "holds")
"""Classes of a night, the worst first; ``not-claimed`` is for what decides nothing, as a known
break."""
WORDS = {
    "broken": "broken",
    "not-claimed": "broken, and known or not claimed",
    "could-not-tell": "could not tell",
    "holds": "held",
}
_DAYS_MOST = 4


@dataclass(frozen=True)
class Strip:
    """A name with its nights, and in words how often it was what."""

    name: str
    nights: tuple[str, ...]
    days: tuple[str, ...]

    @property
    def is_calm(self) -> bool:
        """Whether it held whenever it was looked at."""
        return not set(self.nights) - {"", "holds"}

    @property
    def words(self) -> str:
        """``broken in 2 nights (2026-01-05, 2026-01-07), held in 12``."""
        number = Counter(self.nights)
        parts = []
        for one in WORST:
            if not number[one]:
                continue
            nights = "1 night" if number[one] == 1 else f"{number[one]} nights"
            days = [day for day, each in zip(self.days, self.nights, strict=True) if each == one]
            more = "…, " if len(days) > _DAYS_MOST else ""
            when = "" if one == "holds" else f" ({more}{', '.join(days[-_DAYS_MOST:])})"
            parts.append(f"{WORDS[one]} in {nights}{when}")
        return ", ".join(parts) or "not looked at"

    @property
    def picture(self) -> Markup:
        """The strip."""
        return night_strip(self.nights, label=f"{self.name}: {self.words}")


@dataclass(frozen=True)
class Group:
    """A group of guarantees: its strip, and those of the rows that did not always hold."""

    strip: Strip
    rows: tuple[Strip, ...]
    calm: int


def groups_of(store: str, nights: Sequence[Night]) -> list[Group]:
    """The groups of a store over the newest nights, in the order of the registry; speed last."""
    newest = nights[-NIGHTS_MOST:]
    marks = [marks_of(night, store) for night in newest]
    days = tuple(night.day for night in newest)
    known = set().union(*marks) - {SPEED}
    order = [*(name for name in GUARANTEES if name in known), *sorted(known - set(GUARANTEES))]
    by_group: dict[str, list[Strip]] = {}
    for name in order:
        strip = Strip(name, tuple(one.get(name, "") for one in marks), days)
        by_group.setdefault(name.partition("-")[0], []).append(strip)
    found = [_group(name, strips, days) for name, strips in by_group.items()]
    if any(SPEED in one for one in marks):
        strip = Strip(SPEED, tuple(one.get(SPEED, "") for one in marks), days)
        found.append(Group(strip=strip, rows=(), calm=0))
    return found


def marks_of(night: Night, store: str) -> dict[str, str]:
    """The class of each guarantee of a store in one night, and of its speed."""
    found: dict[str, set[str]] = {}
    for ran in night.of(store):
        if ran.asked.part == SPEED:
            if ran.state == "judged":
                found[SPEED] = {_of_speed(ran.exit_code)}
            continue
        for name in ran.held:
            found.setdefault(name, set()).add("holds")
        for seen in ran.rows:
            found.setdefault(seen.id, set()).add(_class(seen))
    # What held with one seed could be told tonight, whatever another seed left open.
    return {
        name: _worst(classes - {"could-not-tell"} if "holds" in classes else classes)
        for name, classes in found.items()
    }


def _group(name: str, strips: Sequence[Strip], days: tuple[str, ...]) -> Group:
    nights = tuple(_worst(at) for at in zip(*(one.nights for one in strips), strict=True))
    rows = tuple(one for one in strips if not one.is_calm)
    return Group(strip=Strip(name, nights, days), rows=rows, calm=len(strips) - len(rows))


def _worst(classes: Iterable[str]) -> str:
    known = set(classes)
    return next((one for one in WORST if one in known), "")


def _class(seen: Seen) -> str:
    if seen.is_break:
        return "broken"
    return "could-not-tell" if seen.verdict is Verdict.UNKNOWN else "not-claimed"


def _of_speed(code: int) -> str:
    if code == EXIT_REGRESSION:
        return "broken"
    return "could-not-tell" if code == EXIT_UNKNOWN else "holds"
