"""Mistakes in the use of the command: one clear line, exit code 2, and nothing lost."""

import pytest
from commands import judge

MEMORY = "sessionproof.oracle.memory:MemoryStore"


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (("nosuchmodule:Store",), "no module 'nosuchmodule'"),
        (("hostile:NoSuchClass",), "no attribute 'NoSuchClass'"),
        (("hostile:prints",), "did you mean 'Prints'?"),
        (("nosuchname",), "no store is called 'nosuchname'"),
        (("cmd:/no/such/program",), "no program '/no/such/program'"),
        (("cmd:",), "names no command"),
        (("cmd:echo garbage",), "garbage"),
        ((MEMORY, "--nope"), "No such option"),
        ((), "Missing argument 'STORE'"),
        ((MEMORY, "--profile", "fast"), "no profile 'fast': use smoke, gate, deep"),
        ((MEMORY, "--only", "FOO"), "no guarantee 'FOO'"),
        ((MEMORY, "--accept-unknown", "FOO"), "no guarantee 'FOO'"),
        ((MEMORY, "--require", "handles=lots"), "one of one, tasks, threads, processes"),
        ((MEMORY, "--require", "nonsense"), "no NAME=LEVEL"),
        ((MEMORY, "-n", "0"), "'-n' / '--workers'"),
        ((MEMORY, "--location", "missing"), "--location missing does not exist"),
        ((MEMORY, "--location", "a-file"), "--location a-file is a file"),
    ],
)
def test_is_told_in_one_line(arguments, words, tmp_path):
    """Each mistake names the thing and the remedy in one line."""
    (tmp_path / "a-file").write_text("")
    ran = judge(tmp_path, *arguments)
    assert ran.code == 2, ran
    assert words in ran.err
    assert ran.err.count("\n") == 1
    assert not ran.out
    assert not ran.result


def test_a_report_folder_that_is_a_file(tmp_path):
    """A report that cannot be written is told before the run, and the file stays as it was."""
    (tmp_path / "report").write_text("mine")
    ran = judge(tmp_path, MEMORY)
    assert ran.code == 2
    assert "--report" in ran.err
    assert (tmp_path / "report").read_text() == "mine"
