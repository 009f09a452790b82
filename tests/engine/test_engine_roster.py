"""Which stores are on a scoreboard, and what they are called."""

from __future__ import annotations

import pytest

from sessionproof.contract import registered as registry
from sessionproof.contract.extras import requirements_of, versions
from sessionproof.engine import roster
from sessionproof.engine.plan import BadUsage
from sessionproof.engine.roster import check_names, every_store, known_stores, named_stores


def test_all_that_are_registered_are_known():
    """Shipped adapters with their extra, our own stores, and those on private servers."""
    known = known_stores()
    adapters = {one.name for one in registry.registered() if one.kind == "adapter"}
    assert adapters <= set(known)
    for name in adapters:
        assert known[name].extras == (name,)
        assert known[name].kind == "third-party"
        assert known[name].package in known[name].packages
    assert known["reference-postgres"].words == ("reference", "--on", "postgres")
    assert {known[name].kind for name in ("reference", "portal", "session-manager")} == {"ours"}


def test_a_store_of_another_distribution_is_third_party(monkeypatch):
    """It is judged where it is installed: nothing says how it would be elsewhere."""
    theirs = registry.Registered("shop chat", "other", "shop", "shop", "1.0", None)
    monkeypatch.setattr(roster, "registered", lambda: (theirs,))
    found = known_stores()["shop chat"]
    assert (found.name, found.words, found.kind) == ("shop-chat", ("shop chat",), "third-party")
    assert not found.shipped


def test_what_is_not_installed_is_left_out_with_a_reason(monkeypatch):
    """Without environments of their own, stores need their packages here; with them none does."""
    monkeypatch.setattr(roster, "versions", lambda names: dict.fromkeys(names))
    monkeypatch.setattr(roster, "find_binaries", lambda: None)
    chosen, left_out = every_store(isolated=False)
    assert {"reference", "session-manager"} <= {one.name for one in chosen}
    assert "langchain" not in {one.name for one in chosen}
    (told,) = [sentence for sentence in left_out if sentence.startswith("langchain is")]
    assert "sessionproof[langchain]" in told
    chosen, left_out = every_store(isolated=True)
    assert "langchain" in {one.name for one in chosen}
    assert {sentence.split()[0] for sentence in left_out} == {
        "reference-postgres", "portal-postgres"
    }  # fmt: skip


@pytest.mark.parametrize(
    ("given", "name", "words"),
    [
        ("reference", "reference", ("reference",)),
        ("mine=reference", "mine", ("reference",)),
        ("shop.chat:Store", "shop.chat-Store", ("shop.chat:Store",)),
        ("shop=shop.chat:Store", "shop", ("shop.chat:Store",)),
        ("cmd:node a/b.mjs", "cmd-node-a-b.mjs", ("cmd:node a/b.mjs",)),
        ("node=cmd:X=1 node b.mjs", "node", ("cmd:X=1 node b.mjs",)),
        ("cmd:X=1 node", "cmd-X-1-node", ("cmd:X=1 node",)),
        ("m:../../x", "m-..-..-x", ("m:../../x",)),
    ],
)
def test_stores_are_named_as_for_run(given, name, words):
    """A name of its own may stand before the store; without it one is made that a file can have."""
    (found,) = named_stores([given])
    assert (found.name, found.words) == (name, words)
    assert "/" not in found.name
    assert not found.name.startswith(".")


@pytest.mark.parametrize(
    ("given", "said"),
    [
        ("nothing", "no store is called 'nothing'"),
        ("postgresql://u:secret@h/d", "an address is not put on a scoreboard"),
        ("pg=postgresql://u:secret@h/d", "an address is not put on a scoreboard"),
        ("portal:postgresql://u:secret@h/d", "an address is not put on a scoreboard"),
    ],
)
def test_what_cannot_be_on_a_board_is_refused_in_a_line(given, said):
    """The line says what could be named instead, and shows no password."""
    with pytest.raises(BadUsage, match=said) as caught:
        named_stores([given])
    assert "\n" not in str(caught.value)
    assert "secret" not in str(caught.value)


def test_two_rows_do_not_share_a_name():
    """Files of one would be written over those of the other; case does not tell them apart."""
    with pytest.raises(BadUsage, match="Mine-2=m:B"):
        check_names(named_stores(["mine=m:A", "Mine=m:B"]))
    check_names(named_stores(["a=m:A", "b=m:A"]))


def test_an_extra_names_what_it_needs():
    """Requirements come without their versions and options; nothing that is unknown has any."""
    assert requirements_of("google-adk") == ("google-adk", "sqlalchemy")
    assert requirements_of("nothing") == ()
    assert versions(["pytest", "no-such-distribution"])["no-such-distribution"] is None
    assert versions(["pytest"])["pytest"] == pytest.__version__


def test_versions_are_those_of_the_place_that_is_asked(tmp_path):
    """Another environment is looked into by its folders alone."""
    info = tmp_path / "shop_chat-3.1.dist-info"
    info.mkdir()
    (info / "METADATA").write_text("Metadata-Version: 2.1\nName: shop-chat\nVersion: 3.1\n")
    assert versions(["shop-chat", "pytest"], [tmp_path]) == {"shop-chat": "3.1", "pytest": None}
