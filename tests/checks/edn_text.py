"""Events of Elle's, read from EDN by a reader that shares no code with the export."""

from __future__ import annotations

import json
import re
from typing import Any

_TOKEN = re.compile(r'\s*(?:([\[\]{}])|("(?:[^"\\]|\\.)*")|(:[\w-]+)|(-?\d+)|(nil))\s*')


def events(text: str) -> list[dict[str, Any]]:
    """One map a line; keywords are texts with a colon, vectors are lists."""
    return [_whole(line) for line in text.splitlines()]


def _whole(line: str) -> dict[str, Any]:
    tokens = _tokens(line)
    value = _value(tokens)
    assert not tokens, f"more than a map: {line}"
    assert isinstance(value, dict), line
    return value


def _tokens(line: str) -> list[tuple[str, ...]]:
    out, at = [], 0
    while at < len(line):
        found = _TOKEN.match(line, at)
        assert found, f"no EDN at {at}: {line}"
        out.append(found.groups(""))
        at = found.end()
    return out


def _value(tokens: list[tuple[str, ...]]) -> Any:
    mark, text, keyword, number, _ = tokens.pop(0)
    if mark in ("[", "{"):
        parts = []
        while tokens[0][0] not in ("]", "}"):
            parts.append(_value(tokens))
        end = tokens.pop(0)[0]
        assert mark + end in ("[]", "{}")
        return parts if mark == "[" else dict(zip(parts[::2], parts[1::2], strict=True))
    assert not mark, f"{mark} ends what did not begin"
    if text:
        return json.loads(text)
    return keyword or (int(number) if number else None)
