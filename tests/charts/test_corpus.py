"""Values files as production users write them (`corpus/CHART-*.yaml`): each renders, Kubernetes knows every field, and
what they set is found in what is rendered.
"""

import re
import subprocess
from collections.abc import Iterator
from typing import Any

import pytest
import yaml

from support.charts import CHARTS, KUBERNETES_VERSIONS, render
from support.repository import ROOT
from support.tools import TOOLS

pytestmark = pytest.mark.charts
CORPUS = sorted((ROOT / "tests" / "charts" / "corpus").glob("*.yaml"))
# Before whose values the others are seen; where a chart stands alone, its own defaults.
PLAIN = {path.parent.parent.name: path for path in sorted(CHARTS.glob("*/ci/plain-values.yaml"))}
SCHEMAS = [
    f"{ROOT}/k8s/schemas/{folder}/{{{{.ResourceKind}}}}{{{{.KindSuffix}}}}.json"
    for folder in ("{{.NormalizedKubernetesVersion}}", "slipway.dev", "crds")
]


def chart_of(path):
    return next(chart for chart in sorted(CHARTS.iterdir()) if path.name.startswith(f"{chart.name}-")).name


def leaves(node: Any) -> Iterator[str]:
    """Text and numbers, keys of maps as well. A switch or a null shows in no place of its own: others test them."""
    if isinstance(node, dict):
        for key, value in node.items():
            yield str(key)
            yield from leaves(value)
    elif isinstance(node, list):
        for each in node:
            yield from leaves(each)
    elif node is not None and not isinstance(node, bool):
        yield str(node)


def said(node: Any) -> Iterator[str]:
    """What values say, their own keys apart: those of labels and the like begin with somebody's domain."""
    if isinstance(node, dict):
        for key, value in node.items():
            yield from (str(key),) if "/" in str(key) else ()
            yield from said(value)
    elif isinstance(node, list):
        for each in node:
            yield from said(each)
    elif node not in (None, "") and not isinstance(node, bool):
        yield str(node)


def times(word, text):
    """How often it is in the text, as a whole: 3 is not in 30."""
    return len(re.findall(rf"(?<![\w.]){re.escape(word.casefold())}(?![\w])", text))


def text_of(objects):
    return "\n".join(leaves(objects)).casefold()


def missing(values, objects, before):
    """What is set and is in the objects no more often than before it was set."""
    now, then = text_of(objects), text_of(before)
    words = {word.replace("{{ .Release.Name }}", "r") for word in said(values)}
    return sorted(
        word for word in words if "{{" not in word and re.search(r"\w", word) and times(word, now) <= times(word, then)
    )


@pytest.mark.parametrize("path", CORPUS, ids=lambda path: path.stem)
def test_what_values_say_is_rendered(path):
    chart = chart_of(path)
    assert missing(yaml.safe_load(path.read_text()), render(chart, path), render(chart, PLAIN.get(chart))) == []


@pytest.mark.parametrize("version", KUBERNETES_VERSIONS)
def test_kubernetes_knows_every_field(version):
    objects = [each for path in CORPUS for each in render(chart_of(path), path)]
    done = subprocess.run(
        [
            f"{TOOLS}/kubeconform", "-strict", "-summary", "-kubernetes-version", version,
            *(part for location in SCHEMAS for part in ("-schema-location", location)),
        ],
        input=yaml.dump_all(objects, Dumper=getattr(yaml, "CSafeDumper", yaml.SafeDumper)),
        capture_output=True, text=True, check=False, timeout=120,
    )  # fmt: skip
    assert done.returncode == 0, done.stdout
    assert "Skipped: 0" in done.stdout


def test_what_is_dropped_would_be_found():
    """A value that a template forgets, or writes in place of another."""
    [path] = [path for path in CORPUS if path.stem == "orders-patroni"]
    values = yaml.safe_load(path.read_text())
    before = render("orders", PLAIN["orders"])

    assert missing(values, before, before)
    assert missing(values | {"forgotten": "of-nobody"}, render("orders", path), before) == ["of-nobody"]
    assert missing(values | {"replicas": 33}, render("orders", path), before) == ["33"]


def test_each_chart_has_some():
    assert len(CORPUS) >= 60
    assert {chart_of(path) for path in CORPUS} == {
        "dev-databases", "gateway", "inventory", "operator", "orders", "platform", "storefront", "users",
    }  # fmt: skip
