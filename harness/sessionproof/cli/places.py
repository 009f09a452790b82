"""What the commands about whole stores work on: a path, or a schema on a PostgreSQL server."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

if TYPE_CHECKING:
    from rich.console import Console

    from sessionproof.contract.upkeep import Verified
    from sessionproof.reference.postgres.place import Place


class StoredFiles(click.Path):
    """A path, of commands that are about files alone.

    An address is not taken for one, which would show its password.
    """

    def __init__(self) -> None:
        super().__init__(path_type=Path)

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> Any:
        """The path; a refusal says which commands take addresses."""
        from sessionproof.contract.addresses import is_on_server

        if is_on_server(str(value)):
            self.fail(
                "this command is about files: those that take the address of a server are run, "
                "load, health, verify, maintain, backup, restore and shards",
                param,
                ctx,
            )
        return super().convert(value, param, ctx)


def where(text: str) -> Path | str:
    """A path, or the address of a server as it was given."""
    from sessionproof.contract.addresses import is_address

    return text if is_address(text) else Path(text)


def schema_option(command: Callable[..., Any]) -> Callable[..., Any]:
    """The option that names the schema on a server."""
    return click.option(
        "--schema",
        metavar="NAME",
        help="With an address: the schema of the store; needed where the database has several.",
    )(command)


def place_of(given: Path | str, schema: str | None) -> Place | None:
    """The schema that is meant; None for a path. Raises ``Refused``, which shows no password."""
    from sessionproof.contract.errors import Refused
    from sessionproof.contract.lookup import StoreNotFound

    if isinstance(given, Path):
        if schema is not None:
            raise Refused("--schema goes with the address of a server, not with a path")
        return None
    from sessionproof.contract.addresses import addresses, split

    try:
        if len(split(given)) > 1:
            raise Refused("this command is about one server: name one address")
        addresses(given)
        from sessionproof.reference.postgres.address import settings_of

        settings_of(given)
    except StoreNotFound as error:
        raise Refused(str(error)) from None
    from sessionproof.reference.postgres.place import Place, only_place

    return only_place(given) if schema is None else Place(given, schema)


def verified(place: Place) -> Verified:
    """What is wrong in a schema; nothing is made or changed."""
    from sessionproof.contract.upkeep import Verified
    from sessionproof.reference.postgres.pool import one_moment
    from sessionproof.reference.postgres.verifying import problems

    with place.connected(writes=False) as db, one_moment(db):
        place.require(db)
        return Verified(problems(db))


def show_verified(place: Place, found: Verified, console: Console) -> None:
    """Print it for people."""
    from sessionproof.cli.upkeep import say

    say(console, f"schema    {place}")
    for one in found.problems:
        say(console, f"problem   {one}")
    number = len(found.problems)
    say(console, f"{number} problems were found" if number else "all is in order")


def verified_to_json(place: Place, found: Verified) -> dict[str, Any]:
    """The same for programs."""
    return {"schema": str(place), "ok": found.ok, "problems": list(found.problems)}
