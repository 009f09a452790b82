"""STATE: what is kept beside the messages of a session."""

import pytest

from sessionproof.trials import crash
from sessionproof.trials.single import Trial

guarantee = pytest.mark.guarantee


@guarantee("STATE-03")
def test_state_and_messages_are_there_together(trial: Trial) -> None:
    """After a crash, state that was written with messages is there with them, or not at all."""
    crash.survives(trial)
