"""The schemas that the audit knows, as data."""

from __future__ import annotations

from sessionproof.audit.known import legacy, libraries, reference
from sessionproof.audit.schemas import Known

KNOWN: tuple[Known, ...] = (*reference.KNOWN, *legacy.KNOWN, *libraries.KNOWN)
