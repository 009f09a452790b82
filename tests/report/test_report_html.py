"""The page says what the run says, needs nothing from elsewhere, and cannot be taken over."""

from __future__ import annotations

import re
from dataclasses import replace
from pathlib import Path

import pytest
from report_page import Page
from report_samples import (
    HOSTILE,
    LOST,
    SAMPLES,
    all_hold,
    broken,
    could_not_tell,
    interrupted,
    nothing,
    records,
    run,
    three_broken,
    unclaimed,
)

import sessionproof.report.html as page_module
from sessionproof.contract.guarantees import GUARANTEES
from sessionproof.contract.verdicts import (
    CrashWindow,
    FileStep,
    Interval,
    Reproducer,
    Seen,
    Step,
    Verdict,
    Window,
)
from sessionproof.report.html import render_html
from sessionproof.report.plain import shown
from sessionproof.report.result import merge

OWN_TAGS = {
    "a", "article", "b", "body", "caption", "code", "dd", "details", "div", "dl", "dt",
    "figcaption", "figure", "footer", "h1", "h2", "h3", "head", "header", "html", "li", "main",
    "mark", "meta", "nav", "p", "pre", "section", "span", "strong", "style", "summary", "table",
    "tbody", "td", "th", "thead",
    "title", "tr", "ul", "fieldset", "input", "label", "legend", "link",
    "form", "kbd", "option", "script", "select",
    "g", "line", "path", "rect", "svg", "text",
}  # fmt: skip
OWN_ATTRIBUTES = {
    "aria-hidden", "aria-label", "aria-labelledby", "charset", "class", "colspan", "content",
    "href", "http-equiv", "id", "lang", "name", "role", "scope", "tabindex",
    "autocomplete", "data-group", "data-of", "for", "hidden", "spellcheck", "value",
    "checked", "d", "height", "rel", "rx", "text-anchor", "title", "type", "viewbox", "width",
    "x", "x1", "x2", "y", "y1", "y2",
}  # fmt: skip
WITH_WINDOWS = ("together", "hostile")  # of a dozen findings each
OWN_FILES = (
    "result.json",
    "junit.xml",
    "summary.md",
    "repro/CONC-14.py",
    "repro/CORE-06.py",
    "repro/CORE-08.py",
    "history/CONC-05-1.npz",
    "history/CONC-06-1.parquet",
)


@pytest.fixture(scope="module")
def pages() -> dict[str, Page]:
    """Every sample's page, parsed."""
    return {name: Page(render_html(result)) for name, result in SAMPLES.items()}


@pytest.mark.parametrize("name", SAMPLES)
def test_the_page_is_alone(name):
    """No page has an image, a foreign script or any reference that leads elsewhere."""
    source = render_html(SAMPLES[name])
    page = Page(source)
    assert {tag for tag, _ in page.elements} <= OWN_TAGS
    assert {one for _, given in page.elements for one in given} <= OWN_ATTRIBUTES
    links = [given["href"] or "" for tag, given in page.elements if "href" in given]
    assert links.pop(0) == "data:,"  # an icon, or the browser asks for one
    assert all(link.startswith("#") or link in OWN_FILES for link in links)
    assert not re.search(r"(src|href|action)\s*=\s*[\"']?\s*(https?:)?//", source, re.IGNORECASE)
    assert not re.search(r"@import|url\(", page.texts[[t for t, _ in page.elements].index("style")])
    policy = next(g["content"] for t, g in page.elements if t == "meta" and "http-equiv" in g)
    assert policy.startswith("default-src 'none'; style-src 'unsafe-inline'; script-src 'sha256-")


@pytest.mark.parametrize("name", SAMPLES)
def test_the_page_is_plain_text(name):
    """Every page can be encoded, holds no invisible character, and is small."""
    source = render_html(SAMPLES[name])
    assert all(one.isprintable() or one == "\n" for one in source)
    assert len(source.encode("utf-8")) < (400_000 if name in WITH_WINDOWS else 260_000)
    assert source.startswith("<!doctype html>")


def test_hostile_texts_are_inert(pages):
    """Markup in ids, names and evidence makes no element, and is shown as it is."""
    plain = replace(
        SAMPLES["hostile"],
        **{
            name: _harmless(getattr(SAMPLES["hostile"], name))
            for name in SAMPLES["hostile"].__dataclass_fields__
        },
    )
    expected = [tag for tag, _ in Page(render_html(plain)).elements]
    assert [tag for tag, _ in pages["hostile"].elements] == expected
    assert " ".join(shown(HOSTILE).split()) in pages["hostile"].all("dd")


def _harmless(value):
    """The same value with every hostile text made a plain word."""
    if isinstance(value, str):
        return value if isinstance(value, Verdict) else value.replace(HOSTILE, "word")
    if isinstance(value, tuple):
        return tuple(map(_harmless, value))
    if isinstance(value, list):
        return list(map(_harmless, value))
    if isinstance(value, dict):
        return {_harmless(key): _harmless(item) for key, item in value.items()}
    if hasattr(value, "__dataclass_fields__"):
        fields = value.__dataclass_fields__
        plain = {n: _harmless(getattr(value, n)) for n in fields if n != "anomaly"}
        return replace(value, **plain)
    return value


@pytest.mark.parametrize("name", SAMPLES)
def test_the_first_screen_says_it_all(name, pages):
    """The header has the verdict, the five counts, store, profile, seed, and the command."""
    result, page = SAMPLES[name], pages[name]
    (heading,) = page.all("h1")
    assert " ".join(shown(result.verdict).split()) in heading
    (header,) = page.all("header")
    for verdict in Verdict:
        number = sum(one.verdict is verdict for one in result.guarantees)
        assert re.search(rf"\b{number} \S {verdict.shown}", header)
    for value in (result.store, result.profile, str(result.seed)):
        assert " ".join(shown(value).split()) in header
    assert "sessionproof run " in header


def test_only_exit_code_0_looks_good(pages):
    """The header of a run wears the colour of holding when all is well, and never else."""
    tones = {
        name: next(given["class"] for tag, given in page.elements if tag == "header")
        for name, page in pages.items()
    }
    good = {name for name, tone in tones.items() if tone == "holds"}
    assert good == {"all_hold", "fast", "slow", "accepted"}
    assert tones["known"] == "not-claimed"
    assert tones["stale"] == "broken"
    assert tones["three_broken"] == "broken"
    assert tones["could_not_tell"] == tones["interrupted"] == tones["nothing"] == "could-not-tell"


def test_no_claims_comes_first(pages):
    """A store without claims is told so before the verdict, with the line to copy."""
    (header,) = pages["unclaimed"].all("header")
    assert header.index("declares no claims") < header.index("No claims: concurrency")
    assert unclaimed.suggested_claims in pages["unclaimed"].all("code")
    assert "declares no claims" not in pages["all_hold"].all("header")[0]


def test_what_decides_nothing_is_marked(pages):
    """A verdict that is not gated says so in its row, in its section and in the header."""
    page = pages["unclaimed"]
    (row,) = [text for text in page.all("tr") if text.startswith("CORE-08 ")]
    assert "✗ broken seen, not claimed" in row
    assert "Seen broken, not claimed" in page.all("h2")
    assert "Broken" not in page.all("h2")
    assert "1 guarantee was seen broken and is not claimed" in page.all("header")[0]


@pytest.mark.parametrize(
    ("name", "words"), [("interrupted", "was interrupted"), ("cut_short", "is incomplete")]
)
def test_an_unfinished_run_says_so_at_the_top(name, words, pages):
    """The page of a run that did not end by itself says that before its verdict."""
    (header,) = pages[name].all("header")
    assert header.index(words) < header.index(SAMPLES[name].verdict)
    assert "interrupted" not in pages["all_hold"].all("header")[0]


def test_each_break_is_told_in_full(pages):
    """A broken guarantee shows promise, anomaly, account, program, command and evidence."""
    articles = pages["three_broken"].all("article")
    assert [text[2:9].strip() for text in articles] == ["CORE-06", "CORE-08", "SEQ-03"]
    told = articles[1]
    for text in (
        GUARANTEES["CORE-08"].promise, "lost-message", "an acknowledged message is not there",
        LOST.did, LOST.expected, LOST.seen, "3 of 3", LOST.repeat, "KeyError: 'm3'",
        "checkpoint skipped", *LOST.program,
    ):  # fmt: skip
        assert " ".join(text.split()) in told


def test_the_guilty_line_is_marked(pages):
    """In each program the last line, and no other, is marked; copied, it is the program itself."""
    assert pages["three_broken"].all("mark") == [
        "store.read('a')", LOST.program[-1], "store.read('s')",
    ]  # fmt: skip
    source = render_html(three_broken)
    start = source.index("Program that breaks CORE-08")
    block = source[source.index("<code>", start) : source.index("</code>", start)]
    text = Page(f"{block}</code>").texts[0]
    assert tuple(text.split("\n")) == LOST.program


def test_could_not_tell_has_its_reason(pages):
    """What could not be told is listed with its reason, and is never worded as holding."""
    (row,) = [text for text in pages["could_not_tell"].all("tr") if text.startswith("CORE-07")]
    assert "? could not tell" in row
    assert "too slow" in row
    assert "holds" not in row
    (listed,) = pages["could_not_tell"].all("li", id="CORE-07")
    assert "too slow" in listed
    assert "accepted" in pages["accepted"].all("li", id="CORE-07")[0]
    assert "unknown" not in page_words(could_not_tell)


def page_words(result) -> str:
    """The words of a page but for its script, and the promises, which speak of unknown sessions."""
    page = Page(render_html(result))
    (text,), (script,) = page.all("body"), page.all("script")
    text = text.removesuffix(script)
    for row in result.guarantees:
        text = text.replace(row.promise, "")
    return text


@pytest.mark.parametrize("name", ["all_hold", "three_broken", "interrupted", "nothing"])
def test_the_table_has_every_guarantee(name, pages):
    """All guarantees of the registry are in the table, in its order, with what was examined."""
    rows = [text for text in pages[name].all("tr") if re.match(r"[A-Z]+-\d\d ", text)]
    assert [text.split()[0] for text in rows] == list(GUARANTEES)
    for text, row in zip(rows, SAMPLES[name].guarantees, strict=True):
        assert row.verdict.shown in text
        assert row.promise in text


@pytest.mark.parametrize("name", SAMPLES)
def test_the_page_can_be_used_by_all(name, pages):
    """Language, title, landmarks, one h1, scoped table headers, and named, reachable boxes."""
    page = pages[name]
    tags = [tag for tag, _ in page.elements]
    assert ("html", {"lang": "en"}) in page.elements
    assert page.all("title")[0].endswith("sessionproof")
    for landmark in ("header", "nav", "main", "footer", "h1"):
        assert tags.count(landmark) == 1
    assert all("scope" in given for tag, given in page.elements if tag == "th")
    boxes = [given for _, given in page.elements if "tabindex" in given]
    assert all(one["tabindex"] == "0" and one["role"] and one["aria-label"] for one in boxes)
    assert len(boxes) >= tags.count("table")
    ids = [given["id"] for _, given in page.elements if "id" in given]
    links = [
        given["href"][1:] for t, given in page.elements if t == "a" and given["href"][0] == "#"
    ]
    assert set(links) <= set(ids)
    if name != "hostile":  # there ten guarantees share one id
        assert len(ids) == len(set(ids))


@pytest.mark.parametrize("mode", ["light", "dark"])
def test_contrast_is_enough(mode):
    """Text has a contrast of at least 4.5 to 1 on everything that it stands on."""
    css = (Path(page_module.__file__).parent / "templates" / "report.css").read_text("utf-8")
    light, dark = re.findall(r":root \{(.*?)\}", css, re.DOTALL)[:2]
    colours = dict(re.findall(r"--([\w-]+): (#[0-9a-f]{6})", light))
    if mode == "dark":
        colours |= dict(re.findall(r"--([\w-]+): (#[0-9a-f]{6})", dark))
    tones = [name.removesuffix("-tint") for name in colours if name.endswith("-tint")]
    assert len(tones) == len(Verdict)
    pairs = [(ink, ground) for ink in ("ink", "quiet", "link", *tones)
             for ground in ("page", "surface", "code")]  # fmt: skip
    pairs += [(tone, f"{tone}-tint") for tone in tones]
    pairs += [("ink", "broken-tint"), ("quiet", "broken-tint"), ("ink", "could-not-tell-tint")]
    pairs += [("surface", "broken")]  # what is too many in a picture
    weak = {pair: c for pair in pairs if (c := _contrast(*(colours[p] for p in pair))) < 4.5}
    assert not weak


def _contrast(one: str, other: str) -> float:
    """The contrast of two colours by the formula of the WCAG."""

    def luminance(colour: str) -> float:
        parts = [int(colour[n : n + 2], 16) / 255 for n in (1, 3, 5)]
        linear = [p / 12.92 if p <= 0.04045 else ((p + 0.055) / 1.055) ** 2.4 for p in parts]
        return 0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2]

    low, high = sorted((luminance(one), luminance(other)))
    return (high + 0.05) / (low + 0.05)


def test_long_texts_are_cut_with_their_length():
    """A page stays small however much a store says, and tells what it leaves out."""
    long = replace(
        LOST,
        seen="x" * 5_000_000,
        program=tuple(f"store.append('s', ['{n}{'y' * 2_000}'])" for n in range(10_000)),
        evidence={f"stderr {n}": "z" * 1_000_000 for n in range(20)},
    )
    names = list(GUARANTEES)
    source = render_html(run(merge(records(*(broken(row, *[long] * 30) for row in names)))))
    assert len(source) < 2 * 1024 * 1024
    assert "5,000,000 characters in all" in source
    assert "of 10,000 lines left out" in source
    assert re.search(r"2\d more findings are in result.json", source)
    assert "20 more pieces of evidence are in result.json" in source
    assert (
        source.count("The marked last line is the one that went wrong") == page_module.FEWER_ROWS[0]
    )
    rows = merge(records(*(broken(row, *[long] * 30) for row in names[:60])))
    assert re.search("1[69] more pieces of evidence are in result.json", render_html(run(rows)))
    assert "store.append(&#39;s&#39;, [&#39;9999yyy" in source


@pytest.mark.night
def test_a_page_is_never_too_large():
    """Whatever a store says, and however it grows by being escaped, the page keeps its size."""
    text = "'\x1b" * 50_000
    finding = replace(
        LOST, did=text, expected=text, seen=text, program=(text,) * 99, repeat=text, repeats=text,
        script=(text,) * 99, evidence={f"{n}{text}": text for n in range(9)},
        reproducer=Reproducer(file=text, fails=True, said=text),
        steps=(Step(call=text, session=text, sent=(text,) * 99, said=text),) * 99,
        window=Window(
            session=text, sentence=text, order=(text,) * 99, history=text,
            intervals=(Interval(client=text, call=text, began_us=0, ended_us=9, said=text),) * 99,
            reads=(Seen(client=text, call=text, ended_us=9, labels=(text,) * 99),) * 99,
        ),
        crash=CrashWindow(
            model=text, point=9, points=99, sentence=text,
            steps=(FileStep(at=1, file=text, kind="write", said=text, survived="no"),) * 99,
        ),
    )  # fmt: skip
    changes = {"reason": text, "notes": (text,) * 99}
    rows = merge(records(*(broken(row, *[finding] * 9, **changes) for row in GUARANTEES)))
    result = run(
        rows, store=text, command=text, notes=(text,) * 99, capabilities=(text,) * 99,
        environment={f"{n}{text}": text for n in range(99)}, profile=text,
        claims={f"{n}{text}": text for n in range(99)},
    )  # fmt: skip
    source = render_html(replace(result, verdict=text))
    assert len(source.encode("utf-8")) <= page_module.PAGE_BYTES_MAX
    assert re.search(r"\d more findings are in result.json", source)


def test_a_break_without_findings_is_told():
    """A guarantee that is broken without a finding says so, with its reason."""
    (article,) = Page(render_html(SAMPLES["no_findings"])).all("article")
    assert "the process was gone" in article
    assert "No finding was recorded." in article


def test_empty_runs_have_a_page():
    """A run in which nothing was examined has a page without a word of holding."""
    page = Page(render_html(nothing))
    assert page.all("h1") == ["? Nothing was examined."]
    assert not page.all("span", class_="verdict holds")


def test_pages_are_reproducible():
    """The same result gives the same page."""
    assert render_html(all_hold) == render_html(all_hold)
    assert render_html(interrupted) != render_html(all_hold)
