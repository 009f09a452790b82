"""SEC: hostile input, and who may read what."""

import pytest

from sessionproof.trials import injection
from sessionproof.trials.single import Trial

guarantee = pytest.mark.guarantee


@guarantee("SEC-01")
def test_no_input_is_run(trial: Trial) -> None:
    """No text, id or key is run as SQL, a pattern, a template or code."""
    injection.nothing_is_run(trial)
