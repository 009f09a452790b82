"""``docs/cli.md``, made of the commands themselves.

``python -m tests.house.house_cli --write`` writes it anew.
"""

from __future__ import annotations

import inspect
import re
import sys
from collections.abc import Iterator
from pathlib import Path

import click

from sessionproof.cli.main import main

PAGE = Path(__file__).parents[2] / "docs" / "cli.md"

_HEAD = """\
# Commands

Every command with its options, as `--help` tells them. The page is generated from the commands; \
what they are for is told on the pages of their own, which the search finds by their names.

`sessionproof --version` prints the version, and `-h` or `--help` behind any command its help. \
A mistake in the use of a command is one line and exit code 2.
"""


def page() -> str:
    """The whole page."""
    return "\n".join([_HEAD, *_listed(), *(_section(*one) for one in commands(main))])


def commands(
    group: click.Group, above: tuple[str, ...] = ()
) -> Iterator[tuple[str, click.Command]]:
    """Every command that does something, with its words."""
    for name, command in sorted(group.commands.items()):
        if isinstance(command, click.Group):
            yield from commands(command, (*above, name))
        else:
            yield " ".join(("sessionproof", *above, name)), command


def _listed() -> list[str]:
    rows = (f"| [`{words}`](#{words.replace(' ', '-')}) | {_first(one)} |"
            for words, one in commands(main))  # fmt: skip
    return ["| command | it does |", "|---|---|", *rows, ""]


def _first(command: click.Command) -> str:
    """The first sentence of a command's help, for a table."""
    return _cell(inspect.cleandoc(command.help or "").partition("\n\n")[0])


def _section(words: str, command: click.Command) -> str:
    usage = " ".join([words, *command.collect_usage_pieces(click.Context(command))])
    lines = [f"## {words}", "", "```text", usage, "```", "", _paragraphs(command.help or ""), ""]
    options = [one for one in command.params if isinstance(one, click.Option) and not one.hidden]
    if options:
        lines += ["| option | it does |", "|---|---|", *map(_option, options), ""]
    return "\n".join(lines)


def _option(option: click.Option) -> str:
    """A row; written by us, as releases of click differ in their words."""
    assert option.help, f"{option.name} has no help"
    names = ", ".join(option.opts)
    if option.secondary_opts:
        names += " / " + ", ".join(option.secondary_opts)
    elif not (option.is_flag or option.count):
        names += f" {_value(option)}"
    said = [_plain(option.help), *(f"*{one}*" for one in _facts(option))]
    return f"| `{_cell(names)}` | {_cell(' '.join(said))} |"


def _value(option: click.Option) -> str:
    if option.metavar:
        return option.metavar
    if isinstance(option.type, click.Choice):
        return "|".join(map(str, option.type.choices))
    return option.type.name.split()[0].upper()


def _facts(option: click.Option) -> Iterator[str]:
    """What is to be known of a value: whether it is needed, its bounds, what it is without."""
    if option.required:
        yield "Required."
    least, most = (getattr(option.type, name, None) for name in ("min", "max"))
    above = getattr(option.type, "min_open", False)  # the least itself is refused
    if most is not None:
        yield f"Above {least}, at most {most}." if above else f"From {least} to {most}."
    elif least is not None:
        yield f"Above {least}." if above else f"At least {least}."
    if option.multiple and "again" not in (option.help or ""):
        yield "May be given again."
    if option.show_default is True and option.default is not None and not option.is_flag:
        yield f"Default: {option.default}."


def _paragraphs(text: str) -> str:
    return "\n\n".join(
        _plain(" ".join(one.split())) for one in inspect.cleandoc(text).split("\n\n")
    )


def _plain(text: str) -> str:
    """Text as Markdown: nothing in it is markup, and options are code."""
    text = re.sub(r"([\\<>*_\[\]])", r"\\\1", text)
    return re.sub(r"(?<![\w-])(--[a-z][a-z-]+)", r"`\1`", text)


def _cell(text: str) -> str:
    return " ".join(text.replace("|", "\\|").split())


if __name__ == "__main__":
    if sys.argv[1:] == ["--write"]:
        PAGE.write_text(page(), "utf-8")
    else:
        sys.stdout.write(page())
