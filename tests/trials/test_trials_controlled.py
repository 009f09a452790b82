"""The row of controlled schedules, where control does not reach."""

import shlex
from dataclasses import replace

import pytest
from controlled_stores import Aborting, OneByOne, Refusing

from sessionproof.contract.anomalies import Anomaly
from sessionproof.contract.lookup import find_store
from sessionproof.host.client import python_store_command
from sessionproof.reference.store import ReferenceStore
from sessionproof.trials.controlled import no_schedule_breaks
from sessionproof.trials.single import Broken, CouldNotTell, NotClaimed
from sessionproof.workload.profiles import Profile

QUICK = Profile(name="quick", share_s=0.05, shrink_s=0.5, patience_s=8.0)


def test_a_store_of_another_process_is_not_held_to_it(trial_of):
    """No run could ever tell, so it does not count; small programs are tried by chance."""
    trial = trial_of("CONC-14", ReferenceStore, profile=QUICK)
    trial.store.close()
    trial.store.spec = find_store(f"cmd:{shlex.join(python_store_command('reference'))}")
    with pytest.raises(NotClaimed, match=r"where control does not reach; .* showed nothing"):
        no_schedule_breaks(trial)


def test_a_slow_store_has_more_time_for_what_counts(trial_of):
    """Too few schedules cannot tell; the second, longer try leaves lines out, and says its time."""
    profile = replace(QUICK, share_s=0.01, patience_s=0.1)
    trial = trial_of("CONC-14", ReferenceStore, profile=profile)
    trial.store.close()
    trial.store.spec = find_store("reference")
    trial.guarantee = replace(trial.guarantee, least=10**9)
    with pytest.raises(CouldNotTell, match=r"schedules in .* s, 1000000000 are needed"):
        no_schedule_breaks(trial)
    assert trial.notes
    assert not [note for note in trial.notes if "line by line" in note]


def test_the_longer_time_ends_when_enough_is_seen(trial_of):
    """A short run does not explore a slow store for as long as it may."""
    profile = replace(QUICK, share_s=0.001, patience_s=1_000.0, schedules=40)
    trial = trial_of("CONC-14", ReferenceStore, profile=profile)
    trial.store.close()
    trial.store.spec = find_store("reference")
    trial.guarantee = replace(trial.guarantee, least=39)
    no_schedule_breaks(trial)
    assert 39 <= trial.examined["schedules"] <= 45


@pytest.mark.parametrize(
    ("store", "why"),
    [
        (Refusing, r"acknowledged a change in \d% of \d+ executions"),
        (Aborting, r"exploring was ended: the store's process ended \(signal SIGABRT\)"),
    ],
)
def test_a_store_that_does_nothing_under_control_holds_nothing(trial_of, store, why):
    """It refuses all but its first appends, or ends the process: no verdict, and a reason."""
    trial = trial_of("CONC-14", store, profile=QUICK)
    trial.store.close()
    trial.store.spec = find_store(f"controlled_stores:{store.__name__}")
    with pytest.raises(CouldNotTell, match=why):
        no_schedule_breaks(trial)


def test_a_store_that_names_its_sessions_is_judged_by_every_row(trial_of):
    """A session must be made before clients begin: that takes no promise away."""
    trial = trial_of("CONC-14", OneByOne, profile=QUICK)
    trial.store.close()
    trial.store.spec = find_store("controlled_stores:OneByOne")
    with pytest.raises(Broken) as broken:
        no_schedule_breaks(trial)
    assert broken.value.finding.anomaly in (Anomaly.TORN_BATCH, Anomaly.INTERMEDIATE_READ)
