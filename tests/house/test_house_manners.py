"""The project's own manners: floors, lengths, what is documented, what is in the wheel."""

import ast
import importlib
import inspect
import pkgutil
import re
import subprocess
import sys
import tomllib
import zipfile
from pathlib import Path

import click
import pytest
from house_pages import ROOT

import fixtures.benign
import fixtures.mutants
from fixtures.registry import benign_stores, mutants
from sessionproof.cli.main import main

PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))
PACKAGE = ROOT / "harness" / "sessionproof"
FOLDERS = ("harness", "suites", "tests", "fixtures", "examples", "action", ".ci")
CODE = {".py", ".mjs", ".sql", ".css", ".j2", ".sh", ""}

LINES_MOST = 400
LONGER_FILES = {  # path: why it may be longer
    "harness/sessionproof/contract/guarantees.py": "the registry, read as a list",
    "tests/reference/test_reference_messages.py": "one promise a test, read as a list",
}
FUNCTION_LINES_MOST = 60
LONGER_FUNCTIONS = {
    "harness/sessionproof/oracle/model.py: expect": "one case an operation, read as a table",
}
PAGES = (ROOT / "README.md", *sorted((ROOT / "docs").glob("*.md")))


def files():
    """Every file of code, as paths below the root."""
    for folder in FOLDERS:
        for path in sorted((ROOT / folder).rglob("*")):
            if path.is_file() and path.suffix in CODE and "node_modules" not in path.parts:
                yield path.relative_to(ROOT)


def lines(path):
    return len((ROOT / path).read_text("utf-8").splitlines())


def functions(path):
    """Name and length in lines of each function, without its decorators."""
    for node in ast.walk(ast.parse((ROOT / path).read_text("utf-8"))):
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
            yield f"{path.as_posix()}: {node.name}", node.end_lineno - node.lineno + 1


def test_no_file_is_long_without_a_reason():
    """A file of more than 400 lines is listed here with its reason, and only while it is long."""
    long = {path.as_posix() for path in files() if lines(path) > LINES_MOST}
    assert long == set(LONGER_FILES), "shorten the file, or list it with its reason; strike others"


def test_no_function_is_long():
    """A function of more than 60 lines is listed here with its reason, while it is so long."""
    long = {
        name
        for path in files()
        if path.suffix == ".py"
        for name, length in functions(path)
        if length > FUNCTION_LINES_MOST
    }
    assert long == set(LONGER_FUNCTIONS), "shorten it, or list it with its reason; strike others"


def test_the_floors_hold():
    """A room imports only from lower floors."""
    command = Path(sys.executable).with_name("lint-imports")
    ended = subprocess.run(
        [command, "--no-cache"], cwd=ROOT, capture_output=True, check=False, encoding="utf-8",
        timeout=60,
    )  # fmt: skip
    assert ended.returncode == 0, ended.stdout


def test_every_room_has_a_floor():
    """A new room cannot escape the floors, nor the page that explains them."""
    layers = PROJECT["tool"]["importlinter"]["contracts"][0]["layers"]
    placed = {name.strip() for layer in layers for name in layer.split("|")}
    modules = {module.name for module in pkgutil.iter_modules([str(PACKAGE)])}
    rooms = {f"sessionproof.{name}" for name in modules - {"__main__"}}  # it only calls cli
    assert rooms | {"sessionproof_suites"} == placed
    page = (ROOT / "docs" / "architecture.md").read_text("utf-8")
    for room in rooms:
        assert f"| `{room.removeprefix('sessionproof.')}" in page, room


def test_every_fixture_is_registered():
    """A store below fixtures/ is registered by its name, or is a part of one that is."""
    known = {one.store for one in mutants()} | set(benign_stores())
    for package in (fixtures.mutants, fixtures.benign):
        for found in pkgutil.iter_modules(package.__path__, f"{package.__name__}."):
            module = importlib.import_module(found.name)
            named = [name.partition(":")[2] for name in known if name.startswith(f"{found.name}:")]
            used = "".join(inspect.getsource(getattr(module, name)) for name in named)
            for name, value in vars(module).items():
                ours = isinstance(value, type) and value.__module__ == found.name
                if ours and hasattr(value, "append"):
                    assert name in named or name in used, f"{found.name}:{name}"


def options(command):
    """Every option of a command, by its long name."""
    for parameter in command.params:
        if isinstance(parameter, click.Option):
            yield max(parameter.opts, key=len)


def commands(group, prefix):
    """Every command with its words."""
    for name, command in group.commands.items():
        yield f"{prefix} {name}", command
        if isinstance(command, click.Group):
            yield from commands(command, f"{prefix} {name}")


def test_every_command_and_option_is_documented():
    """What the command line takes is on a page, and each has help of its own."""
    told = [page for page in PAGES if page.name != "cli.md"]  # that one is made of the commands
    text = "\n".join(page.read_text("utf-8") for page in told)
    for words, command in commands(main, "sessionproof"):
        assert command.help, words
        assert words in text, words
        for option in options(command):
            assert f"`{option}`" in text, f"{words} {option}"


def test_every_option_on_a_page_exists(pytestconfig):
    """A page shows no option that was renamed or removed."""
    every = [command for _, command in commands(main, "")]
    known = {option for command in every for option in options(command)}
    known |= {no for command in every for one in command.params for no in one.secondary_opts}
    # Of click, pytest, the scripts that write pages, and elle-cli.
    known |= {"--version", "--help", "--pyargs", "--write", "--all"}
    known |= {"--model", "--consistency-models"}
    # Of past bugs.
    known |= {"--again", "--seeds", "--environments", "--jobs", "--no-deps", "--target"}
    for page in PAGES:
        for option in set(re.findall(r"(?<![\w-])--[a-z][a-z-]+", page.read_text("utf-8"))):
            name = option[2:].replace("-", "_")
            plugins = option.startswith(("--store", "--benchmark"))
            theirs = plugins and hasattr(pytestconfig.option, name)
            assert option in known or theirs, f"{page.name}: {option}"


@pytest.mark.parametrize("name", ["run", "deep", "package"])
def test_ci_names_no_machine(name):
    """The scripts run anywhere: strict, executable, no host, no path of a machine."""
    path = ROOT / ".ci" / name
    assert path.stat().st_mode & 0o111 == 0o111
    text = path.read_text("utf-8") + (ROOT / ".ci" / "prepare").read_text("utf-8")
    assert "set -euo pipefail" in text
    assert not re.search(r"https?://|/home/|/root\b|/work/|/usr/(?!bin/env)|index-url", text)


def test_the_license_is_whole():
    """The text is that of the Apache License 2.0 with nothing left out."""
    text = (ROOT / "LICENSE").read_text("utf-8")
    for part in ("Version 2.0, January 2004", "9. Accepting Warranty", "APPENDIX: How to apply"):
        assert part in text
    assert len(text.splitlines()) >= 200


def test_the_changelog_has_a_place_for_the_next_release():
    """Changes are written where readers look for them."""
    assert "\n## Unreleased\n" in (ROOT / "CHANGELOG.md").read_text("utf-8")


def test_the_wheel_holds_the_packages_and_their_data_alone(tmp_path):
    """Schemas, SQL, templates and types are in the wheel; tests and fixtures are not."""
    subprocess.run(
        [sys.executable, "-m", "hatchling", "build", "-t", "wheel", "-d", str(tmp_path)],
        cwd=ROOT, check=True, capture_output=True, timeout=120,
    )  # fmt: skip
    (wheel,) = tmp_path.glob("*.whl")
    with zipfile.ZipFile(wheel) as archive:
        names = set(archive.namelist())
    sources = {PACKAGE.parent: PACKAGE, ROOT / "suites": ROOT / "suites" / "sessionproof_suites"}
    expected = {
        path.relative_to(above).as_posix()
        for above, package in sources.items()
        for path in package.rglob("*")
        if path.is_file() and "__pycache__" not in path.parts
    }
    packed = {name for name in names if ".dist-info/" not in name}
    assert packed == expected
    for part in ("py.typed", ".sql", ".schema.json", ".html.j2", ".css"):
        assert any(name.endswith(part) for name in packed), part
    assert any(name.endswith("licenses/LICENSE") for name in names)
