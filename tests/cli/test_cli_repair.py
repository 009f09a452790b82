"""``sessionproof repair`` as a user and a program see it."""

import json
import sqlite3
from contextlib import closing

import pytest
from click.testing import CliRunner

from fixtures.legacy import build, damaged
from sessionproof.audit.examine import audit
from sessionproof.cli.main import main
from sessionproof.reference import ReferenceStore


@pytest.fixture
def run():
    """Run the command: exit code, stdout, stderr."""

    def command(*words):
        ended = CliRunner().invoke(main, ["repair", *map(str, words)])
        assert not isinstance(ended.exception, Exception), ended.exception
        return ended.exit_code, ended.stdout, ended.stderr

    return command


@pytest.fixture
def orphaned(tmp_path):
    """A plain legacy database with two orphans."""
    path = tmp_path / "chat.db"
    build(next(one for one in damaged() if one.name == "plain_orphans"), path)
    return path


def test_it_only_tells_unless_told_to_apply(run, orphaned):
    """The first run says what would be done, and that there is something: exit code 1."""
    image = orphaned.read_bytes()
    code, out, _ = run(orphaned)
    assert (code, orphaned.read_bytes()) == (1, image)
    assert "2 rows of messages set aside" in out
    assert "--apply" in out
    code, out, _ = run(orphaned, "--apply")
    assert code == 0
    assert "before-repair" in out
    assert "set-aside.jsonl" in out
    assert audit(orphaned).ok
    assert run(orphaned) == (0, "nothing to mend\n", "")


def test_guards_are_installed_and_removed(run, orphaned):
    """What is there is mended first; then triggers keep it right, until they are taken away."""
    code, out, _ = run(orphaned, "--install-guards")
    assert (code, "triggers keep" in out) == (1, True)
    assert run(orphaned, "--install-guards", "--apply")[0] == 0
    with closing(sqlite3.connect(orphaned)) as db, pytest.raises(sqlite3.IntegrityError):
        db.execute("UPDATE messages SET session_id = 'nobody'")
    assert run(orphaned, "--remove-guards", "--apply")[0] == 0
    assert not any("guards" in note for note in audit(orphaned).notes)


def test_json_is_for_programs(run, orphaned):
    """The same facts: what changed, whether it was done, and where the copies are."""
    code, out, _ = run(orphaned, "--json", "--apply")
    said = json.loads(out)
    assert code == 0
    assert said["applied"] is True
    assert len(said["changes"]) == 2
    assert len(said["backups"]) == 1
    assert json.loads(run(orphaned, "--json")[1]) == {
        "applied": False, "changes": [], "backups": []
    }  # fmt: skip


@pytest.mark.parametrize("words", [(), ("--apply",)])
def test_a_mistake_is_one_line(run, tmp_path, words):
    """A missing file, and options that exclude each other: exit code 2, and no traceback."""
    code, out, err = run(tmp_path / "nope", *words)
    assert (code, out, err.count("\n")) == (2, "", 1)
    assert "does not exist" in err
    code, _, err = run(tmp_path, "--install-guards", "--remove-guards")
    assert code == 2


def test_a_store_in_use_is_left_alone(run, tmp_path):
    """Whoever has it open may be writing."""
    with ReferenceStore(tmp_path) as store:
        store.create("a", llm_model="gpt")
        path = store.tables().path
    with closing(sqlite3.connect(path, isolation_level=None)) as db:
        db.execute("UPDATE sessions SET total_tokens = 5")
    with ReferenceStore(tmp_path):
        code, _, err = run(tmp_path, "--apply")
    assert code == 2
    assert "in use" in err
    assert run(tmp_path, "--apply")[0] == 0
