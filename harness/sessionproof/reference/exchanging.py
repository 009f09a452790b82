"""Sessions to files and back: methods of ``ReferenceStore``.

What it takes is imported when it is used: opening a store should not wait for it.
"""

from __future__ import annotations

import os
from collections.abc import Collection
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from sessionproof.reference.exchange.exporting import Exported
    from sessionproof.reference.exchange.importing import Imported
    from sessionproof.reference.store import ReferenceStore


def export_sessions(
    store: ReferenceStore,
    path: os.PathLike[str] | str,
    *,
    form: str = "full",
    session_ids: Collection[str] = (),
    owner: str | None = None,
) -> Exported:
    """Write all sessions, those named, or an owner's, as they are at one moment, to a new file.

    ``form`` is ``full`` (JSON Lines, with everything), ``chat`` (JSON Lines of OpenAI's chat API)
    or ``csv`` (a folder with three files). Raises ``Refused``, and then there is no file.
    """
    from sessionproof.reference.exchange import exporting

    return exporting.export_sessions(store, path, form=form, session_ids=session_ids, owner=owner)


def import_sessions(
    store: ReferenceStore,
    path: os.PathLike[str] | str,
    *,
    form: str | None = None,
    existing: str = "refuse",
) -> Imported:
    """Store the sessions of a file: an export of ours, chats, or another library's database.

    ``form`` is ``full``, ``chat``, ``csv``, ``openai-agents`` or ``langchain``; None looks what it
    is. Sessions whose ids are taken are a ``Conflict``, or are left alone with ``existing="skip"``.
    A file with a mistake is ``Refused`` before anything is stored.
    """
    from sessionproof.reference.exchange import importing

    return importing.import_sessions(store, path, form=form, existing=existing)
