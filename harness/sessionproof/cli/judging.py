"""What commands that judge guarantees of a store are asked alike: which, and by which claims."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import click


def judging_options(command: Callable[..., Any]) -> Callable[..., Any]:
    """The options ``only``, ``require`` and ``accept_unknown`` of a command that judges."""
    only = click.option("--only", multiple=True, help="A guarantee or a group, as CORE-01 or SEQ.")
    require = click.option(
        "--require", multiple=True, help="Judge by this claim, as durability=process."
    )
    accept_unknown = click.option(
        "--accept-unknown", multiple=True, help='A group or id whose "could not tell" is accepted.'
    )
    return only(require(accept_unknown(command)))
