"""Lines that call a store whose methods answer awaitables."""

from sessionproof.scripts.program import with_awaits


def test_every_open_store_is_awaited():
    """A store that is opened once more is awaited as the first one; what is no store is not."""
    lines = "\n".join(
        [
            "again = open_store(location)",
            "seen = [m.content for m in other.read('s')]",
            "again.close()",
            "floors.close()",
            "store.list()",
        ]
    )
    assert with_awaits(lines, {"open", "read", "close"}).split("\n") == [
        "again = await open_store(location)",
        "seen = [m.content for m in (await other.read('s'))]",
        "await again.close()",
        "floors.close()",
        "store.list()",
    ]
