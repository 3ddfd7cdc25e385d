"""What values name that the chart has, too: taken once, or refused with a sentence before anything is installed. And
names, images and texts that Kubernetes or Helm would stumble over.
"""

import json

import pytest

from support.charts import CHARTS, helm, of_kind, pod_templates, render

pytestmark = pytest.mark.charts
PLAIN = {chart: CHARTS / chart / "ci" / "plain-values.yaml" for chart in ("orders", "gateway", "operator")}
DIGEST = f"sha256:{'0123456789abcdef' * 4}"
NAMED_CHARTS = [*PLAIN, "dev-databases"]


def rendered(values, chart="orders"):
    """``values``: KEY to value, of any kind."""
    return render(chart, PLAIN.get(chart), *options(values))


def options(values):
    return [part for key, value in values.items() for part in ("--set-json", f"{key}={json.dumps(value)}")]


def refused(values, chart="orders", release="r"):
    case = ("-f", PLAIN[chart]) if chart in PLAIN else ()
    done = helm("template", release, CHARTS / chart, *case, *options(values))
    assert done.returncode != 0
    assert "nil pointer" not in done.stderr
    return done.stderr


def main(objects):
    """The first container of the first Deployment, with its pod."""
    spec = of_kind(objects, "Deployment")[0]["spec"]["template"]["spec"]
    return spec["containers"][0], spec


@pytest.mark.parametrize("chart", PLAIN)
class TestInOneList:
    def test_a_volume_of_values_is_in_place_of_the_chart_s(self, chart):
        large = {"name": "tmp", "emptyDir": {"sizeLimit": "2Gi"}}
        _, pod = main(rendered({"extraVolumes": [large]}, chart))
        assert [each for each in pod["volumes"] if each["name"] == "tmp"] == [large]

    def test_a_mount_likewise(self, chart):
        scratch = {"name": "scratch", "mountPath": "/tmp"}  # noqa: S108 # of a container
        volume = {"name": "scratch", "emptyDir": {}}
        container, _ = main(rendered({"extraVolumes": [volume], "extraVolumeMounts": [scratch]}, chart))
        assert [each for each in container["volumeMounts"] if each["mountPath"] == "/tmp"] == [scratch]  # noqa: S108

    def test_a_variable_likewise(self, chart):
        key = "http.extraEnv" if chart == "orders" else "extraEnv"
        container, _ = main(rendered({key: {"SERVICE_VERSION": "mine", "DATABASE_URL": "x"}}, chart))
        names = [each["name"] for each in container["env"]]
        assert len(set(names)) == len(names)
        assert {"name": "SERVICE_VERSION", "value": "mine"} in container["env"]

    def test_a_container_of_the_same_name_is_refused(self, chart):
        own = "operator" if chart == "operator" else "http"
        assert f"is called {own}" in refused({"sidecars": [{"name": own, "image": "a:1"}]}, chart)


@pytest.mark.parametrize("port", [{"name": "admin", "containerPort": 7}, {"name": "web", "containerPort": 8000}])
def test_a_port_that_the_chart_has_is_refused(port):
    assert "http.extraPorts has" in refused({"http.extraPorts": [port]})


@pytest.mark.parametrize("chart", PLAIN)
def test_a_label_of_the_monitor_is_there_once(chart):
    values = {"podMonitor": {"enabled": True, "labels": {"app.kubernetes.io/part-of": "stack", "release": 1}}}
    [monitor] = of_kind(rendered(values, chart), "PodMonitor")
    assert monitor["metadata"]["labels"]["app.kubernetes.io/part-of"] == "stack"
    assert monitor["metadata"]["labels"]["release"] == "1"


@pytest.mark.parametrize("chart", PLAIN)
def test_a_label_of_all_objects_never_takes_the_place_of_one_of_the_chart(chart):
    assert "commonLabels.app.kubernetes.io/part-of is set" in refused(
        {"commonLabels": {"app.kubernetes.io/part-of": "mine"}}, chart
    )


@pytest.mark.parametrize("chart", PLAIN)
class TestImage:
    def test_a_tag_may_have_a_digest_behind_it(self, chart):
        """As programs write it that raise versions."""
        objects = rendered({"image.tag": f"1.4.2@{DIGEST}"}, chart)
        container, _ = main(objects)
        assert container["image"].endswith(f"@{DIGEST}")
        [*labels] = {each["metadata"]["labels"]["app.kubernetes.io/version"] for each in of_kind(objects, "Deployment")}
        assert labels == ["1.4.2"]

    @pytest.mark.parametrize("behind", [":1.2", f"@{DIGEST}"], ids=["tag", "digest"])
    def test_a_repository_may_not(self, chart, behind):
        assert "put these into image.tag and image.digest" in refused({"image.repository": f"a.io/b{behind}"}, chart)

    def test_one_digest_is_not_that_of_all_images(self, chart):
        assert "belongs into image.digest" in refused({"global.imageTag": f"1.4.2@{DIGEST}"}, chart)


@pytest.mark.parametrize("chart", NAMED_CHARTS)
class TestName:
    @pytest.mark.parametrize("release", ["true", "on"])
    def test_a_label_is_text_whatever_the_release_is_called(self, chart, release):
        done = helm("template", release, CHARTS / chart, *(("-f", PLAIN[chart]) if chart in PLAIN else ()))
        assert done.returncode == 0, done.stderr
        assert f'app.kubernetes.io/instance: "{release}"' in done.stdout
        assert f"app.kubernetes.io/instance: {release}\n" not in done.stdout

    @pytest.mark.parametrize("release", ["1e5", "shop.eu"])
    def test_one_that_no_service_may_have_is_refused(self, chart, release):
        if chart == "operator":  # it has no Service
            done = helm("template", release, CHARTS / chart, "-f", PLAIN[chart])
            assert done.returncode == 0, done.stderr
        else:
            assert "choose another" in refused({}, chart, release)


def test_another_name_of_all_objects_is_refused_where_nothing_may_have_it():
    for name in ("Orders_API", "{{ .Release.Name }}-api"):
        assert "in names: choose another name" in refused({"fullnameOverride": name})


class TestText:
    @pytest.mark.parametrize("text", ["Hello {{ name }}", "{{user.name}}", "{{#if a}}b{{/if}}", "{{ > part }}"])
    def test_double_braces_of_others_are_told_with_the_cure(self, text):
        for key in ("settings.A", "http.extraEnv.A"):
            assert 'write {{ "{{" }} in place of {{' in refused({key: text})

    def test_the_cure_works(self):
        [settings] = of_kind(rendered({"settings.A": 'Hello {{ "{{" }} name }}'}), "ConfigMap")
        assert settings["data"]["A"] == "Hello {{ name }}"

    @pytest.mark.parametrize("text", ["{{ if true }}a{{ else }}b{{ end }}", '{{ "a" }}', "{{- .Release.Name | len -}}"])
    def test_templates_are_none_of_these(self, text):
        assert rendered({"settings.A": text})


def test_a_certificate_that_nobody_would_serve_is_refused():
    for key in ("issuerRef.name", "secretName"):
        assert f"tls.{key} is set, and gateway.tls.enabled is not" in refused({f"tls.{key}": "a"}, "gateway")
    assert "tls.selfSigned is set" in refused({"tls.selfSigned": True}, "gateway")


def test_a_budget_that_allows_no_eviction_is_refused():
    for most in (2, "2"):
        assert "no eviction would be allowed" in refused({"podDisruptionBudget.minAvailable": most})
    # Of two pods, 60 % are all of them, as Kubernetes rounds.
    for least, allowed in ((1, 1), ("1", 1), ("50%", "50%"), ("60%", 1), ("99%", 1)):
        [budget, *_] = of_kind(rendered({"podDisruptionBudget.minAvailable": least}), "PodDisruptionBudget")
        assert budget["spec"]["minAvailable"] == allowed
        assert "maxUnavailable" not in budget["spec"]


def test_the_group_is_the_service_s_own_by_whatever_name_the_chart_is_installed(tmp_path):
    orders = {"name": "orders", "version": "0.2.0", "repository": f"file://{CHARTS}/orders", "alias": "eu"}
    about = {"apiVersion": "v2", "name": "umbrella", "version": "0.1.0", "dependencies": [orders]}
    (tmp_path / "Chart.yaml").write_text(json.dumps(about))
    assert helm("dependency", "update", tmp_path).returncode == 0
    values = {"eu.database.secretName": "a", "eu.kafka.bootstrapServers": "k:9092", "eu.release.managed": True}
    done = helm("template", "r", tmp_path, *options(values))

    assert done.returncode == 0, done.stderr
    assert "    group: orders\n" in done.stdout
    assert "  CONSUMER_GROUP: orders\n" in done.stdout
    assert "  name: r-eu\n" in done.stdout


def test_pods_of_each_chart_are_looked_at():
    assert all(list(pod_templates(rendered({}, chart))) for chart in PLAIN)
