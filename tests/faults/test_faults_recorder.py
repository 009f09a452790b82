"""Recordings of stores, and what becomes of those that die, hang, or cannot be traced."""

import json
import os
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest
from recorded_stores import Lines, said

from sessionproof.contract.claims import Claims
from sessionproof.contract.clock import monotonic_s
from sessionproof.contract.lookup import StoreSpec, find_store
from sessionproof.contract.operations import (
    Append,
    Create,
    DeleteMessage,
    EditMessage,
    Read,
    Reopen,
)
from sessionproof.faults.changes import CHANGE, Kind
from sessionproof.faults.crashes.images import image_in, image_of
from sessionproof.faults.crashes.states import KILL, State
from sessionproof.faults.recording import CannotTrace
from sessionproof.faults.tracing import kept, strace
from sessionproof.faults.tracing.recorder import FILES, record
from sessionproof.faults.tracing.saving import RecordingError, load
from sessionproof.workload.execute import StoreUnderTest
from sessionproof.workload.profiles import Deadlines

traceable = pytest.mark.skipif(strace.why_not() is not None, reason=str(strace.why_not()))


def _append(text, *, session="s0"):
    return Append(session, (said(text),))


@pytest.fixture(params=[False, True], ids=["own processes", "forks"])
def imported(request):
    """Whether processes are forks of one that has imported the store; it is ended at the end."""
    yield request.param
    kept._end_kept()


def _recorded(
    name, programs, folder, *, operation_s=20.0, sessions=("s0",), deadline_s=60.0, imported=False
):
    spec = find_store(name) if "Nowhere" not in name else StoreSpec(name, open=Lines)
    store = StoreUnderTest(
        spec, spec.claims or Claims(), parent=folder, deadlines=Deadlines(operation_s=operation_s)
    )
    where = folder / "recording"
    return record(
        store, programs, folder=where, sessions=sessions, deadline_s=deadline_s, imported=imported
    )


def _whole(recording):
    whole = image_of(recording.changes, State(KILL, len(recording.changes)))
    return not recording.hidden and whole.digest == image_in(recording.folder / FILES).digest


def _below(pid):
    """The processes that this one has started, and theirs."""
    found, waiting = [], [pid]
    while waiting:
        for task in Path(f"/proc/{waiting.pop()}/task").glob("*/children"):
            children = [int(child) for child in task.read_text("ascii").split()]
            found += children
            waiting += children
    return found


def _nobody_left():
    """Whether no tracer of this process is left, but for one that is kept."""
    kept._end_kept()
    return not any(
        b"strace" in Path(f"/proc/{pid}/cmdline").read_bytes() for pid in _below(os.getpid())
    )


def _runs(pid):
    """Whether the process is there, and no mere entry that nobody has asked after yet."""
    try:
        return "\nState:\tZ" not in Path(f"/proc/{pid}/status").read_text("utf-8")
    except FileNotFoundError:
        return False


@traceable
def test_a_program_is_recorded_over_two_processes(tmp_path, imported):
    """Each act knows its answer's place; the store is closed and opened again in between."""
    program = (
        Create("s0", (said("a"),)), _append("b"), Reopen(), EditMessage("s0", 0, said("c")),
        Read("s0"),
    )  # fmt: skip
    recording = _recorded("reference", [program], tmp_path, imported=imported)
    assert _whole(recording)
    assert [type(act.operation) for act in recording.acts] == [
        Create, Append, Reopen, Read, EditMessage, Read,
    ]  # fmt: skip
    assert {act.outcome.type for act in recording.acts} == {"ok"}
    assert [one.content for one in recording.acts[-1].outcome.value] == ["c", "b"]
    kinds = recording.changes.rows["kind"]
    places = [act.answered for act in recording.acts]
    assert places == sorted(places)
    assert all(kinds[place] == Kind.ANSWERED for place in places)
    assert all(act.after < act.answered for act in recording.acts)
    assert recording.acts[1].after == places[0]
    assert recording.opened_s > 0
    assert _nobody_left()


@traceable
def test_a_recording_comes_back_from_its_folder(tmp_path):
    """What is loaded is what was recorded; a damaged folder gives one line."""
    program = (Create("s0"), _append("\ud800\0"), _append("b"), Read("s0"))
    recording = _recorded("reference", [program], tmp_path)
    again = load(recording.folder)
    assert again.acts == recording.acts
    assert (again.claims, again.capabilities) == (recording.claims, recording.capabilities)
    assert (again.store, again.clients, again.hidden) == ("reference", 1, "")
    assert [*again.changes.names] == [*recording.changes.names]
    assert (again.changes.rows == recording.changes.rows).all()
    assert bytes(again.changes.data) == bytes(recording.changes.data)
    for name in ("data.bin", "changes.npz", "recording.json"):
        path = recording.folder / name
        whole = path.read_bytes()
        path.write_bytes(whole[: len(whole) // 2])
        with pytest.raises(RecordingError, match="record it anew") as caught:
            load(recording.folder)
        assert "\n" not in str(caught.value)
        path.write_bytes(whole)
    with pytest.raises(RecordingError, match="is no recording"):
        load(tmp_path)


@pytest.mark.parametrize("acts", [[7], [{"is": "object", "of": [1]}], [{"is": [], "of": {}}]])
def test_acts_of_another_form_are_damage(tmp_path, acts):
    """Whatever stands in the place of an object, it is told in a line."""
    np.savez(tmp_path / "changes.npz", rows=np.zeros(0, CHANGE))
    (tmp_path / "data.bin").write_bytes(b"")
    facts = {"format": "sessionproof-recording", "version": 1, "store": "x", "claims": {},
             "capabilities": [], "clients": 1, "hidden": "", "opened_s": 0.0, "names": [],
             "acts": acts}  # fmt: skip
    (tmp_path / "recording.json").write_text(json.dumps(facts))
    with pytest.raises(RecordingError, match="record it anew"):
        load(tmp_path)


@traceable
def test_two_clients_take_turns_beside_each_other(tmp_path, imported):
    """Both work in each round; then the shared session is read, so that its order is known."""
    name = "recorded_stores:Lines"
    programs = [tuple(_append(f"{client}.{at}") for at in range(5)) for client in ("left", "right")]
    recording = _recorded(name, programs, tmp_path, imported=imported)
    assert _whole(recording)
    assert recording.clients == 2
    appends = [act for act in recording.acts if isinstance(act.operation, Append)]
    reads = [act for act in recording.acts if isinstance(act.operation, Read)]
    assert [len(act.order) for act in appends] == [2, 2, 4, 4, 6, 6, 8, 8, 10, 10]
    assert [len(act.outcome.value) for act in reads] == [2, 4, 6, 8, 10]
    assert {act.client for act in appends} == {0, 1}
    for at, read in enumerate(reads):
        together = appends[2 * at : 2 * at + 2]
        assert read.after == max(act.answered for act in together)
        assert all(act.order == appends[2 * at].order for act in together)
        if at:
            assert {act.after for act in together} == {reads[at - 1].answered}
    written = recording.changes.rows[recording.changes.rows["kind"] == Kind.WRITTEN]
    assert {*written["client"].tolist()} == {0, 1}
    assert _nobody_left()


@traceable
@pytest.mark.parametrize(
    ("name", "word", "type_name"),
    [("Dies", "die", "crash"), ("Hangs", "hang", "hang")],
)
def test_a_store_that_ends_early_ends_its_recording(name, word, type_name, tmp_path, imported):
    """What it did until then is there; the operation that it did not answer is of no known fate."""
    program = (_append("a"), _append(word), _append("b"))
    recording = _recorded(
        f"recorded_stores:{name}", [program], tmp_path, operation_s=2.0, imported=imported
    )
    assert _whole(recording)
    assert [act.outcome.type for act in recording.acts] == ["ok", "info"]
    last = recording.acts[-1]
    assert (last.outcome.failure.type, last.answered) == (type_name, None)
    assert last.after == recording.acts[0].answered
    assert _nobody_left()


@traceable
@pytest.mark.parametrize(
    ("name", "text"),
    [
        ("recorded_stores:NeverOpens", "RuntimeError: not today"),
        (
            "cmd:no-such-program here",
            "no-such-program cannot be started: No such file or directory",
        ),
        ("recorded_stores:Nowhere", "module 'recorded_stores' has no attribute 'Nowhere'"),
        ("cmd:sh -c 'exit 3'", "exit code 3"),  # before it was asked to open, or while it was
    ],
)
def test_a_store_that_does_not_open_is_not_recorded_any_further(name, text, tmp_path, imported):
    """What it said stands in the one act that there is."""
    recording = _recorded(
        name, [(_append("a"), Reopen(), _append("b"))], tmp_path, imported=imported
    )
    (act,) = recording.acts
    assert (act.outcome.type, act.after, act.answered) == ("info", -1, None)
    assert text in act.outcome.failure.text
    assert recording.opened_s == 0.0
    assert _nobody_left()


@traceable
def test_a_store_that_needs_io_uring_cannot_be_followed(tmp_path, imported):
    """io_uring is refused to it there, so that it does not open: nothing is held against it."""
    recording = _recorded(
        "recorded_stores:NeedsARing", [(_append("a"),)], tmp_path, imported=imported
    )
    (act,) = recording.acts
    assert "no ring" in act.outcome.failure.text
    assert recording.hidden == "it does not open without io_uring, whose writes cannot be traced"


@traceable
def test_another_language_is_recorded(tmp_path):
    """Whatever speaks the protocol is traced, and needs nothing of ours."""
    script = tmp_path / "store.py"
    script.write_text(
        "import json, sys\nfor line in sys.stdin:\n call = json.loads(line)\n"
        " if call['method'] == 'open': root = call['params']['root']\n"
        " if call['method'] == 'append':\n"
        "  open(root + '/log', 'a').write(line)\n"
        " value = {'open': {'protocol': 1, 'name': 'x', 'version': None, 'claims': None,\n"
        "  'capabilities': []}, 'read': []}.get(call['method'])\n"
        " print(json.dumps({'jsonrpc': '2.0', 'id': call['id'], 'result': value}), flush=True)\n"
    )
    program = (_append("a"), _append("b"))
    recording = _recorded(f"cmd:{sys.executable} {script}", [program], tmp_path)
    assert _whole(recording)
    kinds = [Kind(kind).name for kind in recording.changes.rows["kind"]]
    answer = ["ANSWERED"]
    assert kinds == [*answer, "MADE", "WRITTEN", *answer, "WRITTEN", *answer, *answer]


def test_without_a_tracer_the_reason_and_the_remedy_are_told(tmp_path, monkeypatch):
    """A PATH without strace gives one line that says what to install."""
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(CannotTrace, match=r"strace is not installed: install the package strace"):
        _recorded("reference", [(Read("s0"),)], tmp_path)


@pytest.mark.parametrize(
    ("words", "reason"),
    [
        ("echo strace: ptrace_setoptions: PTRACE_TRACEME: Operation not permitted >&2; exit 1",
         "ptrace is refused here (ptrace_setoptions: PTRACE_TRACEME: Operation not permitted): "),
        ("echo strace: what is this >&2; exit 1", "strace failed (what is this): "),
        ("exit 3", "strace failed (it said nothing): "),
    ],
)  # fmt: skip
def test_a_tracer_that_is_refused_says_why(words, reason, tmp_path, monkeypatch):
    """Its own words and what helps stand in one line."""
    false = tmp_path / "strace"
    false.write_text(f"#!/bin/sh\n{words}\n")
    false.chmod(0o755)
    monkeypatch.setenv("PATH", f"{tmp_path}:{os.environ['PATH']}")
    with pytest.raises(CannotTrace) as caught:
        _recorded("reference", [(Read("s0"),)], tmp_path)
    assert str(caught.value).startswith(reason)
    assert "\n" not in str(caught.value)


@traceable
def test_what_the_store_left_behind_is_ended(tmp_path, imported):
    """A child in a session of its own does not outlive the recording, and is part of it."""
    recording = _recorded(
        "recorded_stores:LeavesOneBehind", [(_append("a"),)], tmp_path, imported=imported
    )
    assert _whole(recording)
    left = int((recording.folder / FILES / "left").read_text("ascii"))
    assert not _runs(left)


@traceable
def test_two_clients_begin_when_their_session_is_made(tmp_path, imported):
    """Making the shared session is a round of its own; one that closes goes on in a new process."""
    mine = (Create("s0"), _append("a"), Reopen(), _append("b"))
    others = (_append("c"), Create("s1", (said("own"),)), DeleteMessage("s1", 0), Reopen())
    recording = _recorded("reference", [mine, others], tmp_path, imported=imported)
    assert _whole(recording)
    assert {act.outcome.type for act in recording.acts} == {"ok"}
    created = recording.acts[0]
    assert (created.client, type(created.operation)) == (0, Create)
    assert all(act.after >= created.answered for act in recording.acts[1:])
    first = [act for act in recording.acts if act.operation in (mine[1], others[0])]
    assert [sorted(act.order) for act in first] == [["a", "c"], ["a", "c"]]
    assert recording.acts[-1].order in (("a", "c", "b"), ("c", "a", "b"), ())
    own = [act for act in recording.acts if act.session_id == "p1-s1"]
    assert [type(act.operation) for act in own] == [Create, Read, DeleteMessage]
    assert {act.order for act in own} == {()}


@traceable
def test_a_recorder_that_is_killed_leaves_nobody(tmp_path):
    """The store's processes end when whoever records them is no longer there."""
    program = (
        "import sys, tempfile; from pathlib import Path\n"
        f"sys.path[:0] = [{str(Path(__file__).parent)!r}]\n"
        "from test_faults_recorder import _append, _recorded\n"
        f"_recorded('recorded_stores:Hangs', [(_append('hang'),)], Path({str(tmp_path)!r}))\n"
    )
    recorder = subprocess.Popen([sys.executable, "-c", program])
    try:
        written = tmp_path / "recording" / FILES / "p1-s0"
        until = monotonic_s() + 60
        while not written.exists() and monotonic_s() < until and recorder.poll() is None:
            time.sleep(0.05)
        traced = _below(recorder.pid)
        assert any(b"recorded_stores:Hangs" in Path(f"/proc/{pid}/cmdline").read_bytes()
                   for pid in traced)  # fmt: skip
    finally:
        recorder.kill()
        recorder.wait()
    until = monotonic_s() + 60
    while any(map(_runs, traced)) and monotonic_s() < until:
        time.sleep(0.05)
    assert not any(map(_runs, traced))


@traceable
def test_a_store_whose_reads_count_is_recorded_with_them(tmp_path, imported):
    """It is recorded a second time, and its files are rebuilt."""
    program = tuple(map(_append, "abc"))
    recording = _recorded("recorded_stores:ReadsThenWrites", [program], tmp_path, imported=imported)
    assert _whole(recording)
    assert [act.outcome.type for act in recording.acts] == ["ok"] * 3
    written = recording.changes.rows[recording.changes.rows["kind"] == Kind.WRITTEN]
    assert (written["offset"][1:] == written["length"].cumsum()[:-1]).all()


@traceable
def test_forks_of_a_store_are_recorded_one_recording_after_the_other(tmp_path):
    """It is imported once; what was traced before is none of the next recording's."""
    seen = []
    for at in range(3):
        folder = tmp_path / str(at)
        folder.mkdir()
        program = (_append(f"a{at}"), Reopen(), _append("b"))
        recording = _recorded("recorded_stores:Lines", [program], folder, imported=True)
        assert _whole(recording)
        assert [act.outcome.type for act in recording.acts] == ["ok"] * 3
        (one,) = kept._kept
        seen.append(one.tracer._launcher)
        assert one.tracer._trace.stat().st_size == 0
    assert len({*seen}) == 1
    assert _nobody_left()


@traceable
@pytest.mark.parametrize(
    ("name", "why"),
    [
        (
            "ends_at_import:Store",
            "the process that imports ends_at_import:Store under strace ended",
        ),
        ("threads_at_import:Store", "importing threads_at_import:Store starts threads"),
    ],
)
def test_what_cannot_be_forked_is_told(name, why, tmp_path):
    """The store is named."""
    store = StoreUnderTest(
        StoreSpec(name, open=Lines), Claims(), parent=tmp_path, deadlines=Deadlines()
    )
    folder, program = tmp_path / "recording", (_append("a"),)
    with pytest.raises(CannotTrace, match=why):
        record(store, [program], folder=folder, sessions=("s0",), deadline_s=60.0, imported=True)
    assert _nobody_left()
