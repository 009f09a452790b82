"""What a user reads who names a store without having its package."""

import sys

import pytest

from sessionproof.contract.lookup import StoreNotFound, find_store


@pytest.mark.parametrize(
    ("store", "absent", "package"),
    [
        ("openai-agents", "agents", "openai-agents"),
        ("langchain", "langchain_community", "langchain-community"),
        ("google-adk", "google.adk", "google-adk"),
        ("google-adk", "sqlalchemy", "google-adk"),
        ("llm", "llm", "llm"),
        ("langgraph", "langgraph.checkpoint.sqlite", "langgraph-checkpoint-sqlite"),
        ("llama-index", "llama_index.core", "llama-index-core"),
    ],
)
def test_missing_package_is_one_line_with_the_remedy(monkeypatch, store, absent, package):
    """A store without its package is refused in one line that says what to install."""
    name = {"llm": "llm_logs"}.get(store, store.replace("-", "_"))
    module = f"sessionproof.adapters.{name}"
    monkeypatch.delitem(sys.modules, module, raising=False)
    for name in [name for name in sys.modules if name == absent or name.startswith(f"{absent}.")]:
        monkeypatch.delitem(sys.modules, name)
    monkeypatch.setitem(sys.modules, absent, None)
    with pytest.raises(StoreNotFound) as caught:
        find_store(store)
    expected = f"{store} needs the package {package}: pip install 'sessionproof[{store}]'"
    assert str(caught.value) == expected
