"""``python -m sessionproof.host STORE``: serve a Python store over stdin and stdout."""

from __future__ import annotations

import argparse
import sys

from sessionproof.host.server import serve, take_stdio


def main() -> None:
    """Serve the store that the command line names."""
    parser = argparse.ArgumentParser(
        prog="python -m sessionproof.host",
        description="Serve a store over JSON-RPC 2.0, one message a line, on stdin and stdout.",
    )
    parser.add_argument("store", metavar="STORE", help="module:attr, or a known name")
    parser.add_argument(
        "--path",
        action="append",
        metavar="ENTRY",
        help="an entry of the import path; all of them together replace it",
    )
    arguments = parser.parse_args()
    channel = take_stdio()  # before the store is imported: imports print, too
    if arguments.path is not None:
        sys.path[:] = arguments.path
    serve(arguments.store, channel)


if __name__ == "__main__":
    main()
