"""What holds of every page that we write: nothing from elsewhere, small, and sound in its parts."""

from __future__ import annotations

import re
from collections import Counter
from functools import cache

import pytest
from report_page import Page
from report_pages import NAMES, SCRIPTED, TEMPLATES, pages

from sessionproof.report.html import PAGE_BYTES_MAX, environment
from sessionproof.report.inline import digest


@cache
def parsed(name: str) -> Page:
    """The page as elements."""
    return Page(pages()[name])


@pytest.mark.parametrize("name", NAMES)
def test_a_page_needs_nothing_from_elsewhere(name):
    """Its policy forbids all that is not in it, and no element names an address to load."""
    page = parsed(name)
    policy = next(given["content"] for tag, given in page.elements if "http-equiv" in given)
    assert policy.startswith("default-src 'none'; ")
    assert policy.endswith("base-uri 'none'; form-action 'none'")
    assert not {"iframe", "object", "embed", "base"} & {tag for tag, _ in page.elements}
    assert not any({"src", "srcset", "action", "style"} & {*given} for _, given in page.elements)
    icons = [given["href"] for tag, given in page.elements if tag == "link"]
    assert icons == ["data:,"]


@pytest.mark.parametrize("name", NAMES)
def test_only_our_own_script_may_run(name):
    """A script is allowed by its digest alone, and there is one at most; others allow none."""
    text, page = pages()[name], parsed(name)
    policy = next(given["content"] for tag, given in page.elements if "http-equiv" in given)
    scripts = re.findall(r"<script>(.*?)</script>", text, re.DOTALL)
    allowed = re.findall(r"script-src ([^;]+);", policy)
    if name in SCRIPTED:
        assert allowed == [f"'{digest(scripts[0])}'"]
        assert len(scripts) == 1
    else:
        assert not scripts
        assert not allowed
    assert not [one for _, given in page.elements for one in given if one.startswith("on")]


@pytest.mark.parametrize("name", NAMES)
def test_a_page_is_small(name):
    """A page of a common run is far below what any page may have."""
    assert len(pages()[name].encode("utf-8")) < PAGE_BYTES_MAX / 4


@pytest.mark.parametrize("name", [one for one in NAMES if one != "hostile"])
def test_the_parts_of_a_page_are_sound(name):
    """One main heading, ids that are there once, labels and links that lead to something."""
    page = parsed(name)
    tags = Counter(tag for tag, _ in page.elements)
    assert tags["h1"] == tags["main"] == 1
    assert dict(page.elements)["html"] == {"lang": "en"}
    ids = [given["id"] for _, given in page.elements if "id" in given]
    assert len(ids) == len({*ids})
    for _, given in page.elements:
        for one in ("for", "aria-labelledby", "aria-describedby"):
            assert given.get(one, ids[0]) in ids, given
        link = given.get("href", "")
        assert not link.startswith("#") or link[1:] in ids, link


def test_every_template_of_a_page_is_among_these():
    """A new page cannot go without these tests."""
    loader = environment().loader
    whole = set()
    for name in loader.list_templates():
        source = loader.get_source(environment(), name)[0]
        if "<!doctype" in source or "{% extends" in source:
            whole.add(name)
    frames = {"regressions.html.j2"}
    assert whole - frames == {*TEMPLATES}
    assert {*pages()} == {*NAMES}
