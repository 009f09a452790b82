"""The columns of histories: sorting that is stable however large the keys are."""

from random import Random

import numpy as np
import pytest

from sessionproof.checks.table import stable_order


@pytest.mark.parametrize("most", [3, 2**16 - 1, 2**16, 2**20, 2**32 - 1])
def test_the_order_by_halves_is_that_of_a_stable_sort(most):
    """Equal keys stand as they stood, below and above the half of their bits."""
    random = Random(most)
    drawn = [random.randint(0, most) for _ in range(200)]
    keys = np.array([*drawn, most, *drawn, 0, most], np.int64)
    assert list(stable_order(keys)) == sorted(range(len(keys)), key=lambda at: int(keys[at]))
    assert list(stable_order(keys[:0])) == []
