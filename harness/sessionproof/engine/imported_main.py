"""A process that imports a store and forks one for each script: ``-m …engine.imported_main``.

Each request over the inherited socket is a JSON object, ``script`` and ``environment``, with two
descriptors: for what the script prints, and for two numbers, its process and its exit code. A
script runs as if an interpreter had been started with it, but for the imports that it finds done.
"""

from __future__ import annotations

import argparse
import contextlib
import gc
import json
import os
import runpy
import signal
import socket
import sys
import tempfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any, NoReturn

from sessionproof.contract.lookup import find_store
from sessionproof.host.forked import NUMBER

_REQUEST_BYTES = 1 << 20


def main() -> NoReturn:
    """Import the store as a script would, then fork until nobody asks any more."""
    parser = argparse.ArgumentParser(prog="python -m sessionproof.engine.imported_main")
    parser.add_argument("--socket", type=int, required=True, metavar="FD")
    parser.add_argument("--path", action="append", default=[], metavar="ENTRY")
    parser.add_argument("store", metavar="STORE")
    arguments = parser.parse_args()
    control = socket.socket(fileno=arguments.socket)
    before = sys.path[1:]
    sys.path[:0] = arguments.path
    with contextlib.suppress(Exception):  # the script will say it
        find_store(arguments.store)
    sys.path[:] = before
    gc.freeze()
    signal.signal(signal.SIGCHLD, signal.SIG_IGN)  # nobody waits for those that wait
    control.send(b"ready")
    while True:
        line, descriptors, _, _ = socket.recv_fds(control, _REQUEST_BYTES, 2)
        if not line:
            os._exit(0)  # nothing of the store is open: its modules need not be taken down
        if os.fork() == 0:
            control.close()
            _attend(json.loads(line), *descriptors)
        for descriptor in descriptors:
            os.close(descriptor)


def _attend(request: dict[str, Any], output: int, told: int) -> NoReturn:
    """Fork the script's process, and tell how it ended."""
    signal.signal(signal.SIGCHLD, signal.SIG_DFL)
    pid = os.fork()
    if pid == 0:
        os.close(told)
        _run(request["script"], request["environment"], output)
    os.close(output)
    with contextlib.suppress(BrokenPipeError):
        os.write(told, NUMBER.pack(pid))
        _, status = os.waitpid(pid, 0)
        os.write(told, NUMBER.pack(os.waitstatus_to_exitcode(status)))
    os._exit(0)


def _run(script: str, environment: Mapping[str, str], output: int) -> NoReturn:
    code = 1
    try:
        os.setsid()
        os.dup2(output, 1)
        os.dup2(output, 2)
        os.close(output)
        os.environ.clear()
        os.environ.update(environment)
        tempfile.tempdir = None  # the import may have asked for another one
        sys.argv = [script]
        sys.path.insert(0, os.fspath(Path(script).parent))
        runpy.run_path(script, run_name="__main__")
        code = 0
    except SystemExit as ended:
        code = ended.code if isinstance(ended.code, int) else int(ended.code is not None)
    except BaseException:  # noqa: BLE001 - as an interpreter says it
        sys.excepthook(*sys.exc_info())
    with contextlib.suppress(Exception):
        sys.stdout.flush()
    os._exit(code & 0xFF)  # threads that the store left do not keep it


if __name__ == "__main__":
    main()
