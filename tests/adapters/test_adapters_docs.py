"""The page on adapters: its example works as it stands."""

import re
import sys
from dataclasses import fields
from pathlib import Path

import pytest

from sessionproof.contract.claims import Claims
from sessionproof.contract.location import Location
from sessionproof.contract.lookup import find_store, spec_of
from sessionproof.contract.message import Message
from sessionproof.contract.registered import registered
from sessionproof.contract.store import shape_problems

PAGE = Path(__file__).parents[2] / "docs" / "adapters.md"
STORES = PAGE.parent / "stores"
NAMES = [one.name for one in registered() if one.kind == "adapter"]
HELLO = [Message("user", "hello"), Message("assistant", "a\0b 𝄞 \n")]


@pytest.fixture
def example(tmp_path, monkeypatch):
    """The page's first block of Python, saved and found as the page says."""
    block = re.search(r"```python\n(.*?)```", PAGE.read_text(encoding="utf-8"), re.DOTALL)
    (tmp_path / "mystore.py").write_text(block[1], encoding="utf-8")
    monkeypatch.syspath_prepend(tmp_path)
    monkeypatch.delitem(sys.modules, "mystore", raising=False)  # other pages have one, too
    return find_store("mystore:Store")


def test_example_is_a_store(example, tmp_path):
    """The example keeps what is appended, across handles, and nothing of a batch that fails."""
    place = Location(tmp_path)
    store, other = example.open(place), example.open(place)
    assert shape_problems(store) == []
    store.append("s", HELLO)
    other.append("s", HELLO[:1])
    with pytest.raises(UnicodeEncodeError):
        store.append("s", [HELLO[0], Message("user", "\ud800")])
    store.close()
    assert other.read("s") == HELLO + HELLO[:1]
    assert other.read("t") == []
    other.close()


def test_example_claims_are_read(example):
    """The example's claims are those that the harness sees."""
    assert example.claims.handles == "processes"
    assert spec_of("again", example.open).claims == example.claims


@pytest.mark.parametrize("name", NAMES)
def test_each_shipped_adapter_has_a_section(name):
    """Every adapter is described under its own name, on a page that the guide links."""
    pages = [page for page in STORES.glob("*.md") if f"\n## {name}: `" in page.read_text("utf-8")]
    assert len(pages) == 1
    assert f"| `{name}` | " in PAGE.read_text("utf-8")
    assert f"(stores/{pages[0].name})" in PAGE.read_text("utf-8")


@pytest.mark.filterwarnings("ignore:.*being sunset:DeprecationWarning")
@pytest.mark.filterwarnings("ignore:.*is experimental:FutureWarning")
def test_each_claim_has_its_source(spec):
    """What a shipped adapter claims beyond the weakest, a sentence of others makes: its address."""
    made = {
        item.name
        for item in fields(Claims)
        if item.name != "sources"
        and getattr(spec.claims, item.name) != getattr(Claims(), item.name)
    }
    assert made - spec.claims.sources.keys() == set()


def test_no_page_has_a_store_that_is_none():
    """Each section of the stores' pages, and each row of the table, is of a registered adapter."""
    sections = [
        name
        for page in STORES.glob("*.md")
        for name in re.findall(r"^## ([\w-]+): `", page.read_text("utf-8"), re.MULTILINE)
    ]
    rows = re.findall(r"^\| `([\w-]+)` \| .*\]\(stores/", PAGE.read_text("utf-8"), re.MULTILINE)
    assert sorted(sections) == sorted(rows) == NAMES
