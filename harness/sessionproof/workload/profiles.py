"""How long a run may take: shares of time, and deadlines that only a hang exceeds."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, kw_only=True)
class Deadlines:
    """The rings of deadlines in seconds; exceeding one is a finding, so they are generous.

    ``operation_s``: one call of the store. ``open_s``: opening it. ``test_s``: one test, for hangs
    that no timer in the process can interrupt. ``run_s``: the whole run.
    """

    operation_s: float = 20.0
    open_s: float = 30.0
    test_s: float = 90.0
    run_s: float = 1800.0


@dataclass(frozen=True, kw_only=True)
class Profile:
    """``share_s`` is the time of a guarantee of weight 1; ``shrink_s`` that of shrinking one break.

    A trial that has not its least evidence yet goes on past its share, up to ``patience`` shares
    or ``patience_s`` seconds, whichever is longer: slow stores are judged too.

    ``rounds`` is how often speeds are measured, each time with their floors. ``messages`` and
    ``sessions`` are the sizes at which growth is measured, rising, at least three. ``patient`` says
    that the messages were asked for, and are to be reached while a test's deadline allows it.

    ``states`` is how many files after a crash are judged, ``kills`` how often processes are killed
    under load, ``injected`` how many system calls are made to fail; 0 for as many as there are.
    ``damages`` is how often each class of damage is done to a file. ``schedules`` is how many
    controlled ones are enough of a store that is too slow for the least in its share; 0 for as many
    as it has time for.
    """

    name: str
    share_s: float
    shrink_s: float
    patience: float = 10.0
    patience_s: float = 20.0
    rounds: int = 200
    messages: tuple[int, ...] = (1_000, 3_000, 10_000, 30_000, 100_000)
    sessions: tuple[int, ...] = (1_000, 10_000, 100_000)
    deadlines: Deadlines = Deadlines()
    patient: bool = False
    states: int = 3_000
    kills: int = 30
    injected: int = 40
    damages: int = 6
    schedules: int = 0

    def limit_s(self, usual_s: float, part: float) -> float:
        """Seconds for work on large sizes; if patient, this part of a test's deadline or more."""
        return max(usual_s, part * self.deadlines.test_s) if self.patient else usual_s


PROFILES: dict[str, Profile] = {
    profile.name: profile
    for profile in (
        Profile(
            name="smoke",
            share_s=0.15,
            shrink_s=0.5,
            rounds=40,
            messages=(300, 1_000, 3_000, 10_000, 30_000),
            sessions=(30, 300, 3_000),
            states=150,
            kills=5,
            injected=10,
            damages=2,
            schedules=200,
        ),
        Profile(name="gate", share_s=0.75, shrink_s=3.0),
        Profile(
            name="deep",
            share_s=20.0,
            shrink_s=20.0,
            rounds=400,
            messages=(1_000, 10_000, 100_000, 300_000, 1_000_000),
            deadlines=Deadlines(operation_s=60.0, test_s=600.0, run_s=7200.0),
            states=0,
            kills=5_000,
            injected=0,
            damages=60,
        ),
    )
}
