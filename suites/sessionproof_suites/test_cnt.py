"""CNT: counts and totals."""

import pytest

from sessionproof.trials import counters, crash, drift, failures, io_errors, together
from sessionproof.trials.single import Trial

guarantee = pytest.mark.guarantee


@guarantee("CNT-01")
def test_the_count_is_that_of_the_messages(trial: Trial) -> None:
    """After any sequence of operations, the count is that of the messages that can be read."""
    counters.agree(trial, "message_count")


@guarantee("CNT-02")
def test_the_total_of_tokens_is_the_sum(trial: Trial) -> None:
    """After any sequence of operations, the total of tokens is the sum over the messages."""
    counters.agree(trial, "total_tokens")


@guarantee("CNT-03")
def test_the_total_of_durations_is_the_sum(trial: Trial) -> None:
    """After any sequence of operations, the total of durations is the sum over the messages."""
    counters.agree(trial, "total_duration_us")


@guarantee("CNT-03")
def test_the_total_of_durations_does_not_drift(trial: Trial) -> None:
    """Thousands of appends and removals leave no residue in the total of durations."""
    drift.for_long(trial)


@guarantee("CNT-04")
def test_a_failed_write_leaves_the_counters(trial: Trial) -> None:
    """A write that failed leaves counts and totals as the messages give them."""
    failures.after_failures(trial)


@guarantee("CNT-04")
def test_a_write_that_fails_below_the_store_leaves_the_counters(trial: Trial) -> None:
    """When a write or a sync of the store fails, counts and totals stay those of the messages."""
    io_errors.survives(trial)


@guarantee("CNT-05")
def test_no_reader_sees_counts_that_never_were(trial: Trial) -> None:
    """While threads or tasks append, every count is one that the session had just then."""
    together.within(trial)


@guarantee("CNT-05")
def test_no_reader_sees_counts_that_never_were_across_processes(trial: Trial) -> None:
    """While several processes append, every count is one that the session had just then."""
    together.across(trial)


@guarantee("CNT-06")
def test_counters_are_right_after_many_writers(trial: Trial) -> None:
    """After threads or tasks have appended, the counters are those of the messages."""
    together.within(trial)


@guarantee("CNT-06")
def test_counters_are_right_after_many_processes(trial: Trial) -> None:
    """After several processes have appended, the counters are those of the messages."""
    together.across(trial)


@guarantee("CNT-07")
def test_counters_are_right_after_a_crash(trial: Trial) -> None:
    """After a crash at any write, counts and totals are those of the messages that are there."""
    crash.survives(trial)


@guarantee("CNT-08")
def test_edits_keep_the_totals(trial: Trial) -> None:
    """Editing messages keeps the totals of their session and of every other right."""
    counters.edits_keep_totals(trial)
