"""The board's pages: each number is what stands behind its link, and no text takes them over."""

from __future__ import annotations

import re
from collections import Counter
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import settings as hypothesis_settings
from report_page import Page
from report_samples import HOSTILE
from scoreboard_samples import ADDRESS, BROKEN, LOST, SHUT, SOUND, board, drawn_entries, entry, row

from sessionproof.contract.verdicts import Verdict
from sessionproof.report.scoreboard.board import Entry, Standing
from sessionproof.report.scoreboard.pages import kind_of, render_board, render_store
from sessionproof.report.scoreboard.readme import render_readme
from sessionproof.report.scoreboard.sentences import what_to_know

BOARD_MOST_BYTES = 2 * 1024 * 1024


def cells_of(page):
    """Each cell of a page of all stores: its link, and the numbers that it shows by standing."""
    found = {}
    for link in re.findall(r'<a class="[\w-]+" href="stores/[^"]+">.*?</a>', page, re.DOTALL):
        href = re.search(r'href="stores/([^"]+)"', link)[1]
        text = " ".join(re.sub(r"<[^>]+>|&nbsp;", " ", link).split())
        numbers = re.findall(
            rf"({'|'.join(sorted(map(re.escape, Standing), key=len, reverse=True))}) (\d+)", text
        )
        assert len(numbers) == len(re.findall(r"\d+", text)), text
        found[href] = Counter({standing: int(number) for standing, number in numbers})
    return found


def rows_of(page, group):
    """How many guarantees stand how in the section that the group's link leads to."""
    (section,) = re.findall(rf'<section aria-labelledby="{group}".*?</section>', page, re.DOTALL)
    assert f'id="{group}"' in section
    kinds = {kind_of(one): str(one) for one in Standing}
    articles = re.findall(r'<article class="guarantee ([\w-]+)" .*?</article>', section, re.DOTALL)
    words = re.findall(
        r'<span class="verdict ([\w-]+)"><span[^>]*>.</span> ([^<]+)</span>', section
    )
    assert [kinds[kind] for kind in articles] == [word for _, word in words]
    return Counter(word for _, word in words)


@hypothesis_settings(max_examples=10)
@given(drawn_entries())
def test_the_number_in_a_cell_is_what_stands_behind_its_link(store):
    """For any verdicts, each cell has exactly the numbers of the rows in the section it opens."""
    whole = board(store)
    cells, page = cells_of(render_board(whole)), render_store(whole, store, has_run=False)
    assert len(cells) == len(whole.groups)
    for href, numbers in cells.items():
        name, group = href.split("#")
        assert name == f"{store.name}.html"
        assert rows_of(page, group) == numbers
    shown = sum(cells.values(), Counter())
    assert shown == Counter({str(one): n for one, n in store.counted().items()})


def test_every_cell_has_words():
    """The worst of a group is told in words, the rest in words for those who do not see signs."""
    numbers = cells_of(render_board(board(BROKEN)))["broken.html#CORE"]
    assert numbers["broken"] == 1
    assert numbers["broken, not confirmed"] == 1
    assert numbers["could not tell"] == 1
    assert numbers["not claimed"] == 2


def test_a_store_that_was_not_judged_is_a_row_that_says_so():
    """What cannot be opened has its reason in the place of the cells."""
    page = Page(render_board(board(SHUT, SOUND)))
    (text,) = page.all("td", class_="problem")
    assert text == "not opened: there is no module 'shut'"
    alone = Page(render_store(board(SHUT), SHUT, has_run=False))
    assert any("could not be opened" in text for text in alone.all("li"))


def test_stores_stand_in_the_order_of_the_alphabet():
    """No store is first because of what was found."""
    names = re.findall(r'<th scope="row"><a href="stores/(\w+).html"',
                       render_board(board(SOUND, SHUT, BROKEN)))  # fmt: skip
    assert names == ["broken", "shut", "sound"]


def test_what_to_know_is_said_in_sentences():
    """Breaks with their damage, what the documents exclude, what has no place."""
    page = Page(render_store(board(BROKEN), BROKEN, has_run=False))
    told = "\n".join(page.all("li"))
    assert "Seen: 1 message. What such a break can do: The assistant answers without the" in told
    assert "Broken in the run, not confirmed:" in told
    assert "Its documents say that it is for one client at a time; many clients were not" in told
    assert "promise nothing of crashes" in told
    assert "keeps the newest 10 messages of a session" in told
    assert "It has no place for: messages without a role." in told
    assert "nothing is known of them: CORE-07." in told
    assert "Not claimed, and seen not to hold:" in told


@pytest.mark.parametrize(
    ("seen", "told"),
    [
        ("2 messages: 1: 'a'; first difference at message 1, content: 'a' became 'b'",
         "Seen: at message 1, content: 'a' became 'b'. "),
        ("it raised OperationalError: no such table\n[SQL: SELECT 1\nFROM a]",
         "Seen: it raised OperationalError: no such table. "),
        ("table exists (Background on this error at: https://a.example/e3) and more",
         "Seen: table exists and more. "),
        ("x" * 500, f"Seen: {'x' * 200}… "),
    ],
)  # fmt: skip
def test_what_was_seen_is_told_in_short(seen, told):
    """The part that says most, without the statement that a library prints beside it."""
    store = entry("x", row("CORE-01", Verdict.BROKEN, example=replace(LOST, seen=seen)))
    (sentence,) = [one.text for one in what_to_know(board(store), store) if one.guarantee]
    assert told in sentence


def test_claims_that_promise_nothing_are_a_line():
    """The table has what is claimed; all else is named behind it."""
    page = Page(render_store(board(SOUND), SOUND, has_run=False))
    (rest,) = [text for text in page.all("p") if text.startswith("No, or none: ")]
    assert "validates" in rest
    assert "handles" not in rest
    assert "handles" in page.all("th")
    assert "validates" not in page.all("th")


def test_a_break_says_why_it_was_judged():
    """What every store owes, or what this one claims."""
    store = entry("x", row("CORE-01", Verdict.BROKEN), row("CORE-02", Verdict.BROKEN))
    page = Page(render_store(board(store), store, has_run=False))
    told = [text for text in page.all("p") if text.startswith("Judged")]
    assert told == [
        "Judged in any case: every store that has the calls owes it.",
        "Judged, as the store claims atomic_batches.",
    ]


def test_what_was_confirmed_is_told_first():
    """Doubts come behind what is sure, whatever the order of their ids."""
    mixed = entry("x", row("CORE-01", Verdict.BROKEN, confirmed=0), row("SEQ-03", Verdict.BROKEN))
    told = [one.guarantee for one in what_to_know(board(mixed), mixed) if one.guarantee]
    assert told == ["SEQ-03", "CORE-01"]


def test_a_store_that_holds_all_says_only_what_it_does_not_promise():
    """No sentence of a sound store speaks of a break."""
    page = Page(render_store(board(SOUND), SOUND, has_run=False))
    assert not [text for text in page.all("li") if text.startswith("Broken")]


def test_claims_lead_to_their_sentences():
    """An address is a link; what is none stays a text."""
    page = render_store(board(SOUND), SOUND, has_run=False)
    assert f'<a href="{ADDRESS}" rel="noreferrer">' in page
    claims = {**SOUND.claims, "sources": {"handles": "javascript:alert(1)", "writes": "README"}}
    page = render_store(board(SOUND), replace(SOUND, claims=claims), has_run=False)
    assert 'href="javascript' not in page
    assert "javascript:alert(1)" in page


def test_the_evidence_of_a_break_is_on_its_page():
    """Done, expected, seen, how often it failed again, its script."""
    page = render_store(board(BROKEN), BROKEN, has_run=True)
    for text in (LOST.did, LOST.expected, LOST.seen, "3 of 3", "failed when it was run alone",
                 "assert False", 'href="../runs/broken/index.html"'):  # fmt: skip
        assert text in page
    assert "../runs/" not in render_store(board(BROKEN), BROKEN, has_run=False)


def test_costs_are_shown_where_they_were_measured():
    """Two calls stand on the page of all stores, all of them on the store's own."""
    page = render_board(board(BROKEN, SOUND))
    assert "×2.31" in page
    assert "×14.0" in page
    assert "31.0" not in page
    assert "31.0" in render_store(board(BROKEN), BROKEN, has_run=False)
    assert "This profile measured no speeds." in render_board(board(SOUND))


@pytest.mark.parametrize("where", ["board", "store", "readme"])
def test_no_text_of_a_store_is_markup(where):
    """Hostile texts in every field make no element, no link and no command of their own."""
    example = replace(LOST, anomaly=HOSTILE, meaning=HOSTILE, did=HOSTILE, expected=HOSTILE,
                      seen=HOSTILE, program=(HOSTILE,), repeats=HOSTILE, said=HOSTILE,
                      script=HOSTILE)  # fmt: skip
    bad = entry(
        "bad", row("CORE-01", Verdict.BROKEN, example=example, reason=HOSTILE, unit=HOSTILE),
        package=HOSTILE, version=HOSTILE, packages={HOSTILE: HOSTILE}, python=HOSTILE,
        sqlite=HOSTILE, command=HOSTILE, claims={HOSTILE: HOSTILE, "sources": {HOSTILE: HOSTILE}},
        not_representable=(HOSTILE,), notes=(HOSTILE,), sessionproof=HOSTILE, problem=HOSTILE,
        state="cut short",
    )  # fmt: skip
    shut = Entry(name="shut", kind="other", state="died", problem=HOSTILE)
    whole = board(bad, shut, machine={HOSTILE: HOSTILE}, profile=HOSTILE, sessionproof=HOSTILE)
    if where == "readme":
        text = render_readme(whole)
        text.encode("utf-8")
        assert "<script" not in text
        assert "javascript:1'>" not in text
        return
    page = render_board(whole) if where == "board" else render_store(whole, bad, has_run=True)
    page.encode("utf-8")
    parsed = Page(page)
    tags = Counter(tag for tag, _ in parsed.elements)
    assert tags["script"] == (1 if where == "board" else 0)
    assert tags["img"] == tags["iframe"] == 0
    for _, attributes in parsed.elements:
        assert not any(name.startswith("on") for name in attributes)
        href = attributes.get("href") or "#"
        assert re.match(r"#|data:,|\.\./|stores/|scoreboard\.json|README\.md", href), href


def test_a_hundred_stores_are_a_page_of_two_mebibytes_at_most():
    """With every row broken and words in every field the page of all stores stays small."""
    worst = [
        entry(f"store-{n:03}", *(row(one.id, Verdict.BROKEN) for one in BROKEN.rows),
              packages={"p" * 60: "1" * 40})
        for n in range(100)
    ]  # fmt: skip
    assert len(render_board(board(*worst)).encode()) < BOARD_MOST_BYTES


def test_a_store_whose_rows_are_all_broken_is_a_page_of_two_mebibytes_at_most():
    """Every example at its longest still leaves a page that opens."""
    long = replace(LOST, did="d" * 1000, expected="e" * 1000, seen="s" * 1000,
                   program=("p" * 200,) * 40, said="x" * 1000)  # fmt: skip
    worst = entry("x", *(row(one.id, Verdict.BROKEN, example=long) for one in BROKEN.rows))
    assert len(render_store(board(worst), worst, has_run=True).encode()) < BOARD_MOST_BYTES


def test_the_readme_lists_what_is_broken():
    """Each store is a row of the table, with the ids of what is broken and could not be told."""
    text = render_readme(board(SOUND, BROKEN, SHUT, interrupted=True))
    (line,) = [one for one in text.splitlines() if one.startswith("| [broken]")]
    cells = [cell.strip() for cell in line.strip("|").split("|")]
    assert cells[2:5] == ["1: CORE-01", "1: CORE-06", "1: CORE-07"]
    assert cells[6] == "4"
    assert "| not opened: there is no module 'shut' |" in text
    assert "This board is a part" in text


def test_a_run_that_was_cut_short_says_so():
    """What could not be told of such a store is no judgement of it."""
    part = replace(BROKEN, state="cut short", problem="the run was cut short: its time was over")
    page = Page(render_board(board(part, SOUND)))
    assert page.all("span", class_="tag") == ["cut short"]
    assert "| [broken](stores/broken.html): cut short |" in render_readme(board(part))
    assert ": judged |" not in render_readme(board(SOUND))


def test_a_board_that_was_interrupted_says_so():
    """A part is never taken for the whole."""
    assert "This board is a part" in render_board(board(SOUND, interrupted=True))
    assert "This board is a part" not in render_board(board(SOUND))
