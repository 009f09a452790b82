"""SRCH: what is stored can be found, and nothing else."""

import pytest

from sessionproof.trials import searches, searches_beside
from sessionproof.trials.single import Trial

guarantee = pytest.mark.guarantee


@guarantee("SRCH-01")
def test_a_message_is_found_at_once(trial: Trial) -> None:
    """A message is found once it is acknowledged, and no more once it is deleted."""
    searches.at_once(trial)


@guarantee("SRCH-01")
def test_what_others_append_is_found_at_once(trial: Trial) -> None:
    """Also while other clients write and delete."""
    searches_beside.at_once(trial)


@guarantee("SRCH-02")
def test_any_text_is_a_query(trial: Trial) -> None:
    """Whatever a user types is no error; hits are there once, in order, within the limit."""
    searches.any_text(trial)


@guarantee("SRCH-03")
def test_the_index_is_the_content(trial: Trial) -> None:
    """After any operations, what is found is what is stored."""
    searches.equal(trial)
