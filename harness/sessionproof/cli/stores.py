"""``sessionproof stores``: what can be judged by its name."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict
from typing import TYPE_CHECKING, Any

import click

if TYPE_CHECKING:
    from rich.console import Console

    from sessionproof.contract.registered import Registered

_KINDS = {
    "own": "our own",
    "adapter": "adapter",
    "other": "of another package",
    "scheme": "scheme",
}
_HEADS = ("name", "what it is", "version, or what to install")


@click.command()
@click.option("--json", "as_json", is_flag=True, help="Print the list as JSON, for programs.")
def stores(*, as_json: bool) -> None:
    """List all stores that a run can name, with the installed versions of their packages.

    Nothing of them is imported. A scheme is written before what it takes, as cmd:COMMAND; any other
    class is named module:attr. Exit codes: 0 listed, 130 interrupted.
    """
    from sessionproof.cli.upkeep import carried_out
    from sessionproof.contract.registered import registered

    code = carried_out(
        lambda _: registered(), as_json=as_json, to_json=_to_json, show=_show, code=lambda _: 0
    )
    click.get_current_context().exit(code)


def _to_json(found: Sequence[Registered]) -> dict[str, Any]:
    return {
        "stores": [asdict(one) for one in found if one.kind != "scheme"],
        "schemes": [asdict(one) for one in found if one.kind == "scheme"],
    }


def _show(found: Sequence[Registered], console: Console) -> None:
    from sessionproof.cli.upkeep import say

    rows = [_HEADS, *map(_row, found)]
    widths = [max(len(row[column]) for row in rows) for column in range(2)]
    for name, kind, state in rows:
        say(console, f"{name.ljust(widths[0])}  {kind.ljust(widths[1])}  {state}")


def _row(one: Registered) -> tuple[str, str, str]:
    name = f"{one.name}:" if one.kind == "scheme" else one.name
    version = f"{one.package} {one.version}" if one.version else one.package
    return name, _KINDS[one.kind], one.install or version
