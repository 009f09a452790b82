"""Bugs of the past: the data, the runner, and at night each of them for real."""

import importlib.metadata
import threading
from dataclasses import replace

import pytest
from packaging.version import Version

from fixtures.past_bugs import __main__ as runner
from fixtures.past_bugs import environments, judging, seen
from fixtures.past_bugs.bugs import BUGS, ENVIRONMENTS
from fixtures.past_bugs.environments import ROOT, Place, Places
from fixtures.past_bugs.judging import NoResult, Seen
from sessionproof.contract.claims import Claims, required
from sessionproof.contract.guarantees import GUARANTEES
from sessionproof.contract.lookup import STORES
from sessionproof.contract.verdicts import Verdict
from sessionproof.engine.children import Ended
from sessionproof.engine.environments import Environment, NotInstalled
from sessionproof.report.result import GuaranteeResult, RunResult

BROKEN = Seen(verdict=Verdict.BROKEN, said="lost-message: gone", seconds=1.0)
HOLDS = Seen(verdict=Verdict.HOLDS, said="", seconds=1.0)
UNKNOWN = Seen(verdict=Verdict.UNKNOWN, said="too slow", seconds=1.0)
NAME = "tinydb-last-id"
BUG = BUGS[NAME]


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


@pytest.fixture
def judged(monkeypatch):
    """Runs that answer what the test says, by the version and the seed; nothing is installed."""
    answers = {}

    class Nowhere:
        def __init__(self, folder, stop):
            pass

        def ready(self, bug, version):
            return version

    def judge(bug, seeds, version, stop):
        found = {seed: answers[version][seed - 1] for seed in seeds}
        for answer in found.values():
            if isinstance(answer, BaseException):
                raise answer
        return found

    monkeypatch.setattr(runner, "Places", Nowhere)
    monkeypatch.setattr(runner, "judge", judge)
    return answers


@pytest.fixture
def files(monkeypatch, tmp_path):
    """What is seen is kept in files of the test's own."""
    monkeypatch.setattr(seen, "DATA", tmp_path / "seen.json")
    monkeypatch.setattr(seen, "PAGE", tmp_path / "page.md")


def test_runs_are_counted(judged, tmp_path, capsys):
    """Caught in the bad version, cleared in the fixed one; what could not tell is neither."""
    judged |= {BUG.bad: [BROKEN, HOLDS], BUG.fixed: [HOLDS, UNKNOWN]}
    arguments = [NAME, "--seeds", "2", "--environments", str(tmp_path)]
    assert runner.main(arguments) == 1
    told = capsys.readouterr().out.splitlines()
    about = f"{NAME} {BUG.bad}"
    assert f"{about}: {BUG.row} caught with 1 of 2 seeds, 2.0 s" in told
    assert f"{about} seed 2: not caught: holds: " in told
    assert f"{about}: {BUG.row} caught in 1 of 2, 1.0 s a seed; not with seed 2" in told
    about = f"{NAME} {BUG.fixed}"
    assert f"{about} seed 2: not cleared: could not tell: too slow" in told
    assert f"{about}: {BUG.row} cleared in 1 of 2, 1.0 s a seed; not with seed 2" in told
    judged |= {BUG.bad: [BROKEN] * 2, BUG.fixed: [HOLDS] * 2}
    assert runner.main(arguments) == 0


def run_of(monkeypatch, row, code):
    """What ``judge`` makes of a run that ended with this code and said this of the bug's row."""
    result = RunResult(
        store="s", store_version=None, profile="gate", seed=4, guarantees=(row,), sessionproof="0"
    )
    commands = []

    def run_and_read(command, **_):
        commands.append(command)
        return Ended(code=code), ""

    monkeypatch.setattr(judging, "run_and_read", run_and_read)
    monkeypatch.setattr(judging, "judged", lambda *_: ("judged", "", result))
    seen_by_seed = judging.judge(BUG, range(4, 7), Place(ROOT, ROOT), threading.Event())
    return seen_by_seed, " ".join(commands[0])


def row_of(verdict, **others):
    return GuaranteeResult(id=BUG.row, group="", promise="", verdict=verdict, **others)


def test_each_seed_has_a_verdict_of_its_own(monkeypatch):
    """One run has all seeds; the row's reason is told of those that it is the reason of."""
    row = row_of(Verdict.UNKNOWN, reason="too slow", seeds={"unknown": (5,), "holds": (4, 6)})
    by_seed, command = run_of(monkeypatch, row, 4)
    assert "--seed 4 --seeds 3" in command
    assert {seed: (one.verdict, one.said) for seed, one in by_seed.items()} == {
        4: (Verdict.HOLDS, ""),
        5: (Verdict.UNKNOWN, "too slow"),
        6: (Verdict.HOLDS, ""),
    }
    by_seed, _ = run_of(monkeypatch, row_of(Verdict.HOLDS), 0)
    assert {one.verdict for one in by_seed.values()} == {Verdict.HOLDS}


@pytest.mark.parametrize(("verdict", "code"), [(Verdict.BROKEN, 0), (Verdict.HOLDS, 1)])
def test_a_broken_row_alone_is_no_catch(monkeypatch, verdict, code):
    """The exit code says it, too; a row that holds in a run that failed is not cleared."""
    with pytest.raises(NoResult, match=f"exit code {code}, though {BUG.row} {verdict.shown}"):
        run_of(monkeypatch, row_of(verdict), code)


def test_what_is_known_is_not_run_again():
    """The rest is run in as few runs as there can be."""
    known = {(NAME, BUG.bad): seen.unknown(BUG, BUG.bad).also(1, BROKEN).also(3, UNKNOWN)}
    wanted = runner.turns([BUG], 5, known)
    assert [(one.version, one.seeds) for one in wanted] == [
        (BUG.bad, range(2, 3)),
        (BUG.bad, range(4, 6)),
        (BUG.fixed, range(1, 6)),
    ]


def test_it_goes_on_from_what_was_seen(judged, files, capsys):
    """A run is kept as soon as it has ended, one without a result is not; ``--again`` forgets."""
    judged |= {BUG.bad: [BROKEN, NoResult("killed")], BUG.fixed: [HOLDS, NoResult("killed")]}
    assert runner.main([NAME, "--write"]) == 0
    arguments = [NAME, "--seeds", "2", "--write"]
    assert runner.main(arguments) == 1
    assert f"{NAME} {BUG.bad}: {BUG.row} no result: killed" in capsys.readouterr().out
    assert [(one.version, one.right) for one in seen.kept().values()] == [
        (BUG.bad, (1,)),
        (BUG.fixed, (1,)),
    ]
    judged |= {BUG.bad: [None, BROKEN], BUG.fixed: [None, UNKNOWN]}
    assert runner.main(arguments) == 1
    assert "caught with 1 of 1 seeds" in capsys.readouterr().out
    bad, fixed = seen.kept().values()
    assert (bad.right, bad.wrong, bad.runs) == ((1, 2), {}, 2)
    assert (fixed.right, fixed.wrong) == ((1,), {2: "could not tell"})
    page = seen.PAGE.read_text("utf-8")
    assert f"| `{NAME}` | {BUG.row} | {BUG.bad} | 2 of 2 | {BUG.fixed} | 1 of 2 |" in page
    assert f"- `{NAME}` {BUG.fixed}, {BUG.row}, seed 2: could not tell\n" in page
    assert runner.main(arguments) == 1  # a run that was not right is not tried until it is
    judged |= {BUG.bad: [BROKEN] * 2, BUG.fixed: [HOLDS] * 2}
    assert runner.main([*arguments, "--again"]) == 0
    assert [one.right for one in seen.kept().values()] == [(1, 2), (1, 2)]


def test_an_interruption_says_so(judged, files, capsys):
    """Nothing more is begun, and the exit code is that of Ctrl-C."""
    judged |= {BUG.bad: [KeyboardInterrupt()] * 2, BUG.fixed: [KeyboardInterrupt()] * 2}
    assert runner.main([NAME, "--seeds", "2", "--write"]) == 130
    assert capsys.readouterr().out == "interrupted\n"
    assert seen.kept() == {}


def test_what_another_row_saw_no_longer_counts(files, monkeypatch):
    """It was another question; so with another store."""
    seen.keep(seen.unknown(BUG, BUG.bad).also(1, BROKEN))
    assert len(seen.kept()) == 1
    monkeypatch.setitem(seen.BUGS, NAME, replace(BUG, row="CORE-01"))
    assert seen.kept() == {}


@pytest.mark.parametrize(
    ("arguments", "told"),
    [
        (["nothing"], "there is no past bug 'nothing': use one of "),
        (["--seeds", "0"], "--seeds"),
        (["--again"], "--again goes with --write"),
    ],
)
def test_bad_usage_is_one_line(arguments, told, capsys):
    """It names the thing and what to do."""
    assert runner.main(arguments) == 2
    (line,) = capsys.readouterr().err.splitlines()
    assert told in line


class Refusing:
    """Environments that are there, into which nothing can be installed."""

    def __init__(self, folder, stop):
        self.tried = 0

    def ready(self, extras, *, name, also):
        return Environment(folder=ROOT, python=ROOT / "python")

    def install(self, made, *what):
        self.tried += 1
        raise NotInstalled("ERROR: No matching distribution")


def test_what_cannot_be_installed_does_not_stop_the_others(monkeypatch, capsys, tmp_path):
    """Its runs have no result, in a line each that names it; it is tried once."""
    monkeypatch.setattr(environments, "Environments", Refusing)
    places = Places(tmp_path, threading.Event())
    for _ in range(2):
        with pytest.raises(NotInstalled, match=r"^tinydb==2.0.1 cannot be installed: ERROR: No m"):
            places.ready(BUG, BUG.bad)
    assert places._environments.tried == 1
    assert runner.main([NAME, "--environments", str(tmp_path)]) == 1
    lines = capsys.readouterr().out.splitlines()
    assert len(lines) == 2
    start = f"{NAME} {BUG.bad}: {BUG.row} no result: tinydb==2.0.1 cannot be installed: "
    assert any(line.startswith(start) for line in lines)


@pytest.mark.parametrize(
    ("ended", "told"),
    [
        (Ended(code=2), "no module"),
        (Ended(code=130, why="interrupted"), "interrupted"),
        (Ended(code=-9, why="its time was over"), "its time was over"),
        (Ended(code=-11), "killed by signal 11"),
    ],
)
def test_a_run_without_a_result_says_nothing_of_the_bug(monkeypatch, ended, told):
    """It is neither caught nor missed: why it ended is told."""

    def run_and_read(command, **_):
        return ended, "sessionproof: there is no module '\x1b[2J'\n"

    monkeypatch.setattr(judging, "run_and_read", run_and_read)
    with pytest.raises(NoResult, match=told) as raised:
        judging.judge(BUG, range(1, 2), Place(ROOT, ROOT), threading.Event())
    assert str(raised.value).isprintable()


@pytest.mark.night
def test_every_bug_is_caught_and_cleared():
    """Each bad version is broken and each fixed one holds, with one seed; needs a registry."""
    assert runner.main(["--jobs", "2"]) == 0
