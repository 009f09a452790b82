"""Addresses of servers in the names of stores: no password is left in them, whatever it is."""

from urllib.parse import quote

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sessionproof.contract.addresses import (
    NAMESPACE,
    addresses,
    is_address,
    is_on_server,
    of_kind,
    schema_of,
    schemas_of_run,
    shown,
)
from sessionproof.contract.location import Location
from sessionproof.contract.lookup import StoreNotFound

SECRET = "hunter2"


@pytest.mark.parametrize(
    ("url", "without", "password"),
    [
        ("postgresql://h/d", "postgresql://h/d", None),
        ("postgres://u@h:5432/d", "postgres://u@h:5432/d", None),
        ("postgresql://u:hunter2@h/d", "postgresql://u@h/d", SECRET),
        ("postgresql://:hunter2@h/d", "postgresql://@h/d", SECRET),
        ("postgresql://u:@h/d", "postgresql://u@h/d", None),
        ("postgresql://u:a:b%40c@[::1]:5432,h2:6/d", "postgresql://u@[::1]:5432,h2:6/d", "a:b@c"),
        ("postgresql:///d?host=/tmp&user=u", "postgresql:///d?host=/tmp&user=u", None),
        ("postgresql:///d?password=hunter2", "postgresql:///d", SECRET),
        ("postgresql://h/d?user=u&pass%77ord=hunter2&port=1", "postgresql://h/d?user=u&port=1",
         SECRET),
        ("postgresql://h/d?Password=hunter2", "postgresql://h/d", SECRET),
        ("postgresql://u:a@h/d?password=hunter2", "postgresql://u@h/d", SECRET),
        ("postgresql://h/d?application_name=a@b:c", "postgresql://h/d?application_name=a@b:c",
         None),
    ],
)  # fmt: skip
def test_a_password_is_taken_out(url, without, password):
    """The address goes on as libpq understands it, without its password."""
    (one,) = addresses(url)
    assert (one.url, one.password) == (without, password)
    assert shown(without) == without
    assert SECRET not in repr(one)


def test_several_addresses_are_taken_apart():
    """Each address between commas loses its own password; commas of hosts stay."""
    store = "postgresql://a:1@h,i/d,postgres://b:2@k,postgresql:///d"
    assert [(one.url, one.password) for one in addresses(store)] == [
        ("postgresql://a@h,i/d", "1"),
        ("postgres://b@k", "2"),
        ("postgresql:///d", None),
    ]
    assert shown(store) == "postgresql://a@h,i/d,postgres://b@k,postgresql:///d"


@given(st.text(st.characters(codec="utf-8", exclude_characters="\0"), min_size=1))
def test_any_password_can_be_written(password):
    """A password whose characters are quoted comes back whole."""
    (one,) = addresses(f"postgresql://u:{quote(password, safe='')}@h/d")
    assert (one.url, one.password) == ("postgresql://u@h/d", password)


@pytest.mark.parametrize(
    "store",
    [
        "postgresql:u:hunter2",
        "postgresql:host=h password=hunter2",
        "postgresql:/u:hunter2@h",
        "postgresql://u:a/hunter2@h/d",
        "postgresql://u:hunter2/a@h/d",
        "postgresql://u:a@hunter2@h/d",
        "postgresql://u:hunter2@a@h/d",
        "postgresql://u:hunter2?a@b@h/d",
        "postgresql://h/d,postgresql:u:hunter2@i",
        "postgresql://h/d?sslpassword=hunter2",
        "postgresql://h/d?port=1, postgresql://u:hunter2@i/d",
        "postgresql://u:1/hunter2?a@h/d",
    ],
)
def test_what_is_no_address_is_not_shown(store):
    """An address that cannot be taken apart is refused in one line that has nothing of it."""
    assert is_address(store)
    with pytest.raises(StoreNotFound) as told:
        addresses(store)
    assert SECRET not in str(told.value)
    assert "\n" not in str(told.value)


def test_a_kind_of_store_stands_before_its_address():
    """What is before the address stays, and the password goes, as of any address."""
    store = "portal:postgresql://u:hunter2@h/d"
    assert of_kind(store) == ("portal:", "postgresql://u:hunter2@h/d")
    assert is_on_server(store)
    assert not is_address(store)
    assert shown(store) == "portal:postgresql://u@h/d"
    assert [one.password for one in addresses(store)] == [SECRET]
    with pytest.raises(StoreNotFound) as told:
        shown("portal:postgresql:u:hunter2")
    assert SECRET not in str(told.value)


def test_other_names_are_no_addresses():
    """Stores that are named otherwise are left alone."""
    for store in ("reference", "postgres", "postgresql", "cmd:postgresql://u:p@h", "a.b:C", ""):
        assert not is_address(store)
        assert not is_on_server(store)
        assert of_kind(store) == ("", store)


def test_a_location_has_a_schema_of_its_own(tmp_path, monkeypatch):
    """The path alone decides it, the run gives its beginning, and a namespace goes before both."""
    monkeypatch.delenv(NAMESPACE, raising=False)
    one, other = schema_of(tmp_path / "a"), schema_of(tmp_path / "b")
    assert one != other
    assert one == schema_of(Location(tmp_path / "a")) == schema_of(str(tmp_path / "a"))
    assert one.startswith("sp_")
    assert len(one) == 27
    monkeypatch.setenv(NAMESPACE, "r1_")
    assert schemas_of_run() == "sp_r1_"
    assert schema_of(tmp_path / "a") == one.replace("sp_", "sp_r1_")
    assert schema_of(Location(tmp_path, namespace="mine")) == "mine"
    with pytest.raises(ValueError, match="a location or the name of a schema"):
        schema_of(None)
