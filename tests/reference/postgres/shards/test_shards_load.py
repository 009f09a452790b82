"""Servers added under load, by movers that are killed, judged by the history of all clients."""

from __future__ import annotations

from pathlib import Path

import pytest
from drill import fill, lain, loaded, moved_with_kills

from sessionproof.reference.postgres.sharded import ShardedStore
from sessionproof.trials.recorded_load import Recorded

_SESSIONS = 200
_KILLS = 2


@pytest.mark.night
def test_added_under_load(databases: list[str], schema: str, tmp_path: Path) -> None:
    """Nothing is lost, doubled or out of order while a server is added; only its share moves.

    Clients in four processes hold handles of before; the mover is killed again and again.
    """
    urls = databases[:3]
    with ShardedStore(urls=urls, schema=schema, preset="cli") as store:
        names = fill(store, _SESSIONS)
        before = lain(store)

        killed: list[int] = []

        def change(recorded: Recorded) -> None:
            command = ["add", ",".join(urls), databases[3]]
            done = moved_with_kills(command, urls, schema, recorded, kills=_KILLS, seed=5)
            killed.append(done)

        recorded, verdict = loaded(urls, schema, tmp_path, 7, change)
        assert [one.sentence for one in verdict.breaks] == []
        assert recorded.stopped == ""
        assert verdict.unknown == []
        assert verdict.beside > 0
        assert killed == [_KILLS]
        after = lain(store)
        moved = [one for one in names if before[one] != after[one]]
        assert {after[one][0] for one in moved} == {"s4"}
        assert _SESSIONS / 8 < len(moved) < _SESSIONS / 2.5
        assert all([one.content for one in store.read(name)] == [name, "yes"] for name in names)
        assert not store.servers().changing
        assert store.verify().problems == ()
