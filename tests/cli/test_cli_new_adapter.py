"""``sessionproof new-adapter``: what it writes runs at once, and nothing is ever lost."""

import json
import os
import shlex
import subprocess
import sys

import pytest

EVERYTHING = "SESSIONPROOF_DEEP" in os.environ


def sessionproof(folder, *arguments):
    """The command in a folder, as a user runs it."""
    return subprocess.run(
        [sys.executable, "-m", "sessionproof", *arguments], cwd=folder, capture_output=True,
        check=False, encoding="utf-8", timeout=300,
    )  # fmt: skip


@pytest.mark.parametrize("flags", [(), pytest.param(("--async",), marks=pytest.mark.night)])
def test_the_starter_holds_all_that_it_claims(flags, tmp_path):
    """The file that was written, judged by the command that was printed, holds.

    Each change takes profile smoke and some groups, the night all of them and profile gate.
    """
    (tmp_path / "my shop").mkdir()
    written = sessionproof(tmp_path, "new-adapter", "my shop/shop.py", *flags)
    assert (written.returncode, written.stderr) == (0, "")
    assert written.stdout == "cd 'my shop' && sessionproof run shop:Store\n"
    _, folder, _, _, *command = shlex.split(written.stdout)
    quick = ("--profile", "smoke", *(f"--only={group}" for group in ("CORE", "SEQ", "COR")))
    ran = sessionproof(tmp_path / folder, *command, "--seed", "1", *([] if EVERYTHING else quick))
    assert ran.returncode == 0, ran.stdout
    result = json.loads((tmp_path / folder / "sessionproof-report" / "result.json").read_text())
    held = {row["id"] for row in result["guarantees"] if row["verdict"] == "holds"}
    assert held >= {"CORE-01", "CORE-02", "CORE-03", "CORE-08", "CORE-11", "SEQ-03"}
    assert (result["claims_declared"], result["store_version"]) == (True, "0.1")
    assert ("async def read" in (tmp_path / "my shop" / "shop.py").read_text()) is bool(flags)


def test_without_a_name_it_is_mystore(tmp_path):
    """The file has a name that needs no thought, and the next command names it."""
    written = sessionproof(tmp_path, "new-adapter")
    assert written.stdout == "sessionproof run mystore:Store\n"
    assert [path.name for path in tmp_path.iterdir()] == ["mystore.py"]


@pytest.mark.parametrize(
    ("name", "told"),
    [
        ("mine", "mine.py is there already"),
        ("a-b", "'a-b' is no name of a module"),
        ("class", "'class' is no name of a module"),
        ("json", "a module json is there already"),
        ("click", "a module click is there already"),
        ("sessionproof.py", "a module sessionproof is there already"),
        ("nowhere/shop.py", "nowhere/shop.py cannot be written: No such file or directory"),
    ],
)
def test_a_mistake_is_told_in_one_line(name, told, tmp_path):
    """A name that cannot be used ends with exit code 2, and no file is written or changed."""
    (tmp_path / "mine.py").write_text("mine", "utf-8")
    ended = sessionproof(tmp_path, "new-adapter", name)
    assert ended.returncode == 2
    assert told in ended.stderr
    assert ended.stderr.count("\n") == 1
    assert [path.name for path in tmp_path.iterdir()] == ["mine.py"]
    assert (tmp_path / "mine.py").read_text("utf-8") == "mine"
