"""The program of a process that opens locations: ``python -m sessionproof.workload.opener_main``.

It reads one request a line, as JSON, and answers each with the deeds of one visit
(``openings.py``). It ends when its stdin does. What the store prints goes to stderr.
"""

from __future__ import annotations

import json
import os
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from sessionproof.contract.location import Location
from sessionproof.contract.lookup import find_store
from sessionproof.contract.message import from_json, to_json
from sessionproof.host.process import Process
from sessionproof.host.server import begun
from sessionproof.workload.openings import Deed, Visit, visited


def opener() -> Process:
    """Such a process, with this one's import path; raises OSError."""
    paths = [f"--path={entry}" for entry in sys.path]
    return Process([sys.executable, "-m", "sessionproof.workload.opener_main", *paths])


def ready(process: Process, store: str, deadline_s: float) -> None:
    """Let it find the store, so that what is imported with it is there; raises as ``exchange``."""
    process.exchange(json.dumps({"store": store}).encode() + b"\n", "a name", deadline_s=deadline_s)


def asked(
    process: Process, store: str, location: Location, visit: Visit, deadline_s: float
) -> list[Deed]:
    """What a visit by this process came to; raises as ``Process.exchange``."""
    request = {
        "store": store,
        "root": os.fspath(location.root.absolute()),
        "url": location.url,
        "namespace": location.namespace,
        "begin_ns": visit.begin_ns,
        "sessions": visit.sessions,
        "messages": [*map(to_json, visit.messages)],
        "creates": visit.creates,
    }
    line = json.dumps(request).encode() + b"\n"
    answer = process.exchange(line, "a first opening", deadline_s=deadline_s)
    return [Deed(*deed) for deed in json.loads(answer)]


def _answer(request: dict[str, Any]) -> Sequence[Deed]:
    spec = find_store(request["store"])
    if "root" not in request:
        return ()
    visit = Visit(
        request["begin_ns"],
        request["sessions"],
        [*map(from_json, request["messages"])],
        request["creates"],
    )
    location = Location(Path(request["root"]), request["url"], request["namespace"])
    return visited(spec.open, location, visit)


def main() -> None:
    """Take the pipes, then the import path that the command line gives, then serve."""
    channel = begun("sessionproof.workload.opener_main")
    while line := channel.receive():
        channel.send(json.dumps(_answer(json.loads(line))).encode() + b"\n")


if __name__ == "__main__":
    main()
