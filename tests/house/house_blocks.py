"""The blocks of code on the pages below ``docs/``: who runs them.

A mark stands in the line before a block:

- ``<!-- file: NAME -->``: the reader saves it; commands of the page find it.
- ``<!-- change: NAME -->``: a method that the reader puts in the place of the one in that file.
- ``<!-- exit: N -->``: a command that ends with N, and not with 0.
- ``<!-- output -->``: what the command before it prints, … for what is left out;
  ``<!-- output: NAME -->``: the README's block of that name, again.
- ``<!-- test: PATH -->``: that test takes it from the page.
- ``<!-- not run: WHY -->``.

Without a mark Python is run by itself, and commands in the order of the page, in one folder.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path

from house_pages import ROOT, Block, blocks

DOCS = ROOT / "docs"
MARKS = ("file", "change", "exit", "output", "test", "not run")
FREE = ("", "text", "json")  # what nobody copies into a file or a shell
SLOW = ("start.md", "languages.md")  # they judge stores: run at night


def pages() -> Iterator[tuple[str, list[Block]]]:
    """Every page that has blocks, by its path below ``docs/``."""
    for path in sorted(DOCS.rglob("*.md")):
        found = blocks(path.read_text("utf-8"))
        if found:
            yield path.relative_to(DOCS).as_posix(), found


def problem(block: Block) -> str | None:
    """What is wrong with a block's mark, or that it needs one."""
    if block.where is None:
        marked = block.language in (*FREE, "python", "sh")
        return None if marked else f"a block of {block.language} without a mark: who runs it?"
    if block.where not in MARKS:
        return f"no mark is called {block.where!r}"
    if block.where == "test" and not (ROOT / str(block.name)).is_file():
        return f"there is no test {block.name}"
    if block.where == "not run" and not block.name:
        return "not run, and no reason why"
    return None


def python_blocks() -> Iterator[tuple[str, str]]:
    """What stands for itself: a name for each block, and its code."""
    for name, found in pages():
        codes = [one.code for one in found if one.language == "python" and one.where is None]
        yield from ((f"{name}-{number}", code) for number, code in enumerate(codes))


def is_command(block: Block) -> bool:
    """Whether the page's own test runs it in a shell."""
    return block.language == "sh" and block.where in (None, "exit")


def pages_of_commands() -> dict[str, list[Block]]:
    """Pages with commands, with all blocks that belong to them, in order."""
    return {
        name: [one for one in found if is_command(one) or one.where in ("file", "change", "output")]
        for name, found in pages()
        if any(map(is_command, found))
    }


def prepare(block: Block, folder: Path) -> None:
    """Save a block as the reader does, or put its method in the place of the old one."""
    path = folder / str(block.name)
    path.parent.mkdir(parents=True, exist_ok=True)
    code = block.code
    if block.where == "change":
        head = re.escape(code.partition("(")[0])
        code, changed = re.subn(
            rf"^{head}\(.*?\n(?=\n    def |\Z)", lambda _: block.code, path.read_text("utf-8"),
            flags=re.DOTALL | re.MULTILINE,
        )  # fmt: skip
        assert changed == 1, f"{path.name} has no {block.code.splitlines()[0].strip()}"
    path.write_text(code, "utf-8")
