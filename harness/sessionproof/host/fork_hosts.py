"""Hosts that are forks of a process which has imported their store: there within milliseconds."""

from __future__ import annotations

import atexit
import contextlib
import gc
import os
import signal
import sys
import threading
import traceback
from collections.abc import Callable, Iterable, Sequence
from typing import NoReturn

from sessionproof.contract.lookup import find_store
from sessionproof.host.server import serve, take_stdio


def import_store(name: str, paths: Sequence[str] | None) -> None:
    """Import the store of this name by this path, ours for None, and make ready to fork.

    What the import raises is kept for the hosts: each tells it when its location is opened.
    """
    if paths is not None:
        sys.path[:] = paths
    with contextlib.suppress(BaseException):
        find_store(name)
    gc.collect()
    gc.freeze()  # children share these pages as long as no collection writes to them


def be_host(
    name: str,
    pipes: Sequence[int],
    *,
    others: Iterable[int] = (),
    prepared: Callable[[], None] = lambda: None,
) -> NoReturn:
    """In a fork: serve the store on ``pipes``, and end.

    These are stdin, stdout and stderr, and behind them what is closed, as all of ``others`` is:
    descriptors of the process that forked which are none of a host's business.
    """
    code = 1
    try:
        signal.set_wakeup_fd(-1)
        signal.signal(signal.SIGCHLD, signal.SIG_DFL)
        os.setsid()
        for descriptor in others:
            os.close(descriptor)
        for number, end in enumerate(pipes[:3]):
            os.dup2(end, number)
        for end in pipes:
            os.close(end)
        prepared()
        serve(name, take_stdio())
        threading._shutdown()  # type: ignore[attr-defined]  # threads end as in an interpreter
        atexit._run_exitfuncs()
        code = 0
    except BaseException:  # noqa: BLE001 - told by the exit code, and on stderr
        traceback.print_exc()
    with contextlib.suppress(Exception):
        sys.stdout.flush()
        sys.stderr.flush()
    os._exit(code)
