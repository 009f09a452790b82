"""STATE: what is kept beside the messages of a session."""

import pytest

from sessionproof.trials import crash, state, state_together
from sessionproof.trials.single import Trial

guarantee = pytest.mark.guarantee


@guarantee("STATE-01")
def test_what_was_set_is_read_back(trial: Trial) -> None:
    """A value is read back until a later one takes its place; nothing else changes it."""
    state.read_back(trial)


@guarantee("STATE-02")
def test_different_keys_do_not_lose_each_other(trial: Trial) -> None:
    """Clients that set different keys at the same time find all of them afterwards."""
    state_together.kept(trial)


@guarantee("STATE-03")
def test_state_and_messages_are_there_together(trial: Trial) -> None:
    """After a crash, state that was written with messages is there with them, or not at all."""
    crash.survives(trial)
