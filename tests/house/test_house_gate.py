"""The page on the gate, and the sample consumer, say what is there."""

from pathlib import Path

import pytest
from house_pages import ROOT, blocks

from sessionproof import SessionStoreSuite
from sessionproof.classes import store_name
from sessionproof.engine.baseline import read_baseline

PAGE = (ROOT / "docs" / "gate.md").read_text("utf-8")
CONSUMER = ROOT / "examples" / "consumer"


def code(language):
    """The page's one block in this language."""
    (found,) = [one.code for one in blocks(PAGE) if one.language == language]
    return found


def test_the_baseline_on_the_page_is_one(tmp_path):
    """The page's example is taken as it stands, and so is the consumer's."""
    file = tmp_path / "baseline.toml"
    file.write_text(code("toml"), "utf-8")
    assert list(read_baseline(file).reasons) == ["CORE-06"]
    assert "CORE-07" in read_baseline(CONSUMER / "baseline.toml").reasons


def test_the_class_on_the_page_is_one(tmp_path, monkeypatch):
    """The page's five lines name a store that another process finds."""
    (tmp_path / "mystore.py").write_text("class Store: pass\n", "utf-8")
    monkeypatch.syspath_prepend(tmp_path)
    scope = {}
    exec(code("python"), scope)
    assert store_name(scope["TestMyStore"]) == "mystore:Store"
    assert len(code("python").split("\n\n")[0].splitlines()) <= 5


def test_every_attribute_of_a_class_is_on_the_page():
    """What a class can say is explained."""
    for name in SessionStoreSuite.__annotations__:
        assert name.startswith("__") or f"`{name}`" in PAGE, name


@pytest.mark.parametrize("file", sorted(CONSUMER.rglob("*.*")), ids=lambda path: path.name)
def test_the_consumer_names_files_that_are_there(file: Path):
    """Each file of the consumer's that a reader looks at is in its README."""
    page = (CONSUMER / "README.md").read_text("utf-8")
    relative = file.relative_to(CONSUMER).as_posix()
    silent = ("README.md", "pyproject.toml", "chatlog/__init__.py")
    if file.is_file() and relative not in silent and "__pycache__" not in relative:
        assert f"`{relative}`" in page
