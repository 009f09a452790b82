"""SNAP: sessions as they were."""

import pytest

from sessionproof.trials import snapshots, snapshots_beside
from sessionproof.trials.single import Trial

guarantee = pytest.mark.guarantee


@guarantee("SNAP-01")
def test_a_restored_session_is_what_it_was(trial: Trial) -> None:
    """Every field, the order, the numbers and the totals."""
    snapshots.equal(trial)


@guarantee("SNAP-02")
def test_a_snapshot_outlives_its_session(trial: Trial) -> None:
    """What was deleted comes back from the snapshot."""
    snapshots.outlives(trial)


@guarantee("SNAP-03")
def test_a_snapshot_is_one_moment(trial: Trial) -> None:
    """A snapshot beside writers is a state that the session had."""
    snapshots_beside.one_moment(trial)


@guarantee("SNAP-04")
def test_restoring_loses_nothing_silently(trial: Trial) -> None:
    """Twice, and over newer messages: as declared."""
    snapshots.over_live(trial)
