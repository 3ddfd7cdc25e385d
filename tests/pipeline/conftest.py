"""The pipeline of this repository, as GitLab reads it."""

import pytest

from support.pipeline.gitlab import expanded


@pytest.fixture(scope="module", name="state")
def _state(run_folder):
    return run_folder / "gitlab"


@pytest.fixture(scope="module", name="pipeline")
def _pipeline(state):
    return expanded(state)
