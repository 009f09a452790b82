"""Which changes of a check's code no test of it notices: mutation testing, by mutmut 3.

``python benchmarks/mutation.py managing users_owed`` copies what git tracks into a folder, lets
mutmut change each function of these modules of ``checks/`` in many small ways, and runs the tests
of ``tests/checks`` that call it with each. It prints what lived, as lines before and after, and a
sum for each module; without names it takes all modules, which is some fifteen thousand changes and
an hour. Tests that draw thousands of histories are asked only where no other one noticed. With
``--folder`` what was found is kept there, and a second call goes on where the first ended. It needs
``pip install mutmut``.

What lives is a gap of the tests, or a change that changes nothing: a default that is never used, a
limit that no value meets. These are explained in ``benchmarks/lives/MODULE.toml``; the call ends
with 1 if something else lives. A change of a text is caught by the whole answers
(``tests/checks/whole_answers.py``).
"""

from __future__ import annotations

import argparse
import json
import os
import shutil
import subprocess
import sys
import tempfile
import tomllib
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path

ROOT = Path(__file__).parents[1]
CHECKS = "src/sessionproof/checks"
LIVES = Path(__file__).with_name("lives")
_ALIVE, _UNTESTED = 0, 33  # exit codes that mutmut keeps
_KILLED = (1, 3)
_SETTINGS = """
[tool.mutmut]
source_paths = ["src"]
only_mutate = {only}
also_copy = ["conftest.py", "fixtures", "suites", "docs", "examples", "benchmarks", "reports",
             "README.md", "LICENSE", "CHANGELOG.md"]
pytest_add_cli_args_test_selection = {quick}
pytest_add_cli_args = {plainly}
use_setproctitle = false
"""
_PLAINLY = ("-p", "no:cacheprovider", "-p", "no:xdist", "--hypothesis-seed=1")
_SLOW = (
    *(
        f"tests/checks/test_checks_{name}.py"
        for name in ("exports", "fuzz", "log_exhaustive", "log_speed")
    ),
    "tests/checks/test_checks_survivors.py::test_the_judge_and_every_order_agree",
    "tests/checks/test_checks_transactions.py::test_it_agrees_with_a_search_through_all_orders",
)  # they take ten times as long as all others


def prepared(folder: Path, modules: list[str]) -> None:
    """A copy of the checkout in which mutmut finds a module's name in its path."""
    asked = ["git", "-C", str(ROOT), "ls-files", "-z"]
    listed = subprocess.run(asked, stdout=subprocess.PIPE, check=True)
    for name in listed.stdout.decode("utf-8").split("\0")[:-1]:
        place = folder / (
            f"src{name.removeprefix('harness')}" if name.startswith("harness/") else name
        )
        if (ROOT / name).is_file():
            place.parent.mkdir(parents=True, exist_ok=True)
            shutil.copy2(ROOT / name, place)
    text = (ROOT / "pyproject.toml").read_text("utf-8")
    text = text.replace("harness/sessionproof", "src/sessionproof").replace('"harness"', '"src"')
    only = json.dumps([f"{CHECKS}/{name}.py" for name in modules] or [f"{CHECKS}/*"])
    quick = ["tests/checks", *(f"--deselect={name}" for name in _SLOW)]
    settings = _SETTINGS.format(only=only, quick=json.dumps(quick), plainly=json.dumps(_PLAINLY))
    (folder / "pyproject.toml").write_text(text + settings, "utf-8")


def outcomes(folder: Path) -> Iterator[tuple[str, dict[str, int | None]]]:
    """By module, the exit code of the tests for each change; None where they have not run."""
    for meta in sorted((folder / "mutants" / CHECKS).glob("*.meta")):
        codes = json.loads(meta.read_text("utf-8"))["exit_code_by_key"]
        if codes:
            yield meta.name.removesuffix(".py.meta"), codes


@dataclass(frozen=True)
class Change:
    """Lines of a function before and after, each without the spaces around it."""

    function: str  # as "f" or "Class.method"
    before: str
    after: str


def explained(module: str, folder: Path = LIVES) -> dict[Change, str]:
    """The changes of a module that may live, and why.

    The file has tables ``[[lives]]`` with ``why`` and ``changes``, a list of ``[function, before,
    after]``; several lines are parted by newlines.
    """
    file = folder / f"{module}.toml"
    if not file.exists():
        return {}
    tables = tomllib.loads(file.read_text("utf-8"))["lives"]
    return {Change(*change): table["why"] for table in tables for change in table["changes"]}


def changed(module: str, name: str) -> Change:
    """What mutmut changed under this name, without its context."""
    from mutmut.mutation.diff_apply import get_diff_for_mutant

    lines = get_diff_for_mutant(name, path=Path(f"{CHECKS}/{module}.py")).splitlines()
    before, after = (
        "\n".join(
            line[1:].strip()
            for line in lines
            if line.startswith(sign) and not line.startswith(3 * sign)
        )
        for sign in "-+"
    )
    function = name.rpartition("__mutmut_")[0].rpartition(".")[2]
    function = function.removeprefix("x_").removeprefix("xǁ").replace("ǁ", ".")
    return Change(function, before, after)


def main() -> None:
    """Change, test and tell."""
    formatter = argparse.RawTextHelpFormatter
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=formatter)
    parser.add_argument("modules", nargs="*", help="as in checks/; all by default")
    parser.add_argument("--folder", type=Path, help="where to work, and what to go on with")
    parser.add_argument("--children", type=int, default=os.cpu_count() or 1)
    given = parser.parse_args()
    if not find_spec("mutmut"):
        sys.exit("mutmut is not installed here: pip install mutmut")
    folder = (given.folder or Path(tempfile.mkdtemp(prefix="mutation-"))).resolve()
    prepared(folder, given.modules)
    ended = subprocess.run(
        [sys.executable, "-m", "mutmut", "run", "--max-children", str(given.children)],
        cwd=folder, env={**os.environ, "PYTHONDONTWRITEBYTECODE": "1"}, check=False,
    )  # fmt: skip
    os.chdir(folder)  # where mutmut looks for what it made
    if slow_tests_notice("", folder / "mutants"):
        sys.exit(f"{', '.join(_SLOW)}: they fail without a change, so they tell nothing")
    total: Counter[str] = Counter()
    for module, codes in outcomes(folder):
        words = Counter(_told(module, codes, folder / "mutants"))
        total += words
        sys.stdout.write(f"{module}: {dict(words)}\n")
    sys.stdout.write(f"all: {dict(total)}\n")
    if not given.folder:
        shutil.rmtree(folder)
    sys.exit(ended.returncode or (1 if total["alive"] else 0))


def _told(module: str, codes: dict[str, int | None], copy: Path) -> Iterator[str]:
    """A word for each change; what lives unexplained is printed as the tables write it."""
    known = explained(module)
    for name, code in codes.items():
        if code not in (_ALIVE, _UNTESTED):
            yield {None: "not tried"}.get(code, "killed" if code in _KILLED else "stopped")
        elif (change := changed(module, name)) in known:
            yield "explained"
        elif slow_tests_notice(name, copy):
            yield "killed"
        else:
            parts = (change.function, change.before, change.after)
            listed = json.dumps(parts, ensure_ascii=False)
            sys.stdout.write(f"{module} {name.rpartition('_')[2]}: {listed}\n")
            yield "alive"


def slow_tests_notice(name: str, copy: Path) -> bool:
    """Whether a test that the first look left out fails with this change; "" is none."""
    paths = os.pathsep.join(map(str, (copy / "src", copy)))
    ended = subprocess.run(
        [sys.executable, "-m", "pytest", "-x", "-q", "--assert=plain", *_PLAINLY, *_SLOW],
        cwd=copy, env={**os.environ, "MUTANT_UNDER_TEST": name, "PYTHONPATH": paths},
        stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, check=False,
    )  # fmt: skip
    return ended.returncode in _KILLED


if __name__ == "__main__":
    main()
