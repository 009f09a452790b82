"""Scales put values where they belong, and nothing outside the picture."""

from __future__ import annotations

import pytest

from sessionproof.svg.scales import ceiling, floor, linear, logarithmic, powers, rounds


def test_a_linear_scale_keeps_shares():
    """Ends lie at the ends, the middle in the middle, also on a scale that runs backwards."""
    place = linear(10, 20, 100, 200)
    assert [place(value) for value in (10, 15, 20)] == [100, 150, 200]
    assert linear(0, 4, 80, 0)(1) == 60


def test_a_logarithmic_scale_keeps_ratios():
    """Each power of ten takes the same room."""
    place = logarithmic(0.1, 100, 0, 150)
    assert [round(place(value), 6) for value in (0.1, 1, 10, 100)] == [0, 50, 100, 150]


@pytest.mark.parametrize("scale", [linear, logarithmic])
@pytest.mark.parametrize("value", [-5, 0, 1e-9, 1e9, float("inf")])
def test_nothing_lies_outside(scale, value):
    """A value beyond the scale is put at its nearer end."""
    place = scale(1, 100, 20, 60)
    assert place(value) == (60 if value > 1 else 20)


def test_a_scale_without_length_has_one_place():
    """Where all values are equal they lie at the start, and nothing is divided by 0."""
    assert linear(3, 3, 7, 9)(3) == 7
    assert logarithmic(3, 3, 7, 9)(3) == 7


@pytest.mark.parametrize(("low", "high"), [(0, 10), (-1, 10), (10, 1)])
def test_a_logarithm_needs_what_is_above_0(low, high):
    """A logarithmic scale of other ends is refused in one line."""
    with pytest.raises(ValueError, match="needs 0 < low <= high"):
        logarithmic(low, high, 0, 1)


def test_powers_of_ten_are_marked():
    """Ticks are the powers of ten within the ends, the ends included."""
    assert powers(0.1, 1000) == [0.1, 1, 10, 100, 1000]
    assert powers(2, 99) == [10]
    assert powers(2, 9) == []


@pytest.mark.parametrize(
    ("value", "power"),
    [(0, 1), (-3, 1), (0.02, 0.1), (1, 1), (1.01, 10), (1000, 1000), (1001, 1e4)],
)
def test_the_end_of_a_scale_is_a_power_of_ten(value, power):
    """The smallest power that is not below the value; exact powers stay what they are."""
    assert ceiling(value) == pytest.approx(power)


@pytest.mark.parametrize(
    ("low", "high", "expected"),
    [(0, 10, [0, 2, 4, 6, 8, 10]), (0, 11_500, [0, 5_000, 10_000]), (3, 3, [3]),
     (0.1, 0.35, [0.1, 0.15, 0.2, 0.25, 0.3, 0.35])],
)  # fmt: skip
def test_round_values_are_few_and_round(low, high, expected):
    """Marks are 1, 2 or 5 by a power of ten, and lie within the ends."""
    assert rounds(low, high) == pytest.approx(expected)


@pytest.mark.parametrize(("value", "power"), [(1, 1), (9.9, 1), (10, 10), (0.05, 0.01), (0, 1)])
def test_the_floor_of_a_value_is_the_power_below(value, power):
    """A power of ten is its own floor; what is not above 0 has 1."""
    assert floor(value) == pytest.approx(power)
