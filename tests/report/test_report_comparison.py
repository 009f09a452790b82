"""Stores side by side: every figure in its column, every missing one with its reason."""

from __future__ import annotations

import io
import json
import re
from dataclasses import replace

import jsonschema
import pytest
from report_page import Page
from report_samples import HOSTILE, fast, hostile, slow
from rich.console import Console
from test_report_files import SCHEMA

from sessionproof.cli.benchmarks.run import print_comparison
from sessionproof.report.comparison import (
    JSON,
    MARKDOWN,
    PAGE,
    Column,
    facts,
    named,
    render_markdown,
    render_page,
    tables,
    write_comparison,
)
from sessionproof.report.result import to_json

WHY = "shop.missing:Store cannot be opened: no such module"
COLUMNS = (
    Column(name="reference", store="reference", result=fast, page="reference/index.html"),
    Column(name="shop.chat:Store", store="shop.chat:Store", result=slow),
    Column(name="shop.missing:Store", store="shop.missing:Store", problem=WHY),
)


def test_each_store_has_its_column():
    """A row holds what each store needed; what one has not measured is a dash."""
    by_title = {table.title: {row.head: row for row in table.rows} for table in tables(COLUMNS)}
    assert list(by_title) == ["Speed", "Growth", "Sizes", "Memory"]
    append = by_title["Speed"]["append"]
    assert append.cells[0][:2] == ("42.0 µs", "×1.27 [1.25, 1.30]")
    assert append.cells[1][0] == "4.20 ms"
    assert append.promised == "before 2.1 ms, after 1.8 ms"
    assert by_title["Speed"]["page"].cells[1:] == (("–",), ("–",))
    assert by_title["Speed"]["append, 10 threads"].cells[0][2] == "13,800/s"
    assert by_title["Growth"]["append along messages"].cells[1][0].startswith("linear, slope 0.98")
    assert by_title["Sizes"]["memory per connection"].promised == "before 2.5 MB, after 0.8 MB"


def test_a_store_that_was_not_measured_says_why():
    """Its column begins with the reason, in every form."""
    assert tables(COLUMNS)[0].rows[0].cells[2] == ("not measured:", WHY)
    assert WHY in Page(render_page(COLUMNS)).all("header")[0]
    assert "cannot be opened" in render_markdown(COLUMNS)


def test_nothing_measured_is_a_comparison_too(tmp_path):
    """When no store could be opened the forms say so."""
    page = write_comparison(COLUMNS[2:], tmp_path)
    assert tables(COLUMNS[2:]) == []
    assert facts(COLUMNS[2:]) == {}
    assert WHY in page.read_text("utf-8")
    assert "Nothing was measured." in (tmp_path / MARKDOWN).read_text("utf-8")


def test_the_same_store_twice_has_two_names():
    """Who measures a store against itself sees two columns."""
    assert named(["a", "b", "a", "a"]) == ["a", "b", "a (2)", "a (3)"]


def test_the_files_hold_the_results(tmp_path):
    """The JSON has each result by the schema of result.json, raw samples too; the page has none."""
    assert write_comparison(COLUMNS, tmp_path) == tmp_path / PAGE
    value = json.loads((tmp_path / JSON).read_text("utf-8"))
    assert [one["store"] for one in value["stores"]] == [one.store for one in COLUMNS]
    first = value["stores"][0]["result"]
    jsonschema.Draft202012Validator(SCHEMA).validate(first)
    assert first == json.loads(json.dumps(to_json(fast)))
    assert value["stores"][2] == {"store": COLUMNS[2].store, "problem": WHY, "page": "",
                                  "result": None, "causes": []}  # fmt: skip
    page = (tmp_path / PAGE).read_text("utf-8")
    assert "samples" not in page.replace("raw samples", "")
    assert len(page.encode()) < 200_000


def test_the_page_shows_all_stores_in_one_picture():
    """Each store has its colour and shape, a legend says whose they are, links lead to its run."""
    page = Page(render_page(COLUMNS))
    (legend,) = page.all("ul", class_="legend")
    assert legend == "reference shop.chat:Store shop.missing:Store"
    classes = {
        name
        for tag, given in page.elements
        if tag == "path" and "joined" in (given["class"] or "")
        for name in (given["class"] or "").split()
    }
    assert {"s0", "s1"} <= classes
    links = [given["href"] for tag, given in page.elements if tag == "a"]
    assert "reference/index.html" in links
    ids = [given["id"] for _, given in page.elements if "id" in given]
    assert len(ids) == len(set(ids))
    assert not page.all("script")


def test_facts_of_the_machine_stand_below():
    """Seed, profile and machine are those of the first store that was measured."""
    found = facts(tuple(reversed(COLUMNS)))
    assert found["seed"] == str(slow.seed)
    assert found["cpu"] == slow.environment["cpu"]
    assert re.search(r"^- cpu: 2 cores$", render_markdown(COLUMNS), re.MULTILINE)


@pytest.mark.parametrize("many", [1, 3])
def test_hostile_texts_are_text(many, tmp_path):
    """Names, problems and measurements of a store make no element and no markup."""
    columns = [
        Column(name=f"{HOSTILE}{at}", store=HOSTILE, problem=HOSTILE,
               result=replace(hostile, verdict="x"))
        for at in range(many)
    ]  # fmt: skip
    page = Page(render_page(columns))
    assert not {"script", "img"} & {tag for tag, _ in page.elements}
    text = render_markdown(columns)
    assert all(one.isprintable() or one == "\n" for one in text + render_page(columns))
    table = [line for line in text.splitlines() if line.startswith("|")]
    assert len({line.count("|") for line in table[: len(table) // 4]}) == 1
    write_comparison(columns, tmp_path)


@pytest.mark.parametrize("width", [40, 80, 200])
@pytest.mark.parametrize("encoding", ["utf-8", "ascii"])
def test_the_terminal_shows_every_store_at_any_width(width, encoding):
    """Stores that do not fit beside each other stand in further parts; none is left out."""
    columns = [replace(COLUMNS[0], name=f"store{at}") for at in range(6)]
    raw = io.BytesIO()
    with io.TextIOWrapper(raw, encoding=encoding, newline="\n") as file:
        print_comparison([*columns, COLUMNS[2]], Console(file=file, width=width))
        file.flush()
        lines = raw.getvalue().decode(encoding).splitlines()
    assert max(map(len, lines[:-20])) <= width
    heads = [line for line in lines if "store" in line]
    for at in range(6):
        assert sum(f"store{at}" in line for line in heads) == 4  # tables
    assert sum(line.count("42.0") for line in lines) >= 6
    assert {line[:1] for line in lines} <= set("│┌├└|+") | {""}
