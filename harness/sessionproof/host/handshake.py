"""The first words of the protocol: opening a location, and what the store's process says to it."""

from __future__ import annotations

from typing import Any

from sessionproof.contract.location import Location, location_to_json
from sessionproof.contract.store import CAPABILITIES
from sessionproof.host import wire


def opening(location: Location) -> dict[str, Any]:
    """The parameters of ``open``."""
    return {
        "protocol": wire.VERSION,
        **location_to_json(location),
    }


def handshake_problems(shown: Any) -> list[str]:
    """What is wrong with the answer to ``open``, its claims aside."""
    names = ("protocol", "name", "version", "claims", "capabilities")
    if not isinstance(shown, dict) or shown.keys() != set(names):
        return [f"it must be an object of {', '.join(names)}"]
    problems = []
    if type(shown["protocol"]) is not int or shown["protocol"] != wire.VERSION:
        spoken = ascii(shown["protocol"])[:50]
        problems.append(f"it speaks protocol {spoken}, this harness speaks {wire.VERSION}")
    if type(shown["name"]) is not str:
        problems.append("name must be a text")
    if shown["version"] is not None and type(shown["version"]) is not str:
        problems.append("version must be a text or null")
    capabilities = shown["capabilities"]
    if not isinstance(capabilities, list) or not all(type(one) is str for one in capabilities):
        return [*problems, "capabilities must be a list of names"]
    unknown = sorted({*capabilities} - {*CAPABILITIES})
    if unknown:  # a name that is misspelt would quietly be "not claimed"
        known = ", ".join(CAPABILITIES)
        problems.append(f"unknown capabilities {', '.join(map(ascii, unknown))} (known: {known})")
    return problems
