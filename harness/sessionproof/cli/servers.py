"""``--on postgres``: a store on servers of its own, which last as long as the command."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import click

SERVERS_MOST = 16
_REFERENCE = "reference"


@dataclass(frozen=True, kw_only=True)
class Servers:
    """What ``--on`` and ``--servers`` say; ``kind`` is None without ``--on``."""

    kind: str | None = None
    count: int | None = None


@dataclass(frozen=True, kw_only=True)
class Opened:
    """A store that can be opened: its name, and the words that name it on a command line."""

    name: str
    words: tuple[str, ...]


def server_options(command: Callable[..., Any]) -> Callable[..., Any]:
    """The options of a command that takes a store."""
    count = click.option(
        "--servers",
        type=click.IntRange(1, SERVERS_MOST),
        help="With --on: so many servers, each with a share of the sessions.  [default: 1]",
    )
    kind = click.option(
        "--on",
        type=click.Choice(["postgres"]),
        help="Run the reference, or the portal, on a server that is started for it alone.",
    )
    return kind(count(command))


@contextmanager
def opened(store: str, servers: Servers, parent: Path | None) -> Iterator[Opened]:
    """The store with its servers, its passwords handed over; raises BadUsage.

    Data of servers that are started here lies below ``parent``. What is made on others is dropped
    at the end.
    """
    from sessionproof.engine.addresses import reached

    words = words_of(store, servers)
    with ExitStack() as stack:
        if servers.kind is not None:
            kind = "" if store == _REFERENCE else f"{store}:"
            store = kind + stack.enter_context(_started(servers.count or 1, parent))
        name = stack.enter_context(reached(store, lasting=servers.kind is None))
        yield Opened(name=name, words=words or (name,))


def words_of(store: str, servers: Servers) -> tuple[str, ...]:
    """The words of the command, none where the name of the store says it; raises BadUsage."""
    from sessionproof.contract.lookup import takes_server
    from sessionproof.engine.plan import BadUsage

    if servers.kind is None:
        if servers.count is not None:
            raise BadUsage("--servers says how many are started: give --on postgres, too")
        return ()
    if store != _REFERENCE and not takes_server(store):
        raise BadUsage(
            f"--on {servers.kind} starts servers for the {_REFERENCE} and for stores with a scheme "
            "of their name, as portal: name one of them, or leave --on out"
        )
    more = () if servers.count is None else ("--servers", str(servers.count))
    return (store, "--on", servers.kind, *more)


@contextmanager
def _started(count: int, parent: Path | None) -> Iterator[str]:
    """The addresses of servers that run as long, as the name of a store; raises BadUsage."""
    from sessionproof.engine.plan import BadUsage
    from sessionproof.faults.servers.postgres import PrivateServer, ServerFailed

    with ExitStack() as stack:
        try:
            servers = [stack.enter_context(PrivateServer.start(parent)) for _ in range(count)]
        except ServerFailed as error:
            raise BadUsage(f"--on postgres: {error}") from None
        yield ",".join(server.url for server in servers)
