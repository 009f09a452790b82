"""What a finding says of a program, in words."""

from __future__ import annotations

import re
from collections.abc import Container, Mapping

from sessionproof.contract.claims import Claims
from sessionproof.contract.operations import Operation, as_call, session_of, shown_text
from sessionproof.workload.execute import Transcript

_LISTED = re.compile(r"\b(s\d+)(?= (?:is missing|does not exist|is listed))")


def did(transcript: Transcript, claims: Claims, ids: Container[str] = ()) -> str:
    """What was done, in a sentence; ``ids`` has the names of sessions whose ids are told."""
    last = _as_call(transcript[-1].operation, claims, ids)
    return last if len(transcript) == 1 else f"{len(transcript)} operations, the last: {last}"


def program_of(transcript: Transcript, claims: Claims, ids: Mapping[str, str]) -> list[str]:
    """The program, an operation a line; before it the ids that were given to its sessions."""
    used = {session_of(done.operation) for done in transcript}
    named = [f"{name} = {shown_text(given)}" for name, given in ids.items() if name in used]
    return [*named, *(_as_call(done.operation, claims, ids) for done in transcript)]


def _as_call(operation: Operation, claims: Claims, ids: Container[str]) -> str:
    if claims.session_ids == "store":
        return as_call(operation, "answered")
    return as_call(operation, "variables" if session_of(operation) in ids else "quoted")


def with_ids(text: str, ids: Mapping[str, str]) -> str:
    """The text with the ids of sessions that were given one for what it is."""

    def named(found: re.Match[str]) -> str:
        name = found[1]
        return f"session {shown_text(ids[name], 200)} ({name})" if name in ids else name

    return _LISTED.sub(named, text)
