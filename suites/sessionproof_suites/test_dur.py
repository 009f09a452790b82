"""DUR: what is left when processes are killed, power is lost, disks fail, connections are cut."""

import pytest

from sessionproof.trials import crash, interrupted, io_errors, kills, places
from sessionproof.trials.servers import faults
from sessionproof.trials.single import Trial

guarantee = pytest.mark.guarantee


@guarantee("DUR-01")
def test_nothing_acknowledged_is_lost_by_a_kill(trial: Trial) -> None:
    """After a kill at any moment of a program, every acknowledged message is there."""
    crash.survives(trial)


@guarantee("DUR-01")
def test_nothing_acknowledged_is_lost_by_kills_under_load(trial: Trial) -> None:
    """Processes that are killed at random while many write lose nothing that they acknowledged."""
    kills.at_random(trial)


@guarantee("DUR-02")
def test_no_operation_is_half_done(trial: Trial) -> None:
    """After a kill at any single write, each operation took effect whole or not at all."""
    crash.survives(trial)


@guarantee("DUR-03")
def test_a_loss_of_power_is_survived(trial: Trial) -> None:
    """After a loss of power at any point, what was acknowledged is there, and all is whole."""
    crash.survives(trial)


@guarantee("DUR-04")
def test_failing_files_do_no_harm(trial: Trial) -> None:
    """When any write, sync or rename fails, the call raises, and nothing else is harmed."""
    io_errors.survives(trial)


@guarantee("DUR-05")
def test_the_store_opens_after_a_crash(trial: Trial) -> None:
    """After a crash at any point, the store opens by itself, and takes further messages."""
    crash.survives(trial)


@guarantee("DUR-06")
def test_upkeep_is_done_whole_or_not_at_all(trial: Trial) -> None:
    """A crash in a backup, restore, repair or migration leaves the old state or the new one."""
    interrupted.survives(trial)


@guarantee("DUR-07")
def test_an_unusable_location_is_refused(trial: Trial) -> None:
    """A location that is read-only or missing is refused, and nothing is created elsewhere."""
    places.refused(trial)


@guarantee("DUR-08")
def test_a_killed_server_costs_nothing(trial: Trial) -> None:
    """After kills of the whole database server under load, nothing acknowledged is lost."""
    faults.killed(trial)


@guarantee("DUR-09")
def test_a_cut_connection_is_told_as_it_is(trial: Trial) -> None:
    """After cuts of connections under load, no outcome was told wrongly."""
    faults.cut(trial)
