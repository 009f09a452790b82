"""The summary in Markdown: what a CI job shows of a run, never too long, never taken over."""

from __future__ import annotations

import json
import re
from dataclasses import replace

import pytest
from markdown_it import MarkdownIt  # which rich brings along
from report_samples import HOSTILE, LOST, SAMPLES, broken, records, run, three_broken
from report_windows import STALE

from sessionproof.contract.guarantees import GUARANTEES
from sessionproof.contract.verdicts import Reproducer
from sessionproof.report.badge import badge
from sessionproof.report.markdown import code, fenced, plain
from sessionproof.report.plain import shown
from sessionproof.report.result import EXIT_REGRESSION, merge
from sessionproof.report.summary import SUMMARY_BYTES_MAX, render_summary
from sessionproof.report.write import append_step_summary, write_report

MARKDOWN = MarkdownIt("commonmark", {"html": True}).enable("table")
TRICKS = (
    HOSTILE,
    "````` ``` ` ~~~",
    "`",
    " ` ",
    "@everyone #12 GH-1 www.evil.test https://evil.test mailto:a@b.test",
    "![i](https://evil.test/p.png) [l](javascript:1) <b>x</b> <!-- &lt; &#60;",
    "| a | b \\| c \\",
    "# h\n- l\n> q\n\n---\n```\n$$x$$",
    "**b** _i_ ~~s~~ \\",
)


def tokens(text):
    """Every token of the Markdown, those inside of lines too."""
    for token in MARKDOWN.parse(text):
        yield token
        yield from token.children or ()


def texts(text):
    """What stands outside of code."""
    return [token.content for token in tokens(text) if token.type == "text"]


@pytest.mark.parametrize("trick", TRICKS)
def test_text_outside_code_is_text(trick):
    """No text makes a link, an image, a tag, a mention or an address, in a line or in a cell."""
    for source in (f"said: {plain(trick)}", f"| a | b |\n|---|---|\n| {plain(trick)} | end |"):
        kinds = {token.type for token in tokens(source)}
        allowed = {"paragraph_open", "paragraph_close", "inline", "text", "text_special"}
        assert {one for one in kinds if not one.startswith(("t", "paragraph"))} <= allowed
        assert not {"link_open", "image", "html_inline", "code_inline"} & kinds
        said = "".join(t.content for t in tokens(source) if t.type.startswith("text"))
        assert not re.search(r"@\w|#\d|://|www\.", said)
        said = said.replace("\u200b", "").removesuffix("end").strip()
        assert said.endswith(shown(trick).strip())


@pytest.mark.parametrize("trick", TRICKS)
def test_a_span_of_code_holds_any_line(trick):
    """A span of code is one span with the very text, whatever backticks it has."""
    inline = [t for t in tokens(f"said: {code(trick)}!") if t.type != "inline"]
    (span,) = [token for token in inline if token.type == "code_inline"]
    assert span.content.strip(" ") == shown(trick).strip(" ")
    assert [token.content for token in inline if token.type == "text"] == ["said: ", "!"]


@pytest.mark.parametrize("trick", TRICKS)
def test_a_fence_holds_any_lines(trick):
    """A block of code is one block with the very lines, and ends where it should."""
    source = f"{fenced(trick, 'python')}\n\nafter"
    (block,) = [token for token in tokens(source) if token.type == "fence"]
    assert block.content == shown(trick, lines=True) + "\n"
    assert texts(source) == ["after"]


def test_empty_texts_are_nothing():
    """An empty text makes no span."""
    assert code("") == plain("") == ""


@pytest.mark.parametrize("name", SAMPLES)
def test_every_run_has_a_summary(name):
    """The verdict, the store, the seed and the command are there; only our own markup is."""
    text = render_summary(SAMPLES[name])
    assert len(text.encode("utf-8")) <= SUMMARY_BYTES_MAX
    kinds = {token.type for token in tokens(text)}
    assert not {"link_open", "image", "html_inline", "html_block"} & kinds
    assert not any(re.search(r"@\w|://|www\.", one) for one in texts(text))
    if name != "hostile":
        heading = next(token.content for token in tokens(text) if token.type == "inline")
        assert SAMPLES[name].verdict in heading
        assert SAMPLES[name].store in text
        assert SAMPLES[name].command in text


def test_a_break_is_told():
    """Promise, damage, account, program, reproducer and command of each broken guarantee."""
    text = render_summary(three_broken)
    row = GUARANTEES["CORE-08"]
    for part in (
        "### ✗ Broken: CORE-08", row.promise, row.damage, LOST.did, LOST.expected, LOST.seen,
        "\n".join(LOST.program), LOST.repeat, "3 of 3",
        "`repro/CORE-08.py`: it failed when it was run alone; it said: `AssertionError",
        "`repro/CORE-06.py`: it did not fail when it was run alone",
    ):  # fmt: skip
        assert part in text
    assert "| CORE-07 | ? could not tell | 4 ids | the budget of 20 s" in text
    assert f"{len(GUARANTEES)} of {len(GUARANTEES)} were not run." in render_summary(
        SAMPLES["nothing"]
    )


def test_a_window_is_told_in_a_sentence():
    """What many clients did is one sentence of the finding."""
    source = render_summary(SAMPLES["together"])
    assert source.count(f"- because: `{STALE.sentence}`") == 1


def test_known_and_tried_breaks_are_told_apart():
    """A listed break and one that is not claimed say so in their titles."""
    assert "### ✗ Known break: CORE-08" in render_summary(SAMPLES["known"])
    assert "lost after a crash, see the tracker" in render_summary(SAMPLES["known"])
    assert "Seen broken, not claimed: CORE-08" in render_summary(SAMPLES["unclaimed"])


def _huge(text, **changes):
    finding = replace(
        LOST, did=text, expected=text, seen=text, program=(text,) * 90, repeat=text,
        reproducer=Reproducer(file=text, fails=None, said=text),
    )  # fmt: skip
    rows = merge(records(*(broken(row, *[finding] * 9, reason=text) for row in GUARANTEES)))
    return run(rows, **changes)


@pytest.mark.parametrize("letter", ["x", "#", "𝄞", "`", "|", "\x1b"])
def test_a_summary_is_never_too_long(letter):
    """Past the limit whole sections are left out and named; none is cut."""
    text = letter * 100_000
    result = _huge(text, store=text, command=text, notes=(text,), store_version=text)
    source = render_summary(replace(result, verdict=text))
    assert len(source.encode("utf-8")) <= SUMMARY_BYTES_MAX
    told = re.findall(r"^### ✗ Broken: (\S+)", source, re.MULTILINE)
    (left_out,) = re.findall(r"Left out here, and told in the report's index.html: (.*)\.", source)
    names = left_out.split(", ")
    table = "the table" not in names
    assert table or letter in "#|`\x1b𝄞"  # whose escapes are longer, or its bytes
    assert {*told, *names} - {"the table"} == set(GUARANTEES)
    assert told == sorted(told, key=list(GUARANTEES).index)
    assert source.count("\n| ") == table * (len(GUARANTEES) + 1)
    assert [t.content for t in tokens(source) if t.type == "inline"][-1].startswith("Left out")


def test_a_table_of_monstrous_names_is_left_out():
    """Where the table itself is too long it is left out whole, and named."""
    rows = tuple(
        replace(row, id="x" * 39 + str(n), reason="#" * 999)
        for n in range(20)
        for row in three_broken.guarantees
    )
    source = render_summary(run(rows))
    assert len(source.encode("utf-8")) <= SUMMARY_BYTES_MAX
    assert "the table" in source
    assert "|---|" not in source


def test_a_jobs_summary_gets_it(tmp_path):
    """The file that the job names is appended to, not replaced; without a name nothing is done."""
    file = tmp_path / "step.md"
    file.write_text("# Build", "utf-8")
    assert append_step_summary(three_broken, {"GITHUB_STEP_SUMMARY": str(file)}) is None
    assert file.read_text("utf-8") == f"# Build\n{render_summary(three_broken)}"
    assert append_step_summary(three_broken, {}) is None
    assert append_step_summary(three_broken, {"GITHUB_STEP_SUMMARY": ""}) is None


def test_a_jobs_summary_that_cannot_be_written_is_told(tmp_path):
    """A summary that cannot be written is a sentence, and no error of the run."""
    problem = append_step_summary(three_broken, {"GITHUB_STEP_SUMMARY": str(tmp_path)})
    assert problem == (
        f"the summary could not be appended to GITHUB_STEP_SUMMARY={tmp_path}: Is a directory"
    )


@pytest.mark.parametrize("name", SAMPLES)
def test_the_files_are_written(name, tmp_path):
    """Summary and badge lie beside the page, as they are rendered."""
    write_report(SAMPLES[name], tmp_path)
    assert (tmp_path / "summary.md").read_text("utf-8") == render_summary(SAMPLES[name])
    assert json.loads((tmp_path / "badge.json").read_text("utf-8")) == badge(SAMPLES[name])


@pytest.mark.parametrize(
    ("name", "message", "color"),
    [
        ("all_hold", "holds 35", "brightgreen"),
        ("three_broken", "3 broken", "red"),
        ("could_not_tell", "could not tell 1", "yellow"),
        ("accepted", "holds 34, could not tell 1", "yellow"),
        ("unclaimed", "holds 33, could not tell 1, 1 not claimed seen broken, no claims", "yellow"),
        ("interrupted", "interrupted", "lightgrey"),
        ("cut_short", "cut short", "yellow"),
        ("nothing", "nothing examined", "lightgrey"),
        ("known", "1 known broken, holds 34", "orange"),
        ("stale", "baseline is stale", "red"),
    ],
)
def test_a_badge_is_honest(name, message, color):
    """Each kind of run has its words and its colour; bright green is for a clean one alone."""
    number = len(GUARANTEES)
    message = message.replace("35", str(number)).replace("34", str(number - 1))
    message = message.replace("33", str(number - 2))
    assert badge(SAMPLES[name]) == {
        "schemaVersion": 1, "label": "sessionproof", "message": message, "color": color,
    }  # fmt: skip


def test_a_badge_of_an_interrupted_run_tells_its_breaks():
    """What was broken before the interruption stays broken."""
    cut = run(three_broken.guarantees, interrupted=True, complete=False)
    assert badge(cut)["message"] == "interrupted, 3 broken"
    assert badge(cut)["color"] == "red"
    slow = replace(SAMPLES["all_hold"], exit_code=EXIT_REGRESSION)
    assert badge(slow)["message"] == "slower than before"


def test_a_badge_holds_no_text_of_a_store():
    """A badge is made of our words and numbers."""
    assert re.fullmatch(r"[a-z0-9, ]+", str(badge(SAMPLES["hostile"])["message"]))
