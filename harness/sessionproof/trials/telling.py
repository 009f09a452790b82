"""What a finding says of a program, in words."""

from __future__ import annotations

import re
from collections.abc import Mapping

from sessionproof.contract.operations import as_call, shown_text
from sessionproof.workload.execute import Transcript

_LISTED = re.compile(r"\b(s\d+)(?= (?:is missing|does not exist|is listed))")


def did(transcript: Transcript) -> str:
    """What was done, in a sentence."""
    last = as_call(transcript[-1].operation)
    return last if len(transcript) == 1 else f"{len(transcript)} operations, the last: {last}"


def with_ids(text: str, ids: Mapping[str, str]) -> str:
    """The text with the ids of sessions that were given one for what it is."""

    def named(found: re.Match[str]) -> str:
        name = found[1]
        return f"session {shown_text(ids[name], 200)} ({name})" if name in ids else name

    return _LISTED.sub(named, text)
