"""Payloads and paths: each says what it would do, and none can harm a machine."""

import json
import os
from pathlib import Path

from hypothesis import given

from sessionproof.workload.hostile import (
    CANARY,
    CODE,
    ID_GROUPS,
    IDS,
    PATTERNS,
    PAYLOADS,
    TEXTS,
    armed,
    hostile_texts,
    paired,
    paths,
    payload_texts,
)


def test_payloads_are_armed_with_the_canary():
    """The path of the canary is put in everywhere, and nothing else is touched."""
    for payload in PAYLOADS:
        loaded = armed(payload, "/x/canary-1")
        assert CANARY not in loaded
        assert loaded.count("/x/canary-1") == payload.count(CANARY)
    assert sum(CANARY in payload for payload in CODE) >= len(CODE) - 1
    assert len({*PAYLOADS, *PATTERNS}) == len(PAYLOADS) + len(PATTERNS)


@given(payload_texts("/x/canary-1"))
def test_drawn_payloads_are_armed(text):
    """Whatever they are made of."""
    assert CANARY not in text
    assert text


def test_no_payload_names_anything_of_the_machine():
    """Run as code they make the canary; as paths they name devices, or what the test made."""
    for payload in PAYLOADS:
        assert "/etc" not in payload
        assert "rm " not in payload
    absolute = [one for group in ID_GROUPS for one in group if one.startswith("/")]
    assert all(one.startswith("/dev/null/") for one in absolute)


def test_paths_lead_at_most_four_levels_up():
    """They hold the token or the bait; as paths they stay below four levels above the root."""
    made = paths("tok", outside="/sand/elsewhere", beside="location-a", bait="bait.json")
    assert len(set(made)) == len(made)
    for path in made:
        assert "tok" in path or "bait" in path or set(path) <= {".", "/"}
        resolved = os.path.normpath(Path("/1/2/3/4/root") / path.partition("\0")[0])
        assert resolved.startswith(("/1", "/sand")), path
    above = [path for path in made if set(path) <= {".", "/"}]
    assert all(path.count("..") <= 2 for path in above)


@given(hostile_texts())
def test_no_text_has_a_pair_of_surrogates(text):
    """JSON cannot keep a pair apart from its character; surrogates that stand alone are drawn."""
    assert json.loads(json.dumps(text)) == text


def test_a_pair_becomes_its_character_and_nothing_else_changes():
    """Lone surrogates stay as they are, in any order but that of a pair."""
    assert paired("a\ud800\udc00b\udc00\ud800") == "a\U00010000b\udc00\ud800"
    assert all(paired(text) == text for text in (*TEXTS, *IDS))
