"""Microsoft Agent Framework: ``FileHistoryProvider`` with a line of JSON for each message."""

from __future__ import annotations

import importlib.metadata

from sessionproof.contract.location import Location
from sessionproof.contract.lookup import MissingExtra

try:
    from agent_framework import FileHistoryProvider
except ImportError as error:
    raise MissingExtra("agent-framework", "agent-framework", "agent-framework-core") from error

from sessionproof.adapters.agent_framework import histories, messages


class Store:
    """One folder, with a file for each session."""

    version = importlib.metadata.version("agent-framework-core")
    claims = histories.CLAIMS
    encode = staticmethod(messages.encode)
    decode = staticmethod(messages.decode)

    append, read, close = histories.append, histories.read, histories.close

    def __init__(self, location: Location) -> None:
        self.provider = FileHistoryProvider(location.path("histories"))
