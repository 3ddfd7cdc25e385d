"""What travels in the wheel is what the repository has."""

import pytest

from slipway_chassis.scaffold import published
from slipway_chassis.scaffold.rendering import here
from support.repository import ROOT


@pytest.mark.parametrize("path", ["values.yaml", "schemas/service.schema.json"])
def test_values_and_schema_of_the_library_are_copies(path):
    source = ROOT / "charts/service" / path
    assert (here() / "library" / source.name).read_text() == source.read_text(), "run: make generate"


def test_images_of_new_projects_are_built_by_the_uv_of_ours():
    assert f"UV_VERSION={published.UV_VERSION}\n" in (ROOT / "ci/versions.env").read_text()
