"""A hostile store ends as a finding, as a clear error, or does no harm; nothing of it is left."""

import json
import os
import subprocess
import sys
from pathlib import Path
from xml.etree import ElementTree as ET

import pytest
from hostile_words import assert_harmless

ROOT = Path(__file__).parents[2]
SHORT = ("--operation-deadline", "2", "--test-deadline", "10", "--memory", "1024")
OF = "HOSTILE_TEST"  # whose processes these are: it is handed on to each that is begun
HOLDS, BROKEN, UNUSABLE, UNKNOWN = 0, 1, 2, 4

HARMLESS = (
    "processes:Forks", "processes:LeavesADaemon", "processes:LeavesThreads",
    "processes:ClosesStreams", "around:ChangesEverything", "around:DeletesItsFolder",
    "around:DeletesTheRun", "around:LinksOut", "around:GivesItsFolderAway", "greedy:PrintsMuch",
)  # fmt: skip
FOUND = {
    "processes:ClosesEverything": "crash",
    "processes:Alarms": "crash",
    "processes:KillsItself": "crash",
    "processes:Matches": "hang",
    "processes:HangsDeaf": "hang",
    "answers:RaisesItsOwnEnd": "unexpected-refusal",
    "answers:RaisesGeneratorExit": "unexpected-refusal",
    "answers:RaisesUnending": "unexpected-refusal",
    "answers:RaisesWordless": "unexpected-refusal",
    "answers:Speaks": "unexpected-refusal",
    "answers:SpeaksInAnswers": "changed-content",
    "answers:AnswersMuch": None,  # a malformed answer, or a hang where the machine is slow
    "answers:AnswersNumbers": "malformed-answer",
    "answers:AnswersDeeply": "malformed-answer",
    "answers:AnswersNoNumber": "malformed-answer",
    "answers:AnswersUnlike": "malformed-answer",
    "greedy:EatsMemory": None,  # a refusal, or a hang where the machine is slow
    "greedy:EatsMemoryOnce": None,
    "greedy:FillsAFile": None,
    "greedy:FillsTheDisk": None,
}


def judged(folder, store, *options):
    """``sessionproof run`` on the store: exit code, stdout, stderr, result.json or None."""
    report = folder / "report"
    ended = subprocess.run(
        [sys.executable, "-m", "sessionproof", "run", f"fixtures.hostile.{store}",
         "--profile", "smoke", "--seed", "1", "-n", "1", "--only", "CORE-01",
         "--report", report, *SHORT, *options],
        check=False, capture_output=True, encoding="utf-8", timeout=300, cwd=folder,
        env={**os.environ, "PYTHONPATH": str(ROOT), "COLUMNS": "100", OF: str(folder)},
    )  # fmt: skip
    assert "Traceback" not in ended.stdout + ended.stderr
    assert_harmless(ended.stdout)
    assert_harmless(ended.stderr)
    file = report / "result.json"
    result = json.loads(file.read_text("utf-8")) if file.exists() else None
    if result is not None:
        assert ET.parse(report / "junit.xml").getroot().tag == "testsuites"
        page = (report / "index.html").read_text("utf-8")
        assert page.rstrip().endswith("</html>")
        assert "<script>alert" not in page
        log = (report / "run.log").read_text("utf-8")
        assert all(one.isprintable() or one in "\n\t" for one in log)
    return ended.returncode, ended.stdout, ended.stderr, result


def row(result):
    """What the result says of CORE-01."""
    return next(one for one in result["guarantees"] if one["id"] == "CORE-01")


@pytest.mark.night
@pytest.mark.parametrize("store", HARMLESS)
def test_it_does_no_harm(store, tmp_path):
    """What a store does beside its duty changes no verdict, and is over with the run."""
    code, _, _, result = judged(tmp_path, store)
    assert (code, row(result)["verdict"]) == (HOLDS, "holds")
    assert result["complete"]
    assert left_behind(tmp_path) == []


@pytest.mark.night
@pytest.mark.parametrize("store", FOUND)
def test_it_ends_as_a_finding(store, tmp_path):
    """What a store does to its caller is a break that says what was seen."""
    code, _, _, result = judged(tmp_path, store)
    assert code == BROKEN
    assert row(result)["verdict"] == "broken"
    anomalies = {finding["anomaly"] for finding in row(result)["findings"]}
    assert FOUND[store] is None or anomalies == {FOUND[store]}
    assert left_behind(tmp_path) == []


@pytest.mark.night
@pytest.mark.parametrize("store", ["around:BreaksBuiltins", "around:BreaksModules"])
def test_it_never_holds_by_a_trick(store, tmp_path):
    """A store that breaks our own tools is broken, or could not be told: it never holds."""
    code, _, _, result = judged(tmp_path, store)
    assert code in (BROKEN, UNKNOWN, UNUSABLE)
    assert result is None or row(result)["verdict"] != "holds"


@pytest.mark.parametrize(
    ("store", "words"),
    [
        ("answers:SpeaksWhenMade", "\\x1b]0;title\\x07"),
        pytest.param("answers:HasFailingParts", "SystemExit: 0", marks=pytest.mark.night),
    ],
)
def test_it_cannot_be_opened(store, words, tmp_path):
    """A store that does not open is told in one harmless line, with exit code 2."""
    code, out, err, result = judged(tmp_path, store)
    assert (code, out, result) == (UNUSABLE, "", None)
    assert err.count("\n") == 1
    assert words in err


@pytest.mark.night
@pytest.mark.parametrize(
    "body",
    [
        "import os; os._exit(0)",
        "import sys; sys.exit(0)",
        "raise KeyboardInterrupt",
        "raise type('E', (BaseException,), {})('x')",
        "raise type('E', (Exception,), {'__str__': lambda self: 1 / 0})",
        "raise Exception('x' * 100_000_000)",
        "raise Exception('\\x1b]0;evil\\x07\\n::set-output name=x::y')",
        "import os; os.kill(os.getpid(), 9)",
        "print('::error::x'); raise RuntimeError('no')",
        "import os; os.closerange(0, 100); raise RuntimeError('no')",
        "import ctypes; ctypes.PyDLL(None).sleep(1000)",
        "x = []\nwhile True: x.append(b'x' * 10_000_000)",
        "while True: print('x' * 10_000)",
        "import os\nwhile True: os.fork() or os._exit(os.wait() and 0)",
    ],
    ids=range(14),
)
def test_what_fails_when_imported_is_told(body, tmp_path):
    """A module that does anything but define a store is told in a line, with exit code 2."""
    (tmp_path / "attacks.py").write_text(f"{body}\nclass Store: pass\n")
    ended = subprocess.run(
        [sys.executable, "-m", "sessionproof", "run", "attacks:Store", "--report", "r", *SHORT],
        check=False, capture_output=True, encoding="utf-8", timeout=120, cwd=tmp_path,
        env={**os.environ, OF: str(tmp_path)},
    )  # fmt: skip
    assert ended.returncode == UNUSABLE
    assert ended.stdout == ""
    assert ended.stderr.count("\n") == 1
    assert len(ended.stderr) < 3_000
    assert_harmless(ended.stderr)
    assert left_behind(tmp_path) == []


def left_behind(folder):
    """The commands of processes of this test's run that live on, in whatever group."""
    found = []
    for process in Path("/proc").glob("[0-9]*"):
        try:
            around = (process / "environ").read_bytes().split(b"\0")
            if f"{OF}={folder}".encode() in around:
                found.append((process / "cmdline").read_bytes())
        except OSError:
            continue
    return found
