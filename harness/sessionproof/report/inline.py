"""Parts of a page that stand within it: our own scripts and style sheets, and what allows them."""

from __future__ import annotations

import base64
import hashlib
from functools import cache
from importlib import resources


@cache
def part(name: str) -> str:
    """The text of a file beside the templates."""
    return (resources.files(__package__) / "templates" / name).read_text("utf-8")


def digest(text: str) -> str:
    """As a policy names what is between the tags of an element."""
    return f"sha256-{base64.b64encode(hashlib.sha256(text.encode()).digest()).decode()}"
