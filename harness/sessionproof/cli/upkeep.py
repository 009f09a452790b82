"""What the commands about whole stores share: errors of one line, progress, JSON, exit codes."""

from __future__ import annotations

import json
import signal
from collections.abc import Callable
from typing import Any, TypeAlias, TypeVar

from rich.console import Console

from sessionproof.cli.waiting import Waiting
from sessionproof.contract.errors import StoreError
from sessionproof.report.plain import for_terminal
from sessionproof.report.result import EXIT_INTERRUPTED, EXIT_USAGE

T = TypeVar("T")

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

    A ``StoreError`` is one line and exit code 2; Ctrl-C and SIGTERM say ``interrupted``, 130.
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
    except KeyboardInterrupt:
        waiting.end()
        say(errors, f"sessionproof: interrupted; {interrupted}")
        return EXIT_INTERRUPTED
    waiting.end()
    if as_json:
        print(json.dumps(to_json(answer), indent=2))  # noqa: T201 - ASCII, for a program
    else:
        show(answer, Console())
    return code(answer)


def say(console: Console, text: str) -> None:
    """Print one line; whatever a file's texts hold is escaped."""
    safe = for_terminal(text, console.encoding)
    console.print(safe, markup=False, highlight=False, soft_wrap=True)
