"""Reproducers: files beside the report, run once, told as they ended."""

import subprocess
import sys
import threading
from dataclasses import replace
from pathlib import Path

import pytest
from commands import judge, quick

from sessionproof.contract.anomalies import Anomaly
from sessionproof.contract.clock import monotonic_s
from sessionproof.contract.verdicts import Finding, Record, Reproducer, Verdict
from sessionproof.engine.reproduce import reproduce, run_script
from sessionproof.scripts.clients import START

MEMORY = "sessionproof.oracle.memory:MemoryStore"
OPEN, CLOSE = "store = open_store(location)", "store.close()"


def finding(*lines, anomaly=Anomaly.LOST_MESSAGE):
    """A finding with these lines between opening and closing."""
    return Finding(
        anomaly=anomaly, did="did", expected='"""', seen="\\ \ud800 \u202e",
        script=(OPEN, *lines, CLOSE),
    )  # fmt: skip


def record(*findings, guarantee="CORE-01", test="test"):
    """A broken guarantee."""
    return Record(guarantee=guarantee, test=test, verdict=Verdict.BROKEN, findings=findings)


def told(tmp_path, *findings, **options):
    """The reproducers of findings of one record."""
    made = reproduce(
        MEMORY, [record(*findings)], tmp_path / "report", directory=tmp_path, **options
    )
    return [one.reproducer for one in made[0].findings]


def test_each_ending_is_told_as_it_is(tmp_path):
    """A failing assertion is a break; what passes, or fails in another way, is not called one."""
    refused = Anomaly.UNEXPECTED_REFUSAL
    lines = {
        "assert [] == [1], 'two\\nlines'": (Anomaly.LOST_MESSAGE, True, "AssertionError: two"),
        "assert True": (Anomaly.LOST_MESSAGE, False, "the harness's conditions by itself"),
        "store.nothing()": (Anomaly.LOST_MESSAGE, None, "it ended otherwise: AttributeError"),
        "store.read": (refused, False, "the script did not fail"),
        "store.nothing": (refused, True, "AttributeError: "),
        "sys.exit('AssertionError')": (Anomaly.LOST_MESSAGE, None, "otherwise: AssertionError"),
        "sys.exit(0)": (Anomaly.LOST_MESSAGE, None, "it ended before its end"),
        "os._exit(0)": (Anomaly.CRASH, True, "it ended before its end"),
        "os.kill(os.getpid(), 9)": (Anomaly.CRASH, True, "it was ended by signal 9"),
        "sys.exit(print('holds now: refused'))": (refused, False, "by itself (refused)"),
        "faulthandler.dump_traceback_later(0.2, exit=True); time.sleep(20)": (
            Anomaly.HANG, True, "a call did not return",
        ),
    }  # fmt: skip
    made = told(
        tmp_path,
        *(finding(line, anomaly=anomaly) for line, (anomaly, _, _) in lines.items()),
        workers=2,
    )
    for one, (line, (_, fails, said)) in zip(made, lines.items(), strict=True):
        assert one.fails is fails, (line, one)
        assert said in one.said, (line, one)
        assert "holds now" not in one.said, (line, one)  # it reads as mended
    assert [one.file for one in made[:3]] == [
        "repro/CORE-01.py", "repro/CORE-01-2.py", "repro/CORE-01-3.py",
    ]  # fmt: skip


def test_what_shows_now_and_then_is_tried_again(tmp_path):
    """A script that does not fail at once gets attempts on empty locations, sync and async."""
    fourth = "assert len(list(Path(tempfile.gettempdir()).iterdir())) < 4, 'the fourth location'"
    waited = ("await asyncio.sleep(0)", fourth)
    for lines in ((fourth,), waited):
        (made,) = told(tmp_path, finding(*lines))
        assert made.fails is True, made
        assert made.said == "AssertionError: the fourth location"
    rarely = replace(finding(fourth), repeats="1 of 3")
    always = replace(finding("assert False"), repeats="3 of 3")
    assert [one.fails for one in told(tmp_path, rarely, always)] == [True, True]
    folder = tmp_path / "report" / "repro"
    assert "for attempt in range(20):" in (folder / "CORE-01.py").read_text()
    assert "for attempt" not in (folder / "CORE-01-2.py").read_text()


def test_what_never_failed_says_so(tmp_path):
    """That such a script holds later is no proof, and it says that at its top and its end."""
    alone = replace(finding(), script=(START, "    Location"))
    for held in (finding("assert True"), alone):
        (made,) = told(tmp_path, held)
        assert made.fails is False, made
        script = tmp_path / "report" / "repro" / "CORE-01.py"
        ran = subprocess.run([sys.executable, script], check=True, capture_output=True, text=True)
        assert ran.stdout == (
            "holds now; it did not fail when it was written either: no proof that it is mended\n"
        )
        text = script.read_text()
        assert "It did not fail when it was written" in text
        assert "It fails as long as" not in text
    (made,) = told(tmp_path, finding("assert False"))
    assert "did not fail" not in (tmp_path / "report" / made.file).read_text()


def test_the_line_that_raised_stands_at_the_top(tmp_path):
    """Whoever opens the script knows where to look."""
    at = replace(finding("assert False"), evidence={"at": "chatdb.py:11: self.conn.execute(…)"})
    (made,) = told(tmp_path, at)
    script = (tmp_path / "report" / made.file).read_text()
    assert "\nat:       chatdb.py:11: self.conn.execute(…)\n" in script


def test_an_assertion_inside_the_store_is_not_ours(tmp_path):
    """A store that raises where an answer was expected has failed in another way."""
    (made,) = told(tmp_path, finding("exec('assert False')", "assert False"))
    assert made.fails is None
    assert made.said == "it ended otherwise: AssertionError"


def test_a_store_that_is_not_found_is_no_break(tmp_path):
    """Imports that fail say nothing about the store."""
    broken = record(finding("assert False", anomaly=Anomaly.UNEXPECTED_REFUSAL))
    (made,) = reproduce("nowhere:Store", [broken], tmp_path, directory=tmp_path)
    said = "it ended otherwise: ModuleNotFoundError: No module named 'nowhere'"
    assert made.findings[0].reproducer == Reproducer(file="repro/CORE-01.py", said=said)


def test_a_report_named_from_here_is_told_alike(tmp_path, monkeypatch):
    """The folder of the report may be a relative one, as people name it."""
    monkeypatch.chdir(tmp_path)
    (made,) = reproduce(
        MEMORY, [record(finding("assert False"))], Path("report"), directory=tmp_path
    )
    assert made.findings[0].reproducer.fails is True
    assert "\n    python report/repro/CORE-01.py\n" in Path("report/repro/CORE-01.py").read_text()


def test_a_script_that_hangs_is_ended(tmp_path):
    """It has a deadline, and its children do not outlive it."""
    lines = [
        "child = subprocess.Popen([sys.executable, '-c', 'import time; time.sleep(60)'])",
        "print(child.pid, flush=True)",
        "time.sleep(60)",
    ]
    (made,) = told(tmp_path, finding(*lines), all_s=1.5)
    assert made == Reproducer(
        file="repro/CORE-01.py", said="ended from outside: it did not end in time"
    )
    stop = threading.Event()
    stop.set()
    path = tmp_path / "report" / made.file
    until = monotonic_s() + 60
    ended = run_script(path, Anomaly.HANG, directory=tmp_path, until_s=until, stop=stop)
    assert ended.said == "ended from outside: interrupted"


def test_what_is_not_run_says_why(tmp_path):
    """Written, with the reason."""
    (made,) = told(tmp_path, finding("assert False"), run=False)
    assert (made.fails, made.said) == (None, "not run: the run was interrupted")
    assert (tmp_path / "report" / made.file).exists()
    many = told(tmp_path, *[finding("assert False")] * 42, workers=2)
    assert [one.fails for one in many] == [True] * 40 + [None] * 2
    assert many[-1].said.startswith("not run: 40 scripts or 120 s were over")


def test_loads_come_behind_what_a_few_calls_show(tmp_path):
    """A slow store's scripts of growth do not take the time of all others."""
    note = f"open({str(tmp_path / 'order')!r}, 'a').write"
    lines = {Anomaly.GROWTH: "load", Anomaly.LOST_MESSAGE: "calls"}
    made = told(
        tmp_path,
        *(
            finding(f"{note}('{name} ')", "assert False", anomaly=one)
            for one, name in lines.items()
        ),
    )
    assert (tmp_path / "order").read_text().split() == ["calls", "load"]
    assert [one.file for one in made] == ["repro/CORE-01.py", "repro/CORE-01-2.py"]


def test_what_has_no_script_says_so(tmp_path):
    """A finding without lines keeps its reason, or gets one."""
    reason = Reproducer(file="", said="no script: too long")
    plain = replace(finding(), script=())
    made = told(tmp_path, plain, replace(plain, reproducer=reason))
    assert made[0] == Reproducer(
        file="", said="no script: no few calls in a single process show it"
    )
    assert made[1] == reason
    assert not (tmp_path / "report" / "repro").exists()


def test_files_of_earlier_runs_go(tmp_path):
    """What we made and nothing else."""
    folder = tmp_path / "report" / "repro"
    folder.mkdir(parents=True)
    for name in ("CORE-06.py", "FK-01-12.py", "own.py", "CORE-06.txt"):
        (folder / name).write_text("")
    told(tmp_path, finding("assert False"))
    assert {path.name for path in folder.iterdir()} == {"CORE-01.py", "own.py", "CORE-06.txt"}


def test_only_breaks_have_reproducers(tmp_path):
    """A row that decides nothing is not reproduced."""
    shown = replace(record(finding("assert False")), verdict=Verdict.NOT_CLAIMED)
    (made,) = reproduce(MEMORY, [shown], tmp_path, directory=tmp_path)
    assert made == shown


STORE = """
from pathlib import Path
from sessionproof import Message
class Store:
    def __init__(self, location):
        self.file = location.path("chat")
    def append(self, session_id, messages):
        with self.file.open("a") as file:
            kept = [m for m in messages if "#2" not in m.content]
            file.writelines(f"{session_id} {m.content!r}\\n" for m in kept)
    def read(self, session_id):
        lines = self.file.read_text().splitlines() if self.file.exists() else []
        parts = [line.partition(" ") for line in lines]
        return [Message("user", eval(text)) for name, _, text in parts if name == session_id]
    def close(self):
        pass
"""


@pytest.mark.parametrize(
    "way", [pytest.param(one, marks=pytest.mark.night) for one in ("plain", "async", "function")]
)
def test_a_person_runs_it_from_the_same_folder(tmp_path, way):
    """With nothing but the folder where the run was started; mended, it says so and exits 0."""
    source, name = STORE, "mystore:Store"
    if way == "async":
        source = source.replace("    def append", "    async def append").replace(
            "    def read", "    async def read"
        )
    if way == "function":
        source += "async def opened(location):\n    return Store(location)\n"
        name = "mystore:opened"
    (tmp_path / "mystore.py").write_text(source)
    ran = quick(tmp_path, name, only="CORE-01")
    assert ran.code == 1, ran
    for one in ran.guarantee("CORE-01")["findings"]:
        assert one["reproducer"]["fails"] is True, one
        assert one["reproducer"]["said"].startswith("AssertionError: "), one
    script = Path("report") / ran.guarantee("CORE-01")["findings"][0]["reproducer"]["file"]

    def run():
        return subprocess.run(
            [sys.executable, script], check=False, capture_output=True, text=True, timeout=60,
            cwd=tmp_path,
        )  # fmt: skip

    assert run().returncode == 1
    (tmp_path / "mystore.py").write_text(source.replace("#2", "nothing"))
    mended = run()
    assert (mended.returncode, mended.stdout) == (0, "holds now\n"), mended


@pytest.mark.night
def test_a_command_is_reproduced(tmp_path):
    """A store behind a command is opened as the command was given."""
    root = Path(__file__).parents[2]
    store = (
        "cmd:" + f"{sys.executable} -m sessionproof.host fixtures.mutants.core:DropsTheLastOfThree"
    )
    ran = judge(
        tmp_path, store, "--profile", "smoke", "--seed", 1, "-n", 1, "--only", "CORE-01", cwd=root
    )
    findings = ran.guarantee("CORE-01")["findings"]
    assert [one["reproducer"]["fails"] for one in findings] == [True] * len(findings), ran


@pytest.mark.night
def test_a_store_in_a_plain_pytest_is_reproduced(tmp_path):
    """The suites in the user's own pytest write reproducers, too."""
    (tmp_path / "mystore.py").write_text(STORE)
    (tmp_path / "pytest.ini").write_text("[pytest]\n")
    subprocess.run(
        [sys.executable, "-m", "pytest", "-q", "--pyargs", "sessionproof_suites", "--store",
         "mystore:Store", "--store-profile", "smoke", "-k", "what_was_appended"],
        check=False, capture_output=True, text=True, timeout=120, cwd=tmp_path,
    )  # fmt: skip
    script = tmp_path / "sessionproof-report" / "repro" / "CORE-01.py"
    assert "assert seen == " in script.read_text()
