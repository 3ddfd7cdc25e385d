"""The GitLab pipeline: valid by GitLab's schema, bound to the Makefile, and run here as far as no server is needed."""

import re
import subprocess

import pytest

from support.charts import SERVICES
from support.pipeline.gitlab import FILES, commands, gitlab, jobs, listed, make_targets
from support.repository import ROOT, copy_repository
from support.tools import needs

BRANCH = {"CI_COMMIT_BRANCH": "feature", "CI_DEFAULT_BRANCH": "main"}
MAIN = {"CI_COMMIT_BRANCH": "main", "CI_DEFAULT_BRANCH": "main"}
TAG = {"CI_COMMIT_TAG": "v1.2.3", "CI_COMMIT_BRANCH": "", "CI_DEFAULT_BRANCH": "main"}
PROTECTED = {"CI_COMMIT_REF_PROTECTED": "true"}
MERGE_REQUEST = {"CI_PIPELINE_SOURCE": "merge_request_event", "CI_DEFAULT_BRANCH": "main"}
STAGES = ["lint", "unit", "charts", "build", "e2e", "release", "deploy"]
# These are run by a test below, in a checkout of their own: some in each run, the others in the soak. What needs a
# registry or a cluster is run by tests/e2e/test_pipeline.py. The rest has the same words with another PART, and .ci/run
# calls them.
LIGHT = ["proto", "changelog"]
LIGHT_TOO = ["orders", "lint", "type check", "import rules", "contracts", "pipeline"]


@pytest.mark.parametrize("path", FILES, ids=lambda path: path.name)
def test_gitlab_knows_every_key(path):
    check = [
        ROOT / ".venv/bin/check-jsonschema",
        "--data-transform",
        "gitlab-ci",
        "--builtin-schema",
        "vendor.gitlab-ci",
    ]
    done = subprocess.run([*check, path], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout

    broken = subprocess.run(
        [*check, "-"], input=re.sub("script:", "scripts:", path.read_text(), count=1) + "\nbad: {scripts: [x]}\n",
        capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert broken.returncode == 1


def test_its_stages_are_those_of_a_release(pipeline):
    assert [stage for stage in pipeline["stages"] if stage not in {".pre", ".post"}] == STAGES
    assert {job["stage"] for job in jobs(pipeline).values()} == set(STAGES)


def test_every_job_calls_targets_that_exist(pipeline):
    lines = {line for job in jobs(pipeline).values() for line in job["script"] + job.get("after_script", [])}
    assert lines
    lines.remove("cat build/release/changelog.md")  # of the release's page, which GitLab's own image makes
    for line in lines - {line for line in lines if line.startswith("ci/promote.sh ")}:  # its image has no make
        assert line.startswith("make "), line
        assert make_targets(line), line
        dry = subprocess.run(["make", "-n", *make_targets(line)], capture_output=True, text=True, check=False, cwd=ROOT)
        assert dry.returncode == 0, f"{line}: {dry.stderr}"


def test_every_script_that_a_job_starts_with_exists(pipeline):
    named = {line.split()[0] for job in jobs(pipeline).values() for line in commands(job) if line.startswith("ci/")}
    assert named == {"ci/prerequisites.sh", "ci/airgap/docker.sh", "ci/promote.sh"}
    assert all((ROOT / name).exists() for name in named)


def test_each_service_has_its_job_with_its_own_files_and_the_chassis(pipeline):
    for service in SERVICES:
        job = jobs(pipeline)[service]
        changes = [path for rule in job["rules"] for path in rule.get("changes", [])]
        assert job["variables"]["PART"] == f"tests/{service}"
        assert {
            f"services/{service}/**/*",
            f"tests/{service}/**/*",
            "services/chassis/**/*",
            "services/contracts/**/*",
        } <= set(changes)
        others = {f"services/{other}/**/*" for other in SERVICES if other != service}
        assert not others & set(changes)


def test_tests_report_results_and_coverage(pipeline):
    for name in (*SERVICES, "chassis", "operator", "integration", "charts"):
        job = jobs(pipeline)[name]
        assert job["artifacts"]["when"] == "always"
        assert set(job["artifacts"]["reports"]) == {"junit", "coverage_report"}
        assert all("REPORTS=$REPORTS" in line for line in job["script"])


@pytest.mark.parametrize("service", SERVICES)
def test_the_job_of_a_service_runs_all_of_its_tests(service, pipeline):
    targets = [target for line in jobs(pipeline)[service]["script"] for target in make_targets(line)]
    assert targets == ["unit", "integration"]


def test_what_a_runner_keeps_in_the_checkout_is_nobody_s_source(pipeline):
    """Caches lie in the job's folder: what they hold is neither linted nor taken for a file of the project."""
    kept = {path for job in jobs(pipeline).values() for cache in job.get("cache", []) for path in cache["paths"]}
    assert kept == {".cache/uv", ".cache/slipway/tools"}
    for path in kept:
        done = subprocess.run(["git", "check-ignore", "-q", f"{path}/x.yaml"], check=False, cwd=ROOT)
        assert done.returncode == 0, path


def test_nothing_is_released_while_a_job_is_red(pipeline):
    """A job without ``needs`` waits for all stages before its own."""
    every = jobs(pipeline)
    assert "needs" not in every["release images"]
    assert STAGES.index("release") > max(
        STAGES.index(every[name]["stage"])
        for name in (*SERVICES, "lint", "type check", "integration", "charts", "e2e", "changelog")
    )
    assert [need["job"] if isinstance(need, dict) else need for need in every["release charts"]["needs"]] == [
        "release images"
    ]


def test_only_a_protected_tag_releases(state):
    assert not {name for name in listed(state, **TAG) if name.startswith("release ")}


def test_what_is_released_is_found_where_no_branch_writes(pipeline):
    """The place of the images is chosen by the pipeline; jobs name it, and no other one."""
    for name, each in jobs(pipeline).items():
        for line in commands(each):
            assert "CI_REGISTRY_IMAGE" not in line, name
            assert "REGISTRY=" not in line or '"REGISTRY=$IMAGES"' in line, name
    assert pipeline["variables"]["IMAGES"] == "$CI_REGISTRY_IMAGE/branches"
    chosen = [rule for rule in pipeline["workflow"]["rules"] if "IMAGES" in rule.get("variables", {})]
    assert [rule["variables"]["IMAGES"] for rule in chosen] == ["$CI_REGISTRY_IMAGE"]
    assert chosen[0]["if"].startswith('$CI_COMMIT_REF_PROTECTED == "true" && ')


def test_one_cluster_at_a_time_on_a_runner(pipeline):
    assert jobs(pipeline)["e2e"]["resource_group"] == "e2e"


def test_main_and_tags_are_proved_whole_and_only_tags_release(state):
    on_main, on_tag = listed(state, **MAIN), listed(state, **TAG, **PROTECTED)

    proving = {*SERVICES, "lint", "type check", "import rules", "proto", "pipeline", "chassis", "operator"}
    proving |= {"contracts", "integration", "charts", "images", "e2e", "changelog"}
    assert set(on_main) == proving
    assert set(on_tag) == proving | {"release images", "release charts", "release packages", "release page"}


def test_a_schedule_looks_at_what_grows_old(state):
    nightly = {"soak", "vulnerabilities"}
    assert nightly <= set(listed(state, **MAIN, CI_PIPELINE_SOURCE="schedule"))
    assert "updates" in listed(state, **MAIN, CI_PIPELINE_SOURCE="schedule", UPDATES_TOKEN="of a test")
    assert not {*nightly, "updates"} & set(listed(state, **MAIN, UPDATES_TOKEN="of a test"))


def test_a_merge_request_gets_an_environment_that_can_be_stopped(state, pipeline):
    found = listed(state, **MERGE_REQUEST, REVIEW_KUBE_CONTEXT="tries")

    assert found["review"]["when"] == "on_success"
    assert found["review stop"]["when"] == "manual"
    review, stop = jobs(pipeline)["review"], jobs(pipeline)["review stop"]
    assert review["environment"]["name"] == stop["environment"]["name"] == "review/$CI_COMMIT_REF_SLUG"
    assert review["environment"]["on_stop"] == "review stop"
    assert review["resource_group"] == stop["resource_group"]
    assert review["environment"]["url"] == "$REVIEW_URL"
    assert review["artifacts"]["reports"] == {"dotenv": "build/review.env"}
    # Code of any branch runs with these rights, so they are not those of production.
    # A project's variable wins over a job's, and what is said to make over both.
    assert all(line.endswith(' "KUBE_CONTEXT=$REVIEW_KUBE_CONTEXT"') for line in review["script"] + stop["script"])
    assert "review" not in listed(state, **MERGE_REQUEST, KUBE_CONTEXT="shop")


@pytest.mark.parametrize("tag", ["v1.2.3-rc.1", "v1.2.3-beta.12"])
def test_a_pre_release_is_released_by_the_same_jobs(state, tag):
    of_a_release = listed(state, **TAG, **PROTECTED)
    assert listed(state, **TAG | {"CI_COMMIT_TAG": tag}, **PROTECTED).keys() == of_a_release.keys()
    assert "release charts" in of_a_release
    assert "release charts" not in listed(state, **TAG | {"CI_COMMIT_TAG": f"{tag}x"}, **PROTECTED)


def test_a_promotion_is_a_persons_decision_on_main(state):
    on_main = listed(state, **MAIN, KUBE_CONTEXT="shop")
    for decision in ("promote", "rollback"):
        assert on_main[decision]["when"] == "manual"
        assert decision not in listed(state, **BRANCH, KUBE_CONTEXT="shop")
        assert decision not in listed(state, **MAIN)


def test_a_decision_brings_its_tools_along(pipeline):
    """In an emergency nothing is fetched but the image: no cache, and no package where the image has the command."""
    for decision in ("promote", "rollback"):
        job = jobs(pipeline)[decision]
        assert job["image"]["name"] == "$DECISION_IMAGE"
        assert job["cache"] == []
        assert job["before_script"] == ["command -v kubectl-slipway || ci/prerequisites.sh"]
        assert all(line.startswith(f"ci/promote.sh {decision} ") for line in job["script"])


def test_a_promotion_is_no_deployment_that_a_button_would_repeat(pipeline):
    for decision in ("promote", "rollback"):
        assert jobs(pipeline)[decision]["environment"] == {"name": "production", "action": "access"}


@pytest.fixture(name="checkout")
def _checkout(tmp_path):
    """As a runner makes it: a clone, and caches inside of it."""
    subprocess.run(["git", "clone", "-q", ROOT, tmp_path / "checkout"], check=True)
    copy_repository(tmp_path / "checkout")
    return tmp_path / "checkout"


@pytest.mark.integration
@needs("rsync", "rsync")
@pytest.mark.timeout(1200)
@pytest.mark.parametrize(
    "jobs_of", [pytest.param(LIGHT, id="some"), pytest.param(LIGHT + LIGHT_TOO, id="all", marks=pytest.mark.soak)]
)
def test_light_jobs_run_on_this_machine(jobs_of, checkout, state):
    reports, packages = state / "reports", checkout / ".cache" / "uv"
    # The job called pipeline would run this test again.
    only = {"PART": "tests/orders tests/test_repository.py", "REPORTS": str(reports)}
    # gitlab-ci-local tells jobs with an image that the checkout is /builds/..., whatever runs them.
    only |= {"UV_CACHE_DIR": str(packages)}
    one_by_one = ("--force-shell-executor", "--concurrency=1")  # they share a checkout here
    done = gitlab(state / "run", *one_by_one, *jobs_of, checkout=checkout, timeout=1100, **MAIN, **only)

    assert done.returncode == 0, done.stdout[-3000:] + done.stderr[-3000:]
    for job in jobs_of:
        assert re.search(rf"PASS.*{job}", done.stdout), done.stdout[-2000:]
    if "orders" in jobs_of:
        made = {path.name for path in reports.iterdir()} - {".coverage"}
        kinds = ("unit", "integration", "integration-demo")
        assert made == {"coverage.xml", *(f"orders-{kind}.junit.xml" for kind in kinds)}
        assert list(packages.iterdir()), "packages lie where lint and tests could have found them"


@pytest.mark.integration
@needs("rsync", "rsync")
def test_a_failing_job_fails(state):
    done = gitlab(
        state / "failing", "--force-shell-executor", "orders", **MAIN, PART="tests/orders/not-there", JOBS="0"
    )

    assert done.returncode != 0
    assert re.search("FAIL.*orders", done.stdout), done.stdout[-2000:]


def test_what_is_not_run_here_is_run_by_ci_itself(pipeline):
    """Heavy jobs are not run twice: .ci/run calls the same targets."""
    script = (ROOT / ".ci" / "run").read_text()
    makefile = (ROOT / "Makefile").read_text()
    run = set(re.findall(r"make (\S+?)\b", "\n".join(re.findall(r"^ *run .*$", script, re.MULTILINE))))
    needed = re.findall(r"^(\S+): (.*?)(?: ##.*)?$", makefile, re.MULTILINE)
    for _ in range(3):
        run |= {word for target, words in needed if target in run for word in words.split()}
    for name in ("lint", "type check", "import rules", "proto", "pipeline", "chassis", "integration", "charts"):
        assert set(make_targets(jobs(pipeline)[name]["script"][0])) <= run, name
    assert "e2e" in run
