"""Users in trials: what is claimed by halves, what is spared, what is looked into."""

import base64
import os
import sqlite3
from collections import Counter
from contextlib import closing
from dataclasses import replace
from functools import partial
from pathlib import Path
from tempfile import TemporaryDirectory

import pytest

from fixtures.benign.users import EndsTokensOfTheShutOut, RefusesUsersInUse, TokensOfTwoParts, Users
from fixtures.mutants import users as mutants
from fixtures.mutants import users_secrets, users_tokens
from sessionproof.checks.secrets import forms, shown_in
from sessionproof.contract.addresses import schema_of
from sessionproof.contract.anomalies import Anomaly
from sessionproof.contract.errors import StoreError
from sessionproof.contract.location import Location
from sessionproof.contract.verdicts import Verdict
from sessionproof.engine.scripts import source_of
from sessionproof.faults.servers.binaries import find_binaries, missing
from sessionproof.faults.servers.postgres import PrivateServer
from sessionproof.trials import models
from sessionproof.trials.examine import examine
from sessionproof.trials.single import Broken, CouldNotTell, NotClaimed
from sessionproof.trials.users import removed, renamed, secrets, tokens
from sessionproof.trials.users.stored import servers_of, stored_bytes, stored_values
from sessionproof.workload.profiles import PROFILES


@pytest.fixture
def trial_of(trial_of):
    """As everywhere, with time enough for a machine that does other things, too."""
    return partial(trial_of, profile=replace(PROFILES["smoke"], patience_s=60.0))


def broken(test, trial):
    """The finding of a test that must find something."""
    with pytest.raises(Broken) as caught:
        test(trial)
    return caught.value.finding


def without(store, *methods):
    """The store without some of its methods."""
    return type("Lacking", (store,), dict.fromkeys(methods))


@pytest.mark.parametrize("store", [Users, RefusesUsersInUse])
def test_both_ways_to_remove_a_user_are_right(trial_of, store):
    """Refusing and cascading are judged by the claim, and each holds by its own."""
    trial = trial_of("FK-07", store)
    removed.in_use(trial)
    assert trial.examined["deletions"] >= trial.guarantee.least


@pytest.mark.parametrize(
    ("store", "claim", "anomaly"),
    [
        (Users, "refuses", Anomaly.ACCEPTED_INVALID),
        (RefusesUsersInUse, "cascades", Anomaly.UNEXPECTED_REFUSAL),
    ],
)
def test_the_other_way_is_a_break(trial_of, store, claim, anomaly):
    """What a store does to a user in use must be what it claims."""
    claims = replace(store.claims, on_delete_user=claim)
    assert broken(removed.in_use, trial_of("FK-07", store, claims=claims)).anomaly is anomaly


def test_half_a_row_is_judged_alone(trial_of):
    """A store with users and no models is not asked about models, and the other way round."""
    with pytest.raises(NotClaimed, match="add_llm_model"):
        models.removed_in_use(trial_of("FK-07", Users))
    with pytest.raises(NotClaimed, match="add_user"):
        removed.in_use(trial_of("FK-07"))
    claims = replace(Users.claims, on_delete_user=None, on_delete_in_use="refuses")
    with pytest.raises(NotClaimed, match="on_delete_user"):
        removed.in_use(trial_of("FK-07", Users, claims=claims))


@pytest.mark.parametrize("store", [Users, TokensOfTwoParts, EndsTokensOfTheShutOut])
def test_correct_ways_to_keep_tokens_are_spared(trial_of, store):
    """With a clock that can be set or without, in one part or two, ended when shut out or not."""
    trial = trial_of("SEC-04", store)
    tokens.refused(trial)
    assert trial.examined["attempts"] >= trial.guarantee.least


def test_a_store_that_can_do_little_is_judged_by_that(trial_of):
    """Where users cannot be renamed, shut out or removed, their tokens are judged all the same."""
    lacking = ("sign_out", "set_user_active", "rename_user", "delete_user", "set_owner")
    trial = trial_of("SEC-04", without(Users, *lacking))
    tokens.refused(trial)
    assert trial.examined["attempts"] >= trial.guarantee.least


def test_a_row_without_its_methods_is_not_claimed(trial_of):
    """Who has no users makes no promise about them."""
    for row, test in (("FK-08", renamed.keeps_what_is_his), ("SEC-04", tokens.refused)):
        record = examine(test, trial_of(row), name="test", declared=True)
        assert record.verdict is Verdict.NOT_CLAIMED


def test_a_call_that_hangs_is_told_once(trial_of):
    """The deadline of a call is waited for one time, and the finding is the hang."""

    class Hangs(Users):
        """Never says whose."""

        def whose(self, token):
            """Wait for a lock that nobody gives back."""
            with closing(sqlite3.connect(self.path, isolation_level=None)) as db:
                db.execute("BEGIN IMMEDIATE")
                return super().whose(token)

    assert broken(tokens.refused, trial_of("SEC-04", Hangs)).anomaly is Anomaly.HANG


SCRIPTED = [
    (removed.in_use, "FK-07", mutants.MessagesOutliveUsers, Users),
    (removed.in_use, "FK-07", mutants.RefusedAndSignedOut, RefusesUsersInUse),
    (renamed.keeps_what_is_his, "FK-08", mutants.SessionsFollowNames, Users),
    (renamed.keeps_what_is_his, "FK-08", mutants.TakenNamesRaise, Users),
    (tokens.refused, "SEC-04", users_tokens.LocalEnds, Users),
    (tokens.refused, "SEC-04", users_tokens.RemembersGoodTokens, Users),
    (tokens.refused, "SEC-04", users_tokens.TellsWhichIsWrong, Users),
    (tokens.refused, "SEC-04", users_tokens.QuotesPasswords, Users),
    (secrets.nothing_in_clear, "SEC-04", users_secrets.TokensInTheLog, Users),
    (secrets.nothing_in_clear, "SEC-04", users_secrets.OneSaltForAll, Users),
]


@pytest.mark.parametrize(("test", "row", "wrong", "right"), SCRIPTED)
def test_the_script_of_a_finding_tells_broken_from_right(
    trial_of, tmp_path, test, row, wrong, right
):
    """The lines fail against the store that is broken, and run through against the right one."""
    trial = trial_of(row, wrong)
    finding = broken(test, trial)
    source = source_of("reference", trial.guarantee, finding, tmp_path / "repro.py")
    for store, fails in ((wrong, True), (right, False)):
        place = tmp_path / store.__name__
        place.mkdir()
        assert _fails(source, store, place) is fails, source


def _fails(source, store, place):
    """Whether the file fails against a store, opened by its own class."""
    head = "from sessionproof.reference import ReferenceStore as open_store\n"
    if head not in source:
        head = next(line for line in source.splitlines(keepends=True) if "open_store" in line)
    source = source.replace(head, "").replace("tempfile.mkdtemp()", repr(str(place)))
    try:
        exec(compile(source, "repro", "exec"), {"open_store": store, "__name__": "repro"})
    except (AssertionError, StoreError, sqlite3.Error):
        return True
    return False


def test_a_secret_in_a_file_beside_the_database_is_found(trial_of):
    """Whatever lies below the location is looked into."""

    class WritesBeside(Users):
        """A log of its own."""

        def sign_in(self, name, password, *, idle_us=None, hard_us=None):
            """Sign in, and write it down."""
            token = super().sign_in(name, password, idle_us=idle_us, hard_us=hard_us)
            self.path.with_name("access.log").write_text(f"{name} {token}\n")
            return token

    finding = broken(secrets.nothing_in_clear, trial_of("SEC-04", WritesBeside))
    assert finding.anomaly is Anomaly.IN_CLEAR
    assert "access.log" in finding.seen


def test_a_list_of_ended_tokens_may_name_them(trial_of):
    """A token that was signed out opens nothing: what is kept of it is no secret."""

    class ListsTheEnded(Users):
        """A table of tokens that are refused."""

        schema = Users.schema + "CREATE TABLE IF NOT EXISTS ended (token TEXT);"

        def sign_out(self, token):
            """End it, and note it as it is."""
            super().sign_out(token)
            with self._writing() as db:
                db.execute("INSERT INTO ended VALUES (?)", (token,))

    secrets.nothing_in_clear(trial_of("SEC-04", ListsTheEnded))


def test_what_lies_elsewhere_is_not_called_clean(trial_of):
    """A store that keeps what it has where nobody looks gets no verdict."""
    with TemporaryDirectory() as elsewhere:
        home = Location(Path(elsewhere))

        class KeepsElsewhere(Users):
            """Its file is not below its location."""

            def __init__(self, _location, clock=None):
                super().__init__(home, clock)

        with pytest.raises(CouldNotTell, match="neither in files"):
            secrets.nothing_in_clear(trial_of("SEC-04", KeepsElsewhere))


def test_the_padding_of_a_token_is_no_part_of_it(trial_of):
    """Base64 is read with its padding or without, and the token is the same."""

    class Padded(Users):
        """32 bytes in base64, of which the bytes count."""

        def _token(self):
            return base64.b64encode(os.urandom(32)).decode()

        def _stored(self, token):
            return super()._stored(token.rstrip("="))

    trial = trial_of("SEC-04", Padded)
    tokens.refused(trial)
    assert trial.examined["attempts"] >= trial.guarantee.least


def test_what_is_not_heard_is_noted(trial_of):
    """A store that no name finds cannot be started in another process, and the report says so."""
    trial = trial_of("SEC-04", Users)
    secrets.nothing_in_clear(trial)
    assert any("not heard" in note for note in trial.notes)


def test_values_of_a_locked_database_are_read_as_words(tmp_path):
    """A store may keep its file to itself: its text is read all the same."""
    path = tmp_path / "chat.db"
    with closing(sqlite3.connect(path)) as db:
        db.execute("CREATE TABLE users (name TEXT, password TEXT)")
        db.execute("INSERT INTO users VALUES ('ada', '-longer-than-eight-')")
        db.commit()
        assert stored_values(Location(tmp_path), [])["-longer-than-eight-"] == 1
        db.execute("PRAGMA locking_mode = EXCLUSIVE")
        db.execute("BEGIN EXCLUSIVE")
        words = stored_values(Location(tmp_path), [])
    assert any("-longer-than-eight-" in word for word in words)


@pytest.mark.parametrize(
    ("store", "servers"),
    [
        ("reference", []),
        ("fixtures.benign.users:Users", []),
        ("postgresql://somewhere/chat", ["postgresql://somewhere/chat"]),
        ("portal:postgresql://somewhere/chat", ["postgresql://somewhere/chat"]),
        ("cmd:node store.mjs", []),
    ],
)
def test_servers_are_known_by_the_stores_name(tmp_path, store, servers):
    """A store whose name has an address keeps its data there."""
    assert servers_of(store, Location(tmp_path)) == servers


def test_tables_of_a_server_are_looked_into(tmp_path):
    """Texts and bytes of every column of the location's schema; an empty schema is no answer."""
    if find_binaries() is None:
        pytest.skip(missing())
    psycopg = pytest.importorskip("psycopg")
    location = Location(tmp_path / "location")
    location.root.mkdir()
    with PrivateServer.start(tmp_path if len(str(tmp_path)) < 60 else None) as server:
        with pytest.raises(CouldNotTell, match="no table"):
            stored_values(location, [server.url])
        schema = schema_of(location)
        with psycopg.connect(server.url) as connection:
            connection.execute(f"CREATE SCHEMA {schema}")
            connection.execute(f"CREATE TABLE {schema}.users (name text, kept bytea, more jsonb)")
            connection.execute(
                f"INSERT INTO {schema}.users VALUES ('ada', %s, %s)",
                (b"Pw-kept-as-bytes-0123", '{"deep": ["Pw-kept-in-json-0123"]}'),
            )
        stored = b"".join(stored_bytes(location, [server.url]).values())
        for secret in ("Pw-kept-as-bytes-0123", "Pw-kept-in-json-0123"):
            assert shown_in(stored, forms(secret, "password")), secret
        values = stored_values(location, [server.url])
        assert values & Counter({"ada": 1, "Pw-kept-in-json-0123": 1}) == Counter(
            {"ada": 1, "Pw-kept-in-json-0123": 1}
        )
