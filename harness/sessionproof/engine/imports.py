"""The import path of a process that runs a store: the user's modules come first."""

from __future__ import annotations

import importlib.util
import os
import sys
from pathlib import Path

SUITES_PACKAGE = "sessionproof_suites"


def this_folder_counts() -> None:
    """Look for modules in the current folder, too, as ``python -m`` does."""
    here = os.getcwd()  # noqa: PTH109 - sys.path holds strings
    if here not in sys.path:
        sys.path.insert(0, here)


def user_modules_first(path: list[str]) -> None:
    """Take back what pytest did to the import path when it collected and set up the suites.

    It put the folder of their package first. There lie all packages that are installed, so an
    installed copy of the user's package would be judged in place of the one in this folder.
    """
    found = importlib.util.find_spec(SUITES_PACKAGE)
    for location in found.submodule_search_locations or [] if found else []:
        folder = str(Path(location).parent)
        while path.count(folder) > 1:
            path.remove(folder)  # the first one
