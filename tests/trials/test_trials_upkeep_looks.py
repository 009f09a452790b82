"""In which order the crashes of an upkeep are judged, where there is no time for all."""

import itertools

import pytest

from sessionproof.trials.crashes.upkeep_looks import spread


@pytest.mark.parametrize("number", [1, 2, 3, 5, 8, 30, 63, 64, 65, 200])
@pytest.mark.parametrize("begin", [0.0, 0.3, 0.999])
def test_any_beginning_of_the_order_lies_evenly_over_all(number, begin):
    """After so many points no stretch of about the same part of all is without one."""
    order = spread(range(number), begin)
    assert sorted(order) == [*range(number)]
    for bits in range(1, number.bit_length()):
        first = sorted(order[: 2**bits])
        around = itertools.pairwise([*first, first[0] + number])
        assert max(after - before for before, after in around) <= number / 2**bits + 1
