"""Client processes that open a location and append at once: what they are asked, and answer."""

from __future__ import annotations

from typing import Any

from sessionproof.contract.errors import Refused
from sessionproof.contract.location import Location, location_from_json, location_to_json
from sessionproof.contract.lookup import find_store
from sessionproof.contract.message import from_json, to_json
from sessionproof.host.process import Process
from sessionproof.workload.openings import Deed, Visit, visited
from sessionproof.workload.pool import exchange

JSON = dict[str, Any]


def ready(process: Process, store: str, deadline_s: float) -> None:
    """Let it find the store, so that what is imported with it is there.

    Raises as ``exchange``, and Refused where it knows no such store.
    """
    said = exchange(process, {"do": "find", "store": store}, deadline_s)
    if "refused" in said:
        raise Refused(said["refused"])


def asked(
    process: Process, store: str, location: Location, visit: Visit, deadline_s: float
) -> list[Deed]:
    """What a visit by this process came to; raises as ``exchange``."""
    request = {
        "do": "visit",
        "store": store,
        **location_to_json(location),
        "begin_ns": visit.begin_ns,
        "sessions": visit.sessions,
        "messages": [*map(to_json, visit.messages)],
        "creates": visit.creates,
    }
    return [Deed(*deed) for deed in exchange(process, request, deadline_s)["deeds"]]


def answer(request: JSON) -> JSON:
    """The process's answer to both; raises StoreNotFound."""
    spec = find_store(request["store"])
    if request["do"] == "find":
        return {}
    visit = Visit(
        request["begin_ns"],
        request["sessions"],
        [*map(from_json, request["messages"])],
        request["creates"],
    )
    location = location_from_json(request)
    return {"deeds": visited(spec.open, location, visit)}
