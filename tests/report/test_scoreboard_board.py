"""A board says of each guarantee no more than a run has shown, and is the same when it is read."""

from __future__ import annotations

import json
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import settings as hypothesis_settings
from report_samples import CHANGED, LOST, broken, known, records, run, three_broken, unclaimed
from scoreboard_samples import BROKEN, SHUT, SOUND, board, drawn_entries, entry, row

from sessionproof.contract.verdicts import Reproducer, Verdict
from sessionproof.report.brief import brief
from sessionproof.report.result import merge
from sessionproof.report.scoreboard.badges import badge_words
from sessionproof.report.scoreboard.board import Standing
from sessionproof.report.scoreboard.compact import hiding, with_result
from sessionproof.report.scoreboard.files import read_board, write_board
from sessionproof.report.scoreboard.sentences import standing_words

SCRIPT = "print('as it was written')\n"


def compacted(result, folder):
    """What a board keeps of a run whose report lies in the folder."""
    return with_result(entry("x"), result, folder, hiding({folder: ""}))


def test_red_is_what_a_script_showed_alone(tmp_path):
    """A break whose script did not fail by itself is another state than one whose script did."""
    confirmed = replace(LOST, reproducer=Reproducer(file="repro/CORE-08.py", fails=True))
    unsure = replace(CHANGED, reproducer=Reproducer(file="repro/CORE-06.py", fails=False))
    none = replace(CHANGED, reproducer=Reproducer(file="", said="no script"))
    result = run(merge(records(broken("CORE-08", unsure, confirmed), broken("CORE-06", unsure),
                               broken("CORE-01", none), broken("SEQ-03"))))  # fmt: skip
    found = {one.id: one for one in compacted(result, tmp_path).rows}
    assert found["CORE-08"].standing is Standing.BROKEN
    assert (found["CORE-08"].findings, found["CORE-08"].confirmed) == (2, 1)
    assert found["CORE-08"].example.seen == LOST.seen  # that which was confirmed
    for name in ("CORE-06", "CORE-01", "SEQ-03"):
        assert found[name].standing is Standing.UNCONFIRMED
    assert found["CORE-02"].standing is Standing.HOLDS


def test_what_is_not_claimed_is_neither_broken_nor_holds(tmp_path):
    """Rows that decide nothing are not claimed, whatever was seen of them."""
    found = {one.id: one for one in compacted(unclaimed, tmp_path).rows}
    assert found["CORE-08"].standing is Standing.NOT_CLAIMED
    assert found["CORE-08"].remark == "seen broken"
    assert found["CORE-02"].standing is Standing.NOT_CLAIMED
    assert found["CORE-02"].remark == ""


def test_a_known_break_is_broken_on_a_board(tmp_path):
    """A list of excuses is the user's: no board knows one."""
    found = {one.id: one for one in compacted(known, tmp_path).rows}
    assert found["CORE-08"].standing is Standing.BROKEN


def test_a_store_without_a_version_has_that_of_its_package(tmp_path):
    """A run may not know it; what was installed is known."""
    assert compacted(replace(three_broken, store_version=None), tmp_path).version == "1.2.3"
    assert compacted(replace(three_broken, store_version="9"), tmp_path).version == "9"


def test_scripts_are_kept_and_folders_hidden(tmp_path):
    """The text of a script travels with the board; paths of the machine do not."""
    (tmp_path / "repro").mkdir()
    script = tmp_path / "repro" / "CORE-08.py"
    script.write_text(f"{SCRIPT}# {tmp_path}/repro/CORE-08.py\n")
    (example,) = [one.example for one in compacted(three_broken, tmp_path).rows
                  if one.id == "CORE-08"]  # fmt: skip
    assert example.script == f"{SCRIPT}# repro/CORE-08.py\n"
    script.write_text("x" * 100_000)  # one that carries files
    (example,) = [one.example for one in compacted(three_broken, tmp_path).rows
                  if one.id == "CORE-08"]  # fmt: skip
    assert example.script == ""


def test_a_script_elsewhere_is_not_read(tmp_path):
    """A result that names a file outside its report's scripts gets nothing of it."""
    (tmp_path / "secret.py").write_text("secret")
    outside = replace(LOST, reproducer=Reproducer(file="../secret.py", fails=True))
    result = run(merge(records(broken("CORE-08", outside))))
    (found,) = [one for one in compacted(result, tmp_path / "report").rows if one.example]
    assert found.example.script == ""


def test_inner_folders_are_hidden_first(tmp_path):
    """Of folders within each other the words of the inner one stand in the text."""
    hide = hiding({tmp_path: "outer", tmp_path / "in": ""})
    assert hide(f"see {tmp_path}/in/a.py and {tmp_path}/b.py") == "see a.py and outer/b.py"


def test_a_cut_leaves_no_piece_of_a_folder(tmp_path):
    """Folders are hidden before a text is cut, as half of one would not be known."""
    long = replace(LOST, seen=f"{tmp_path}/" * 400)
    result = run(merge(records(broken("CORE-08", long))))
    hidden = with_result(entry("x"), result, tmp_path / "report", hiding({tmp_path: "here"}))
    (found,) = [one for one in hidden.rows if one.example]
    assert tmp_path.parts[1] not in found.example.seen
    assert tmp_path.name not in found.example.seen


def test_texts_are_the_same_on_any_machine(tmp_path):
    """Private folders of runs, what a store wrote to stderr, and lone surrogates are not kept."""
    private = "/dev/shm/sessionproof-7l_ltetr/shorter-jm7pwlzi/judged-j2b5iu8i/seat-0/"
    said = (
        f"line 4 from '{private}histories/p1.jsonl'; \ud800 [cmd:x]; stderr:\n  File \"a.py\"\nEnd"
    )
    result = run(merge(records(broken("CORE-08", replace(LOST, seen=said)))))
    (found,) = [one for one in compacted(result, tmp_path).rows if one.example]
    assert found.example.seen == "line 4 from 'histories/p1.jsonl'; \\ud800"


def test_what_came_after_an_error_is_kept():
    """Its stderr goes, on one line or on many; a very long text is no reason to wait."""
    said = "it raised OSError: no space [cmd:x]; stderr: File 'a.py', line 3; then it went on"
    assert brief(said) == "it raised OSError: no space; then it went on"
    assert brief("disk full; stderr:; then it went on") == "disk full; then it went on"
    assert brief("disk full") == "disk full"
    assert len(brief("/" * 100_000 + " [" * 100_000 + "/ab" * 100_000)) == 600_000


@hypothesis_settings(max_examples=25)
@given(drawn_entries())
def test_counts_add_up(store):
    """The numbers of the groups add up to those of the store, and these to its rows."""
    every = store.counted()
    assert sum(every.values()) == len(store.rows)
    of_groups = [store.counted(group) for group in {one.group for one in store.rows}]
    for standing in Standing:
        assert sum(one.get(standing, 0) for one in of_groups) == every.get(standing, 0)
        assert len(store.of(standing)) == every.get(standing, 0)
    broken = every.get(Standing.BROKEN, 0)
    assert badge_words(store)[0].startswith(f"{broken} broken") is bool(broken)
    assert (f"{broken} broken" in standing_words(every).split(", ")) is bool(broken)


def test_a_board_is_read_as_it_was_written(tmp_path):
    """All that a board holds comes back, lone surrogates and stores without rows included."""
    written = board(
        replace(BROKEN, notes=("a\ud800b",)), SHUT, SOUND, interrupted=True, machine={"cpu": "x"}
    )
    write_board(written, tmp_path)
    assert read_board(tmp_path) == written
    again = {path: path.read_bytes() for path in tmp_path.rglob("*") if path.is_file()}
    write_board(read_board(tmp_path), tmp_path)
    assert {path: path.read_bytes() for path in again} == again


def test_a_smaller_board_leaves_nothing_of_the_larger(tmp_path):
    """Files of stores that are no more on the board go; files of others stay."""
    (tmp_path / "data").mkdir()
    (tmp_path / "data" / "theirs.json").write_text("{}")
    write_board(board(SOUND, BROKEN), tmp_path)
    write_board(board(SOUND), tmp_path)
    assert sorted(path.name for path in tmp_path.rglob("broken*")) == []
    assert (tmp_path / "data" / "theirs.json").read_text() == "{}"


def spoiled(folder, file, change):
    """What reading says of a board in which a file was changed."""
    write_board(board(SOUND, BROKEN), folder)
    path = folder / file
    path.write_text(change(path.read_text()))
    with pytest.raises(ValueError) as caught:
        read_board(folder)
    (line,) = str(caught.value).splitlines()
    return line


@pytest.mark.parametrize(
    ("file", "change", "said"),
    [
        ("scoreboard.json", lambda _: "{", "it is not JSON"),
        ("scoreboard.json", lambda _: "[]", "no field schema"),
        ("scoreboard.json", lambda text: text.replace('"schema": 1', '"schema": 2'), "version"),
        ("scoreboard.json", lambda text: text.replace('"sound"', '"../sound"'), "must be names"),
        ("data/sound.json", lambda text: text.replace('"holds"', '"good"', 1), "good"),
        ("data/sound.json", lambda text: text.replace('"sound"', '"other"'), "is about other"),
        ("data/sound.json", lambda text: text.replace('"seconds"', '"s"').replace(
            '"running_s":48.2', '"running_s":"long"'), "running_s"),
    ],
)  # fmt: skip
def test_what_is_no_board_is_refused_in_a_line(tmp_path, file, change, said):
    """A damaged or foreign file is named with what is wrong in it."""
    line = spoiled(tmp_path, file, change)
    assert said in line
    assert file in line


def test_a_missing_file_is_named(tmp_path):
    """A board without the data of one of its stores cannot be read, and says of which."""
    write_board(board(SOUND), tmp_path)
    (tmp_path / "data" / "sound.json").unlink()
    with pytest.raises(ValueError, match=r"sound\.json"):
        read_board(tmp_path)


def test_the_data_is_small(tmp_path):
    """A store of which all is known takes a few tens of kilobytes."""
    write_board(board(BROKEN), tmp_path)
    assert (tmp_path / "data" / "broken.json").stat().st_size < 30_000
    assert json.loads((tmp_path / "data" / "broken.json").read_text())["schema"] == 1


def test_badges_say_what_the_board_says():
    """The message has what is broken, unconfirmed and untold; a store that is none of it holds."""
    assert badge_words(BROKEN) == ("1 broken, 1 not confirmed, could not tell 1", "red")
    assert badge_words(SOUND)[0].startswith("holds ")
    assert badge_words(SOUND)[1] == "green"
    assert badge_words(SHUT) == ("not opened", "grey")
    part = replace(SOUND, state="cut short", problem="its time was over")
    assert badge_words(part)[0].startswith("cut short, holds ")
    assert badge_words(part)[1] == "grey"
    untold = entry("x", row("CORE-01", Verdict.UNKNOWN))
    assert badge_words(untold)[1] == "yellow"
