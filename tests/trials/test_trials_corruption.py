"""Damaged files: what counts, what breaks a promise, and what is only shown."""

import shlex

import damaged_stores
import pytest

from fixtures.benign.damage_safe import CheckedLines
from fixtures.registry import judged
from sessionproof.contract.claims import Claims
from sessionproof.contract.guarantees import GUARANTEES
from sessionproof.contract.lookup import find_store
from sessionproof.contract.seed import generator
from sessionproof.contract.verdicts import Verdict
from sessionproof.faults.damage.records import garbage_line
from sessionproof.host.client import python_store_command
from sessionproof.trials.damage_map import NOT_ITS_OWN
from sessionproof.trials.damaged import filled, spread
from sessionproof.trials.single import Trial
from sessionproof.workload.execute import StoreUnderTest
from sessionproof.workload.profiles import PROFILES

SAFE = "fixtures.benign.damage_safe"


def record(store, row, directory):
    """The one record of a row."""
    name = store if isinstance(store, str) else f"{store.__module__}:{store.__qualname__}"
    (made,) = judged(name, row, directory=directory)
    return made


def test_what_sqlite_cannot_notice_is_shown(tmp_path):
    """A store that leaves all to SQLite holds the row; bits of texts are told as not owed."""
    made = record("fixtures.benign.sqlite:SqliteStore", "COR-01", tmp_path)
    assert made.verdict is Verdict.HOLDS
    assert made.examined >= GUARANTEES["COR-01"].least
    (measured,) = [one for one in made.measured if one.file == "chat.db"]
    (text,) = [one for one in measured.classes if one.name == "bit in a text"]
    assert text.served == text.tried > 0
    assert not text.owed
    (zeroed,) = [one for one in measured.classes if one.name == "page zeroed"]
    assert zeroed.raised == zeroed.tried > 0
    notes = {one.file: one.note for one in made.measured}  # it has no write-ahead log of its own
    assert notes == {"chat.db": "", "chat.db-wal": NOT_ITS_OWN}


def test_the_map_adds_up(tmp_path):
    """Each damage is counted once by its class, and once by its page if it has one."""
    made = record("reference", "COR-01", tmp_path)
    assert {one.file for one in made.measured} == {"sessions.db", "sessions.db-wal"}
    assert not any(one.note for one in made.measured)
    for measured in made.measured:
        for one in (*measured.cells, *measured.classes):
            assert one.tried == one.raised + one.found + one.harmless + one.served > 0
        pages = [cell.page for cell in measured.cells]
        assert pages == sorted(set(pages))
        assert 1 <= min(pages) <= max(pages) <= measured.pages
        assert sum(cell.tried for cell in measured.cells) <= sum(
            one.tried for one in measured.classes
        )


@pytest.mark.parametrize("row", ["COR-01", "COR-03", "COR-07"])
def test_a_store_without_files_is_not_judged(row, tmp_path):
    """What lies in memory alone has no file to be damaged."""
    made = record("sessionproof.oracle.memory:MemoryStore", row, tmp_path)
    assert made.verdict is Verdict.NOT_CLAIMED


def test_a_check_that_always_complains_tells_nothing(tmp_path):
    """Where sound files are found damaged, nothing can be said about damaged ones."""
    made = record(damaged_stores.FindsDamageEverywhere, "COR-01", tmp_path)
    assert made.verdict is Verdict.UNKNOWN
    assert "undamaged" in made.reason


def test_a_store_that_heals_its_files_breaks_nothing(tmp_path):
    """Where all is served as it was, a file that was made anew is no damage."""
    for row in ("COR-01", "COR-03"):
        made = record(damaged_stores.Mirrored, row, tmp_path)
        assert made.verdict is not Verdict.BROKEN, made.findings


def test_flips_are_found_in_files_without_plain_texts(tmp_path):
    """Where no text is found in the file, any bit of it flips."""
    made = record(damaged_stores.Packed, "COR-02", tmp_path)
    assert made.verdict is Verdict.HOLDS
    assert made.examined >= GUARANTEES["COR-02"].least


def test_the_stderr_of_a_process_is_heard(tmp_path):
    """A store in a process of its own tells by what it writes to stderr, and not by its usual."""
    name = f"cmd:{shlex.join(python_store_command(f'{SAFE}:CheckedLines'))}"
    claims = CheckedLines.claims
    deadlines = PROFILES["gate"].deadlines
    store = StoreUnderTest(find_store(name), claims, parent=tmp_path, deadlines=deadlines)
    trial = Trial(
        guarantee=GUARANTEES["COR-07"],
        store=store,
        capabilities=store.handle().capabilities,
        profile=PROFILES["smoke"],
        seed=1,
    )
    scene = filled(trial)
    with spread(trial, scene.closed) as folder:
        assert not scene.look(folder).said
        file = scene.main_files(scene.closed, 1)[0]
        garbage_line(folder, file, scene.tokens, generator(1))
        shown = scene.look(folder)
    store.close()
    assert shown.failure is None
    assert "damaged" in " ".join(shown.said)


def test_findings_are_short(tmp_path):
    """A finding names the file, the page and the place where a text differs."""
    made = record("fixtures.mutants.corruption:ChecksTheBeginning", "COR-02", tmp_path)
    (finding,) = made.findings
    assert "of page" in finding.did
    assert "there is …" in finding.seen
    assert len(finding.seen) < 400


def test_claims_decide_about_bits_of_texts(tmp_path):
    """Without the claim the row of flips is not claimed."""
    made = record("fixtures.mutants.corruption:ParsesOrForgets", "COR-02", tmp_path)
    assert made.verdict is Verdict.NOT_CLAIMED
    assert not Claims().checksums
