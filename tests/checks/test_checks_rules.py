"""Rules that a script repeats."""

import pytest

from sessionproof.checks.rules import asserts_none


def test_no_problem_is_asserted_with_those_that_there_are():
    """The lines pass where the expression answers nothing, and else raise with its answer."""
    exec("\n".join(asserts_none("[]").lines), {})
    with pytest.raises(AssertionError, match="a gap"):
        exec("\n".join(asserts_none("['a gap']").lines), {})
