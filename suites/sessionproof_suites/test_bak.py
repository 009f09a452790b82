"""BAK: backups that can be trusted, restores that can be taken back."""

import pytest

from sessionproof.trials import backups, restores
from sessionproof.trials.single import Trial

guarantee = pytest.mark.guarantee


@guarantee("BAK-01")
def test_a_backup_under_load_is_whole(trial: Trial) -> None:
    """A backup made while clients write has all that was acknowledged before it began."""
    backups.under_load(trial)


@guarantee("BAK-02")
def test_a_restore_can_be_taken_back(trial: Trial) -> None:
    """A bad backup replaces nothing; a good one leaves a copy of what was there."""
    restores.verified(trial)


@guarantee("BAK-03")
def test_the_last_good_backup_stays(trial: Trial) -> None:
    """Old backups make room for new ones; foreign files and the last good one stay."""
    backups.kept(trial)
