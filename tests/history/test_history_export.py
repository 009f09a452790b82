"""``sessionproof history export`` as a user sees it; what it says is judged in tests/checks."""

import json
from pathlib import Path

import numpy as np
import pytest
from click.testing import CliRunner

from sessionproof.cli.main import main
from sessionproof.history import elle, files, porcupine
from sessionproof.history.columns import MISSING, ROW, F, History, Phase, Type
from sessionproof.history.journal import Journal
from sessionproof.history.tokens import text_of
from sessionproof.history.transactions import Step, Transaction, to_lines

PAGE = (Path(__file__).parents[2] / "docs" / "opinions.md").read_text("utf-8")


@pytest.fixture
def command():
    """Run the command: exit code, stdout, stderr."""

    def run(*words):
        runner = CliRunner(env={"COLUMNS": "200", "PYTHONUTF8": "1"})
        result = runner.invoke(main, ["history", "export", *map(str, words)])
        assert result.exception is None or isinstance(result.exception, SystemExit)
        return result.exit_code, result.stdout, result.stderr

    return run


@pytest.fixture
def folder(tmp_path):
    """Two clients and their final reads on two sessions, one with an odd name."""
    there = tmp_path / "clients"
    there.mkdir()
    files.name_sessions(there, ["alpha", 'be"\x1b\u2028ta'])
    with Journal(there, 0, every=1) as one, Journal(there, 1, every=1) as quiet:
        for number, session in ((1, 0), (2, 1)):
            slot = one.invoke(F.APPEND, session, number << 8, 2, Phase.LOAD)
            one.complete(slot, Type.OK)
            slot = quiet.invoke(F.READ, session, number + 2 << 8, 0, Phase.FINAL)
            quiet.answered(slot, [text_of(number << 8), text_of((number << 8) + 1)])
            slot = quiet.invoke(F.COUNT, session, number + 4 << 8, 0, Phase.FINAL)
            quiet.complete(slot, Type.OK, 2)
    return there


def test_elle_gets_a_line_an_event(command, folder):
    """EDN in plain ASCII; how much was left out is said on stderr."""
    code, out, told = command(folder, "--to", "elle", "--atomic-batches")
    assert code == 0
    assert out.isascii()
    lines = out.splitlines()
    assert [line.partition(" :time")[0] for line in lines] == [
        f"{{:index {number}" for number in range(8)
    ]
    assert lines[0].endswith(
        ':process 0 :type :invoke :f :txn :value [[:append "alpha" 256] [:append "alpha" 257]]}'
    )
    assert lines[3].endswith(':type :ok :f :txn :value [[:r "alpha" [256 257]]]}')
    assert r'"be\"\u001b\u2028ta" [512 513]' in lines[7]
    assert told.splitlines() == [
        "| 4 operations for elle",
        "| left out: 2 that read a part of a session, or count",
    ]


def test_porcupine_gets_an_array(command, folder):
    """JSON, an operation a line, every field of it on the page; nothing is left out here."""
    code, out, told = command(folder, "--to", "porcupine")
    assert code == 0
    operations = json.loads(out)
    assert len(operations) == 8 == len(out.splitlines()) - 2  # each message is an operation
    for one in operations:
        for field in (*one, *one["Input"], *(one["Output"] or ())):
            assert f"`{field}`" in PAGE, field
    assert told == "| 6 operations for porcupine\n"


def test_porcupine_is_told_of_sessions_that_were_not_there(command, tmp_path):
    """A session that is missing is not an empty one; what was never answered is null."""
    files.name_sessions(tmp_path, ["alpha"])
    with Journal(tmp_path, 0, every=1) as one:
        one.complete(one.invoke(F.COUNT, 0, 256, 0, Phase.LOAD), Type.OK, MISSING)
        one.complete(one.invoke(F.COUNT, 0, 512, 0, Phase.LOAD), Type.OK, 0)
        one.complete(one.invoke(F.APPEND, 0, 768, 1, Phase.LOAD), Type.INFO)
    _, out, _ = command(tmp_path, "--to", "porcupine")
    missing, empty, unknown = (operation["Output"] for operation in json.loads(out))
    assert missing == {"Missing": True}
    assert empty["Length"] == 0
    assert unknown is None


@pytest.mark.parametrize("to", ["elle", "porcupine"])
def test_a_file_has_what_would_be_printed(command, folder, tmp_path, to):
    """It is there whole; a saved history says the same."""
    _, printed, told = command(folder, "--to", to)
    out = tmp_path / "out"
    assert command(folder, "--to", to, "--output", out) == (0, "", told)
    assert out.read_text("ascii") == printed
    files.save(files.load(folder), tmp_path / "saved.npz", shards=3)
    _, again, _ = command(tmp_path / "saved.npz", "--to", to)
    assert in_any_order(again) == in_any_order(printed)


def in_any_order(text):
    """Porcupine's operations stand in that of the rows, which is none."""
    return sorted(line.removesuffix(",") for line in text.splitlines())


def test_one_session_alone(command, folder):
    """By its id; an unknown one is 2."""
    code, out, _ = command(folder, "--to", "elle", "--session", "alpha")
    assert code == 0
    assert "ta" not in out.replace(":index", "")
    code, out, told = command(folder, "--to", "elle", "--session", "gamma")
    assert (code, out) == (2, "")
    assert "no session 'gamma'; it has 'alpha'" in told


def test_sessions_of_one_name_stay_two(command, folder):
    """A store that names two sessions alike does not have them taken for one: they are numbers."""
    files.name_sessions(folder, ["alpha", "alpha"])
    _, out, _ = command(folder, "--to", "elle")
    assert "[:append 0 256]" in out
    assert "[:append 1 512]" in out


@pytest.mark.parametrize("to", ["elle", "porcupine"])
def test_what_is_no_history_is_2(command, folder, tmp_path, to):
    """Unknown paths, foreign and damaged files, places that cannot be written: one line."""
    (tmp_path / "text.txt").write_text("a text")
    (tmp_path / "bad.jsonl").write_text('{"client": 0}\n')
    (tmp_path / "worse.jsonl").write_bytes(b"\xff\xfe")
    (tmp_path / "empty.jsonl").write_text("")
    for name in ("missing", "text.txt", "bad.jsonl", "worse.jsonl", "empty.jsonl", "no.jsonl"):
        code, out, told = command(tmp_path / name, "--to", to)
        assert (code, out) == (2, ""), name
        (line,) = told.splitlines()
        assert line.startswith("sessionproof: "), name
        assert name in line
    nowhere = tmp_path / "there" / "is" / "none"
    code, _, told = command(folder, "--to", to, "--output", nowhere)
    assert code == 2
    assert len(told.splitlines()) == 1
    assert "cannot be written" in told


def test_nothing_for_that_checker_is_2(command, tmp_path):
    """A history of cleared sessions alone has nothing for Elle: it says what there is instead."""
    files.name_sessions(tmp_path, ["alpha"])
    with Journal(tmp_path, 0, every=1) as one:
        one.complete(one.invoke(F.CLEAR, 0, 256, 0, Phase.LOAD), Type.INFO)
    code, out, told = command(tmp_path, "--to", "elle")
    assert (code, out) == (2, "")
    assert "no operation that elle can be told: only 1 in sessions that were deleted" in told
    assert command(tmp_path, "--to", "porcupine")[0] == 0


@pytest.mark.parametrize("atomic_batches", [True, False])
def test_no_operation_is_no_event(atomic_batches):
    """A history without rows is an empty text for Elle, and an empty array for Porcupine."""
    nothing = History(np.zeros(0, ROW))
    for_elle = elle.exported(nothing, atomic_batches=atomic_batches)
    assert (list(for_elle.text), for_elle.operations, for_elle.left_out) == ([], 0, {})
    for_porcupine = porcupine.exported(nothing, atomic_batches=atomic_batches)
    assert json.loads("".join(for_porcupine.text)) == []
    assert (for_porcupine.operations, for_porcupine.left_out) == (0, {})


def test_a_checker_must_be_named(command, folder):
    """Bad usage is 2 and names what there is."""
    for words in ([], ["--to", "knossos"]):
        code, _, told = command(folder, *words)
        assert code == 2
        assert "elle" in told
        assert "porcupine" in told


def transactions():
    """One that took place over two sessions, one unknown, one refused and again, a read."""
    return (
        Transaction(0, 10, 20, "ok", (Step("append", "a", (1, 2)), Step("read", "b", ()))),
        Transaction(1, 12, None, "info", (Step("append", "b", (3,)), Step("read", "a", None))),
        Transaction(2, 13, 14, "fail", (Step("append", "b", (4,)),)),
        Transaction(2, 15, 30, "ok", (Step("append", "b", (4,)), Step("read", "b", (3, 4)))),
        Transaction(3, 40, 50, "fail", (Step("append", "a", (5,)),)),
    )


def test_transactions_are_for_elle(command, tmp_path):
    """All steps in their order; what was refused and came again is sent once."""
    path = tmp_path / "transactions.jsonl"
    path.write_text(to_lines(transactions()))
    code, out, told = command(path, "--to", "elle")
    assert code == 0
    events = [line.partition(":process ")[2] for line in out.splitlines()]
    assert events == [
        '0 :type :invoke :f :txn :value [[:append "a" 1] [:append "a" 2] [:r "b" nil]]}',
        '1 :type :invoke :f :txn :value [[:append "b" 3] [:r "a" nil]]}',
        '2 :type :invoke :f :txn :value [[:append "b" 4] [:r "b" nil]]}',
        '0 :type :ok :f :txn :value [[:append "a" 1] [:append "a" 2] [:r "b" []]]}',
        '2 :type :ok :f :txn :value [[:append "b" 4] [:r "b" [3 4]]]}',
        '3 :type :invoke :f :txn :value [[:append "a" 5]]}',
        '3 :type :fail :f :txn :value [[:append "a" 5]]}',
        '1 :type :info :f :txn :value [[:append "b" 3] [:r "a" nil]]}',
    ]
    assert told.splitlines() == [
        "| 4 operations for elle",
        "| left out: 1 refused, and sent again",
    ]
    for words in (["--to", "porcupine"], ["--to", "elle", "--session", "a"]):
        code, out, told = command(path, *words)
        assert (code, out) == (2, "")
        assert "several sessions" in told


def test_the_line_of_a_transaction_is_on_the_page():
    """What docs/opinions.md shows is what is read."""
    one = Transaction(0, 1, 2, "ok", (Step("append", "s", (1,)), Step("read", "s", (1,))))
    assert f"`{to_lines([one]).strip()}`" in PAGE


def test_a_read_without_an_answer_says_nothing():
    """Of a transaction that took place: nil would be an empty list to Elle."""
    one = Transaction(0, 1, 2, "ok", (Step("append", "a", (1,)), Step("read", "b", None)))
    assert "".join(elle.of_transactions([one]).text).endswith(':value [[:append "a" 1]]}\n')
