"""Stores whose data lies on a server are told from those that keep files."""

from dataclasses import replace

import pytest

from fixtures.benign.files import JsonFiles
from sessionproof.oracle.memory import MemoryStore
from sessionproof.trials import crash, interrupted
from sessionproof.trials.single import NotClaimed
from sessionproof.trials.whereabouts import require_files


class OnServer(MemoryStore):
    """Leaves no file, and says that its data is on a server."""

    @staticmethod
    def for_server(url: str) -> type[MemoryStore]:
        raise AssertionError(url)


class FilesAfterAll(JsonFiles):
    """Says so, too, and keeps files in its location."""

    for_server = OnServer.for_server


class Refuses(OnServer):
    """Cannot be asked, as it takes no message."""

    def append(self, session_id: str, messages: object) -> None:
        raise OSError("not today")


def test_a_store_on_a_server_is_not_held_to_crashes_of_files(trial_of) -> None:
    """The reason is given, and noted for rows of which other tests judge a part."""
    made = trial_of("DUR-05", OnServer)
    with pytest.raises(NotClaimed, match="lies on a server") as raised:
        require_files(made)
    assert made.notes == [str(raised.value)]


@pytest.mark.parametrize("factory", [FilesAfterAll, JsonFiles, MemoryStore, Refuses])
def test_what_is_only_said_or_only_seen_is_not_enough(trial_of, factory: type) -> None:
    """Who keeps files is judged by them; who does not say that there is a server is not excused."""
    made = trial_of("DUR-05", factory)
    require_files(made)
    assert made.notes == []


@pytest.mark.parametrize(("row", "survives"), [("DUR-03", crash.survives),
                                               ("DUR-06", interrupted.survives)])  # fmt: skip
def test_rows_of_crashes_ask_first(trial_of, row: str, survives) -> None:
    """Nothing is recorded of a store on a server."""
    made = trial_of(row, OnServer, claims=replace(OnServer.claims, durability="power"))
    with pytest.raises(NotClaimed, match="lies on a server"):
        survives(made)
