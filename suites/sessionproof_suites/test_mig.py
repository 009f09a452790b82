"""MIG: data of another schema is taken over, and given back."""

import pytest

from sessionproof.trials import migrations
from sessionproof.trials.single import Trial

guarantee = pytest.mark.guarantee


@guarantee("MIG-01")
def test_legacy_files_migrate(trial: Trial) -> None:
    """Every valid message of a legacy file is there, and the rest was put aside and told."""
    migrations.taken_over(trial)


@guarantee("MIG-02")
def test_a_rollback_gives_the_old_file_back(trial: Trial) -> None:
    """After a rollback the old file is where it was, byte for byte."""
    migrations.rolled_back(trial)
