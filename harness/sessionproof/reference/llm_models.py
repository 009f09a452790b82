"""The models that sessions name: methods of ``ReferenceStore``."""

from __future__ import annotations

from typing import TYPE_CHECKING

from sessionproof.reference import statements
from sessionproof.reference.codec import checked_text

if TYPE_CHECKING:
    from sessionproof.reference.store import ReferenceStore


def add_llm_model(store: ReferenceStore, name: str) -> None:
    """Make an LLM's model known; one that is known stays as it is."""
    model = checked_text(name, "name")
    store._write(lambda db: statements.change(db, statements.ADD_LLM_MODEL, (model,)))


def set_llm_model(store: ReferenceStore, session_id: str, name: str | None) -> None:
    """Let the session name this model, which makes it known, or none. Raises ``NotFound``."""
    store.update(session_id, llm_model=name)


def delete_llm_model(store: ReferenceStore, name: str) -> None:
    """Forget a model, known or not; raises ``Refused`` while sessions name it."""
    model = checked_text(name, "name")
    store._write(lambda db: statements.change(db, statements.DELETE_LLM_MODEL, (model,)))
