"""Sessions as one page to read and search: it needs no network, and no text of a chat can harm it.

The page's script puts every text into the page as text. It is allowed by its digest, so that
nothing else runs, whatever a chat holds.
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from markupsafe import Markup

from sessionproof.contract.message import Json, Message
from sessionproof.report.html import environment
from sessionproof.report.inline import digest, part
from sessionproof.report.plain import shown

# What cannot be seen, or turns around what stands beside it: control characters, bidi overrides,
# lone surrogates, tags. Joiners and marks of direction stay: emoji, Persian and Hebrew need them.
_UNSEEN = re.compile(
    "[\x00-\x08\x0b-\x1f\x7f-\x9f\xad\u200b\u2028-\u202e\u2060-\u206f\ufeff\ufff9-\ufffb"
    "\ud800-\udfff\U000e0000-\U000e0fff]"
)
_IN_SCRIPT = {ord("<"): "\\u003c", ord(">"): "\\u003e", ord("&"): "\\u0026"}


@dataclass(frozen=True, slots=True, kw_only=True)
class Browsed:
    """A session of the page: what is said of it, by name, and its messages with their numbers.

    ``earlier`` counts messages that are not on the page. Times are texts.
    """

    session_id: str
    facts: Mapping[str, str]
    messages: Sequence[tuple[int, str, Message]]
    earlier: int = 0


def render_page(title: str, sessions: Sequence[Browsed], *, made: str, left_out: int = 0) -> str:
    """The page, in UTF-8; ``left_out`` sessions are not on it, and it says so."""
    script, style = part("browse.js"), part("browse.css")
    return (
        environment()
        .get_template("browse.html.j2")
        .render(
            title=title,
            made=made,
            sessions=len(sessions),
            messages=sum(len(one.messages) for one in sessions),
            left_out=left_out,
            earlier=sum(one.earlier for one in sessions),
            data=_data(sessions),
            script=Markup(script),  # noqa: S704 - our own file
            style=Markup(style),  # noqa: S704 - our own file
            script_digest=digest(script),
            style_digest=digest(style),
        )
    )


def readable(text: str) -> str:
    """The text with what cannot be seen as its escape, so that every reader sees the same."""
    text = text.replace("\r\n", "\n")
    return _UNSEEN.sub(lambda found: shown(found[0]), text)


def _data(sessions: Sequence[Browsed]) -> Markup:
    """The sessions as JSON that cannot end the element in which it stands."""
    value = [
        {
            "id": readable(one.session_id),
            "facts": {name: readable(text) for name, text in one.facts.items()},
            "earlier": one.earlier,
            "messages": [_message(*message) for message in one.messages],
        }
        for one in sessions
    ]
    text = json.dumps(value, separators=(",", ":")).translate(_IN_SCRIPT)
    return Markup(text)  # noqa: S704 - it has no character that HTML heeds


def _message(number: int, time: str, message: Message) -> list[Any]:
    """Number, role, kind, time, what beside it is known, text."""
    known = [readable(one) for one in (message.name, message.call_id) if one is not None]
    if message.tokens is not None:
        known.append(f"{message.tokens:,} tokens")
    if message.duration_us is not None:
        known.append(f"{message.duration_us / 1e6:.1f} s")
    parts: list[Json] = [message.content] if message.content is not None else []
    parts += [message.arguments] if message.kind == "tool_call" else []
    text = "\n".join(one if isinstance(one, str) else _json(one) for one in parts)
    return [
        number, readable(message.role or "no role"), readable(message.kind), time,
        " · ".join(known), readable(text),
    ]  # fmt: skip


def _json(value: object) -> str:
    return json.dumps(value, ensure_ascii=False, indent=2)
