"""A real browser narrows a page by words, group and verdict, and leads through it by keys."""

from __future__ import annotations

import html
import json
import re

import pytest
from report_samples import three_broken
from test_report_browser import BROWSER, browse

from sessionproof.contract.verdicts import Verdict
from sessionproof.report.html import render_html

STEPS = """<!doctype html><body><script>
const seen = {};
async function opened(file) {
  const frame = document.createElement("iframe");
  frame.style.cssText = "width:1280px;height:640px;border:0";
  frame.src = file;
  await new Promise((done) => { frame.onload = done; document.body.append(frame); });
  return frame;
}
(async () => {
  const frame = await opened("page.html"), page = frame.contentDocument;
  const at = (id) => page.getElementById(id);
  const rows = () => [...page.querySelectorAll("tr[data-group]")].filter(
    (one) => one.checkVisibility()).map((one) => one.dataset.of);
  const heads = () => [...page.querySelectorAll("h2")].filter(
    (one) => one.checkVisibility()).map((one) => one.id);
  const set = (id, value, event) => {
    at(id).value = value;
    at(id).dispatchEvent(new Event(event, { bubbles: true }));
  };
  const press = (key, more = {}) => page.activeElement.dispatchEvent(
    new KeyboardEvent("keydown", { key, bubbles: true, cancelable: true, ...more }));
  const focused = () => page.activeElement.id;
  const focused_after = (...keys) => { keys.forEach((key) => press(key)); return focused(); };
  seen.form = at("narrow").checkVisibility();
  seen.groups = [...at("group").options].map((one) => one.value);
  seen.all = [rows().length, at("state").textContent];
  set("words", "core-0 TRAILING", "input");
  seen.words = [rows(), at("state").textContent, heads()];
  set("words", "no such word", "input");
  seen.none = [rows(), at("state").textContent, at("narrow").checkVisibility()];
  frame.contentWindow.location.hash = "#SEQ-03";
  await new Promise((done) => setTimeout(done, 300));
  seen.led = [rows().length, at("words").value];
  set("group", "SEQ", "change");
  at("show-broken").click();
  seen.both = [rows(), at("state").textContent, heads()];
  seen.cells = [...page.querySelectorAll(".cell")].filter(
    (one) => one.checkVisibility()).map((one) => one.dataset.of);
  at("show-all").click();
  set("group", "", "change");
  page.activeElement.blur();
  frame.contentWindow.scrollTo(0, 0);
  seen.keys = [focused_after("j"), focused_after("j"), focused_after("j", "j", "j", "j"),
               focused_after("k"), focused_after("k", "k", "k", "k")];
  press("j", { ctrlKey: true });
  seen.control = focused();
  seen.slash = focused_after("/");
  set("words", "whose times tie", "input");
  press("j");
  seen.typed = focused();
  seen.found = rows();
  press("Escape");
  seen.escaped = [at("words").value, rows().length, focused()];
  at("keys").click();
  page.activeElement.blur();
  seen.off = focused_after("/", "j");
  const bare = (await opened("bare.html")).contentDocument;
  bare.getElementById("show-broken").checked = true;
  seen.bare = [bare.getElementById("narrow").checkVisibility(),
    [...bare.querySelectorAll("tr[data-group]")].filter((one) => one.checkVisibility()).length,
    [...bare.querySelectorAll("h2")].filter((one) => one.checkVisibility()).map((one) => one.id)];
  document.body.dataset.seen = JSON.stringify(seen);
})();
</script>"""
BROKEN = ["CORE-06", "CORE-08", "SEQ-03"]

pytestmark = pytest.mark.skipif(BROWSER is None, reason="no browser is installed")


@pytest.fixture(scope="module")
def seen(tmp_path_factory):
    """What a script sees that types, chooses and presses keys on a page of three breaks."""
    folder = tmp_path_factory.mktemp("narrowing")
    text = render_html(three_broken)
    (folder / "page.html").write_text(text, "utf-8")
    (folder / "bare.html").write_text(
        re.sub(r"<script>.*?</script>", "", text, flags=re.DOTALL), "utf-8"
    )
    (folder / "steps.html").write_text(STEPS, "utf-8")
    out, said = browse(folder, (folder / "steps.html").as_uri(), "--dump-dom")
    assert not said
    return json.loads(html.unescape(re.search(r'data-seen="([^"]*)"', out)[1]))


def test_words_and_group_narrow_the_page(seen):
    """Only rows with all words stay, with their findings; a link to another shows all again."""
    number = len(three_broken.guarantees)
    assert seen["form"]
    assert seen["groups"] == ["", *dict.fromkeys(one.group for one in three_broken.guarantees)]
    assert seen["all"] == [number, ""]
    rows, said, heads = seen["words"]
    assert rows == ["CORE-06"]
    assert said == f"1 of {number} guarantees"
    assert "broken" in heads
    assert "unknown" not in heads
    assert seen["none"] == [[], f"0 of {number} guarantees", True]
    assert seen["led"] == [number, ""]


def test_words_and_verdict_narrow_together(seen):
    """A group and a verdict leave the rows that have both."""
    rows, said, heads = seen["both"]
    assert rows == seen["cells"] == ["SEQ-03"]
    assert said.startswith("1 of ")
    assert "unknown" not in heads


def test_keys_lead_from_finding_to_finding(seen):
    """To the next by j, to the one before by k, to the ends; a slash goes to the words."""
    assert seen["keys"] == [BROKEN[0], BROKEN[1], "CORE-07", BROKEN[2], BROKEN[0]]
    assert seen["control"] == BROKEN[0]
    assert seen["slash"] == "words"
    assert seen["typed"] == "words"
    assert seen["found"] == ["SEQ-03"]
    assert seen["escaped"] == ["", len(three_broken.guarantees), ""]


def test_keys_can_be_turned_off(seen):
    """Who speaks to the machine, or needs the letters otherwise, has them back."""
    assert seen["off"] == ""


def test_without_scripts_verdicts_narrow_all_the_same(seen):
    """The form that could not work is not shown; what is folded is chosen by CSS."""
    form, rows, heads = seen["bare"]
    assert not form
    assert rows == sum(one.verdict is Verdict.BROKEN for one in three_broken.guarantees)
    assert "broken" in heads
    assert "unknown" not in heads
