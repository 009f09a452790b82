"""TMO: limits that run out, warnings, sweeps, and what a status allows."""

import pytest

from sessionproof.trials import activity, clocks, expiry, moves, sweep_cost, sweeps
from sessionproof.trials.single import Trial

guarantee = pytest.mark.guarantee


@guarantee("TMO-01")
def test_idle_sessions_expire_at_their_limit(trial: Trial) -> None:
    """A session lives until its idle limit, and not longer."""
    expiry.idle(trial)


@guarantee("TMO-02")
def test_busy_sessions_expire_at_their_hard_limit(trial: Trial) -> None:
    """The hard limit comes, whatever the session does."""
    expiry.hard(trial)


@guarantee("TMO-03")
def test_activity_is_what_is_declared(trial: Trial) -> None:
    """What is declared keeps a session alive; nothing else does."""
    activity.declared(trial)


@guarantee("TMO-04")
def test_a_warning_comes_once(trial: Trial) -> None:
    """A session is warned of once before it expires, and again after new activity."""
    expiry.warned(trial)


@guarantee("TMO-05")
def test_expired_sessions_take_nothing(trial: Trial) -> None:
    """An expired session refuses messages, and reads as declared."""
    expiry.refused(trial)


@guarantee("TMO-06")
def test_sweeps_beside_appends(trial: Trial) -> None:
    """No acknowledged message is lost, and no active session ends."""
    sweeps.beside_appends(trial)


@guarantee("TMO-07")
def test_two_sweeps_at_once(trial: Trial) -> None:
    """Each session is expired and told once."""
    sweeps.two_at_once(trial)


@guarantee("TMO-08")
def test_clocks_step_and_leap(trial: Trial) -> None:
    """What is due by the clock expires, whatever the clock did."""
    clocks.steps(trial)


@guarantee("TMO-09")
def test_a_sweep_costs_what_expires(trial: Trial) -> None:
    """Sessions that are not due cost a sweep nothing."""
    sweep_cost.flat(trial)


@guarantee("TMO-10")
def test_a_status_moves_as_declared(trial: Trial) -> None:
    """Declared moves are taken, all others refused."""
    moves.declared(trial)
