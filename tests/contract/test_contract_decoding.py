"""JSON values as dataclasses: what fits comes back, and what does not is named."""

import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from enum import Enum
from typing import Any, Literal

import pytest

from sessionproof.contract.decoding import decoded, parsed


class Colour(Enum):
    RED = "red"


@dataclass(frozen=True)
class Leaf:
    size: int
    kind: Literal["leaf"] = "leaf"


@dataclass(frozen=True)
class Stone:
    weight: float
    kind: Literal["stone"] = "stone"


@dataclass(frozen=True)
class Tree:
    name: str
    things: tuple[Leaf | Stone, ...]
    numbers: tuple[int, ...] = ()
    shares: tuple[float, ...] = ()
    colours: Mapping[str, Colour] = field(default_factory=dict)
    other: Leaf | None = None
    free: Any = None
    ripe: bool = False


TREE = Tree(
    "oak", (Leaf(1), Stone(2.5)), (1, 2), (0.5, 1), {"in autumn": Colour.RED}, Leaf(3), [1], True
)


def as_json(tree, **changes):
    """The tree as it comes from a file."""
    value = asdict(tree)
    value["colours"] = {key: one.value for key, one in tree.colours.items()}
    return json.loads(json.dumps({**value, **changes}))


def test_what_was_written_comes_back():
    """All kinds of fields; a whole number may stand for another, and unknown fields are passed."""
    assert decoded(Tree, as_json(TREE)) == TREE
    assert decoded(
        Tree, as_json(TREE, things=[{"kind": "stone", "weight": 3}], later=1)
    ).things == (Stone(3),)


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"name": 1}, "name must be a string"),
        ({"things": {}}, "things must be a list"),
        ({"things": [1]}, "things[0] must be an object"),
        ({"things": [{"size": 1}]}, "things[0].kind has the unknown word null"),
        ({"things": [{"kind": "leaf"}]}, "things[0].size is missing"),
        ({"things": [{"kind": "leaf", "size": True}]}, "things[0].size must be a number"),
        ({"numbers": [1, "2"]}, "numbers[1] must be a number"),
        ({"shares": [2**60]}, "shares[0] must be a number"),
        ({"colours": {"a\nb": "blue"}}, "colours.a\\nb has the unknown word \"blue\""),
        ({"other": {"size": 1, "kind": "x" * 99}}, "other.kind has the unknown word"),
        ({"ripe": 1}, "ripe must be true or false"),
    ],
)  # fmt: skip
def test_what_does_not_fit_is_named(changes, said):
    """The error is one line with the field, and shows the beginning of a value."""
    with pytest.raises(ValueError) as caught:
        decoded(Tree, as_json(TREE, **changes))
    assert str(caught.value).startswith(said)
    assert "\n" not in str(caught.value)
    assert len(str(caught.value)) < 150


def test_fields_that_were_added_may_be_missing():
    """Those that are named, and have a default."""
    value = as_json(TREE)
    del value["ripe"], value["name"]
    with pytest.raises(ValueError, match="name is missing"):
        decoded(Tree, value, may_lack={"ripe", "name"})
    assert decoded(Tree, {**value, "name": "elm"}, may_lack={"ripe"}).ripe is False


@pytest.mark.parametrize("text", ["", "{", "NaN", "[-Infinity]", "[" * 100_000])
def test_what_is_no_json_is_refused(text):
    """Also what Python alone takes, and what is nested too deeply."""
    with pytest.raises(ValueError):
        parsed(text)
    assert parsed('{"a": [1]}') == {"a": [1]}
