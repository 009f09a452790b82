"""SCALE: what long conversations and many of them cost."""

import pytest

from sessionproof.trials import growth, long, memory
from sessionproof.trials.single import Trial

guarantee = pytest.mark.guarantee


@guarantee("SCALE-01")
@pytest.mark.timed
def test_an_append_costs_the_same_in_a_long_session(trial: Trial) -> None:
    """The cost of an append does not grow with the messages that its session has."""
    growth.of_appends(trial)


@guarantee("SCALE-02")
@pytest.mark.timed
def test_a_look_costs_the_same_in_a_long_session(trial: Trial) -> None:
    """The newest messages, a page and the facts cost the same however long their session is."""
    growth.of_looks_along_messages(trial)


@guarantee("SCALE-02")
@pytest.mark.timed
def test_a_look_costs_the_same_among_many_sessions(trial: Trial) -> None:
    """The newest messages, a page and the facts cost the same however many sessions there are."""
    growth.of_looks_along_sessions(trial)


@guarantee("SCALE-03")
def test_memory_stays_flat_while_paging(trial: Trial) -> None:
    """A long session that is read page by page does not pile up in memory."""
    memory.while_paging(trial)


@guarantee("SCALE-03")
def test_memory_stays_flat_while_calls_are_repeated(trial: Trial) -> None:
    """A call that is made again and again leaves nothing behind in memory."""
    memory.while_repeating(trial)


@guarantee("SCALE-04")
def test_a_long_session_is_whole(trial: Trial) -> None:
    """A long session has all of its messages, in order, with right numbers, counts and totals."""
    long.is_whole(trial)
