"""``slipway new``: a service that works, with tests, chart and CI job, in a Slipway workspace."""

import keyword
import re
import shutil
import subprocess
import sys
from collections.abc import Iterator
from importlib.resources import files
from importlib.resources.abc import Traversable
from pathlib import Path

import click

from ..errors import ConfigurationError

NAME = re.compile(r"[a-z][a-z0-9]{1,29}")
SUFFIX = ".tmpl"
GATEWAY = Path("charts/gateway/values.yaml")
UPSTREAMS = "  upstreams:\n"


@click.group()
def new() -> None:
    """Create a new service."""


@new.command("service")
@click.argument("name")
@click.option("--aggregate", default="", help="Name of its aggregate. Default: NAME without its plural s.")
def new_service(name: str, aggregate: str) -> None:
    """Create the service NAME: code, tests, migration, chart, CI job; the shared Dockerfile builds its image.

    Run it in the folder of a Slipway workspace. What it writes passes `make test` as it is.

    \b
    Examples:
      slipway new service parcels
      slipway new service inventory --aggregate item
    """  # noqa: D301 # \b is click's mark for a paragraph that keeps its lines
    root = Path.cwd()
    aggregate = aggregate or (name.removesuffix("s") if len(name) > 2 else name)  # noqa: PLR2004 # "s" alone
    _check(root, name, aggregate)
    words = {
        "__service__": name,
        "__aggregate__": aggregate,
        "__Aggregate__": aggregate.capitalize(),
        "__Aggregates__": f"{aggregate.capitalize()}s",
    }
    written = [
        _write(root, path, content, words) for path, content in _templates(files("slipway_chassis") / "scaffold")
    ]
    written += [_schema(root, name), _readme(root, name)]
    _register(root / "pyproject.toml", name)
    written.append(_open(root / GATEWAY, name))
    _format(root, written)
    for path in written:
        click.echo(f"  {path.relative_to(root)}")
    click.echo(
        f"\nThe service {name} is there; pyproject.toml and the gateway know it. Next:\n"
        f"  make setup && make unit integration T=tests/{name}\n"
        f"  make demo                        # it runs with the others, at /v1/{name}, open to all:\n"
        f"                                   # ask for scopes in its routes and in {GATEWAY}\n"
        f"To ship it with the platform, add it to charts/platform (Chart.yaml and values.yaml)."
    )


def _check(root: Path, name: str, aggregate: str) -> None:
    for word, what in ((name, "NAME"), (aggregate, "--aggregate")):
        if not NAME.fullmatch(word) or keyword.iskeyword(word) or word in sys.stdlib_module_names:
            raise click.UsageError(
                f"{what} {word!r} can't be used: 2 to 30 small letters and digits, a letter first, and no word of "
                "Python or of its standard library"
            )
    if not (root / "services").is_dir() or not (root / "pyproject.toml").exists():
        raise ConfigurationError(f"{root} is no Slipway workspace: it has no services folder and pyproject.toml")
    _require_gateway(root / GATEWAY)
    for folder in ("services", "charts", "tests"):
        if (root / folder / name).exists():
            raise ConfigurationError(f"{folder}/{name} exists already; nothing was written")


def _require_gateway(file: Path) -> None:
    """Its values are text to this command: they have comments that a YAML library would lose."""
    text = file.read_text(encoding="utf-8") if file.exists() else ""
    if UPSTREAMS not in text or not text.rstrip().splitlines()[-1].startswith("  - {"):
        raise ConfigurationError(
            f"{file} is not as this command knows it, with upstreams, and routes at its end; nothing was written"
        )


def _templates(folder: Traversable, above: str = "") -> Iterator[tuple[str, str]]:
    for entry in sorted(folder.iterdir(), key=lambda one: one.name):
        if entry.is_dir():
            yield from _templates(entry, f"{above}{entry.name}/")
        elif entry.name.endswith(SUFFIX):
            yield above + entry.name.removesuffix(SUFFIX), entry.read_text(encoding="utf-8")


def _write(root: Path, path: str, content: str, words: dict[str, str]) -> Path:
    for placeholder, word in words.items():
        path, content = path.replace(placeholder, word), content.replace(placeholder, word)
    target = root / path
    target.parent.mkdir(parents=True, exist_ok=True)
    target.write_text(content, encoding="utf-8")
    return target


def _schema(root: Path, name: str) -> Path:
    """As `make generate` makes it."""
    shared = (root / "charts" / "service" / "schemas" / "service.schema.json").read_text(encoding="utf-8")
    target = root / "charts" / name / "values.schema.json"
    target.write_text(shared.replace("Values of a Slipway service", name), encoding="utf-8")
    return target


def _readme(root: Path, name: str) -> Path:
    """As `make generate` makes it: the workspace's own script knows how."""
    script = root / "ci" / "chart_readmes.py"
    done = subprocess.run([sys.executable, str(script), name], capture_output=True, text=True, check=False)
    if done.returncode:
        raise ConfigurationError(f"{script} failed: {done.stderr.strip() or done.stdout.strip()}")
    return root / "charts" / name / "README.md"


def _register(file: Path, name: str) -> None:
    """Adds the service to what `slipway up` runs and to the rules of who imports whom."""
    try:
        import tomlkit  # noqa: PLC0415 # an extra
    except ImportError:
        raise ConfigurationError("the package tomlkit is missing: pip install 'slipway-chassis[new]'") from None
    document = tomlkit.parse(file.read_text(encoding="utf-8"))
    tool = document["tool"]
    processes = tomlkit.table()
    processes["processes"] = ["migrate", "http", "relay"]  # a worker in place of it, once it reads others' events
    tool["slipway"]["services"][name] = processes
    rules = tool["importlinter"]
    rules["root_packages"].append(name)
    for contract in rules["contracts"]:
        for field in ("modules", "source_modules", "forbidden_modules"):
            listed = contract.get(field, [])
            for known in [one for one in listed if one.partition(".")[0] == "orders"]:
                listed.append(known.replace("orders", name, 1))
    layers = ["bootstrap", "entrypoints", "adapters", "application", "domain"]
    contract = tomlkit.table()
    contract["name"] = (
        f"In {name}, the domain knows nothing of the application, the application nothing of the adapters, "
        "and only bootstrap knows them all"
    )
    contract["type"] = "layers"
    contract["layers"] = [f"{name}.{layer}" for layer in layers]
    rules["contracts"].append(contract)
    file.write_text(tomlkit.dumps(document), encoding="utf-8")


def _open(file: Path, name: str) -> Path:
    """Adds the service to the gateway: an upstream, and the last of the routes."""
    text = file.read_text(encoding="utf-8")
    upstream = f'    {name}: {{address: "{{{{ .Release.Name }}}}-{name}", port: 80}}\n'
    text = text.replace(UPSTREAMS, UPSTREAMS + upstream, 1).rstrip() + "\n"
    file.write_text(f"{text}  - {{prefix: /v1/{name}, upstream: {name}, public: true}}\n", encoding="utf-8")
    return file


def _format(root: Path, written: list[Path]) -> None:
    """Names differ in length: what fits a line is the formatter's to say, where there is one."""
    beside = Path(sys.executable).with_name("ruff")
    ruff = str(beside) if beside.exists() else shutil.which("ruff")
    python = [str(path) for path in written if path.suffix == ".py"]
    if ruff:
        for command in (["format", "-q"], ["check", "-q", "--fix-only"]):
            subprocess.run([ruff, *command, *python], cwd=root, check=False)
