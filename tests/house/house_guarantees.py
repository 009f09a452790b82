"""``docs/guarantees.md``, made of the registry and of the mutants.

``python -m tests.house.house_guarantees --write`` writes it anew.
"""

from __future__ import annotations

import re
import sys
from collections.abc import Iterator
from pathlib import Path

from fixtures.registry import Mutant, mutants
from sessionproof.contract.groups import TITLES
from sessionproof.contract.guarantees import GUARANTEES, Guarantee

PAGE = Path(__file__).parents[2] / "docs" / "guarantees.md"

_HEAD = """\
# Guarantees

What is checked, what a break does to a user's chat, and what it looks like in code.
The page is generated from the registry (`contract/guarantees.py`) and from the mutants, the \
stores that each guarantee must catch.

A guarantee applies to a store that has what stands under *needs*: a capability (an optional \
method), or a claim. Without it the verdict is "not claimed". Some rows ask for more, which their \
reason names then: a cost that is claimed (PERF-01), a store on a server that can be killed \
(DUR-08, DUR-09), files or statements that can be seen.
With less than the *least evidence* it is "could not tell".

| group | is about | guarantees | as when |
|---|---|---|---|
"""


def page() -> str:
    """The whole page."""
    parts = [_HEAD + "\n".join(_groups()) + "\n"]
    caught: dict[str, list[Mutant]] = {}
    for mutant in mutants():
        caught.setdefault(mutant.guarantee, []).append(mutant)
    for group in dict.fromkeys(row.group for row in GUARANTEES.values()):
        parts.append(f"## {group}: {TITLES[group]}\n")
        rows = [row for row in GUARANTEES.values() if row.group == group]
        parts += [_section(row, caught.get(row.id, [])) for row in rows]
    return "\n".join(parts)


def _groups() -> Iterator[str]:
    """A row for each group, with what its first guarantee's break does."""
    for group, title in TITLES.items():
        rows = [row for row in GUARANTEES.values() if row.group == group]
        place = re.sub(r"[^\w -]", "", f"{group} {title}").lower().replace(" ", "-")
        yield f"| [{group}](#{place}) | {title} | {len(rows)} | {rows[0].damage} |"


def _section(row: Guarantee, caught: list[Mutant]) -> str:
    needs = [" or ".join(f"`{name}`" for name in need.split("|")) for need in row.needs]
    needs += [f"claim `{row.claim.words}`"] if row.claim else []
    lines = [
        f"### {row.id}",
        "",
        f"**{row.promise}**",
        "",
        f"*When it breaks:* {row.damage}",
        "",
        *([f"*What mends it:* {row.remedy}", ""] if row.remedy else []),
        f"*Needs:* {', '.join(needs) or 'nothing beyond append, read and close'}. "
        f"*Least evidence:* {row.least:,} {row.unit.removesuffix('s' * (row.least == 1))}.",
        "",
        "*Caught, among others:*",
        "",
        *(f"- {mutant.broken} (`{_name(mutant)}`)" for mutant in sorted(caught, key=_name)[:6]),
        "",
    ]
    return "\n".join(lines)


def _name(mutant: Mutant) -> str:
    return mutant.store.rpartition(":")[2]


if __name__ == "__main__":
    if sys.argv[1:] == ["--write"]:
        PAGE.write_text(page(), "utf-8")
    else:
        sys.stdout.write(page())
