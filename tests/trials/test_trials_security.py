"""Files that stay inside, inputs that are not run, names that are not shared: what is spared."""

import os
import stat
import sys
from dataclasses import replace
from functools import partial

import pytest

from fixtures.benign.files import JsonFiles
from fixtures.benign.private import CountsItsSessions, PrivateFiles
from fixtures.mutants.files import ComparesBeginnings, ImportsFiles, OpenDirectory
from fixtures.mutants.identity import CountsAnew
from fixtures.mutants.security import EvaluatesIds
from sessionproof.contract.anomalies import Anomaly
from sessionproof.oracle.memory import MemoryStore
from sessionproof.reference import ReferenceStore
from sessionproof.trials import confinement, identity, injection
from sessionproof.trials.single import Broken, NotClaimed
from sessionproof.workload.profiles import PROFILES


@pytest.fixture
def trial_of(trial_of):
    """As everywhere, with time enough for a machine that does other things, too."""
    return partial(trial_of, profile=PROFILES["smoke"])


def broken(test, trial):
    """The finding of a test that must find something."""
    with pytest.raises(Broken) as caught:
        test(trial)
    return caught.value.finding


@pytest.mark.parametrize("store", [ReferenceStore, JsonFiles, PrivateFiles])
def test_a_store_that_stays_inside_is_spared(trial_of, tmp_path, store):
    """Ids as file names are right when they are encoded; the sandbox is cleared away."""
    trial = trial_of("SEC-02", store)
    confinement.stays_inside(trial)
    assert trial.examined["inputs"] >= trial.guarantee.least
    assert not [path for path in tmp_path.iterdir() if path.name.startswith("sandbox")]


def test_a_directory_may_be_synced_from_above(trial_of):
    """A store that opens the directory of its location, to sync it, reads no file outside."""

    class SyncsAbove(JsonFiles):
        """Makes the location itself durable."""

        def _sync(self, folder=None):
            above = os.open(self.location.root.parent, os.O_RDONLY)
            os.fsync(above)
            os.close(above)
            super()._sync(folder)

    confinement.stays_inside(trial_of("SEC-02", SyncsAbove))


def test_a_store_without_files_is_not_claimed(trial_of):
    """There is nothing that could lie elsewhere."""
    with pytest.raises(NotClaimed, match="keeps no files"):
        confinement.stays_inside(trial_of("SEC-02"))


@pytest.mark.parametrize(
    ("store", "words"),
    [(ComparesBeginnings, "-15"), (ImportsFiles, "bait.json")],
)
def test_what_lies_outside_is_told(trial_of, store, words):
    """The id that led there, and the path: written by a near name, or only read."""
    finding = broken(confinement.stays_inside, trial_of("SEC-02", store))
    assert finding.anomaly is Anomaly.ESCAPE
    assert words in finding.did
    assert words in finding.seen


def test_a_path_elsewhere_is_heard_of(trial_of, tmp_path):
    """Where no listing looks, Python's own audit tells of a name with the token."""
    elsewhere = tmp_path / "elsewhere"
    elsewhere.mkdir()

    class WritesElsewhere(JsonFiles):
        """A second copy, in a directory of its own."""

        def append(self, session_id, messages):
            super().append(session_id, messages)
            name = session_id.replace("/", "_").replace("\0", "")[-100:]
            (elsewhere / name).write_text("copy")

    finding = broken(confinement.stays_inside, trial_of("SEC-02", WritesElsewhere))
    assert f"open {elsewhere}" in finding.seen


def test_the_audit_sleeps_afterwards(trial_of, tmp_path):
    """What is opened when no test listens is not noted, and never raises."""
    confinement.stays_inside(trial_of("SEC-02", JsonFiles))
    noted = list(confinement._Hook.seen)
    sys.audit("open", str(tmp_path / "sp"), "r", 0)
    sys.audit("open", object(), object())
    assert confinement._Hook.seen == noted
    assert confinement._Hook.token is None


@pytest.mark.parametrize("store", [ReferenceStore, PrivateFiles])
def test_private_files_are_seen_with_an_open_umask(trial_of, store):
    """The umask is that of most systems meanwhile, and the old one afterwards."""
    before = os.umask(0o077)
    try:
        trial = trial_of("SEC-05", store)
        confinement.files_are_private(trial)
        assert trial.examined["files"] >= 1
        assert os.umask(0o077) == 0o077
    finally:
        os.umask(before)


def test_a_directory_must_be_private_too(trial_of):
    """Who may list it knows the ids."""
    finding = broken(confinement.files_are_private, trial_of("SEC-05", OpenDirectory))
    assert finding.seen == "attachments has mode 0755"


def test_the_reference_keeps_every_file_private(tmp_path):
    """The database, its log and its index, also without any umask."""
    before = os.umask(0)
    try:
        with ReferenceStore(tmp_path) as store:
            store.create("s")
            modes = {path.name: stat.S_IMODE(path.stat().st_mode) for path in tmp_path.iterdir()}
    finally:
        os.umask(before)
    assert len(modes) == 3
    assert set(modes.values()) == {0o600}


@pytest.mark.parametrize("store", [ReferenceStore, MemoryStore, JsonFiles])
def test_payloads_as_texts_and_ids_are_right(trial_of, store):
    """A store that keeps them as they are runs nothing; the canary is nowhere."""
    trial = trial_of("SEC-01", store)
    injection.nothing_is_run(trial)
    assert trial.examined["inputs"] >= trial.guarantee.least
    assert not list(trial.store.location.root.parent.glob("canary-*"))


def test_a_store_that_names_its_sessions_is_asked_too(trial_of):
    """Payloads are then ids of sessions that do not exist."""
    trial = trial_of("SEC-01", CountsItsSessions)
    injection.nothing_is_run(trial)
    assert trial.examined["inputs"] >= trial.guarantee.least


def test_a_refused_payload_is_right(trial_of):
    """Whatever the error, as long as nothing of it is there."""

    def append(self, session_id, messages):
        if not session_id.replace("-", "").isalnum() or "'" in str(messages[0].content):
            raise ValueError("strange")
        return MemoryStore.append(self, session_id, messages)

    injection.nothing_is_run(trial_of("SEC-01", append=append))


def test_the_canary_tells_that_an_input_was_run(trial_of):
    """The finding holds one input alone, and the canary is cleared away."""
    trial = trial_of("SEC-01", EvaluatesIds)
    finding = broken(injection.nothing_is_run, trial)
    assert finding.anomaly is Anomaly.INJECTION
    assert "canary-" in finding.seen
    assert len(finding.program) <= 3
    assert not list(trial.store.location.root.parent.glob("canary-*"))


def test_sessions_of_several_users_are_told_apart(trial_of):
    """Each handle counts for itself: two users at once are given one id."""
    claims = replace(CountsAnew.claims, handles="threads")
    finding = broken(identity.never_shared, trial_of("SEC-03", CountsAnew, claims=claims))
    assert finding.anomaly is Anomaly.LEAK
    assert "'session-1' (2 times)" in finding.seen
    assert "other = open_store(location)" in finding.script


def test_a_store_that_names_no_sessions_is_not_claimed(trial_of):
    """Refused without an id: the promise is about others."""

    def create(self, session_id=None, *, messages=()):
        if session_id is None:
            raise ValueError("an id, please")
        return MemoryStore.create(self, session_id, messages=messages)

    with pytest.raises(NotClaimed, match="does not name sessions: ValueError: an id, please"):
        identity.never_shared(trial_of("SEC-03", create=create))


def test_creations_without_messages_are_told_apart(trial_of):
    """A store that takes none at a creation is asked for empty sessions."""
    trial = trial_of("SEC-03", CountsItsSessions)
    identity.never_shared(trial)
    assert trial.examined["sessions"] >= trial.guarantee.least
