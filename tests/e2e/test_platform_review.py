"""A review environment of the pipeline. After test_platform.py, which leaves no shop: two do not fit on two cores."""

import pytest

from support.kind.commands import CONTEXT, get, kubectl
from support.pipeline.gitlab import job

pytestmark = [pytest.mark.e2e, pytest.mark.soak, pytest.mark.timeout(1500), pytest.mark.usefixtures("cluster")]
MERGE_REQUEST = {"CI_PIPELINE_SOURCE": "merge_request_event", "CI_DEFAULT_BRANCH": "main"}


def test_a_branch_gets_an_environment_and_it_is_gone_with_the_branch(tmp_path, monkeypatch):
    """The node has images of this name already, so that nothing is pulled; the secret to pull with is there."""
    monkeypatch.setenv("PULL_USER", "reviewer")
    monkeypatch.setenv("PULL_PASSWORD", "of-a-deploy-token")
    branch = {"CI_COMMIT_REF_SLUG": "my-branch", "REVIEW_KUBE_CONTEXT": CONTEXT, "IMAGES": "docker.io"}

    try:
        said = job(tmp_path, "review", **MERGE_REQUEST, **branch)
        assert "http://127.0.0.1:30080" in said
        assert "of-a-deploy-token" not in said
        pods = get("pods", "--field-selector=status.phase=Running", namespace="review-my-branch")["items"]
        ours = [pod for pod in pods if "slipway/" in pod["spec"]["containers"][0]["image"]]
        assert {"slipway-kafka-0"} < {pod["metadata"]["name"] for pod in pods}
        assert all(pod["spec"]["imagePullSecrets"] == [{"name": "registry"}] for pod in ours
                   if pod["metadata"]["labels"].get("app.kubernetes.io/component"))  # fmt: skip
        secret = get("secret", "registry", namespace="review-my-branch")
        assert secret["type"] == "kubernetes.io/dockerconfigjson"
    finally:
        job(tmp_path, "review stop", **MERGE_REQUEST, **branch)

    assert "review-my-branch" not in kubectl("get", "namespaces", "-o", "name")
