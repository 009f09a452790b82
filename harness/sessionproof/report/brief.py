"""What a store said, for people who have neither its process nor this machine before them."""

from __future__ import annotations

import re

# A private folder of a run, and those of single experiments in it. Bounded, as texts may be long.
_PRIVATE = re.compile(
    r"(?:/[\w.+-]{1,64}){0,8}/sessionproof-[a-z0-9_]{8}/"
    r"(?:(?:(?:tmp|[a-z]+-)[a-z0-9_]{8}|(?:seat|bench)-\d+)/)*"
)
_STDERR, _THEN = "; stderr:", "; then "


def brief(text: str) -> str:
    """A sentence without private folders of the run, and without what the store wrote to stderr."""
    return anywhere(_without_stderr(text))


def anywhere(text: str) -> str:
    """The text without private folders of the run.

    A lone surrogate is shown as its escape, so that any program can read the text as JSON.
    """
    return _PRIVATE.sub("", text).encode("utf-8", "backslashreplace").decode("utf-8")


def _without_stderr(text: str) -> str:
    """The text without the command of the store's process and its stderr; what came then stays."""
    said, found, behind = text.partition(_STDERR)
    if not found:
        return text
    if said.endswith("]"):
        said = said.rpartition(" [")[0]
    _, then, told = behind.partition(_THEN)
    return f"{said}{then}{told}"
