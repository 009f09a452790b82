"""Both stores, judged in the product's own pytest."""

from chatlog.adapters import DatabaseStore, FilesStore

from sessionproof import SessionStoreSuite


class TestDatabase(SessionStoreSuite):
    store = DatabaseStore
    profile = "smoke"


class TestFiles(SessionStoreSuite):
    store = FilesStore
    profile = "smoke"
    baseline = "baseline.toml"
