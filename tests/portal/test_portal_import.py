"""Without its extra the portal says in one line what to install; with it, importing is all."""

from __future__ import annotations

import subprocess
import sys

import pytest

WITHOUT = """
import sys
class Missing:
    def find_spec(self, name, path=None, target=None):
        if name.partition(".")[0] == {missing!r}:
            raise ModuleNotFoundError("No module named " + repr(name), name=name)
sys.meta_path.insert(0, Missing())
from sessionproof.contract.lookup import StoreNotFound, find_store
try:
    find_store("portal")
except StoreNotFound as error:
    print(error)
"""


@pytest.mark.parametrize("missing", ["sqlalchemy", "argon2"])
def test_a_missing_package_is_told_with_its_remedy(missing):
    """The store named portal says which package is missing and how to install it, and no more."""
    done = subprocess.run(
        [sys.executable, "-c", WITHOUT.format(missing=missing)], timeout=60, check=False,
        capture_output=True, encoding="utf-8",
    )  # fmt: skip
    lines = (done.stdout + done.stderr).splitlines()
    assert len(lines) == 1
    assert f"needs the package {missing}" in lines[0]
    assert "pip install 'sessionproof[portal]'" in lines[0]


def test_the_rest_does_without_the_portals_packages():
    """Neither the contract nor the command imports what only the portal needs."""
    look = (
        "import sys, sessionproof, sessionproof.cli.main, sessionproof.plugin;"
        "print([n for n in ('sqlalchemy', 'alembic', 'argon2') if n in sys.modules])"
    )
    done = subprocess.run(
        [sys.executable, "-c", look], timeout=60, check=True, capture_output=True, encoding="utf-8"
    )
    assert done.stdout.strip() == "[]"


def test_opening_what_is_up_to_date_needs_no_alembic(tmp_path):
    """Alembic, which is slow to import, is loaded when there is something to migrate."""
    look = (
        "import sys; from sessionproof.portal import Portal; Portal(sys.argv[1]).close();"
        "print('alembic' in sys.modules)"
    )
    said = [
        subprocess.run(
            [sys.executable, "-c", look, f"sqlite:///{tmp_path}/x.db"], timeout=60, check=True,
            capture_output=True, encoding="utf-8",
        ).stdout.strip()
        for _ in range(2)
    ]  # fmt: skip
    assert said == ["True", "False"]
