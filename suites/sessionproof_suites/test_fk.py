"""FK: references between sessions, messages, and all that belongs to them."""

import pytest

from sessionproof.trials import connections, leftovers, models, races, references
from sessionproof.trials.single import Trial
from sessionproof.trials.users import removed, renamed

guarantee = pytest.mark.guarantee


@guarantee("FK-01")
def test_no_message_without_its_session(trial: Trial) -> None:
    """An append to an unknown session is refused or creates it, as claimed."""
    references.appended_to_unknown(trial)


@guarantee("FK-02")
def test_nothing_of_a_deleted_session_is_answered(trial: Trial) -> None:
    """After a session was deleted, no operation answers anything of it."""
    references.deleted_and_asked(trial)


@guarantee("FK-02")
def test_nothing_leads_back_to_a_deleted_session(trial: Trial) -> None:
    """Ids and cursors from before a deletion lead nowhere, and no table holds remains."""
    references.nothing_is_left(trial)


@guarantee("FK-03")
def test_a_deleted_id_starts_empty(trial: Trial) -> None:
    """A deleted id that is used again shows only what was put in since."""
    references.deleted_and_used_again(trial)


@guarantee("FK-04")
def test_no_row_is_an_orphan(trial: Trial) -> None:
    """After any sequence of operations, every row refers to rows that are there."""
    references.no_orphans(trial)


@guarantee("FK-05")
def test_connections_enforce_foreign_keys(trial: Trial) -> None:
    """Every connection that writes enforces the foreign keys that the tables declare."""
    connections.keys_are_enforced(trial)


@guarantee("FK-06")
def test_a_deletion_races_with_appends(trial: Trial) -> None:
    """In the end the session is gone with all, or there with its messages; nothing dangles."""
    races.deleted_while_appended(trial)


@guarantee("FK-07")
def test_a_model_in_use(trial: Trial) -> None:
    """Removing a model that sessions name is refused or cascades, as claimed; nothing dangles."""
    models.removed_in_use(trial)


@guarantee("FK-07")
def test_a_user_in_use(trial: Trial) -> None:
    """Removing a user who has sessions is refused or takes them along, as claimed."""
    removed.in_use(trial)


@guarantee("FK-08")
def test_a_user_is_renamed(trial: Trial) -> None:
    """What is a user's stays his when his name changes, and the old name opens nothing."""
    renamed.keeps_what_is_his(trial)


@guarantee("FK-09")
def test_no_row_outlives_its_message(trial: Trial) -> None:
    """After any sequence of operations, the table of messages has no row that no read answers."""
    leftovers.none_is_left(trial)
