"""SEQ: order within a session."""

import pytest
from hypothesis import strategies as st

from sessionproof.checks.sequence import count_numbers, judge_numbers
from sessionproof.contract.operations import (
    Append,
    Clear,
    DeleteMessage,
    Operation,
    PopLast,
    Program,
    Reopen,
)
from sessionproof.trials import order, together
from sessionproof.trials.single import Trial

guarantee = pytest.mark.guarantee


@guarantee("SEQ-01")
def test_numbers_rise_without_gap(trial: Trial) -> None:
    """Numbers rise by one from the declared start while nothing was deleted."""
    trial.search(
        trial.strategy(Append, sessions=2),
        lambda transcript: judge_numbers(transcript, trial.claims),
        count=count_numbers,
    )


@guarantee("SEQ-01")
def test_numbers_rise_after_deletions(trial: Trial) -> None:
    """After deletions numbers still rise strictly, and none repeats a living one."""
    removals = {"pop_last": PopLast, "delete_message": DeleteMessage, "clear": Clear}
    kinds = [kind for name, kind in removals.items() if name in trial.capabilities]
    trial.search(
        trial.strategy(Append, Append, *kinds),
        lambda transcript: judge_numbers(transcript, trial.claims),
        count=count_numbers,
    )


@guarantee("SEQ-01")
def test_the_tables_have_no_gap(trial: Trial) -> None:
    """Where the store shows its tables, they hold the numbers that it answered."""
    order.tables_agree(trial)


@guarantee("SEQ-02")
def test_writers_share_no_number(trial: Trial) -> None:
    """With threads or tasks on one session, its numbers rise by one, and none is given twice."""
    together.within(trial)


@guarantee("SEQ-02")
def test_processes_share_no_number(trial: Trial) -> None:
    """With several processes on one session, its numbers rise by one, and none is given twice."""
    together.across(trial)


@guarantee("SEQ-03")
def test_a_burst_stays_in_append_order(trial: Trial) -> None:
    """Messages appended faster than a clock ticks stay in append order."""
    order.burst(trial)


@guarantee("SEQ-03")
def test_order_does_not_follow_the_clock(trial: Trial) -> None:
    """Messages whose times tie, step back or jump a day stay in append order."""
    order.times(trial)


@guarantee("SEQ-04")
def test_each_writer_stays_in_order(trial: Trial) -> None:
    """The messages of each thread or task stay in the order in which it sent them."""
    together.within(trial)


@guarantee("SEQ-04")
def test_each_process_stays_in_order(trial: Trial) -> None:
    """The messages of each process stay in the order in which it sent them."""
    together.across(trial)


@guarantee("SEQ-05")
def test_numbers_after_removing_the_newest(trial: Trial) -> None:
    """After the newest are removed, the next number follows the declared rule."""
    durable = trial.claims.at_least("durability", "process")

    def removed(rounds: list[tuple[int, int, bool]]) -> Program:
        sample = trial.words.samples[0]
        steps: list[Operation] = []
        for add, pop, reopen in rounds:
            steps += [Append("s0", (sample,) * add), *[PopLast("s0")] * min(add, pop)]
            steps += [Reopen()] if reopen and durable else []
        return trial.program(*steps, Append("s0", (sample,)))

    one = st.tuples(st.integers(1, 3), st.integers(0, 3), st.booleans())
    rounds = st.lists(one, min_size=1, max_size=5)
    trial.search(
        rounds.map(removed),
        lambda transcript: judge_numbers(transcript, trial.claims),
        count=count_numbers,
    )


@guarantee("SEQ-06")
def test_reads_agree_on_the_order(trial: Trial) -> None:
    """Any two reads of threads or tasks agree on the order of what both saw."""
    together.within(trial)


@guarantee("SEQ-06")
def test_reads_agree_on_the_order_across_processes(trial: Trial) -> None:
    """Any two reads of several processes agree on the order of what both saw."""
    together.across(trial)
