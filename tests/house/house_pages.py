"""The blocks of the README, by the mark that stands before each, and its generated table.

``python tests/house/house_pages.py NAME`` prints the README's block of that name: so CI runs what
readers read. ``--write`` writes the table of guarantees anew.
"""

from __future__ import annotations

import re
import sys
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).parents[2]
README = ROOT / "README.md"
WHERE = ("ci", "deep", "test", "output")

_BLOCK = re.compile(
    r"(?:<!-- (?P<where>[a-z ]+?)(?:: (?P<name>[^\n]+?))? -->\n)?"
    r"```(?P<language>\w*)\n(?P<code>.*?)```\n",
    re.DOTALL,
)
_TABLE = re.compile(r"(?<=<!-- guarantees -->\n).*?(?=<!-- /guarantees -->)", re.DOTALL)


@dataclass(frozen=True)
class Block:
    """A fenced block: ``where`` says who runs it (``WHERE``), None when nothing stands there."""

    where: str | None
    name: str | None
    language: str
    code: str


def blocks(text: str) -> list[Block]:
    """All fenced blocks of a page, in order."""
    return [
        Block(found["where"], found["name"], found["language"], found["code"])
        for found in _BLOCK.finditer(text)
    ]


def block(name: str) -> Block:
    """The README's block of this name; raises LookupError."""
    found = [one for one in blocks(README.read_text("utf-8")) if one.name == name]
    if len(found) != 1:
        raise LookupError(f"README.md has {len(found)} blocks named {name!r}, expected one")
    return found[0]


def guarantees_table() -> str:
    """The registry as a Markdown table, with what runs of our own stores said."""
    import house_ours  # needs the package, which a plain Python has not

    from sessionproof.contract.guarantees import GUARANTEES

    known = house_ours.stored()
    heads = [one.head for one in house_ours.STORES.values()]
    rows = [
        f"| id | promise | {' | '.join(heads)} |",
        f"|---|---|{':-:|' * len(heads)}",
        *(
            f"| {row.id} | {row.promise} | {' | '.join(house_ours.marks(known, row.id))} |"
            for row in GUARANTEES.values()
        ),
    ]
    return "\n".join([*house_ours.legend(known), "", *rows]) + "\n"


def written_table(text: str) -> str:
    """The table of guarantees as it stands in a page."""
    found = _TABLE.search(text)
    if found is None:
        raise LookupError("README.md has no place for the table of guarantees")
    return found[0]


def main(name: str) -> None:
    """Print a block, or write the table."""
    if name == "--write":
        text = README.read_text("utf-8")
        table = guarantees_table()
        README.write_text(_TABLE.sub(lambda _: table, text), "utf-8")
    else:
        sys.stdout.write(block(name).code)


if __name__ == "__main__":
    main(*sys.argv[1:])
