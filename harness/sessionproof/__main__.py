"""``python -m sessionproof``: the command where its script is not on the path."""

from sessionproof.cli.main import entry

entry()
