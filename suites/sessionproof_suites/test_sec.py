"""SEC: hostile input, and who may read what."""

import pytest

from sessionproof.trials import confinement, identity, injection
from sessionproof.trials.single import Trial
from sessionproof.trials.users import secrets, tokens

guarantee = pytest.mark.guarantee


@guarantee("SEC-01")
def test_no_input_is_run(trial: Trial) -> None:
    """No text, id or key is run as SQL, a pattern, a template or code."""
    injection.nothing_is_run(trial)


@guarantee("SEC-02")
def test_files_stay_inside_the_directory(trial: Trial) -> None:
    """Whatever the ids and texts, nothing outside the location is read, written or removed."""
    confinement.stays_inside(trial)


@guarantee("SEC-03")
def test_equal_beginnings_are_two_sessions(trial: Trial) -> None:
    """Sessions that the store names differ, also when their first messages are equal."""
    identity.never_shared(trial)


@guarantee("SEC-04")
def test_nobody_gets_in_who_must_not(trial: Trial) -> None:
    """Wrong passwords, and tokens that ran out, were revoked or never given, are refused."""
    tokens.refused(trial)


@guarantee("SEC-04")
def test_no_secret_is_kept_in_clear(trial: Trial) -> None:
    """Nothing that is stored or printed holds a password or a token that could be used."""
    secrets.nothing_in_clear(trial)


@guarantee("SEC-05")
def test_new_files_are_their_owners_alone(trial: Trial) -> None:
    """Group and others may not read what the store writes."""
    confinement.files_are_private(trial)
