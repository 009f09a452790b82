"""The code of ``docs/postgres.md`` runs on a server."""

import re
from pathlib import Path

import psycopg

PAGE = (Path(__file__).parents[3] / "docs" / "postgres.md").read_text("utf-8")


def test_the_code_of_the_page_runs(server, monkeypatch):
    """As it stands, with the address where the page looks for it."""
    (code,) = re.findall(r"^```python\n(.*?)^```$", PAGE, re.DOTALL | re.MULTILINE)
    monkeypatch.setenv("DATABASE_URL", server.url)
    try:
        exec(compile(code, "docs/postgres.md", "exec"), {})
    finally:
        with psycopg.connect(server.url, autocommit=True) as db:
            db.execute("DROP SCHEMA IF EXISTS chats CASCADE")
