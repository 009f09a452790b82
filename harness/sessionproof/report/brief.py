"""What a store said, for people who have neither its process nor this machine before them."""

from __future__ import annotations

import re

# A private folder of a run, and those of single experiments in it.
_PRIVATE = re.compile(
    r"/[^\s'\"<>]*?sessionproof-[a-z0-9_]{8}/"
    r"(?:(?:(?:tmp|[a-z]+-)[a-z0-9_]{8}|(?:seat|bench)-\d+)/)*"
)
# What a store in a process of its own wrote to stderr, behind its command.
_STDERR = re.compile(r"(?: \[[^\n]*\])?; stderr:(?:\n.*)?", re.DOTALL)


def brief(text: str) -> str:
    """A sentence without private folders of the run, and without what the store wrote to stderr."""
    return anywhere(_STDERR.sub("", text))


def anywhere(text: str) -> str:
    """The text without private folders of the run.

    A lone surrogate is shown as its escape, so that any program can read the text as JSON.
    """
    return _PRIVATE.sub("", text).encode("utf-8", "backslashreplace").decode("utf-8")
