"""What open and close leave behind is told from what a process makes once."""

import subprocess
import threading

import pytest

from fixtures.registry import judged
from sessionproof.contract.claims import Claims
from sessionproof.contract.verdicts import Verdict
from sessionproof.host.client import open_hosted
from sessionproof.oracle.memory import MemoryStore
from sessionproof.reference import ReferenceStore
from sessionproof.trials.cycles import nothing_is_left_open
from sessionproof.trials.single import Broken

_STARTED = []


class OncePerProcess(MemoryStore):
    """Starts one helper for the whole process, at its first handle."""

    def __init__(self, location):
        super().__init__(location)
        if not _STARTED:
            thread = threading.Thread(target=threading.Event().wait, daemon=True)
            thread.start()
            _STARTED.append(thread)


class EndsALittleLater(MemoryStore):
    """Its thread is told to end, and does so in its own time."""

    def __init__(self, location):
        super().__init__(location)
        self.told = threading.Event()
        threading.Thread(target=self.told.wait, daemon=True).start()

    def close(self):
        """Tell it, and do not wait."""
        threading.Timer(0.05, self.told.set).start()


def verdict(store, tmp_path):
    """What CONC-11 says of the store."""
    (record,) = judged(store, "CONC-11", directory=tmp_path)
    return record


@pytest.mark.parametrize("store", [OncePerProcess, EndsALittleLater, ReferenceStore])
def test_what_is_made_once_is_not_left_open(store, tmp_path):
    """A helper of the whole process, and one that is about to end, are no leaks."""
    name = "reference" if store is ReferenceStore else f"{__name__}:{store.__name__}"
    record = verdict(name, tmp_path)
    assert record.verdict is Verdict.HOLDS, record
    assert record.examined >= 5


def test_the_stack_of_a_thread_that_is_left_is_evidence(tmp_path):
    """A thread that stays is shown with what it does."""
    record = verdict("fixtures.mutants.left_open:LeavesItsThread", tmp_path)
    (finding,) = record.findings
    assert "tidy" in finding.seen
    assert "wait" in finding.evidence["stacks"]


def test_what_outlives_the_process_of_a_store_is_left_open(trial_of):
    """A store in another process is judged by what goes on after it has ended."""

    def hosted(name):
        return lambda location: open_hosted(f"{__name__}:{name}", location)

    claims = Claims(handles="processes")
    quiet = trial_of("CONC-11", hosted("Alone"), claims=claims)
    nothing_is_left_open(quiet)
    assert quiet.examined["cycles"] >= 5
    with pytest.raises(Broken) as broken:
        nothing_is_left_open(trial_of("CONC-11", hosted("Daemon"), claims=claims))
    assert "sleep" in broken.value.finding.seen


class Alone(MemoryStore):
    """Starts nothing."""


class Daemon(MemoryStore):
    """Starts a process that leaves the group."""

    def __init__(self, location):
        super().__init__(location)
        subprocess.Popen(["sleep", "4"], start_new_session=True)
