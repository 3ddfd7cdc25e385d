"""Every public name of the chassis has a docstring: what it does, units, what it raises.

Public is what authors of services meet: each module that a service of the shop, the templates of `slipway new`, README
or docs import from; each module that defines a name of a package's ``__all__``; all of `testing`, which their tests
use; and MORE, whose types such modules take or give. In a public module each class, function, method and property
without a leading underscore is public. Overriding methods may leave the docstring to what they override; a setting
says what it is, and in which unit, by its field's description.
"""

import ast
import re

import pytest
from pydantic import BaseModel

from slipway_chassis import config
from support.repository import ROOT

PACKAGE = ROOT / "services/chassis/src/slipway_chassis"
SCAFFOLD = PACKAGE / "scaffold" / "templates"
MORE = ["processes", "lifecycle", "events.ports", "telemetry.health"]
IMPORT = re.compile(r"^\s*from slipway_chassis(?:\.([\w.]+))? import (\([^)]*\)|[^\n]+)", re.MULTILINE)


def path_of(module):
    path = PACKAGE.joinpath(*module.split("."))
    return path / "__init__.py" if path.is_dir() else path.with_suffix(".py")


def readers():
    """Files whose imports make a module public."""
    yield from (path for path in ROOT.glob("services/*/src/**/*.py") if PACKAGE not in path.parents)
    yield from (path for path in SCAFFOLD.rglob("*") if path.is_file())
    yield from (ROOT / "README.md", *ROOT.glob("docs/*.md"))


def imported():
    for path in readers():
        for module, names in IMPORT.findall(path.read_text()):
            yield module
            # A name may be a module: from slipway_chassis import deadline.
            yield from (f"{module}.{name}".strip(".") for name in re.findall(r"\w+", names))


def exported(module):
    """The modules that define what a package lists in ``__all__``."""
    path = path_of(module)
    tree = ast.parse(path.read_text())
    if path.name == "__init__.py" and any("__all__" in ast.unparse(node) for node in tree.body):
        for node in tree.body:
            if isinstance(node, ast.ImportFrom) and node.level == 1 and node.module:
                yield f"{module}.{node.module}"


def public_modules():
    testing = (f"testing.{path.stem}" for path in (PACKAGE / "testing").glob("[!_]*.py"))
    modules = {module for module in (*imported(), *testing, *MORE) if module and path_of(module).exists()}
    return sorted(modules | {part for module in modules for part in exported(module)})


def public(nodes):
    definitions = (ast.ClassDef, ast.FunctionDef, ast.AsyncFunctionDef)
    return [node for node in nodes if isinstance(node, definitions) and not node.name.startswith("_")]


def undocumented(module):
    for node in public(ast.parse(path_of(module).read_text()).body):
        if not ast.get_docstring(node):
            yield node.name
        if isinstance(node, ast.ClassDef):
            for method in public(node.body):
                accessor = {ast.unparse(decorator).rpartition(".")[2] for decorator in method.decorator_list}
                if not ast.get_docstring(method) and not accessor & {"overload", "override", "setter"}:
                    yield f"{node.name}.{method.name}"


@pytest.mark.parametrize("module", public_modules())
def test_each_public_name_has_a_docstring(module):
    assert not list(undocumented(module))


def settings():
    return [found for found in vars(config).values() if isinstance(found, type) and issubclass(found, BaseModel)]


def test_each_setting_says_what_it_is():
    fields = [(model.__name__, name, field) for model in settings() for name, field in model.model_fields.items()]
    assert len(fields) > 20
    assert not [f"{model}.{name}" for model, name, field in fields if not field.description]
