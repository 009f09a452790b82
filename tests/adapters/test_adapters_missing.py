"""What a user reads who names a store without having its package, and what its extra brings."""

import ast
import re
import sys
from importlib.metadata import entry_points
from importlib.util import find_spec
from pathlib import Path

import pytest

from sessionproof.contract.extras import requirements_of
from sessionproof.contract.lookup import StoreNotFound, find_store

ADAPTERS = {
    point.name: point
    for point in entry_points(group="sessionproof.stores")
    if point.module.startswith("sessionproof.adapters.")
}
LINES_MAX = 60


def source(name):
    """The file that has the store."""
    return ast.parse(Path(find_spec(ADAPTERS[name].module).origin).read_text("utf-8"))


def libraries(name):
    """The modules of others that the adapter tries to import."""
    tried = [node for node in source(name).body if isinstance(node, ast.Try)]
    found = [item for node in tried for line in node.body for item in ast.walk(line)]
    modules = {item.module for item in found if isinstance(item, ast.ImportFrom)}
    modules |= {one.name for item in found if isinstance(item, ast.Import) for one in item.names}
    return sorted(module for module in modules if not module.startswith("sessionproof"))


def code_lines(tree):
    """How many lines have code: no blanks, comments, docstrings, imports, addresses."""
    lines = set()
    for node in ast.walk(tree):
        if not isinstance(node, ast.stmt) or isinstance(node, ast.Import | ast.ImportFrom):
            continue
        if isinstance(node, ast.Expr) and isinstance(node.value, ast.Constant):
            continue
        if isinstance(node, ast.ClassDef | ast.FunctionDef | ast.AsyncFunctionDef):
            lines |= set(range(node.lineno, node.body[0].lineno)) if node.body else set()
            lines |= {one.lineno for one in node.decorator_list}
        elif not isinstance(node, ast.Try | ast.If | ast.For | ast.AsyncFor | ast.While | ast.With):
            lines |= set(range(node.lineno, node.end_lineno + 1))
        else:
            lines.add(node.lineno)
    return len(lines)


@pytest.mark.parametrize("store", sorted(ADAPTERS))
def test_missing_package_is_one_line_with_the_remedy(monkeypatch, store):
    """A store without a module of its package is refused in one line that says what to install."""
    assert libraries(store)
    for absent in libraries(store):
        with monkeypatch.context() as patch:
            for name in [
                name
                for name in sys.modules
                if name.startswith(("sessionproof.adapters.", f"{absent}.")) or name == absent
            ]:
                patch.delitem(sys.modules, name)
            patch.setitem(sys.modules, absent, None)
            with pytest.raises(StoreNotFound) as caught:
                find_store(store)
        said = re.fullmatch(
            rf"{store} needs the package (.+): pip install 'sessionproof\[{store}\]'",
            str(caught.value),
        )
        assert said
        assert said[1] in requirements_of(store)


@pytest.mark.parametrize("store", sorted(ADAPTERS))
def test_an_adapter_is_short(store):
    """The file of a store is read at a glance; translations of messages stand beside it."""
    assert code_lines(source(store)) <= LINES_MAX
