"""What a file of a history says about itself, also when it is damaged."""

import json
from pathlib import Path

import pytest

from sessionproof.history.format import (
    NAME,
    VERSION,
    HistoryError,
    check_version,
    facts_from_json,
)

GOOD = {"shards": 1, "sessions": ["s"], "errors": ["", "no"], "odd": [[[0, "text"]]]}
PATH = Path("some.npz")


def said(value):
    """What is wrong with it."""
    with pytest.raises(HistoryError) as caught:
        facts_from_json(json.dumps({**_format(), **value}), PATH)
    assert "\n" not in str(caught.value)
    return str(caught.value)


def _format():
    return {"format": NAME, "version": VERSION, **GOOD}


@pytest.mark.parametrize(
    ("value", "words"),
    [
        ({"sessions": [1]}, "no text"),
        ({"errors": ["no"]}, "no text"),
        ({"errors": []}, "no text"),
        ({"odd": [[[0, None]]]}, "no text"),
        ({"shards": 2}, "how many shards"),
        ({"shards": 0, "odd": []}, "how many shards"),
        ({"shards": "1"}, "how many shards"),
    ],
)
def test_facts_that_cannot_be_are_refused(value, words):
    """In one line that names the file."""
    assert words in said(value)
    assert said(value).startswith(str(PATH))


@pytest.mark.parametrize(
    ("value", "words"),
    [
        ([], "is no history"),
        ({"format": "another", "version": 1}, "is no history"),
        ({"format": "name", "version": "1"}, "has no version"),
        ({"format": "name", "version": 0}, "has no version"),
        ({"format": "name", "version": VERSION + 1}, "update sessionproof"),
    ],
)
def test_another_format_or_version_is_refused(value, words):
    """A file of a newer sessionproof says so."""
    with pytest.raises(HistoryError, match=words):
        check_version(value, "name", PATH)
    check_version({"format": "name", "version": VERSION}, "name", PATH)
