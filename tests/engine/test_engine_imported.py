"""Scripts in forks of a process that has imported the store."""

import os
import subprocess
import sys

import pytest
from test_reproduce import finding, record

from sessionproof.engine.imported import CannotFork, Imported
from sessionproof.engine.reproduce import reproduce

STORE = """
import os
from pathlib import Path
from sessionproof.oracle.memory import MemoryStore as Store
with Path(os.environ["IMPORTS"]).open("a") as file:
    file.write("imported\\n")
"""
ALIKE = """
import os, sys
print(__name__, sys.argv[0] == __file__, sys.path[0] == os.path.dirname(__file__))
print(os.environ["HOME"], sys.modules["__main__"].__file__ == __file__, file=sys.stderr)
if os.environ["HOW"] == "falls":
    raise AssertionError("it fell")
if os.environ["HOW"] == "killed":
    os.kill(os.getpid(), 9)
sys.exit(int(os.environ["HOW"]))
"""
ALONE = "assert 'imported_main' in Path(f'/proc/{os.getppid()}/cmdline').read_text(), 'alone'"
linux = pytest.mark.skipif(sys.platform != "linux", reason="there it is not done")


def ran(process):
    """How it ended."""
    return process.wait(60)


@linux
@pytest.mark.parametrize(("how", "code"), [("0", 0), ("3", 3), ("falls", 1), ("killed", -9)])
def test_a_script_runs_as_in_an_interpreter_of_its_own(tmp_path, how, code):
    """Its name, arguments, path, environment, what it prints and how it ends are the same."""
    script, environment = tmp_path / "script.py", {**os.environ, "HOME": "/home", "HOW": how}
    script.write_text(ALIKE)
    outputs = []
    with Imported("sessionproof.oracle.memory:MemoryStore", [], dict(os.environ)) as imported:
        for at in range(2):
            with (tmp_path / f"output-{at}").open("w+b") as output:
                if at:
                    process = imported.start(script, environment, output.fileno())
                else:
                    process = subprocess.Popen(
                        [sys.executable, script], stdout=output, stderr=output, env=environment
                    )
                assert ran(process) == code
                output.seek(0)
                outputs.append(sorted(output.read().decode().splitlines()))
    plain, forked = outputs
    assert [line for line in forked if not line.startswith(("  ", "    "))] == [
        line for line in plain if not line.startswith(("  ", "    "))
    ]


@linux
def test_a_store_is_imported_once_for_all_scripts(tmp_path, monkeypatch):
    """Scripts find it imported, and fail as they do alone; one that a thread would keep ends."""
    (tmp_path / "counted_store.py").write_text(STORE)
    monkeypatch.syspath_prepend(tmp_path)
    monkeypatch.setenv("IMPORTS", str(tmp_path / "imports"))
    kept = "threading.Thread(target=threading.Event().wait).start()"
    lines = (["assert False, 'one'"], [kept, "assert False, 'two'"], ["assert False, 'three'"])
    made = reproduce(
        "counted_store:Store", [record(*(finding(*one) for one in lines))], tmp_path / "report",
        directory=tmp_path,
    )  # fmt: skip
    assert [one.reproducer.said for one in made[0].findings] == [
        f"AssertionError: {number}" for number in ("one", "two", "three")
    ]
    assert (tmp_path / "imports").read_text() == "imported\n"


@linux
def test_an_interpreter_of_its_own_has_the_last_word(tmp_path):
    """What does not fail in a fork, where more was imported, is run as a person would run it."""
    made = reproduce(
        "sessionproof.oracle.memory:MemoryStore",
        [record(finding(ALONE), finding("assert False, 'both'"))],
        tmp_path / "report", directory=tmp_path,
    )  # fmt: skip
    reproducers = [one.reproducer for one in made[0].findings]
    assert [one.fails for one in reproducers] == [True, True]
    assert reproducers[0].said == "AssertionError: alone"


@linux
@pytest.mark.parametrize("lines", ["import os; os._exit(0)", "import os; os.closerange(3, 99)"])
def test_a_store_whose_import_ends_the_process_is_no_failure_of_ours(tmp_path, monkeypatch, lines):
    """Scripts then have interpreters of their own, and say it themselves."""
    (tmp_path / "ending_store.py").write_text(lines)
    monkeypatch.syspath_prepend(tmp_path)
    with pytest.raises(CannotFork):
        Imported("ending_store:Store", [str(tmp_path)], dict(os.environ))
    made = reproduce(
        "ending_store:Store", [record(finding("assert False"), finding("assert False"))],
        tmp_path / "report", directory=tmp_path,
    )  # fmt: skip
    assert all(one.reproducer.fails is None for one in made[0].findings)


def test_an_interruption_while_it_imports_loses_no_finding(tmp_path, monkeypatch):
    """The scripts are written, and say that they were not run."""

    def interrupted(*_):
        raise KeyboardInterrupt

    monkeypatch.setattr("sessionproof.engine.reproduce.Imported", interrupted)
    made = reproduce(
        "sessionproof.oracle.memory:MemoryStore",
        [record(finding("assert False"), finding("assert False"))],
        tmp_path / "report", directory=tmp_path,
    )  # fmt: skip
    said = {one.reproducer.said for one in made[0].findings}
    assert said == {"not run: the run was interrupted"}
    assert len([*(tmp_path / "report" / "repro").iterdir()]) == 2
