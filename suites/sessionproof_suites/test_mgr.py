"""MGR: session managers, which name sessions, keep facts of them, and let them run out."""

import pytest

from sessionproof.trials.managing import cleanup_cost, ends, facts, inputs, lives
from sessionproof.trials.single import Trial

guarantee = pytest.mark.guarantee


@guarantee("MGR-01")
def test_an_id_is_the_digest_of_a_message(trial: Trial) -> None:
    """Equal messages have equal ids, and other messages other ones."""
    inputs.named(trial)


@guarantee("MGR-02")
def test_a_session_is_what_was_given(trial: Trial) -> None:
    """What was given comes back, and sessions share nothing."""
    facts.created(trial)


@guarantee("MGR-03")
def test_an_update_changes_what_it_names(trial: Trial) -> None:
    """Updates change what they name, in one session."""
    facts.changed(trial)


@guarantee("MGR-04")
def test_a_session_is_new_until_it_has_a_parent(trial: Trial) -> None:
    """A session is new as long as it has no parent id."""
    facts.new_until_answered(trial)


@guarantee("MGR-05")
def test_counts_agree_with_the_sessions(trial: Trial) -> None:
    """Counts, lists and metrics say what is there."""
    facts.counted(trial)


@guarantee("MGR-06")
def test_a_session_lives_on_with_each_access(trial: Trial) -> None:
    """A session is over its limit after the last access, and not before."""
    ends.slid(trial)


@guarantee("MGR-07")
def test_a_clean_up_removes_what_is_over(trial: Trial) -> None:
    """A clean-up removes what is over, tells how much, and touches nothing else."""
    ends.cleaned(trial)


@guarantee("MGR-08")
def test_looking_changes_nothing(trial: Trial) -> None:
    """To look at a session neither removes it nor lets it live on."""
    ends.looked(trial)


@guarantee("MGR-09")
def test_the_timer_cleans_up(trial: Trial) -> None:
    """Clean-ups come by themselves until they are stopped, and keep no process alive."""
    lives.by_itself(trial)


@guarantee("MGR-10")
def test_after_shutdown_all_is_refused(trial: Trial) -> None:
    """A manager that is shut down says so, and loses nothing."""
    lives.shut_down(trial)


@guarantee("MGR-11")
def test_the_next_instance_has_all(trial: Trial) -> None:
    """Sessions, facts and times are there after a close, and after a kill."""
    lives.next_instance(trial)


@guarantee("MGR-12")
def test_what_is_no_argument_is_refused(trial: Trial) -> None:
    """Wrong arguments are refused in one line, and change nothing."""
    inputs.refused(trial)


@guarantee("MGR-13")
def test_a_clean_up_costs_what_is_over(trial: Trial) -> None:
    """Sessions that live cost a clean-up nothing."""
    cleanup_cost.flat(trial)


@guarantee("MGR-14")
def test_what_is_deleted_is_gone_with_its_messages(trial: Trial) -> None:
    """Deleting removes a session with its messages, and nothing else."""
    facts.removed(trial)
