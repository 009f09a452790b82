"""Clients that are killed: who dies, who goes on, and what is left of what they did."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

import pytest

from sessionproof.contract.location import Location
from sessionproof.contract.lookup import find_store
from sessionproof.history import files
from sessionproof.history.columns import NEVER, F, Type
from sessionproof.history.journal import Journal
from sessionproof.history.slots import recovered
from sessionproof.reference import ReferenceStore
from sessionproof.workload.client import Job
from sessionproof.workload.killed import Death, Impossible, Killer, Life, killer
from sessionproof.workload.profiles import Deadlines
from sessionproof.workload.rounds import Call
from sessionproof.workload.seats import Setting
from sessionproof.workload.speech import speech
from sessionproof.workload.vocabulary import vocabulary

CLOSES = """
import os, time
from sessionproof.oracle.memory import MemoryStore

class Store(MemoryStore):
    def append(self, session_id, messages):
        if messages[0].content.startswith("#200 "):  # of the second client
            os.closerange(3, 256)
        time.sleep(0.001)
        return super().append(session_id, messages)
"""


@pytest.fixture(scope="module")
def one() -> Iterator[Killer]:
    with killer("reference", Deadlines()) as made:
        yield made


@pytest.fixture
def setting(tmp_path: Path) -> Setting:
    folder = tmp_path / "journals"
    folder.mkdir()
    files.name_sessions(folder, ["a"])
    words = vocabulary(find_store("reference"), ReferenceStore.claims)
    return Setting(folder, speech(words.samples, ReferenceStore.claims), ["a"], by_store=False)


def life(client: int, calls: int, death: Death | None = None) -> Life:
    """Appends of one client of ten."""
    program = (Call(F.APPEND, 0, 1),) * calls
    job = Job(program=program, client=client, clients=10, first=client + 1, stride=10, budget_s=30)
    return Life((job,), death)


def test_each_dies_as_it_is_told(one: Killer, setting: Setting, tmp_path: Path):
    """Those with a death are killed at their call, the others come to their end, all in order."""
    lives = [
        life(0, 5),
        life(1, 5, Death(after=-1, wait_us=0)),
        life(2, 2_000, Death(after=3, wait_us=0)),
        life(3, 2_000, Death(after=0, wait_us=0)),
        life(4, 5),
    ]
    ended = one.work(lives, beside=2, setting=setting, location=Location(tmp_path))
    assert [one.killed for one in ended] == [False, True, True, True, False]
    assert not any(one.refused or one.stopped for one in ended)
    rows = files.load(setting.folder).rows
    done = {client: int((rows["client"] == client).sum()) for client in range(5)}
    assert (done[0], done[1], done[4]) == (5, 0, 5)
    assert 3 <= done[2] < 2_000  # it told before its fourth call, and may have begun some more


def test_everybody_dies_with_one(one: Killer, setting: Setting, tmp_path: Path):
    """A death of everyone takes who is alive, and not who comes afterwards."""
    lives = [
        life(0, 100_000, Death(after=200, wait_us=0, everyone=True)),
        life(1, 100_000),
        life(2, 3),
    ]
    ended = one.work(lives, beside=2, setting=setting, location=Location(tmp_path))
    assert [one.killed for one in ended] == [True, True, False]


def test_threads_die_together(one: Killer, setting: Setting, tmp_path: Path):
    """A process has a thread for each of its jobs, and its death is theirs."""
    jobs = (*life(0, 100_000, None).jobs, *life(1, 100_000).jobs)
    lives = [Life(jobs, Death(after=50, wait_us=1_000))]
    (ended,) = one.work(lives, beside=1, setting=setting, location=Location(tmp_path))
    assert ended.killed
    clients = {*files.load(setting.folder).rows["client"]}
    assert clients == {0, 1}


def test_who_ends_before_its_death_is_not_killed(one: Killer, setting: Setting, tmp_path: Path):
    """A client that never comes to its call of death lives to its end."""
    lives = [life(0, 5, Death(after=50, wait_us=0))]
    (ended,) = one.work(lives, beside=1, setting=setting, location=Location(tmp_path))
    assert not ended.killed


def test_a_store_that_is_not_found_is_no_process(setting: Setting, tmp_path: Path):
    """A name that only one process knows cannot be killed in others."""
    with killer("nowhere:Store", Deadlines()) as made, pytest.raises(Impossible, match="nowhere"):
        made.work([life(0, 1)], beside=1, setting=setting, location=Location(tmp_path))


def test_a_store_that_refuses_to_open_is_told(one: Killer, setting: Setting, tmp_path: Path):
    """The reason of a client that could not open is kept, in a line."""
    place = tmp_path / "place"
    place.mkdir()
    (place / "sessions.db").write_text("no database " * 1_000)
    (ended,) = one.work([life(0, 1)], beside=1, setting=setting, location=Location(place))
    assert not ended.killed
    assert ended.refused


def test_a_store_that_closes_every_file_harms_nobody_else(
    setting: Setting, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    """Its process can tell nothing any more, and ends; the client beside it comes to its end."""
    (tmp_path / "closes_files.py").write_text(CLOSES)
    monkeypatch.syspath_prepend(tmp_path)
    with killer("closes_files:Store", Deadlines()) as made:
        (tmp_path / "place").mkdir()
        lives = [life(0, 300), life(1, 1)]
        location = Location(tmp_path / "place")
        whole, closed = made.work(lives, beside=2, setting=setting, location=location)
    assert (whole.killed, whole.stopped) == (False, None)
    assert closed.stopped is not None
    assert closed.stopped.failure is not None
    assert "status 1" in closed.stopped.failure.text


def test_what_a_mortal_client_read_is_written_at_once(tmp_path: Path):
    """A journal that holds nothing back has each answer before the next call, closed or not."""
    with Journal(tmp_path, 0, every=1, held=0) as journal:
        slot = journal.invoke(F.READ, 0, 256)
        journal.answered(slot, [1, 2])
        journal.invoke(F.READ, 0, 512)
        (path,) = tmp_path.glob("*.journal")
        rows = recovered(path).rows
    assert [*rows["type"]] == [Type.OK, Type.INFO]
    assert rows["ret"][0] != NEVER
    assert rows["length"][0] == 2


def test_no_process_is_left(setting: Setting, tmp_path: Path):
    """Whoever was forked has ended when the answer is there; the one that forks is kept for all."""
    with killer("reference", Deadlines()) as made:
        lives = [life(0, 2), life(1, 100_000, Death(after=5, wait_us=0))]
        made.work(lives, beside=2, setting=setting, location=Location(tmp_path))
        pid = made._process.pid
        task = Path(f"/proc/{pid}/task/{pid}/children")
        assert not task.exists() or task.read_text() == ""
    with suppress(KeyboardInterrupt), killer("reference", Deadlines()) as again:
        assert again._process.pid == pid
        raise KeyboardInterrupt  # it may be in the middle of something: it is not kept
    with pytest.raises(ProcessLookupError):
        os.kill(pid, 0)
