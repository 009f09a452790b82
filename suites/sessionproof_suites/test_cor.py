"""COR: what is left when files are damaged, and whether anybody is told."""

import pytest

from sessionproof.trials import corruption, records, recovery, repairs, restores
from sessionproof.trials.single import Trial

guarantee = pytest.mark.guarantee


@guarantee("COR-01")
def test_structural_damage_is_not_served(trial: Trial) -> None:
    """Damage to a file gives an error, is found by the store's own check, or shows nowhere."""
    corruption.not_served(trial)


@guarantee("COR-02")
def test_changed_content_is_found(trial: Trial) -> None:
    """A bit that flipped in the text of a message is found by the check, or by reading."""
    corruption.flips_are_found(trial)


@guarantee("COR-03")
def test_what_is_no_store_is_refused(trial: Trial) -> None:
    """An empty, cut or foreign file gives a clear error, and stays as it is."""
    corruption.refused(trial)


@guarantee("COR-04")
def test_recovery_saves_what_is_there(trial: Trial) -> None:
    """Whatever can be read in a damaged file is saved, nothing is invented, losses are told."""
    recovery.saves(trial)


@guarantee("COR-05")
def test_no_stale_log_is_merged(trial: Trial) -> None:
    """What was restored is the backup, whatever log lay beside the old file."""
    restores.no_stale_log(trial)


@guarantee("COR-06")
def test_rows_are_mended(trial: Trial) -> None:
    """Damaged rows are found and mended, after a backup, and good messages stay as they are."""
    repairs.mended(trial)


@guarantee("COR-07")
def test_one_damaged_record_is_one(trial: Trial) -> None:
    """One record that cannot be read costs one message, is told, and appends go on."""
    records.alone(trial)
