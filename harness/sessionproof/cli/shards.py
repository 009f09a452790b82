"""``sessionproof shards``: the servers of a store that is spread over several."""

from __future__ import annotations

import re
import threading
from collections.abc import Callable, Sequence
from dataclasses import asdict
from typing import TYPE_CHECKING, Any, TypeVar

import click

from sessionproof.cli.places import schema_option

if TYPE_CHECKING:
    from rich.console import Console

    from sessionproof.cli.upkeep import Progress
    from sessionproof.reference.postgres.sharded import ShardedStore
    from sessionproof.reference.postgres.shards.moving import Status

T = TypeVar("T")

_json = click.option("--json", "as_json", is_flag=True, help="Print JSON, for programs.")
_store = click.argument("store")
_UNDER_WAY = "what was moved stays moved: the same command goes on"


@click.group()
def shards() -> None:
    """The servers of a store on several: what lies where, one server more, one less.

    STORE is one or more of their addresses, joined by commas: postgresql://…,postgresql://….
    """


@shards.command()
@_store
@schema_option
@_json
def status(store: str, *, schema: str | None, as_json: bool) -> None:
    """Print the servers of STORE, and how many sessions each has, and has to move.

    Exit codes: 0 done, 2 refused, 130 interrupted; so for each of these commands.
    """
    _done(
        store, schema, lambda opened, _: opened.servers(), as_json=as_json,
        to_json=asdict, lines=_shown, interrupted="nothing was changed",
    )  # fmt: skip


@shards.command()
@_store
@click.argument("server")
@schema_option
@_json
def add(store: str, *, server: str, schema: str | None, as_json: bool) -> None:
    """Spread STORE over SERVER, too, the address of an empty one, while others use it.

    Its share of the sessions is moved there. Run it again after it was interrupted.
    """
    _moved(
        store, schema, lambda opened, told: opened.add_server(_address(server), told=told),
        as_json=as_json,
    )  # fmt: skip


@shards.command()
@_store
@click.argument("server")
@schema_option
@_json
def remove(store: str, *, server: str, schema: str | None, as_json: bool) -> None:
    """Move all sessions from SERVER, told by its address or its name, to the others of STORE.

    While others use it. Run it again after it was interrupted.
    """
    _moved(
        store, schema, lambda opened, told: opened.remove_server(_named(server), told=told),
        as_json=as_json,
    )  # fmt: skip


@shards.command()
@_store
@schema_option
@_json
def finish(store: str, *, schema: str | None, as_json: bool) -> None:
    """Bring a change of the servers of STORE to its end that was interrupted, if there is one."""
    _moved(store, schema, lambda opened, told: opened.finish_change(told=told), as_json=as_json)


def _moved(
    store: str,
    schema: str | None,
    move: Callable[[ShardedStore, Callable[[int], None]], int],
    *,
    as_json: bool,
) -> None:
    def work(opened: ShardedStore, progress: Progress) -> tuple[int, Status]:
        counted = _Counted(progress)
        return move(opened, counted.one_more), opened.servers()

    _done(
        store, schema, work, as_json=as_json,
        to_json=lambda done: {"moved": done[0], **asdict(done[1])},
        lines=lambda done: [f"moved {done[0]:,} sessions", *_shown(done[1])],
        interrupted=_UNDER_WAY,
    )  # fmt: skip


class _Counted:
    """Counts what several threads move, and says so."""

    def __init__(self, progress: Progress) -> None:
        self._progress, self._lock, self._number = progress, threading.Lock(), 0

    def one_more(self, _of_thread: int) -> None:
        with self._lock:
            self._number += 1
            self._progress(f"sessions that move: {self._number:,} so far")


def _done(
    store: str,
    schema: str | None,
    work: Callable[[ShardedStore, Progress], T],
    *,
    as_json: bool,
    to_json: Callable[[T], dict[str, Any]],
    lines: Callable[[T], Sequence[str]],
    interrupted: str,
) -> None:
    """Do the work on the store, print what came of it, and exit."""
    from sessionproof.cli.upkeep import carried_out, say

    def on_store(progress: Progress) -> T:
        with _opened(store, schema) as opened:
            return work(opened, progress)

    def show(answer: T, console: Console) -> None:
        for line in lines(answer):
            say(console, line)

    click.get_current_context().exit(
        carried_out(
            on_store, as_json=as_json, to_json=to_json, show=show, code=lambda _: 0,
            interrupted=interrupted,
        )
    )  # fmt: skip


def _opened(store: str, schema: str | None) -> ShardedStore:
    """The store on its servers; nothing is made by a wrong name."""
    from sessionproof.cli.places import place_of
    from sessionproof.contract.addresses import is_address, split
    from sessionproof.contract.errors import Refused

    urls = split(store)
    if not is_address(store):
        raise Refused("STORE is the address of a server, as postgresql://USER@HOST/DATABASE")
    first, *others = [place_of(url, schema) for url in urls]
    assert first is not None  # of an address
    with first.connected(writes=False) as db:
        first.require(db)
    if wrong := [one for one in others if one is not None and one.schema != first.schema]:
        raise Refused(f"{wrong[0]} is another schema than {first.schema}: name one by --schema")
    from sessionproof.reference.postgres.sharded import ShardedStore

    return ShardedStore(urls=urls, schema=first.schema, preset="cli")


def _address(server: str) -> str:
    """An address of a server; raises ``Refused``, which shows no password."""
    from sessionproof.cli.places import place_of
    from sessionproof.contract.addresses import is_address
    from sessionproof.contract.errors import Refused

    if not is_address(server):
        raise Refused(
            "SERVER is the address of a server, as postgresql://USER@HOST/DATABASE, or the name of "
            "one that is there, as s1"
        )
    place_of(server, "")  # which asks no server
    return server


def _named(server: str) -> str:
    """A name of a server, or an address; raises ``Refused``, which shows no password."""
    return server if re.fullmatch(r"s[0-9]+", server) else _address(server)


def _shown(found: Status) -> list[str]:
    width = max(len(one.address) for one in found.servers)
    state = "sessions are being moved" if found.changing else "nothing is being moved"
    return [
        *(
            f"{one.name:<4} {one.address:<{width}}  {one.sessions:>9,} sessions  "
            f"{one.messages:>11,} messages"
            + (f"  {one.to_move:,} to move" if one.to_move else "")
            for one in found.servers
        ),
        f"{state} (layout {found.epoch})",
    ]  # fmt: skip
