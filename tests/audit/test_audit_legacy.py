"""Every legacy database of ``fixtures/legacy`` is described fully, and no more than that."""

import pytest

from fixtures.legacy import build, damaged
from sessionproof.audit.examine import audit


@pytest.mark.parametrize("one", damaged(), ids=lambda one: one.name)
def test_all_damage_is_found_and_nothing_else(one, tmp_path):
    """The schema is recognised, and the problems are those that the manifest lists."""
    build(one, tmp_path / "a.db")
    found = audit(tmp_path / "a.db")
    assert found.schema == one.schema
    assert {(it.kind, it.table, it.column, it.count) for it in found.problems} == {
        (it.kind, it.table, it.column, it.count) for it in one.problems
    }
