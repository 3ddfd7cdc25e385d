"""Paths and modules that documents, docstrings and comments name are there.

A name is read by its form, so that nothing has to be listed: what begins with a folder of this repository is a path of
it or the end of one, what ends in .py or in a slash is the end of one,
what begins with one of our packages is a module or a name of one. A part
in capitals (`services/SERVICE`), in angle brackets or with a star stands for any name.
"""

import ast
import importlib
import importlib.util
import io
import re
import tokenize
from itertools import product
from pathlib import PurePosixPath

import pytest

from support.repository import ROOT, tracked

FILES = frozenset(str(path.relative_to(ROOT)) for path in tracked())
FOLDERS = frozenset(str(folder) for name in FILES for folder in PurePosixPath(name).parents)
TOPS = sorted({name.split("/")[0] for name in FILES if "/" in name})

DOCUMENTS = tracked("*.md")
SOURCES = [path for path in tracked("*.py") if "/src/" in str(path) and "inventory_v1" not in path.parts]
PACKAGES = [path for path in SOURCES if path.name == "__init__.py"]

PATH = re.compile(rf"(?<![\w/.$}}-])(?:{'|'.join(map(re.escape, TOPS))})/[\w./*{{}},<>-]*")
PYTHON = re.compile(r"(?<![\w/.$}*-])[\w/-]+\.py\b(?![\w/*])")
FOLDER = re.compile(r"(?<![\w/.$}*>-])[a-z][\w-]*/(?![\w/*{<.$])")
MODULE = re.compile(r"(?<![\w/.-])slipway_(?:contracts|chassis|gateway|operator)(?:\.\w+)+")
ANY = re.compile(r"<[^>]*>|\*+|(?<![\w.-])[A-Z]{3,}(?![\w.-])")


def alternatives(text):
    """`a/{b,c}` is `a/b` and `a/c`."""
    parts = [part.split(",") for part in re.split(r"[{}]", text)]
    return ["".join(each) for each in product(*parts)]


def is_there(path):
    if path in FILES or path in FOLDERS:
        return True
    pattern = re.compile(r"(.*/)?" + ".*".join(re.escape(part) for part in ANY.split(path)) + r"(/.*)?")
    return any(pattern.fullmatch(name) for name in FILES)


def missing_paths(text):
    found = [path for match in PATH.findall(text) for path in alternatives(match.rstrip(".,-").rstrip("/"))]
    return {path for path in found if not is_there(path)}


def missing_files(text):
    return {name for name in PYTHON.findall(text) + FOLDER.findall(text) if not is_there(name.rstrip("/"))}


def resolves(name):
    """Whether `name` is a module, or what a module has: a class, a function, a method."""
    parts = name.split(".")
    for length in range(len(parts), 0, -1):
        try:
            if importlib.util.find_spec(".".join(parts[:length])) is None:
                continue
        except ModuleNotFoundError:
            continue
        thing = importlib.import_module(".".join(parts[:length]))
        for attribute in parts[length:]:
            if not hasattr(thing, attribute):
                return False
            thing = getattr(thing, attribute)
        return True
    return False


def missing_modules(text):
    return {name for name in MODULE.findall(text) if not resolves(name)}


def name_of(path):
    return str(path.relative_to(ROOT))


@pytest.mark.parametrize("path", DOCUMENTS, ids=name_of)
def test_a_paragraph_of_a_document_can_be_read(path):
    assert [line[:80] for line in path.read_text().splitlines() if len(line) > 600] == []


def test_metrics_that_documents_name_are_counted():
    """By the name in the code, or with the ending that Prometheus gives it."""
    sources = "\n".join(path.read_text() for path in tracked("*.py", "*.yaml", "*.tpl"))
    names = {name for path in DOCUMENTS for name in re.findall(r"`(slipway_[a-z_]+)[`{]", path.read_text())}

    assert {name for name in names if not re.search(rf"\b{re.sub('_(total|bucket)$', '', name)}\b", sources)} == set()


def prose(path):
    """What a Python file tells its readers: docstrings and comments."""
    text = path.read_text()
    documented = ast.Module | ast.ClassDef | ast.FunctionDef | ast.AsyncFunctionDef
    docstrings = [ast.get_docstring(node) or "" for node in ast.walk(ast.parse(text)) if isinstance(node, documented)]
    tokens = tokenize.generate_tokens(io.StringIO(text).readline)
    return "\n".join([*docstrings, *(token.string for token in tokens if token.type == tokenize.COMMENT)])


@pytest.mark.parametrize("path", DOCUMENTS, ids=name_of)
def test_a_document_names_paths_and_modules_that_are_there(path):
    text = re.sub(r"\]\([^)]*\)", "]", path.read_text())  # links have a test of their own, from their page's folder
    own = {f"{name}.py" for name in re.findall(r"^slipway run (\w+) ", text, re.MULTILINE)}  # what readers write

    assert missing_paths(text) == set()
    assert missing_files(text) <= own
    assert missing_modules(text) == set()


@pytest.mark.parametrize("path", SOURCES, ids=name_of)
def test_docstrings_and_comments_name_paths_and_modules_that_are_there(path):
    text = prose(path)

    assert missing_paths(text) == set()
    assert missing_files(text) == set()
    assert missing_modules(text) == set()


@pytest.mark.parametrize("path", PACKAGES, ids=name_of)
def test_a_package_tells_of_modules_that_it_has(path):
    """Where its docstring is a map (names between dots and arrows, and in brackets what they are)."""
    text = ast.get_docstring(ast.parse(path.read_text())) or ""
    listed = re.findall(r"``([a-z][a-z0-9_]*)``", re.sub(r"\s\([^)]*\)", "", text)) if re.search("[·→]", text) else []
    inside = [each for each in SOURCES if path.parent in each.parents]
    modules = {part for each in inside for part in each.relative_to(path.parent).with_suffix("").parts}

    assert [name for name in listed if name not in modules] == []


@pytest.mark.parametrize(
    ("text", "missing"),
    [
        ("see `services/chassis/src/slipway_chassis/nowhere.py`", {"services/chassis/src/slipway_chassis/nowhere.py"}),
        ("see docs/nowhere.md, or docs/operator.md.", {"docs/nowhere.md"}),
        ("`charts/{gateway,nowhere}/values.yaml`", {"charts/nowhere/values.yaml"}),
        ("`tests/NAME/nowhere`", {"tests/NAME/nowhere"}),
        ("`services/SERVICE/pyproject.toml`, `charts/<name>/Chart.yaml`, `ci/*.gitlab-ci.yml`", set()),
        ("`nowhere.py` or nowhere/ or `errors.py`", {"nowhere.py", "nowhere/"}),
        ("`slipway_operator.planning.nowhere`", {"slipway_operator.planning.nowhere"}),
        ("`slipway_operator.planning.plan`, `slipway_chassis.errors.ChassisError.retriable`", set()),
    ],
)
def test_a_name_without_its_thing_is_found(text, missing):
    assert missing_paths(text) | missing_files(text) | missing_modules(text) == missing
