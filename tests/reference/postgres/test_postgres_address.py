"""The address of a PostgreSQL server as the name of a store."""

import sys

import pytest

from sessionproof.contract.lookup import StoreNotFound, find_store

NAME = "postgresql://u@h:5432/d"


def test_an_address_is_a_store():
    """Both schemes name the reference, with its claims, on a clock that can be set."""
    pytest.importorskip("psycopg")
    for name in (NAME, NAME.replace("postgresql", "postgres")):
        spec = find_store(name)
        assert spec.name == name
        assert spec.claims.consistency == "linearizable"
        assert not spec.claims.checksums
        assert spec.takes_clock
        assert spec.version
        assert spec.for_server("postgresql://other/e").urls == ("postgresql://other/e",)


@pytest.mark.parametrize(
    ("name", "words"),
    [
        ("postgresql://h/d?nonsense=1", 'invalid URI query parameter: "nonsense"'),
        ("postgresql://h/%zz", "invalid percent-encoded token"),
        ("postgresql:", "write it as postgresql://USER@HOST:PORT/DATABASE"),
        (f"{NAME},postgresql://i,{NAME}", f"{NAME} is named twice"),
    ],
)
def test_what_is_wrong_in_it_is_told(name, words):
    """A mistake in an address is one line that names it, before any server is asked."""
    pytest.importorskip("psycopg")
    with pytest.raises(StoreNotFound, match=words.replace("?", r"\?")) as told:
        find_store(name)
    assert "\n" not in str(told.value)


@pytest.mark.parametrize("password", ["p%ZZhunter2", "hunter2 hunter2", "hunter2%00"])
def test_a_password_that_is_no_part_of_an_address_is_not_shown(password):
    """What the driver says of the address is told, unless it is about the password."""
    pytest.importorskip("psycopg")
    assert "hunter2" not in repr(find_store("postgresql://ann:hunter2@h/d").for_server)
    for tail, words in (("", "its password cannot be read"), ("?sslmod=x", '"sslmod"')):
        with pytest.raises(StoreNotFound, match=words) as told:
            find_store(f"postgresql://ann:{password}@h/d{tail}")
        assert "hunter2" not in str(told.value)


def test_the_driver_is_asked_for(monkeypatch):
    """Without psycopg the line says which extra to install, and shows no password."""
    for module in [name for name in sys.modules if name.startswith("psycopg")]:
        monkeypatch.setitem(sys.modules, module, None)
    monkeypatch.setitem(sys.modules, "psycopg", None)
    with pytest.raises(StoreNotFound) as told:
        find_store("postgresql://u:hunter2@h/d")
    assert str(told.value) == (
        "postgresql://u@h/d needs the package psycopg: pip install 'sessionproof[postgres]'"
    )


def test_a_name_that_would_be_cut_is_refused():
    """PostgreSQL keeps 63 bytes of a name: longer ones could be one schema."""
    from sessionproof.reference.postgres.address import schema_named

    assert schema_named("é" * 31) == "é" * 31
    assert schema_named(None) is None
    with pytest.raises(ValueError, match="63 bytes, and this one has 64"):
        schema_named("é" * 32)
