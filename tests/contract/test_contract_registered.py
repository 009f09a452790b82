"""Names that a run takes, told by metadata."""

from importlib.metadata import EntryPoint, PackageNotFoundError

from sessionproof.contract import extras, registered
from sessionproof.contract.extras import requirements_of, versions
from sessionproof.contract.registered import package_of
from sessionproof.contract.registered import registered as names


def test_our_own_names_are_there():
    """The reference needs nothing; an adapter names its package, a scheme what it needs."""
    found = {(one.kind, one.name): one for one in names()}
    assert found["own", "reference"].install is None
    assert found["own", "reference"].version
    assert found["adapter", "tinydb"].package == "tinydb"
    assert ("scheme", "cmd") in found
    kinds = [one.kind for one in names()]
    assert kinds == sorted(kinds, key=["own", "adapter", "other", "scheme"].index)


def test_what_is_missing_has_a_command(monkeypatch):
    """Where a distribution is not installed, the line says what brings it."""
    monkeypatch.setattr(registered, "versions", lambda wanted: dict.fromkeys(wanted))
    (tinydb,) = [one for one in names() if one.name == "tinydb"]
    assert tinydb.version is None
    assert tinydb.install == "pip install 'sessionproof[tinydb]'"


def test_a_name_of_somebody_else_is_theirs(monkeypatch):
    """Without metadata of its own it goes by the first name of its module."""
    point = EntryPoint("theirs", "shop.chat:Store", registered.STORES)
    found = {registered.STORES: [point], registered.SCHEMES: [point]}
    monkeypatch.setattr(registered, "entry_points", lambda group: found[group])
    assert [(one.kind, one.distribution, one.version) for one in names()] == [
        ("other", "shop", None),
        ("scheme", "shop", None),
    ]


def test_a_file_says_which_package_it_needs(tmp_path):
    """It is read and not run; a folder by its first file."""
    (tmp_path / "one.py").write_text("raise MissingExtra('one', 'extra', 'package-one')\n")
    (tmp_path / "two").mkdir()
    (tmp_path / "two" / "__init__.py").write_text("import nothing_of_the_kind\n")
    assert package_of("one", tmp_path) == "package-one"
    assert package_of("two", tmp_path) is None


def test_requirements_come_from_metadata(monkeypatch, tmp_path):
    """Those of the extra alone; none where nothing is installed."""
    lines = ["a>=1", "b>=2; extra == 'x'", 'c[d]>=3; extra == "x"', "e; extra == 'y'"]
    monkeypatch.setattr(extras.importlib.metadata, "requires", lambda _: lines)
    assert requirements_of("x") == ("b", "c")
    assert requirements_of("z") == ()

    def missing(_):
        raise PackageNotFoundError

    monkeypatch.setattr(extras.importlib.metadata, "requires", missing)
    assert requirements_of("x") == ()
    assert versions(["pytest"], [tmp_path]) == {"pytest": None}
    assert versions(["pytest"])["pytest"]
