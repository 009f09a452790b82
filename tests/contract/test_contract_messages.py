"""Messages, their JSON form, and what is said of malformed ones."""

import json
from types import MappingProxyType

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sessionproof.contract.message import (
    MESSAGE_FIELDS,
    Message,
    canonical,
    from_json,
    json_problem,
    message_problems,
    to_json,
)

ANY_TEXT = st.text(st.characters(exclude_categories=()), max_size=8)  # surrogates too
JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False)
    | ANY_TEXT,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(ANY_TEXT, inner, max_size=3),
    max_leaves=8,
)  # fmt: skip
NUMBER = st.none() | st.integers()
TEXT = st.none() | ANY_TEXT
MESSAGES = st.builds(
    Message, TEXT, JSON, kind=ANY_TEXT, name=TEXT, call_id=TEXT, arguments=JSON, tokens=NUMBER,
    duration_us=NUMBER, created_at_us=NUMBER, id=TEXT,
    metadata=st.none() | st.dictionaries(ANY_TEXT, JSON, max_size=3),
)  # fmt: skip


@given(MESSAGES)
def test_a_message_survives_json(message):
    """Any well-formed message comes back equal from its JSON text, surrogates included."""
    back = from_json(json.loads(json.dumps(to_json(message))))
    assert canonical(to_json(back)) == canonical(to_json(message))
    assert message_problems(message) == []


def test_only_what_is_set_is_written():
    """Role and content are always in the JSON form, other fields when they say something."""
    assert to_json(Message(None, None)) == {"role": None, "content": None}
    assert to_json(Message("user", "a", kind="text", tokens=0)) == {
        "role": "user", "content": "a", "tokens": 0,
    }  # fmt: skip


def test_every_problem_of_a_message_is_listed():
    """One line for each field whose type is wrong, all of them at once."""
    wrong = Message(
        7, {1, 2}, kind=None, name=b"n", call_id=1, arguments=object(), tokens=True,
        duration_us=1.5, created_at_us="now", id=(), metadata="text",
    )  # fmt: skip
    problems = message_problems(wrong)
    assert {line.partition(" ")[0] for line in problems} == set(MESSAGE_FIELDS)
    assert "tokens is a bool, expected an integer or None" in problems
    assert "content holds a set, which JSON cannot express" in problems


def test_every_problem_of_an_object_is_listed():
    """from_json names unknown fields and wrong types in one error."""
    with pytest.raises(ValueError) as caught:
        from_json({"role": 1, "content": "a", "colour": "red", "tokens": "3"})
    for part in ("unknown field 'colour'", "role is a int", "tokens is a str"):
        assert part in str(caught.value)


@pytest.mark.parametrize("value", [None, [], "text", 3])
def test_what_is_no_object_is_no_message(value):
    """from_json says the type of what it got instead of an object."""
    with pytest.raises(ValueError, match=type(value).__name__):
        from_json(value)


@pytest.mark.parametrize(
    ("value", "problem"),
    [
        ({"a": [1, (2, None)]}, None),
        (float("nan"), "a number without a value"),
        ([float("inf")], "a number without a value"),
        ({1: "a"}, "a key that is no string"),
        ([{"a": b"x"}], "a bytes"),
        (MappingProxyType({}), "a mappingproxy"),
    ],
)
def test_what_json_cannot_express_is_named(value, problem):
    """json_problem names the first type that JSON has no word for."""
    assert json_problem(value) == problem


def test_equal_numbers_of_different_types_are_told_apart():
    """1, 1.0 and true are three values; the order of keys is none."""
    assert len({canonical(value) for value in (1, 1.0, True)}) == 3
    assert canonical({"a": 1, "b": 2}) == canonical({"b": 2, "a": 1})
