"""CONC: many clients at once."""

import pytest

from sessionproof.trials import (
    blocking,
    controlled,
    cycles,
    first_open,
    handling,
    pressure,
    taking,
    together,
    transactions,
)
from sessionproof.trials.single import Trial

guarantee = pytest.mark.guarantee


@guarantee("CONC-01")
def test_nothing_acknowledged_is_lost(trial: Trial) -> None:
    """No acknowledged append of threads or tasks is lost."""
    together.within(trial)


@guarantee("CONC-01")
def test_nothing_acknowledged_is_lost_across_processes(trial: Trial) -> None:
    """No acknowledged append of several processes is lost."""
    together.across(trial)


@guarantee("CONC-02")
def test_nothing_appears_twice(trial: Trial) -> None:
    """No message of threads or tasks appears twice, also when it was sent again."""
    together.within(trial)


@guarantee("CONC-02")
def test_nothing_appears_twice_across_processes(trial: Trial) -> None:
    """No message of several processes appears twice, also when it was sent again."""
    together.across(trial)


@guarantee("CONC-03")
def test_a_refused_append_is_never_seen(trial: Trial) -> None:
    """What a refused append of threads or tasks tried to write is never read."""
    together.within(trial)


@guarantee("CONC-03")
def test_a_refused_append_is_never_seen_across_processes(trial: Trial) -> None:
    """What a refused append of several processes tried to write is never read."""
    together.across(trial)


@guarantee("CONC-04")
def test_no_part_of_a_batch_is_seen(trial: Trial) -> None:
    """No read sees a part of a batch that threads or tasks append."""
    together.within(trial)


@guarantee("CONC-04")
def test_no_part_of_a_batch_is_seen_across_processes(trial: Trial) -> None:
    """No read sees a part of a batch that several processes append."""
    together.across(trial)


@guarantee("CONC-05")
def test_sessions_are_linearizable(trial: Trial) -> None:
    """One order of the operations of threads or tasks explains every answer."""
    together.within(trial)


@guarantee("CONC-05")
def test_sessions_are_linearizable_across_processes(trial: Trial) -> None:
    """One order of the operations of several processes explains every answer."""
    together.across(trial)


@guarantee("CONC-06")
def test_clients_read_what_they_wrote(trial: Trial) -> None:
    """Each thread or task reads what it has written, and never less than before."""
    together.within(trial)


@guarantee("CONC-06")
def test_clients_read_what_they_wrote_across_processes(trial: Trial) -> None:
    """Each process reads what it has written, and never less than before."""
    together.across(trial)


@guarantee("CONC-07")
def test_transactions_form_no_cycle(trial: Trial) -> None:
    """Transactions of threads or tasks over several sessions form no forbidden cycle."""
    transactions.within(trial)


@guarantee("CONC-07")
def test_transactions_form_no_cycle_across_processes(trial: Trial) -> None:
    """Transactions of several processes over several sessions form no forbidden cycle."""
    transactions.across(trial)


@guarantee("CONC-08")
def test_every_operation_ends(trial: Trial) -> None:
    """Every operation of threads or tasks ends within its deadline, and none of them starves."""
    pressure.every_operation_ends(trial)


@guarantee("CONC-08")
def test_every_operation_ends_across_processes(trial: Trial) -> None:
    """Every operation of several processes ends within its deadline, and none of them starves."""
    pressure.every_operation_ends_across(trial)


@guarantee("CONC-09")
def test_no_writer_is_refused(trial: Trial) -> None:
    """Up to the claimed number of writers, no operation fails because others are at work."""
    pressure.no_writer_is_refused(trial)


@guarantee("CONC-10")
def test_handles_work_as_claimed(trial: Trial) -> None:
    """Handles shared by threads, in threads, in spawned and forked processes work as claimed."""
    handling.works_as_claimed(trial)


@guarantee("CONC-11")
def test_nothing_is_left_open(trial: Trial) -> None:
    """After close, files, threads and child processes are exactly those from before."""
    cycles.nothing_is_left_open(trial)


@guarantee("CONC-12")
def test_readers_go_on(trial: Trial) -> None:
    """Readers go on while a writer is at work."""
    blocking.readers_go_on(trial)


@guarantee("CONC-13")
def test_a_fresh_location_is_opened_by_many(trial: Trial) -> None:
    """Processes and threads that open one fresh location at once all succeed."""
    first_open.by_many(trial)


@guarantee("CONC-14")
def test_no_schedule_breaks_it(trial: Trial) -> None:
    """No schedule of two clients that was tried breaks any promise to concurrent clients."""
    controlled.no_schedule_breaks(trial)


@guarantee("CONC-15")
def test_what_is_taken_back_is_given_once(trial: Trial) -> None:
    """A message that several take back at once is given to one of them, and no other is lost."""
    taking.back_at_once(trial)
