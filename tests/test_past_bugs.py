"""Bugs of the past: the data, the runner, and at night each of them for real."""

import importlib.metadata
import sys

import pytest
from packaging.version import Version

from fixtures.past_bugs import __main__ as runner
from fixtures.past_bugs import environments, seen
from fixtures.past_bugs.bugs import BUGS, ENVIRONMENTS
from fixtures.past_bugs.environments import ROOT, CannotInstall
from fixtures.past_bugs.judging import Seen
from sessionproof.contract.claims import Claims, required
from sessionproof.contract.guarantees import GUARANTEES
from sessionproof.contract.lookup import STORES

BROKEN = Seen(verdict="broken", said="lost-message: gone", exit_code=1, seconds=1.0)
HOLDS = Seen(verdict="holds", said="", exit_code=0, seconds=1.0)
UNKNOWN = Seen(verdict="unknown", said="too slow", exit_code=4, seconds=1.0)
NAME = "tinydb-last-id"


@pytest.mark.parametrize("bug", BUGS.values(), ids=list(BUGS))
def test_each_bug_is_told_whole(bug):
    """It has a row that exists, a store that can be named, versions in order, and an address."""
    assert bug.row in GUARANTEES
    assert bug.environment in ENVIRONMENTS
    assert bug.what.endswith(".")
    assert bug.told.startswith("https://") or (not bug.told and bug.fixed is None)
    assert bug.fixed is None or Version(bug.bad) < Version(bug.fixed)
    module, colon, name = bug.store.partition(":")
    if colon:
        assert f"class {name}" in (ROOT / f"{module.replace('.', '/')}.py").read_text("utf-8")
    else:
        assert module in {point.name for point in importlib.metadata.entry_points(group=STORES)}
    for claim in bug.requires:
        required(Claims(), claim)


def test_there_are_bugs_enough():
    """Fourteen mended ones at least, in at least six packages, and some of today."""
    mended = [bug for bug in BUGS.values() if bug.fixed is not None]
    assert len(mended) >= 14
    assert len({bug.package for bug in mended}) >= 6
    assert len(BUGS) - len(mended) >= 7


def test_the_page_says_what_was_seen():
    """``docs/past-bugs.md`` is made of the data and of what the runs said."""
    assert seen.PAGE.read_text("utf-8") == seen.page(), "python -m fixtures.past_bugs --write"
    known = {(bug.name, version) for bug in BUGS.values() for version in bug.versions}
    assert seen.kept().keys() <= known


@pytest.fixture
def judged(monkeypatch):
    """Runs that answer what the test says, by the version; nothing is installed."""
    answers = {}
    monkeypatch.setattr(runner, "overlay", lambda *_: None)
    monkeypatch.setattr(runner, "judge", lambda _, version, seed, __: answers[version][seed - 1])
    return answers


def test_runs_are_counted(judged, tmp_path, capsys):
    """Caught in the bad version, cleared in the fixed one; what could not tell is neither."""
    bug = BUGS[NAME]
    judged |= {bug.bad: [BROKEN, HOLDS], bug.fixed: [HOLDS, UNKNOWN]}
    arguments = [NAME, "--seeds", "2", "--environments", str(tmp_path)]
    assert runner.main(arguments) == 1
    told = capsys.readouterr().out.splitlines()
    assert f"{NAME} {bug.bad} seed 2: {bug.row} holds, exit code 0: " in told
    assert f"{NAME} {bug.fixed} seed 2: {bug.row} unknown, exit code 4: too slow" in told
    assert f"{NAME} {bug.bad}: {bug.row} caught in 1 of 2, 1.0 s a run" in told
    assert f"{NAME} {bug.fixed}: {bug.row} cleared in 1 of 2, 1.0 s a run" in told
    judged |= {bug.bad: [BROKEN] * 2, bug.fixed: [HOLDS] * 2}
    assert runner.main(arguments) == 0


def test_a_broken_row_alone_is_no_catch():
    """The exit code says it, too; a row that holds in a run that failed is not cleared."""
    assert not Seen(verdict="broken", said="", exit_code=0, seconds=0).caught
    assert not Seen(verdict="holds", said="", exit_code=1, seconds=0).cleared


@pytest.mark.parametrize(
    ("arguments", "told"),
    [(["nothing"], "there is no past bug 'nothing': use one of "), (["--seeds", "0"], "--seeds")],
)
def test_bad_usage_is_one_line(arguments, told, capsys):
    """It names the thing and what to do."""
    assert runner.main(arguments) == 2
    (line,) = capsys.readouterr().err.splitlines()
    assert told in line


def test_what_cannot_be_installed_is_one_line(monkeypatch, capsys, tmp_path):
    """The last error of pip, with what it was about."""
    program = "import sys; print('noise', file=sys.stderr); sys.exit('ERROR: No matching\\tthing')"
    with pytest.raises(CannotInstall, match=r"^it cannot be installed: ERROR: No matching thing$"):
        environments._run([sys.executable, "-c", program], "it")

    def refuse(*_):
        raise CannotInstall("tinydb==2.0.1 cannot be installed: no such version")

    monkeypatch.setattr(runner, "overlay", refuse)
    assert runner.main([NAME, "--environments", str(tmp_path)]) == 2
    assert capsys.readouterr().err == "tinydb==2.0.1 cannot be installed: no such version\n"


def test_what_was_seen_is_kept(monkeypatch, tmp_path):
    """In the order of the data; what is seen again takes the place of what was."""
    monkeypatch.setattr(seen, "DATA", tmp_path / "seen.json")
    bug = BUGS[NAME]
    for counted in (
        seen.Counted(NAME, bug.fixed, 1, 2, 3.0),
        seen.Counted(NAME, bug.bad, 2, 2, 3.0),
        seen.Counted(NAME, bug.fixed, 2, 2, 4.0),
        seen.Counted("gone", "1.0", 2, 2, 4.0),
    ):
        seen.keep(counted)
    assert [(one.version, one.right) for one in seen.kept().values()] == [
        (bug.bad, 2),
        (bug.fixed, 2),
    ]
    assert f"| `{NAME}` | {bug.row} | {bug.bad} | 2 of 2 | {bug.fixed} | 2 of 2 |" in seen.page()


@pytest.mark.night
def test_every_bug_is_caught_and_cleared():
    """Each bad version is broken and each fixed one holds, with one seed; needs a registry."""
    assert runner.main(["--jobs", "2"]) == 0
