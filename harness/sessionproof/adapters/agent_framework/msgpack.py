"""Microsoft Agent Framework: ``FileHistoryProvider`` with a record of MessagePack for each message.

The records stand behind each other, each after its length.
"""

from __future__ import annotations

import importlib.metadata

from sessionproof.contract.location import Location
from sessionproof.contract.lookup import MissingExtra

try:
    from agent_framework import FileHistoryProvider
except ImportError as error:
    raise MissingExtra(
        "agent-framework-msgpack", "agent-framework-msgpack", "agent-framework-core"
    ) from error

from sessionproof.adapters.agent_framework import histories, messages


class Store:
    """One folder, with a file for each session."""

    version = importlib.metadata.version("agent-framework-core")
    claims = histories.CLAIMS
    encode = staticmethod(messages.encode)
    decode = staticmethod(messages.decode)

    append, read, close = histories.append, histories.read, histories.close

    def __init__(self, location: Location) -> None:
        folder = location.path("histories")
        self.provider = FileHistoryProvider(folder, serialization_format="msgpack")
