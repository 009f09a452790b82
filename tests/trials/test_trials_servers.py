"""The rows of servers: correct stores hold them, others are not asked, and words say why."""

import pytest

from fixtures.registry import OF_SERVERS, judged
from sessionproof.contract.claims import Claims
from sessionproof.contract.verdicts import Verdict
from sessionproof.faults.servers import postgres
from sessionproof.faults.servers.binaries import find_binaries, missing
from sessionproof.reference import ReferenceStore
from sessionproof.reference.postgres.claimed import CLAIMS
from sessionproof.reference.postgres.store import PostgresStore

pytest.importorskip("psycopg")
here = pytest.mark.skipif(find_binaries() is None, reason=missing())


class OnServer:
    """The reference behind an address that is only known later, with one connection."""

    claims = CLAIMS
    preset = "cli"

    def __init__(self, location):
        self.location = location

    @classmethod
    def for_server(cls, url):
        """The reference there."""

        def opened(location):
            return PostgresStore(location, url=url, preset=cls.preset)

        opened.claims = cls.claims
        return opened

    def append(self, session_id, messages):
        """There is no server yet."""
        raise NotImplementedError

    def read(self, session_id):
        """There is no server yet."""
        raise NotImplementedError

    def close(self):
        """Nothing is open."""


class ClaimsLess(OnServer):
    """Its factory there promises less than it does here."""

    @classmethod
    def for_server(cls, url):
        """A store without durability."""
        made = super().for_server(url)
        made.claims = Claims()
        return made


class IgnoresTheAddress(OnServer):
    """Whatever server it is told to use, it works on one of its own: here a file."""

    @classmethod
    def for_server(cls, url):
        """The same store as anywhere."""
        return ReferenceStore


RIGHT = f"{__name__}:OnServer"


@here
@pytest.mark.parametrize("guarantee", sorted(OF_SERVERS))
def test_the_reference_with_one_connection_holds_them(guarantee, tmp_path):
    """Clients that queue for one connection get through again, with enough evidence."""
    (record,) = judged(RIGHT, guarantee, directory=tmp_path)
    assert record.verdict is Verdict.HOLDS, record
    assert record.examined >= (3 if guarantee == "DUR-08" else 20)
    assert any("were killed" in note or "were cut" in note for note in record.notes)


@pytest.mark.parametrize("guarantee", sorted(OF_SERVERS))
def test_a_store_without_a_server_is_not_asked(guarantee, tmp_path):
    """Files cannot be cut off: the row is not claimed, and says why."""
    (record,) = judged("reference", guarantee, directory=tmp_path)
    assert record.verdict is Verdict.NOT_CLAIMED
    if guarantee == "DUR-09":
        assert record.reason == "the store uses no server that can be started here"


def test_without_the_programs_nothing_is_told(tmp_path, monkeypatch):
    """Where no server can be started the verdict is "could not tell", with what to install."""
    monkeypatch.setattr(postgres, "find_binaries", lambda: None)
    (record,) = judged(RIGHT, "DUR-09", directory=tmp_path)
    assert record.verdict is Verdict.UNKNOWN
    assert record.reason == missing()


@here
def test_another_promise_elsewhere_is_noticed(tmp_path):
    """What is judged on the private server must be what is claimed here."""
    (record,) = judged(f"{__name__}:ClaimsLess", "DUR-08", directory=tmp_path)
    assert record.verdict is Verdict.UNKNOWN
    assert "durability=none" in record.reason


@here
@pytest.mark.night
def test_a_server_that_the_store_does_not_use_is_no_evidence(tmp_path):
    """Who ignores the address of the private server has survived nothing: it is not told."""
    (record,) = judged(f"{__name__}:IgnoresTheAddress", "DUR-08", directory=tmp_path)
    assert record.verdict is Verdict.UNKNOWN, record
    assert record.examined == 0
