"""A fresh location that many open at one moment."""

from dataclasses import replace

import pytest

from fixtures.registry import judged
from sessionproof.contract.clock import monotonic_ns
from sessionproof.contract.errors import Conflict
from sessionproof.contract.location import Location
from sessionproof.contract.message import Message
from sessionproof.contract.verdicts import Verdict
from sessionproof.oracle.memory import MemoryStore
from sessionproof.scripts.crowds import Crowd, crowd_script
from sessionproof.trials.first_open import FirstRound, only_waited
from sessionproof.workload.openings import Deed, Visit, visited
from sessionproof.workload.profiles import PROFILES

SECOND = 1_000_000_000
PATIENT = replace(PROFILES["smoke"], share_s=1.0)


def visit_of(*sessions, creates=False):
    """A visit that begins now."""
    messages = [Message("user", f"hello {at}") for at in range(len(sessions))]
    return Visit(monotonic_ns(), sessions, messages, creates)


def test_a_visit_opens_and_appends(tmp_path):
    """Its deeds follow each other in time."""
    deeds = visited(MemoryStore, Location(tmp_path), visit_of("a", "b"))
    assert [(deed.call, deed.session) for deed in deeds] == [
        ("open", ""), ("append", "a"), ("append", "b"),
    ]  # fmt: skip
    assert all(deed.began <= deed.ended and not deed.raised for deed in deeds)


def test_a_visit_creates_sessions_and_takes_the_store_s_names(tmp_path):
    """Appends go to the id that the creation answered."""
    deeds = visited(MemoryStore, Location(tmp_path), visit_of(None, creates=True))
    assert [deed.call for deed in deeds] == ["open", "create", "append"]
    assert deeds[1].session == deeds[2].session != ""


def test_a_visit_ends_with_the_first_call_that_raises(tmp_path):
    """A store that does not open is not appended to."""

    def opening(_):
        raise OSError("there is a table already")

    (deed,) = visited(opening, Location(tmp_path), visit_of("a"))
    assert deed.raised == "OSError: there is a table already"
    assert deed.at.endswith(': raise OSError("there is a table already")')


def test_a_conflict_is_tried_again(tmp_path):
    """As a client would; it is the store's right."""

    class Busy(MemoryStore):
        left = 3

        def append(self, session_id, messages):
            if self.left:
                self.left -= 1
                raise Conflict("try again")
            return super().append(session_id, messages)

    deeds = visited(Busy, Location(tmp_path), visit_of("a"))
    assert not deeds[-1].raised


def test_an_awaited_store_is_visited(tmp_path):
    """Opening and appends may answer awaitables."""

    class Awaited:
        def __init__(self):
            self.texts = []

        async def append(self, session_id, messages):
            self.texts += messages

        async def close(self):
            self.texts.clear()

    async def opening(_):
        return Awaited()

    deeds = visited(opening, Location(tmp_path), visit_of("a"))
    assert [deed.call for deed in deeds] == ["open", "append"]
    assert not any(deed.raised for deed in deeds)


def test_openings_count_where_others_were_at_work():
    """Two that met, and one that came when they had gone."""
    visits = (
        (Deed("open", "", 0, 10), Deed("append", "a", 10, 20)),
        (Deed("open", "", 15, 30),),
        (Deed("open", "", 40, 50),),
    )
    assert FirstRound("3 threads", visits, ((), (), ())).together == 2


def test_a_long_wait_is_a_break_where_nobody_came_to_an_end():
    """While others go on, the machine may be slow; a refusal at once is always one."""
    failed = Deed("append", "a", 0, 5 * SECOND, "locked")
    other = Deed("append", "b", 0, 4 * SECOND)
    assert only_waited(failed, [failed, other])
    assert not only_waited(failed, [failed])
    assert not only_waited(failed._replace(ended=SECOND // 2), [failed, other])


@pytest.mark.parametrize("store", ["LooksThenCreates", "PutsAFreshFile"])
def test_a_store_that_is_made_for_one_is_caught(tmp_path, store):
    """Processes and threads find it; the finding says how, and has a script."""
    name = f"fixtures.mutants.first_open:{store}"
    for seed in range(3):  # a busy machine may keep the processes apart
        (record,) = judged(name, "CONC-13", directory=tmp_path, seed=seed, profile=PATIENT)
        if record.verdict is Verdict.BROKEN:
            break
    assert record.verdict is Verdict.BROKEN, record
    (finding,) = record.findings
    assert finding.window is not None
    assert finding.at.startswith("fixtures/") or "raised" not in finding.seen
    assert finding.reasons == ()  # the picture's sentence is what was seen
    assert finding.script


@pytest.mark.parametrize(
    ("kind", "awaited"),
    [
        *[(kind, ()) for kind in ("threads", "shared", "tasks", "processes")],
        *[(kind, ("open", "append", "read", "close")) for kind in ("threads", "tasks")],
    ],
)
def test_scripts_of_crowds_are_python(kind, awaited):
    """In each kind, plain and awaited."""
    lines = crowd_script(
        Crowd(
            kind=kind,
            clients=3,
            attempts=2,
            visit=["store.append('s', [])", "said.append('s')"],
            wrong=["if not store.read('s'):", "    return 'it is empty'"],
            awaited=awaited,
        )
    )
    compile("\n".join(lines), "script", "exec")
    assert ("await store.append" in "\n".join(lines)) == bool(awaited)
