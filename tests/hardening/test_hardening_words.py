"""Whatever a store or a file says, no terminal, log, page or script that we make obeys it."""

import ast
import io
import re
from dataclasses import replace
from pathlib import Path
from xml.etree import ElementTree as ET

import pytest
from commanded import command
from hostile_words import PIECES, assert_harmless, hostile_texts
from hypothesis import given, settings
from hypothesis import strategies as st
from rich.console import Console

from sessionproof import Message
from sessionproof.cli.upkeep import say
from sessionproof.contract.anomalies import Anomaly
from sessionproof.contract.guarantees import GUARANTEES
from sessionproof.contract.verdicts import Finding, Record, Verdict
from sessionproof.engine.judge import LOG, _keep_logs
from sessionproof.engine.scripts import source_of
from sessionproof.reference.store import ReferenceStore
from sessionproof.report.html import render_html
from sessionproof.report.junit import render_junit
from sessionproof.report.markdown import code, fenced, plain
from sessionproof.report.plain import for_terminal
from sessionproof.report.result import RunResult, concluded, merge
from sessionproof.report.summary import render_summary
from sessionproof.report.terminal import print_summary
from sessionproof.trials.single import told

EVIL = "".join(PIECES)
_ENTITY = re.compile(r"&#\d+;")


def finding(text):
    """A finding in which every sentence is the text."""
    return Finding(
        anomaly=Anomaly.CHANGED, did=text, expected=text, seen=text, program=(text,), repeat=text
    )


def result(text):
    """The result of a run in which every text of a store is the text."""
    broken = Record(
        guarantee="CORE-01", test=text, verdict=Verdict.BROKEN, findings=(finding(text),),
        notes=(text,),
    )  # fmt: skip
    unknown = Record(guarantee="CORE-02", test=text, verdict=Verdict.UNKNOWN, reason=text)
    return concluded(
        RunResult(
            store=text,
            store_version=text,
            profile="smoke",
            seed=1,
            guarantees=merge([broken, unknown], ("CORE-01", "CORE-02")),
            environment={text: text},
            notes=(text,),
            command=text,
            sessionproof="0",
        )
    )


@given(hostile_texts(), st.sampled_from(["utf-8", "ascii", "cp1252"]), st.booleans())
def test_a_terminal_obeys_nothing(text, encoding, lines):
    """A text for a terminal is harmless in every encoding, as one line and as several."""
    safe = for_terminal(text, encoding, lines=lines)
    assert_harmless(safe, lines=lines)
    safe.encode(encoding)


@given(hostile_texts())
def test_a_line_that_is_said_is_one_line(text):
    """What commands say in a line stays in it, with nothing taken for markup."""
    screen = io.StringIO()
    say(Console(file=screen, width=40, force_terminal=False), text)
    assert_harmless(screen.getvalue().removesuffix("\n"), lines=False)


@given(hostile_texts())
@settings(max_examples=8)
def test_a_mistake_is_one_line(text):
    """A name or a path of hostile words is refused in one harmless line, with exit code 2."""
    words = text.replace("\x00", "")
    if any("\ud800" <= one <= "\udfff" for one in words):
        words = words.encode("utf-8", "replace").decode()
    for asked in (("run", f"x:{words}", "--profile", "none"), ("audit", f"./{words}x")):
        exit_code, out, err = command(*asked)
        assert (exit_code, out) == (2, "")
        assert_harmless(err.removesuffix("\n"), lines=False)


@given(hostile_texts())
@settings(max_examples=10)
def test_a_summary_is_harmless(text):
    """The summary of a run on a terminal that knows no colours obeys nothing in it."""
    screen = io.StringIO()
    print_summary(result(text), Console(file=screen, width=80, force_terminal=False))
    assert_harmless(screen.getvalue())


@given(hostile_texts())
def test_what_pytest_is_told_is_harmless(text):
    """A failing test's words are shown as they are: each of them is made harmless before."""
    spoken = for_terminal(told(finding(text)), "utf-8", lines=True)
    assert_harmless(spoken)
    assert len(spoken.split("\n")) == 4


@given(hostile_texts())
def test_markdown_is_text_alone(text):
    """In Markdown the text makes no line, no markup, no link, and it never leaves its code."""
    assert_no_control(_ENTITY.sub("", plain(text)))
    assert not set("<>[]`*_~|$@#\\") & set(_ENTITY.sub("", plain(text)))
    line = code(text)
    assert_no_control(line)
    ticks = len(line) - len(line.lstrip("`"))
    assert not text or "`" * ticks not in line[ticks : len(line) - ticks]
    block = fenced(text).split("\n")
    assert block[0] == block[-1]
    assert all(not one.startswith(block[0]) for one in block[1:-1])


def assert_no_control(text):
    """One line of printable characters."""
    assert all(one.isprintable() for one in text), text


@given(hostile_texts())
@settings(max_examples=10)
def test_files_of_a_report_are_well_formed(text):
    """JUnit is XML with the text as text, the page holds no tag of it, Markdown no control."""
    made = result(text)
    cases = ET.fromstring(render_junit(made)).findall(".//testcase")
    assert len(cases) == 1 + len(GUARANTEES)
    assert all(one.isprintable() or one in "\n\t" for one in render_summary(made))


@pytest.mark.parametrize("text", [EVIL, EVIL[::-1]])
def test_a_page_has_no_tag_of_a_store(text):
    """No element and no address of the page comes from a text."""
    harmless, page = render_html(result("a")), render_html(result(text))
    for tag in ("<script", "<img", "<a ", "onerror=", "javascript:"):
        assert page.count(f"<{tag[1:]}") == harmless.count(f"<{tag[1:]}") or tag == "<a "
    assert "<img" not in page
    assert 'href="javascript' not in page
    assert "\x1b" not in page
    assert "\u202e" not in page


@given(hostile_texts())
@settings(max_examples=10)
def test_a_script_runs_no_word_of_a_finding(text):
    """The words above a script are its docstring, whatever they are, and nothing else changes."""
    row = GUARANTEES["CORE-01"]

    def written(said):
        lines = replace(finding(said), script=("store = open_store(location)", "store.close()"))
        return ast.parse(source_of("x:Store", row, lines, Path("repro/CORE-01.py")))

    told_so, plainly = written(text), written("a")
    assert ast.get_docstring(told_so) is not None
    assert ast.dump(ast.Module(told_so.body[1:], [])) == ast.dump(ast.Module(plainly.body[1:], []))


def test_a_log_is_harmless(tmp_path):
    """What pytest and the store printed is kept without anything that a terminal obeys."""
    (tmp_path / "finished.log").write_bytes(EVIL.encode("utf-8", "surrogatepass") + b"\xff\xfe")
    _keep_logs(tmp_path, tmp_path)
    text = (tmp_path / LOG).read_text("utf-8")
    assert all(one.isprintable() or one in "\n\t" for one in text)


def test_a_log_has_an_end(tmp_path):
    """Of what a store prints without end, the end is kept."""
    (tmp_path / "finished.log").write_bytes(b"x" * 5_000_000 + b"\nthe end")
    _keep_logs(tmp_path, tmp_path)
    text = (tmp_path / LOG).read_text("utf-8")
    assert text.endswith("x\nthe end")
    assert len(text) < 2_000_000


@pytest.fixture(scope="module")
def spoken_store(tmp_path_factory):
    """A directory of the reference whose ids, titles and texts are hostile."""
    folder = tmp_path_factory.mktemp("spoken")
    with ReferenceStore(folder) as store:
        for number, piece in enumerate([*PIECES, EVIL.replace("\ud800", "").replace("\udfff", "")]):
            try:
                store.create(
                    f"{piece}{number}", title=f"{piece} t", messages=[Message("user", piece)]
                )
                store.snapshot(f"{piece}{number}")
            except ValueError:  # what the reference refuses, it does not show
                continue
    return folder


@pytest.mark.parametrize(
    "words",
    [
        ("sessions",),
        ("sessions", "largest"),
        ("sessions", "slow"),
        ("verify",),
        ("health",),
        ("audit",),
    ],
    ids="-".join,
)
def test_commands_show_stored_words_harmlessly(words, spoken_store):
    """What lists, looks at or audits a store shows its ids and titles, and obeys none of them."""
    place = spoken_store / "sessions.db" if words == ("audit",) else spoken_store
    exit_code, out, err = command(words[0], place, *words[1:])
    assert exit_code in (0, 1), err
    assert out.strip()
    assert_harmless(out)
    assert_harmless(err)
