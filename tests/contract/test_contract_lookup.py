"""Finding a store by its name: every mistake is one line with its remedy."""

import importlib.metadata
import sys
from functools import partial

import pytest

from sessionproof.contract.claims import Claims
from sessionproof.contract.lookup import (
    SCHEMES,
    STORES,
    MissingExtra,
    StoreNotFound,
    find_store,
    takes_server,
)

MODULE = '''
"""Stores for the tests of lookup."""
import sessionproof

class Store:
    claims = sessionproof.Claims(fair=True)
    version = "1.2"
    def __init__(self, location): pass
    def append(self, session_id, messages): pass
    def read(self, session_id): return []
    def close(self): pass

class Inner:
    Store = Store

class NoRead:
    def __init__(self, location): pass
    def append(self, session_id, messages): pass

class TwoArguments(Store):
    def __init__(self, location, size): pass

class OddClaims(Store):
    claims = {"fair": True}

class NumberedVersion(Store):
    version = 3

async def open_later(location): return Store(location)
def no_arguments(): return Store(None)
def with_options(location, *, size=3): return Store(location)
number = 7

def __getattr__(name):
    if name == "Lazy":
        raise ImportError("install me first")
    raise AttributeError(name)
'''


@pytest.fixture(autouse=True)
def modules(tmp_path, monkeypatch):
    """Modules that can be imported in this test, and are forgotten afterwards."""
    files = {
        "lookup_stores": MODULE, "lookup_fails": "raise RuntimeError('two\\nlines')",
        "lookup_exits": "raise SystemExit(3)", "lookup_needs": "import lookup_not_there.part",
        "lookup_broken": "def f(:",
    }  # fmt: skip
    for name, text in files.items():
        (tmp_path / f"{name}.py").write_text(text)
    before = set(sys.modules)
    monkeypatch.syspath_prepend(tmp_path)
    yield
    for name in set(sys.modules) - before:
        if name.startswith("lookup_"):
            del sys.modules[name]


def test_a_store_is_found_by_module_and_attribute():
    """A class is found with its claims and its version."""
    spec = find_store("lookup_stores:Store")
    assert (spec.name, spec.claims, spec.version) == (
        "lookup_stores:Store",
        Claims(fair=True),
        "1.2",
    )
    assert spec.open.__name__ == "Store"


@pytest.mark.parametrize("name", ["Inner.Store", "open_later", "with_options", "NumberedVersion"])
def test_whatever_takes_a_location_will_do(name):
    """Nested classes, async functions, functions with options; a number is no version."""
    assert find_store(f"lookup_stores:{name}").version in ("1.2", None)


@pytest.mark.parametrize(
    ("name", "parts"),
    [
        (
            "nonsense",
            ["no store is called 'nonsense'", "module:attr", "cmd:COMMAND", "sessionproof stores"],
        ),
        ("lookup_not_there:Store", ["no module 'lookup_not_there'", "import path"]),
        ("lookup_stores.inside:Store", ["lookup_stores"]),
        ("lookup_needs:Store", ["lookup_needs", "needs the module", "lookup_not_there"]),
        ("lookup_fails:Store", ["importing lookup_fails failed", "RuntimeError: two"]),
        ("lookup_exits:Store", ["importing lookup_exits failed", "SystemExit"]),
        ("lookup_broken:Store", ["importing lookup_broken failed", "SyntaxError"]),
        ("lookup_stores:", ["names no attribute", "module:attr"]),
        ("lookup_stores:store", ["no attribute 'store'", "did you mean 'Store'?"]),
        ("lookup_stores:Other", ["no attribute 'Other'"]),
        ("lookup_stores:number.real.part", ["no attribute 'number.real.part'"]),
        ("lookup_stores:Lazy", ["Lazy", "ImportError", "install me first"]),
        ("lookup_stores:number", ["is a int", "class", "open(location)"]),
        ("lookup_stores:NoRead", ["no read, no close", "append, read and close"]),
        ("lookup_stores:TwoArguments", ["cannot be called with one location", "size"]),
        ("lookup_stores:no_arguments", ["cannot be called with one location"]),
        ("lookup_stores:OddClaims", ["claims is a dict", "sessionproof.Claims"]),
        (":Store", ["Store"]),
        (".relative:Store", [".relative"]),
    ],
)
def test_every_mistake_is_one_line(name, parts):
    """What cannot be used is refused in one line that names it and says what to do."""
    with pytest.raises(StoreNotFound) as caught:
        find_store(name)
    assert len(str(caught.value).splitlines()) == 1
    for part in parts:
        assert part in str(caught.value)


def entry_points(monkeypatch, **found):
    """Make these the registered entry points, by group."""
    points = [
        importlib.metadata.EntryPoint(name, value, group) for group, (name, value) in found.items()
    ]
    groups = {"stores": STORES, "schemes": SCHEMES}
    monkeypatch.setattr(
        importlib.metadata,
        "entry_points",
        lambda group: [point for point in points if groups[point.group] == group],
    )


@pytest.mark.parametrize("value", ["lookup_stores:Store", "lookup_stores:Inner.Store [fast]"])
def test_other_packages_register_stores(monkeypatch, value):
    """An entry point gives a store a short name, with or without an extra."""
    entry_points(monkeypatch, stores=("mine", value))
    assert find_store("mine").claims == Claims(fair=True)
    with pytest.raises(StoreNotFound, match=r"did you mean 'mine'\?"):
        find_store("mien")


def test_a_registered_store_that_cannot_be_imported_is_one_line(monkeypatch):
    """A dead entry point is refused like any other name."""
    entry_points(monkeypatch, stores=("mine", "lookup_not_there:Store"))
    with pytest.raises(StoreNotFound, match="no module 'lookup_not_there'"):
        find_store("mine")


def test_a_scheme_gets_the_rest_of_the_name(monkeypatch):
    """A scheme is a function from the text after the colon to a factory."""
    entry_points(monkeypatch, schemes=("made", "lookup_schemes:made"))
    made = []
    module = type(sys)("lookup_schemes")
    module.made = lambda rest: made.append(rest) or partial(lambda location: None)
    monkeypatch.setitem(sys.modules, "lookup_schemes", module)
    assert find_store("made:a:b").name == "made:a:b"
    assert made == ["a:b"]


def test_a_scheme_that_cannot_be_loaded_is_one_line(monkeypatch):
    """A dead scheme is refused like a dead store."""
    entry_points(monkeypatch, schemes=("made", "lookup_not_there:made"))
    with pytest.raises(StoreNotFound, match="lookup_not_there"):
        find_store("made:x")


def test_a_scheme_that_fails_at_what_follows_is_one_line(monkeypatch):
    """What a scheme raises about the rest of the name is no traceback of ours."""
    entry_points(monkeypatch, schemes=("made", "lookup_schemes:made"))
    module = type(sys)("lookup_schemes")
    module.made = int
    monkeypatch.setitem(sys.modules, "lookup_schemes", module)
    with pytest.raises(StoreNotFound, match=r"makes no store of it: ValueError: invalid literal"):
        find_store("made:x")


def test_a_scheme_whose_library_is_missing_says_so_itself(monkeypatch, tmp_path):
    """What the scheme says while it is loaded is told in its own words."""
    (tmp_path / "lookup_bare.py").write_text(
        "from sessionproof.contract.lookup import MissingExtra\n"
        "raise MissingExtra('made', 'extra', 'library')\n"
    )
    monkeypatch.syspath_prepend(tmp_path)
    entry_points(monkeypatch, schemes=("made", "lookup_bare:made"))
    with pytest.raises(MissingExtra, match="made needs the package library"):
        find_store("made:x")


def test_a_store_with_a_scheme_of_its_name_takes_servers(monkeypatch):
    """A store alone, or a scheme alone, does not."""
    entry_points(monkeypatch, stores=("both", "a:b"), schemes=("both", "a:c"))
    assert takes_server("both")
    entry_points(monkeypatch, stores=("one", "a:b"), schemes=("other", "a:c"))
    assert not takes_server("one")
    assert not takes_server("other")


def test_a_missing_extra_says_how_to_install_it():
    """A shipped adapter whose library is missing names the package and the command."""
    assert str(MissingExtra("google-adk", "google-adk", "google-adk")) == (
        "google-adk needs the package google-adk: pip install 'sessionproof[google-adk]'"
    )
