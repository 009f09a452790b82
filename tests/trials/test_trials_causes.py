"""Causes: what calls of a store do, counted and sampled in processes of their own."""

import json
import mmap
import os
import shlex
import subprocess
import sys
import threading
from dataclasses import asdict, replace
from functools import partial
from pathlib import Path

import pytest
from counted_stores import CLAIMS

from sessionproof.bench.tracking.differences import differences
from sessionproof.contract.causes import Causes
from sessionproof.contract.decoding import decoded
from sessionproof.faults.recording import CannotTrace
from sessionproof.faults.tracing.strace import why_not
from sessionproof.trials.causes import asking, counting, writing
from sessionproof.trials.causes.counted import costs, named
from sessionproof.trials.causes.counting import causes_of
from sessionproof.trials.causes.instructions import Instructions, NoCounter
from sessionproof.trials.causes.sampling import shares
from sessionproof.trials.statements import Statement

FOLDER = Path(__file__).parent
PAGE_FAULTS, CPU_TIME, UNKNOWN = (1, 2), (1, 1), (1, 999)  # events that software counts
UNSAMPLED = {"functions": None, "samples": None, "missing": None}

traces = pytest.mark.skipif(bool(why_not()), reason=f"{why_not()}")


def looked_at(folder, name, *operations, profile=False, path=(str(FOLDER),)):
    """The causes of operations of a store of ``counted_stores``; of an append if none is named."""
    given = name if ":" in name else f"counted_stores:{name}"
    found = causes_of(
        given, CLAIMS, ["append", "read", "close"], operations or ["append"],
        folder=folder, path=path, profile=profile,
    )  # fmt: skip
    assert list(folder.iterdir()) == []  # nothing is left behind
    return found if operations else found[0]


@pytest.fixture(autouse=True)
def short(monkeypatch):
    """Sessions of a few messages."""
    monkeypatch.setattr(asking, "MESSAGES", 50)


@pytest.fixture
def look(tmp_path):
    """``looked_at`` with a folder of the test's own."""
    return partial(looked_at, tmp_path)


@pytest.fixture(scope="module")
def plain(tmp_path_factory):
    """What an append and an opening of the plain store do."""
    with pytest.MonkeyPatch.context() as patched:
        patched.setattr(asking, "MESSAGES", 50)
        folder = tmp_path_factory.mktemp("plain")
        return looked_at(folder, "Plain", "append", "open", profile=True)


@pytest.fixture(scope="module")
def unsynced(tmp_path_factory):
    """What an append of the reference does that the slow mutants are made of."""
    with pytest.MonkeyPatch.context() as patched:
        patched.setattr(asking, "MESSAGES", 50)
        patched.setattr(writing, "why_not", lambda: "strace was left out")
        folder = tmp_path_factory.mktemp("unsynced")
        return looked_at(folder, "fixtures.mutants.speed:Unsynced")


@pytest.fixture
def untraced(monkeypatch):
    """No strace, which takes most of the time."""
    monkeypatch.setattr(writing, "why_not", lambda: "strace was left out")


@traces
def test_counts_are_the_same_each_time(look, plain):
    """Statements, steps, connections, bytes and syncs do not hang on the day."""
    again = look("Plain", "append", "open")
    assert tuple(replace(one, **UNSAMPLED) for one in plain) == tuple(
        replace(one, **UNSAMPLED) for one in again
    )
    append, opened = plain
    assert [(one.text, one.times) for one in append.statements] == [
        ("INSERT INTO m (s, body) VALUES (?)", 1)
    ]
    assert append.steps == append.statements[0].steps > 0
    assert (append.calls, append.connections, append.syncs) == (20, 0, 0)
    assert append.bytes_written > 4096
    assert opened.connections == 1
    assert any(one.text.startswith("SELECT body") for one in opened.statements)
    assert decoded(Causes, json.loads(json.dumps(asdict(append)))) == append


@pytest.mark.parametrize(
    ("name", "said"),
    [
        ("Recounts", "one statement more a call, "),
        ("Reconnects", "one connection is opened a call instead of 0"),
    ],
)
def test_what_a_worse_store_does_more_is_said_first(look, plain, untraced, name, said):
    """A statement too many, or a connection, is the first sentence of what differs."""
    told = differences(plain[0], look(name))
    assert told[0].startswith(said)


@pytest.mark.parametrize(
    ("name", "said"),
    [
        ("ConnectsForEachAppend", "2 connections are opened a call instead of 0"),
        ("SerializesTheHistory", "one statement more a call, "),
        ("CommitsAllAlong", "60 statements more a call, "),
    ],
)
@pytest.mark.night  # differences are told from made counts on each change
def test_what_slow_mutants_do_is_said_first(look, unsynced, untraced, name, said):
    """Stores that PERF-01 breaks, beside what they are made of."""
    told = differences(unsynced, look(f"fixtures.mutants.speed:{name}"))
    assert told[0].startswith(said)
    assert differences(unsynced, unsynced) == ()


@traces
def test_what_a_store_writes_and_syncs_more_is_said(look, plain):
    """Files of its own count like those of SQLite."""
    told = differences(plain[0], look("Syncs"))
    assert told[0] == "one sync a call instead of 0"
    assert told[1].startswith("writes 1")
    assert "kB instead of" in told[1]


def test_the_function_that_takes_the_time_is_named(look, plain, untraced):
    """With its module, and with nearly all of the samples."""
    pytest.importorskip("pyinstrument")
    causes = look("Thinks", profile=True)
    names = {one.name: one.share for one in causes.functions}
    assert sum(share for name, share in names.items() if name.startswith("counted_stores:")) > 0.7
    assert "counted_stores:<genexpr>" in names
    assert causes.samples > 50
    assert not [name for name in names if name.startswith("sessionproof.trials.")]
    told = differences(plain[0], causes)
    assert any(one.endswith("% before") and "counted_stores:<genexpr>" in one for one in told)


def test_a_store_behind_async_def_is_counted_like_any(look, plain, untraced):
    """Each call is awaited, on one loop."""
    assert look("Awaited").statements == plain[0].statements


@traces
def test_a_store_without_sqlite_and_files_has_reasons_instead_of_numbers(look):
    """Zero would say that it does nothing, and that is not known."""
    causes = look("InMemory")
    assert (causes.steps, causes.statements, causes.bytes_written, causes.syncs) == (None,) * 4
    assert "does not use Python's sqlite3" in causes.missing["statements"]
    assert causes.missing["bytes_written"] == "an append writes nothing below the store's location"
    assert causes.missing["functions"] == "no profile was asked for"


@traces
@pytest.mark.night
def test_a_store_behind_a_command_shows_what_it_writes_and_no_more(look, plain):
    """Its bytes are seen from outside, its statements cannot be."""
    command = [sys.executable, "-P", "-m", "sessionproof.host", "counted_stores:Plain"]
    causes = look(f"cmd:{shlex.join(command)}", profile=True)
    assert causes.bytes_written == plain[0].bytes_written
    assert "behind cmd:" in causes.missing["statements"]
    assert "behind cmd:" in causes.missing["functions"]


@pytest.mark.parametrize(
    ("name", "field", "said"),
    [
        ("Watches", "statements", "sets a trace callback of its own"),
        ("Patient", "steps", "sets a progress handler of its own"),
    ],
)
def test_a_store_that_looks_itself_is_told_apart(look, untraced, name, field, said):
    """SQLite has room for one callback a connection, and the store's stays."""
    causes = look(name)
    assert getattr(causes, field) is None
    assert said in causes.missing[field]
    assert (causes.statements is None) == (field == "statements")


@pytest.mark.parametrize(
    ("name", "said"),
    [
        ("Unopened", "RuntimeError: the moon is in the wrong quarter"),
        ("Ends", "its last line: out of ink"),
        ("nowhere:Store", "nowhere"),
    ],
)
def test_a_store_that_fails_gives_its_words_as_the_reason(look, untraced, name, said):
    """Nothing is raised: a measurement is not lost because its causes are."""
    causes = look(name)
    assert (causes.calls, causes.statements) == (0, None)
    assert said in causes.missing["statements"]


def test_one_operation_that_fails_does_not_hide_the_others(look, untraced):
    """Where the process lives on, so do the counts."""
    opened, append = look("Refuses", "open", "append")
    assert opened.missing["steps"] == "RuntimeError: one is enough"
    assert append.steps > 0


def test_a_store_that_hangs_is_ended(look, untraced, monkeypatch):
    """At its deadline, and the reason says so."""
    monkeypatch.setattr(asking, "LOAD_S", 0.2)
    monkeypatch.setattr(counting, "_OPERATION_S", 0.5)
    causes = look("Hangs")
    assert "did not answer load" in causes.missing["statements"]


def test_an_interruption_ends_the_processes(look, untraced, monkeypatch):
    """Whoever waits for a store that hangs can leave at once."""
    told, asked = [], counting.asked

    def remembered(*given, **options):
        told.append(asked(*given, **options))
        return told[-1]

    def interrupted(*_given):
        raise KeyboardInterrupt

    monkeypatch.setattr(counting, "asked", remembered)
    monkeypatch.setattr(counting, "_counted", interrupted)
    with pytest.raises(KeyboardInterrupt):
        look("Hangs")
    (one,) = told  # of the process that sampled
    assert "SIGKILL" in one["append"]["why"]


def test_slow_calls_are_made_less_often(look, untraced, monkeypatch):
    """Causes take seconds, whatever the store."""
    monkeypatch.setattr(asking, "MESSAGES", 2)
    assert 3 <= look("Slow").calls < 20


def test_the_recorder_says_why_nothing_is_written(look, untraced):
    """Without strace the rest is counted."""
    causes = look("Plain")
    assert causes.missing["bytes_written"] == causes.missing["syncs"] == "strace was left out"
    assert causes.steps > 0


def test_a_tracer_that_is_refused_says_why(look, monkeypatch):
    """As in containers, where it is found out when it starts."""

    def refused(*_given):
        raise CannotTrace("ptrace is refused here")

    monkeypatch.setattr(writing, "why_not", lambda: None)
    monkeypatch.setattr(writing, "_told", refused)
    assert look("Plain").missing["syncs"] == "ptrace is refused here"


def test_only_what_differs_of_an_environment_is_on_the_command_line(monkeypatch):
    """Whoever lists processes reads no secret there."""
    monkeypatch.setenv("SECRET", "hunter2")
    monkeypatch.setenv("UNWANTED", "1")
    environment = {**os.environ, "PYTHONHASHSEED": "7"}
    del environment["UNWANTED"]
    command = [sys.executable, "-c", "import os; print(*sorted(os.environ.items()))"]
    argv = writing.within(environment, command)
    assert argv == ["env", "-u", "UNWANTED", "PYTHONHASHSEED=7", *command]
    ran = subprocess.run(argv, check=True, capture_output=True, text=True)
    assert ran.stdout.strip() == " ".join(map(str, sorted(environment.items())))


def test_a_profile_needs_an_extra(look, untraced, tmp_path_factory):
    """And the reason is the command that installs it."""
    without = tmp_path_factory.mktemp("without")
    (without / "pyinstrument.py").write_text("raise ImportError\n", "utf-8")
    causes = look("Plain", profile=True, path=(str(without), str(FOLDER)))
    assert "pip install 'sessionproof[profile]'" in causes.missing["functions"]


def test_a_counter_counts_what_happens_in_all_threads():
    """Seen with an event that every machine has; instructions need a processor that shows them."""
    try:
        counter = Instructions(PAGE_FAULTS)
    except NoCounter as why:
        pytest.skip(str(why))
    size, page = 400 * mmap.PAGESIZE, mmap.PAGESIZE

    def touch():
        with mmap.mmap(-1, size) as fresh:
            for at in range(0, size, page):
                fresh[at] = 1

    def touch_elsewhere():
        thread = threading.Thread(target=touch)
        thread.start()
        thread.join()

    nothing = counter.during(lambda: None)
    here, elsewhere = counter.during(touch), counter.during(touch_elsewhere)
    counter.close()
    assert nothing < here
    assert nothing < elsewhere


def test_a_counter_that_is_not_there_is_refused_in_a_sentence():
    """An event of an unknown number stands for a processor without counters."""
    with pytest.raises(NoCounter, match=r"counters are not shown here|perf_event_open"):
        Instructions(UNKNOWN)


def test_a_machine_without_counters_is_told(monkeypatch):
    """Its name is in the reason."""
    monkeypatch.setattr("platform.machine", lambda: "pdp11")
    with pytest.raises(NoCounter, match="pdp11"):
        Instructions(CPU_TIME)


def test_statements_are_added_up_by_their_text():
    """Values do not tell them apart; the dearest is first, and a long text is cut."""
    seen = [
        Statement("SELECT 1 WHERE a = 'x'", "f", 10),
        Statement("SELECT  2 WHERE a = 'y--z'", "f", 20),
        Statement("COMMIT", "f", 3),
        Statement("-- SELECT block FROM words WHERE id=7", "f", 1),
    ]
    assert costs(seen, 2) == {
        "steps": 17.0,
        "statements": [
            {"text": "SELECT ? WHERE a = ?", "times": 1.0, "steps": 15.0},
            {"text": "COMMIT", "times": 0.5, "steps": 1.5},
            {"text": "SELECT block FROM words WHERE id=?", "times": 0.5, "steps": 0.5},
        ],
    }
    assert len(named("SELECT " + "x" * 5_000)) < 500


def test_shares_are_those_of_the_innermost_function_of_python():
    """What is built in counts for its caller, our own frames do not, and a pause hardly does."""

    def frame(function, file):
        return f"{function}\x00{file}\x007\x01l9"

    ours = frame("during", sys.modules["sessionproof.trials.causes.sampling"].__file__)
    dumps = frame("dumps", sys.modules["json"].__file__)
    built_in = "execute\x00<built-in>\x000"
    samples = [
        *[([ours, frame("append", "/store.py"), built_in], 0.001)] * 6,
        ([ours, frame("append", "/store.py")], 0.9),
        *[([ours, dumps], 0.001)] * 2,
        ([ours, built_in], 0.001),
        ([ours], 0.001),
    ]
    assert [(one.name, one.share) for one in shares(samples)] == [
        ("/store.py:append", pytest.approx(0.8)),
        ("json:dumps", pytest.approx(0.2)),
    ]
    assert shares([]) == ()
