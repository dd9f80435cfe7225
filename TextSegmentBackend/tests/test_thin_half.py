"""What Slicer's Python runs of this package needs the standard library, numpy and requests only.

The list of modules is derived from the module's own source, so nobody has to keep it.
"""

import ast
import subprocess
import sys
from functools import cache
from pathlib import Path

import pytest

BACKEND = Path(__file__).parents[1]
SOURCE = BACKEND / "src"
SLICER = BACKEND.parent / "TextSegment"
ALLOWED = {"numpy", "requests", "urllib3", "textsegment"}  # urllib3 is a part of requests
OLDEST = (3, 10)


def imports_of(text, *, late=True):
    """Names of modules that a source imports, but for those that only types need.

    Args:
        text: The source.
        late: Whether imports inside functions count.
    """
    tree = ast.parse(text, feature_version=OLDEST)
    for node in ast.walk(tree):
        if isinstance(node, ast.If) and getattr(node.test, "id", "") == "TYPE_CHECKING":
            node.body = []
        if isinstance(node, ast.FunctionDef) and not late:
            node.body = []
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, "imports are absolute"
            yield node.module
            yield from (f"{node.module}.{alias.name}" for alias in node.names)


def slicer_sources():
    """Sources that run in Slicer's Python: all but those that it starts in the Python of the engine."""
    sources = {path: path.read_text("utf-8") for path in SLICER.rglob("*.py")}
    constants = [
        node.value for text in sources.values() for node in ast.walk(ast.parse(text)) if is_text(node)
    ]
    scripts = {value for value in constants if value.endswith(".py") and "/" not in value}
    return {path: text for path, text in sources.items() if path.name not in scripts}


def is_text(node):
    return isinstance(node, ast.Constant) and isinstance(node.value, str)


def file_of(module):
    """The source of a module of this package; None if there is no such module."""
    path = SOURCE.joinpath(*module.split("."))
    return next((file for file in (path / "__init__.py", path.with_suffix(".py")) if file.is_file()), None)


def with_parents(module):
    parts = module.split(".")
    return {".".join(parts[:count]) for count in range(1, len(parts) + 1)}


@cache
def thin_half():
    """Sources of all modules of this package that Slicer imports, by name, others by way of them included."""
    found = {}
    left = {name for text in slicer_sources().values() for name in imports_of(text)}
    while left:
        for module in with_parents(left.pop()):
            file = file_of(module) if module.split(".")[0] == "textsegment" else None
            if file is not None and module not in found:
                found[module] = file.read_text("utf-8")
                left.update(imports_of(found[module], late=False))
    return found


def offences(sources):
    """Pairs of a module and what it must not import."""
    roots = {(module, name.split(".")[0]) for module, text in sources.items() for name in imports_of(text)}
    return {pair for pair in roots if pair[1] not in ALLOWED | sys.stdlib_module_names}


def test_the_list_is_not_empty():
    modules = set(thin_half())
    assert {"textsegment.client.remote", "textsegment.vocabulary.resolve", "textsegment.wire"} <= modules
    assert not any("inference" in module or "server" in module for module in modules)


def test_slicer_imports_nothing_that_needs_more_than_numpy_and_requests():
    assert offences(thin_half()) == set()


@pytest.mark.parametrize(
    ("line", "package"),
    [("import pydicom", "pydicom"), ("def late():\n    from torch import nn", "torch")],
)
def test_a_package_that_slicer_may_lack_is_found_in_any_of_them(line, package):
    for module, text in thin_half().items():
        assert offences({module: f"{text}\n{line}\n"}) == {(module, package)}


def test_the_contract_of_layers_names_them_all():
    tomllib = pytest.importorskip("tomllib")  # Python 3.11
    project = tomllib.loads((BACKEND / "pyproject.toml").read_text("utf-8"))
    contracts = project["tool"]["importlinter"]["contracts"]
    (thin,) = [each for each in contracts if each["name"].startswith("The thin half")]
    named = set(thin["source_modules"])
    packages = {module for module in thin_half() if file_of(module).name == "__init__.py"}
    lacking = {m for m in thin_half() if not with_parents(m) & named} - packages
    assert lacking == set()


def test_they_import_where_nothing_else_is_installed():
    """In a process that refuses all other packages."""
    allowed = ALLOWED | {"idna", "certifi", "charset_normalizer"}  # those of requests
    program = f"""
import sys
class Refuse:
    allowed = set(sys.stdlib_module_names) | {allowed!r}
    def find_spec(self, name, path=None, target=None):
        if name.split(".")[0] not in self.allowed:
            raise ModuleNotFoundError(name, name=name)
sys.path.insert(0, {str(SOURCE)!r})
sys.meta_path.insert(0, Refuse())
import importlib
for module in {sorted(thin_half())!r}:
    importlib.import_module(module)
"""
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
