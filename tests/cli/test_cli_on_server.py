"""Commands about whole stores with the address of a server, as a user and a program see them."""

import json
import secrets

import pytest

from sessionproof import Message
from sessionproof.faults.servers.binaries import find_binaries, missing

psycopg = pytest.importorskip("psycopg", reason="the extra postgres is not installed")

from sessionproof.faults.servers.postgres import PrivateServer  # noqa: E402
from sessionproof.reference.postgres.store import PostgresStore  # noqa: E402


@pytest.fixture(scope="module")
def server():
    if find_binaries() is None:
        pytest.skip(missing())
    with PrivateServer.start() as started:
        yield started


@pytest.fixture
def schema(server):
    """A schema with a session of two messages."""
    name = f"cli_{secrets.token_hex(4)}"
    with PostgresStore(url=server.url, schema=name, preset="cli") as store:
        store.append("a", [Message("user", "x")] * 2)
    yield name
    with psycopg.connect(server.url, autocommit=True) as db:
        db.execute(f"DROP SCHEMA {name} CASCADE")


@pytest.fixture
def url(server):
    """An address with a password, which nobody may ever see."""
    return server.url.replace("postgresql://", "postgresql://sessionproof:open%20sesame@", 1)


def test_a_store_that_is_well(run, url, schema):
    """Health and verify end with 0, and the one schema of a database needs no name."""
    code, out, err = run("health", url, "--schema", schema)
    assert (code, err) == (0, "")
    assert out.splitlines()[-1].split() == ["in", "all", "ok"]
    code, out, _ = run("verify", url)
    assert (code, out.splitlines()[-1]) == (0, "all is in order")
    assert "sesame" not in out


def test_what_is_wrong_is_the_exit_code(run, url, schema, server):
    """A counter that is wrong is a problem for verify, and a warning for health."""
    with psycopg.connect(server.url, autocommit=True) as db:
        db.execute(f"UPDATE {schema}.sessions SET total_tokens = 9")
    code, out, _ = run("verify", url, "--schema", schema, "--json")
    assert (code, json.loads(out)["ok"]) == (1, False)
    assert run("health", url, "--schema", schema)[0] == 1


@pytest.mark.night
def test_a_backup_there_and_back(run, url, schema, server, tmp_path):
    """A backup is made, tried and restored into another schema, and what was there is kept."""
    (tmp_path / "backups").mkdir()
    code, out, err = run("backup", url, "--schema", schema, "--to", "backups", "--json")
    assert (code, err) == (0, "")
    made = json.loads(out)
    assert made["rows"]["messages"] == 2
    assert "sesame" not in out
    with PostgresStore(url=server.url, schema=schema, preset="cli") as store:
        store.append("a", [Message("user", "newer")])
        into = ("--to", url, "--schema", schema)
        assert run("restore", made["backup"], *into, "--dry-run")[0] == 0
        assert store.count("a") == 3
        code, out, _ = run("restore", made["backup"], *into, "--json")
        assert (code, store.count("a")) == (0, 2)
        assert run("restore", json.loads(out)["before"], *into)[0] == 0
        assert store.count("a") == 3


def test_upkeep(run, url, schema):
    """What is due is done, and told; at once afterwards nothing is."""
    code, out, _ = run("maintain", url, "--schema", schema)
    assert code == 0
    assert "done    verify: nothing is wrong" in out
    assert "nothing was due" in run("maintain", url, "--schema", schema)[1]


@pytest.mark.parametrize("command", ["health", "verify", "maintain", "backup"])
def test_names_that_lead_nowhere(run, url, schema, command, tmp_path):
    """A server, a schema or an address that is not there is refused in a line, without a secret."""
    more = ("--to", tmp_path) if command == "backup" else ()
    nowhere = "postgresql://me:sesame@/db?host=/nowhere"
    for where, named in ((nowhere, ()), (url, ("--schema", "nope")), (f"{url},{url}2", ())):
        code, out, err = run(command, where, *named, *more)
        assert code == (1 if command == "health" and named else 2)
        assert "sesame" not in out + err
        assert len(err.splitlines()) == (0 if code == 1 else 1)
    assert run(command, tmp_path, "--schema", "x", *more)[0] == 2
