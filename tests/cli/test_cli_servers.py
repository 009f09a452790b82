"""Stores on servers: ``--on postgres``, addresses, and passwords that appear nowhere."""

import os
import re
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from sessionproof.cli.run import judge
from sessionproof.cli.servers import Servers
from sessionproof.engine.addresses import named, reached
from sessionproof.engine.plan import BadUsage
from sessionproof.faults.servers.binaries import find_binaries, missing
from sessionproof.reference.postgres import programs

psycopg = pytest.importorskip("psycopg")
pytestmark = pytest.mark.skipif(find_binaries() is None, reason=missing())

from guarded_server import MARK, PASSWORD, QUOTED, guarded_server  # noqa: E402

QUICK = ("--profile", "smoke", "--only", "CORE-01", "-n", "1", "--seed", "1")
WAIT_S = 180


@pytest.fixture(scope="module")
def guarded():
    """The server of these tests."""
    with guarded_server() as started:
        yield started


def assert_secret(folder, *texts):
    """The password is in none of the texts, nor in any file below the folder."""
    for text in texts:
        assert MARK not in text
    files = [path for path in folder.rglob("*") if path.is_file()]
    assert files
    for path in files:
        assert MARK.encode() not in path.read_bytes(), path


@pytest.mark.night
@pytest.mark.parametrize(("store", "kind"), [("reference", ""), ("portal", "portal:")])
def test_a_store_is_run_on_a_server_of_its_own(store, kind, run, tmp_path):
    """``--on postgres`` judges the store there, tells how to repeat it, leaves no server."""
    code, out, err = run("run", store, "--on", "postgres", *QUICK)
    assert code == 0, out + err
    socket = re.search(f"judging {kind}postgresql:///postgres[?]host=([^&]+)&", err)[1]
    assert not Path(socket).exists()
    assert f"run again sessionproof run {store} --on postgres --seed 1 --profile smoke" in out
    assert (tmp_path / "sessionproof-report" / "result.json").exists()


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (("run", "reference", "--servers", "2"), "give --on postgres, too"),
        (("run", "openai-agents", "--on", "postgres"), "for the reference and for stores with a"),
        (("load", "cmd:x", "--on", "postgres"), "as portal: name one of them, or leave --on out"),
        (("run", "reference", "--on", "oracle"), "'oracle' is not 'postgres'"),
        (("run", "reference", "--on", "postgres", "--servers", "0"), "0 is not in the range"),
        (("run", "postgresql"), "names no server and DATABASE_URL is not set"),
        (("load", "postgres"), "names no server and DATABASE_URL is not set"),
        (("run", f"postgresql://u:{MARK}@localhost:1/d"), "host localhost, port 1, database 'd'"),
        (("load", f"postgresql://u:{MARK}@localhost:1/d"), "host localhost, port 1, database 'd'"),
        (("run", f"postgresql://u:{MARK}:/@h"), "is not shown, as it may hold a password"),
        (("bench", "run", f"postgresql://u:{MARK}/@h"), "is not shown, as it may hold a password"),
        (("bench", f"postgresql://u:{MARK}@h"), "a command is missing before the store's address"),
        ((f"postgresql://u:{MARK}@h",), "a command is missing before the store's address"),
        (("crash", "record", f"postgresql://u:{MARK}/@h", "--to", "out"), "is not shown"),
        (("run", f"portal:postgresql://u:{MARK}/@h"), "is not shown"),
        (("audit", f"portal:postgresql://u:{MARK}@h/d"), "this command is about files"),
        (("run", "portal:DATABASE_URL"), "names no server and DATABASE_URL is not set"),
        (("run", f"host=h user=u password={MARK}"), "is no address, and is not shown"),
        (("audit", f"postgresql://u:{MARK}@h/d"), "this command is about files"),
        (("browse", f"postgresql://u:{MARK}@h/d", "--out", "o.html"), "is about files"),
        (("drill", f"postgresql://u:{MARK}@h/d"), "this command is about files"),
        (("explain", f"postgresql://u:{MARK}@h/d", "SELECT 1"), "is about files"),
        (("export", f"postgresql://u:{MARK}@h/d", "--to", "o"), "is about files"),
        (("import", "o", "--to", f"postgresql://u:{MARK}@h/d"), "is about files"),
        (("recover", f"postgresql://u:{MARK}@h/d", "--to", "o"), "is about files"),
        (("repair", f"postgresql://u:{MARK}@h/d"), "this command is about files"),
        (("sessions", f"postgresql://u:{MARK}@h/d"), "this command is about files"),
        (("snapshots", "list", f"postgresql://u:{MARK}@h/d"), "is about files"),
    ],
)
def test_misuse_is_one_line(words, said, run, monkeypatch):
    """Each mistake is one line that names the thing and the remedy, and never a password."""
    monkeypatch.delenv("DATABASE_URL", raising=False)
    code, out, err = run(*words)
    assert code == 2, out + err
    assert said in err
    assert err.count("\n") == 1
    assert MARK not in out + err


def test_what_to_install_is_told(monkeypatch, capsys, tmp_path):
    """Where no server is installed, ``--on postgres`` is exit code 2 with the package's name."""
    monkeypatch.setenv("PATH", "/nowhere")
    monkeypatch.setattr(programs, "_PACKAGED", ())
    code = judge(
        "reference", servers=Servers(kind="postgres"), profile="smoke", workers=1, seed=1, seeds=1,
        report=tmp_path / "report", only=(), require=(), accept_unknown=(), baseline=None,
        location=None, size=None, memory=None, timings=False, operation_s=None,
        test_s=None,
    )  # fmt: skip
    assert code == 2
    assert "--on postgres: no PostgreSQL server is installed here" in capsys.readouterr().err


@pytest.mark.parametrize("way", ["argument", pytest.param("variable", marks=pytest.mark.night)])
def test_a_broken_store_does_not_tell_its_password(way, guarded, run, monkeypatch, tmp_path):
    """Findings, scripts, page, records and terminal have the address alone, and the script works.

    Texts change in this database, so a test breaks and everything of a report is written.
    """
    url = guarded.url("spoilt")
    monkeypatch.setenv("DATABASE_URL", url)
    code, out, err = run("run", url if way == "argument" else "postgresql", *QUICK)
    assert code == 1, out + err
    assert "it failed when it was run alone" in out
    shown = f"postgresql://guest@/spoilt?host={guarded.server.folder}"
    assert f"judging {shown} (version" in err
    assert_secret(tmp_path, out, err)
    for name in ("result.json", "index.html", "junit.xml", "run.log", "repro/CORE-01.py"):
        assert (tmp_path / "sessionproof-report" / name).exists()
    assert not guarded.schemas("spoilt")


@pytest.mark.night
def test_another_kind_of_store_tells_no_password_either(guarded, run, tmp_path):
    """A portal at an address is judged, its schemas are dropped, and the password is nowhere."""
    pytest.importorskip("sqlalchemy", reason="the extra portal is not installed")
    code, out, err = run("run", f"portal:{guarded.url()}", *QUICK)
    assert code == 0, out + err
    assert f"run portal:postgresql://guest@/chats?host={guarded.server.folder}" in out.replace(
        "'", ""
    )
    assert_secret(tmp_path, out, err)
    assert not guarded.schemas()


@pytest.mark.parametrize("password", [f"{MARK}-wrong", ""])
def test_a_server_that_refuses_us_is_told(password, guarded, run):
    """What the server says is one line with where it is, without the password."""
    code, out, err = run("run", guarded.url(password=password), *QUICK)
    assert code == 2
    assert "database 'chats' cannot be used" in err
    remedy = "no password supplied: set PGPASSWORD" if not password else "authentication failed"
    assert remedy in err
    assert err.count("\n") == 1
    assert MARK not in out + err


@pytest.mark.night
@pytest.mark.parametrize("way", ["option", "project"])
def test_pytest_does_not_tell_it_either(way, guarded, tmp_path):
    """A plain pytest hands the password to its workers; no report has it, and no schema remains."""
    url = guarded.url("spoilt")
    (tmp_path / "pyproject.toml").write_text(f'[tool.sessionproof]\nstore = "{url}"\n', "utf-8")
    chosen = ["--store", url] if way == "option" else []
    ended = subprocess.run(
        [sys.executable, "-m", "pytest", "--pyargs", "sessionproof_suites", *chosen, "-k",
         "test_what_was_appended_is_read_back", "--store-profile", "smoke", "--junitxml=own.xml",
         "-p", "no:cacheprovider"],
        check=False, capture_output=True, text=True, timeout=WAIT_S, cwd=tmp_path,
    )  # fmt: skip
    assert ended.returncode == 1, ended.stdout + ended.stderr
    (tmp_path / "pyproject.toml").unlink()
    assert "changed-content" in ended.stdout
    assert_secret(tmp_path, ended.stdout, ended.stderr)
    assert not guarded.schemas("spoilt")


def test_a_load_does_not_tell_it_either(guarded, run, tmp_path):
    """Workers find the password, the report has none, and the schema is dropped."""
    code, out, err = run(
        "load", guarded.url(), "--clients", "2", "--operations", "200", "--seed", "3"
    )
    assert code in (0, 4), out + err  # 4: on a busy machine clients may not meet
    assert_secret(tmp_path, out, err)
    assert not guarded.schemas()


@pytest.mark.night
def test_an_interrupted_run_leaves_no_schemas(guarded, tmp_path):
    """After Ctrl-C the schemas of the run are dropped, and those of others stay."""
    guarded.execute(["CREATE SCHEMA sp_others"], "chats")
    process = subprocess.Popen(
        [sys.executable, "-m", "sessionproof", "run", guarded.url(), "--only", "CORE", "-n", "1"],
        stdout=subprocess.PIPE, stderr=subprocess.STDOUT, cwd=tmp_path, text=True,
        start_new_session=True,
    )  # fmt: skip
    with process:
        until = time.monotonic() + WAIT_S
        while len(guarded.schemas()) < 3:  # the described one, and one of the first test
            assert process.poll() is None
            assert time.monotonic() < until
            time.sleep(0.05)
        process.send_signal(signal.SIGINT)
        printed = process.stdout.read()
        assert process.wait(WAIT_S) == 130, printed
    assert guarded.schemas() == {"sp_others"}
    guarded.execute(["DROP SCHEMA sp_others"], "chats")


def test_passwords_of_several_servers_are_handed_over(guarded, monkeypatch):
    """Each address gets its own password by a private file, which goes at the end."""
    monkeypatch.delenv("PGPASSWORD", raising=False)
    monkeypatch.delenv("PGPASSFILE", raising=False)
    other = guarded.url("others", user="other", password=f"{MARK}-other")
    with reached(f"{guarded.url()},{other}") as store:
        assert MARK not in store
        assert "PGPASSWORD" not in os.environ
        file = os.environ["PGPASSFILE"]
        assert os.stat(file).st_mode & 0o077 == 0  # noqa: PTH116
        for url in store.split(",p"):
            address = url if url.startswith("p") else f"p{url}"
            psycopg.connect(address).close()
    assert "PGPASSFILE" not in os.environ
    assert not os.path.exists(file)  # noqa: PTH110


def test_a_password_that_is_in_force_stays_so(guarded, monkeypatch):
    """PGPASSWORD still opens the address that names none, beside one that does."""
    monkeypatch.setenv("PGPASSWORD", f"{MARK}-other")
    other = guarded.url("others", user="other", password="")
    with reached(f"{guarded.url()},{other}") as store:
        assert store == named(f"{guarded.url()},{other}")
    with reached(guarded.url()):
        assert os.environ["PGPASSWORD"] == PASSWORD
    assert os.environ["PGPASSWORD"] == f"{MARK}-other"


def test_names_that_are_no_addresses_are_left_alone():
    """Other stores are answered as they are, and nothing is set for them."""
    before = dict(os.environ)
    with reached("reference") as store:
        assert store == named("reference") == "reference"
        assert dict(os.environ) == before


def test_another_scheme_in_the_variable_is_told(monkeypatch):
    """DATABASE_URL of another database is refused without being shown."""
    monkeypatch.setenv("DATABASE_URL", f"mysql://u:{QUOTED}@h/d")
    for store in ("postgresql", "portal:DATABASE_URL"):
        with pytest.raises(BadUsage, match="does not begin with postgresql://") as told:
            named(store)
        assert MARK not in str(told.value)


def test_a_kind_of_store_keeps_its_name_before_the_address(guarded, monkeypatch):
    """The address behind a scheme loses its password as the reference's does."""
    monkeypatch.delenv("PGPASSWORD", raising=False)
    shown = guarded.url().replace(f":{QUOTED}@", "@")
    assert MARK not in shown
    monkeypatch.setenv("DATABASE_URL", guarded.url())
    for store in (f"portal:{guarded.url()}", "portal:DATABASE_URL"):
        with reached(store) as name:
            assert name == named(store) == f"portal:{shown}"
            assert os.environ["PGPASSWORD"] == PASSWORD
