"""What the commands about whole stores share: errors of one line, progress, JSON, exit codes."""

from __future__ import annotations

import json
import os
import signal
import sys
from collections.abc import Callable, Mapping
from typing import Any, TypeAlias, TypeVar

from rich.console import Console

from sessionproof.cli.waiting import Waiting
from sessionproof.contract.errors import StoreError
from sessionproof.report.plain import for_terminal, shown
from sessionproof.report.result import EXIT_INTERRUPTED, EXIT_USAGE

T = TypeVar("T")

_INSIDE = {
    "search_index_config", "search_index_content", "search_index_data", "search_index_docsize",
    "search_index_idx", "search_mark", "search_again",
    "search_index", "search_rule",
    "maintenance_runs", "health_sizes", "health_slow",
    "layout", "departures", "arrivals", "arriving_sessions", "arriving_messages",
    "arriving_state", "arriving_snapshots",
}  # fmt: skip
"""Tables of the reference's search, upkeep and servers: they say nothing about anybody's chats."""

Progress: TypeAlias = Callable[[str], None]
"""Told what is looked at, again and again; raises KeyboardInterrupt to end the work."""


def carried_out(
    work: Callable[[Progress], T],
    *,
    as_json: bool,
    to_json: Callable[[T], dict[str, Any]],
    show: Callable[[T, Console], None],
    code: Callable[[T], int],
    interrupted: str = "nothing was changed",
) -> int:
    """Do the work, print its answer as JSON or for people, and answer the exit code.

    A ``StoreError`` is one line and exit code 2, and so is a path that the system refuses, or an
    answer that finds no room where it goes; Ctrl-C and SIGTERM say ``interrupted``, 130.
    """
    errors = Console(stderr=True)
    waiting = Waiting(errors)
    signal.signal(signal.SIGTERM, signal.default_int_handler)
    try:
        answer = work(waiting.tell)
    except StoreError as error:
        waiting.end()
        say(errors, f"sessionproof: {error}")
        return EXIT_USAGE
    except OSError as error:
        waiting.end()
        say(errors, f"sessionproof: {refused_by_system(error)}")
        return EXIT_USAGE
    except KeyboardInterrupt:
        waiting.end()
        say(errors, f"sessionproof: interrupted; {interrupted}")
        return EXIT_INTERRUPTED
    waiting.end()
    try:
        if as_json:
            print(json.dumps(to_json(answer), indent=2), flush=True)  # noqa: T201 - for a program
        else:
            show(answer, Console())
    except BrokenPipeError:
        raise  # who reads has enough
    except OSError as error:
        give_up_stdout()
        say(errors, f"sessionproof: done, but the answer cannot be written: {error.strerror}")
        return EXIT_USAGE
    return code(answer)


def refused_by_system(error: OSError) -> str:
    """What the system refused and why, in a line."""
    place = "a file" if error.filename is None else shown(os.fsdecode(error.filename))
    return f"{place} cannot be used: {error.strerror or shown(str(error))}"


def give_up_stdout() -> None:
    """Let what is left in its buffer go nowhere, or Python would fail again at its end."""
    nowhere = os.open(os.devnull, os.O_WRONLY)
    os.dup2(nowhere, sys.stdout.fileno())
    os.close(nowhere)


def amounts_of(rows: Mapping[str, int]) -> str:
    """How many rows of which table, in words; without those that the reference keeps for itself."""
    return ", ".join(f"{number:,} {name}" for name, number in rows.items() if name not in _INSIDE)


def say(console: Console, text: str) -> None:
    """Print one line, however long; whatever a store or a file says in it is escaped."""
    safe = for_terminal(text, console.encoding)
    console.print(safe, markup=False, emoji=False, highlight=False, soft_wrap=True)
