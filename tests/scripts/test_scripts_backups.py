"""Lines of scripts about backups run as they stand, against a store that holds them."""

import ast

import pytest

from fixtures.benign.backups import AwaitedBackups, BackedUpLines, DumpedBackups, VacuumedBackups
from sessionproof.contract.anomalies import Anomaly
from sessionproof.contract.guarantees import GUARANTEES
from sessionproof.contract.verdicts import Finding, Record, Verdict
from sessionproof.engine.reproduce import reproduce
from sessionproof.scripts.backups import each_file, owed, read_at, restored, saved, under_load_lines
from sessionproof.scripts.program import whole
from sessionproof.trials.bad_backups import BAD

HELLO = "Message('user', 'hello')"
NEW = "Message('user', 'new')"
MADE = ["s0, s1 = 'a', 'b'"]
AWAITED = {"append", "read", "backup", "restore", "close"}


def shows(store, lines, tmp_path, awaited=()):
    """What the script of these lines says of a store: whether it fails, and its last line."""
    finding = Finding(
        anomaly=Anomaly.BAD_BACKUP, did="", expected="", seen="", script=whole(lines, awaited)
    )
    row = GUARANTEES["BAK-02"]
    record = Record(guarantee=row.id, test="t", verdict=Verdict.BROKEN, findings=(finding,))
    name = f"{store.__module__}:{store.__qualname__}"
    (made,) = reproduce(name, [record], tmp_path / "report", directory=tmp_path, attempts=1)
    reproducer = made.findings[0].reproducer
    return reproducer.fails, reproducer.said


def restores(*, logged):
    """A backup, restored into an image of what was written since."""
    return [
        *saved(MADE, HELLO, NEW, logged=logged),
        *restored("made", "image"),
        *read_at("image"),
        "assert seen == saved, seen",
    ]


@pytest.mark.parametrize(
    ("store", "awaited", "logged"),
    [
        (VacuumedBackups, (), True),
        (BackedUpLines, (), False),
        (AwaitedBackups, AWAITED, True),
    ],
)
def test_a_restore_as_lines_holds(store, awaited, logged, tmp_path):
    """Of files, of folders, and awaited."""
    assert shows(store, restores(logged=logged), tmp_path, awaited)[0] is False


def test_bad_backups_as_lines_are_refused(tmp_path):
    """Each way to spoil a backup is one line, and the store refuses what it leaves."""
    lines = [*saved(MADE, HELLO, NEW, logged=False), "from_folder = Path(made).parent"]
    for bad in BAD:
        lines += [
            "bad = Path(tempfile.mkdtemp(), Path(made).name)",
            "shutil.copytree(made, bad)",
            *each_file("bad", bad.line),
            *restored("bad", "image", may_refuse=True),
            "assert refused, 'no error'",
        ]
    lines += [*read_at("image"), "assert seen == before, seen"]
    assert shows(BackedUpLines, lines, tmp_path)[0] is False


@pytest.mark.parametrize("processes", [False, True])
def test_load_as_lines_ends(processes, tmp_path):
    """Clients in threads and forks append until the backups have been looked at."""
    store = VacuumedBackups if processes else DumpedBackups
    lines = under_load_lines(
        MADE, "Message('user', 'TEXT')", clients=2, processes=processes, shared=not processes
    )
    lines = [line.replace("+ 10", "+ 1") for line in lines]  # seconds
    assert shows(store, lines, tmp_path)[0] is False


def test_an_error_that_is_owed_not_to_be_is_a_failure():
    """It becomes an assertion, which says what was raised."""
    code = compile("\n".join(owed("int('x')")), "script", "exec")
    with pytest.raises(AssertionError, match="ValueError: invalid literal"):
        exec(code)
    assert ast.parse("\n".join(each_file("made", "pass")))
