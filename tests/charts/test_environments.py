"""Clusters, databases and edges that are not ours: OpenShift, IPv6, proxies, PostgreSQL with roles, KEDA, Ingress."""

import pytest

from support.charts import CHARTS, helm, of_kind, pod_templates, render
from support.repository import ROOT

pytestmark = pytest.mark.charts
PLAIN = {chart: CHARTS / chart / "ci" / "plain-values.yaml" for chart in ("orders", "gateway", "operator")}
KAFKA = "kafka.security.protocol=SASL_SSL,kafka.security.username=o,kafka.security.secretName=k"
SCRAM = f"{KAFKA},kafka.security.mechanism=SCRAM-SHA-512,kafka.security.caSecretName=ca"
TLS = "gateway.tls.enabled=true,tls.issuerRef.name=le,tls.acme.enabled=true"


def rendered(options, chart="orders"):
    return render(chart, PLAIN[chart], "--set", options)


def refused(options, chart="orders"):
    done = helm("template", "r", CHARTS / chart, "-f", PLAIN[chart], "--set", options)
    assert done.returncode != 0
    return done.stderr


def container(objects, process="http"):
    [template] = [template for _, name, template in pod_templates(objects) if name == process]
    return next(each for each in template["spec"]["containers"] if each["name"] == process)


def environment(objects, process="http"):
    found = container(objects, process)["env"]
    return {each["name"]: each.get("value") or each["valueFrom"]["secretKeyRef"] for each in found
            if "secretKeyRef" in each.get("valueFrom", {"secretKeyRef": 0})}  # fmt: skip


def egress_ports(objects):
    return {port["port"] for policy in of_kind(objects, "NetworkPolicy")
            for rule in policy["spec"]["egress"] for port in rule.get("ports", [])}  # fmt: skip


@pytest.mark.parametrize("chart", PLAIN)
def test_names_are_asked_where_the_cluster_answers_them(chart):
    place = "networkPolicy.dnsTo[0].namespaceSelector.matchLabels.kubernetes\\.io/metadata\\.name=openshift-dns"
    for policy in of_kind(rendered(f"networkPolicy.dnsPorts={{5353}},{place}", chart), "NetworkPolicy"):
        [rule] = [rule for rule in policy["spec"]["egress"] if {"port": 5353, "protocol": "UDP"} in rule["ports"]]
        assert "openshift-dns" in str(rule["to"])
        assert 53 not in egress_ports([policy])


@pytest.mark.parametrize("chart", ["orders", "operator"])
def test_all_addresses_of_both_families_are_listened_on(chart):
    assert "'::'" in str(rendered("bindHost=::", chart))
    assert "0.0.0.0" not in str(of_kind(rendered("bindHost=::", chart), "ConfigMap", "Deployment"))  # noqa: S104


@pytest.mark.parametrize(("chart", "place"), [("orders", "http.serviceSpec"), ("gateway", "service.spec")])
def test_a_service_has_what_its_cluster_offers(chart, place):
    [service] = of_kind(rendered(f"{place}.ipFamilyPolicy=PreferDualStack,{place}.ipFamilies={{IPv6,IPv4}}", chart),
                        "Service")  # fmt: skip
    assert (service["spec"]["ipFamilyPolicy"], service["spec"]["ipFamilies"]) == ("PreferDualStack", ["IPv6", "IPv4"])
    assert "selector" in refused(f"{place}.selector.a=b", chart)


class TestWayOut:
    def test_by_a_proxy(self):
        objects = rendered("proxy.https=http://proxy.corp:3128,proxy.except={.corp}")
        for process in ("http", "consumer", "relay", "migrate"):
            found = environment(objects, process)
            assert found["HTTPS_PROXY"] == found["https_proxy"] == "http://proxy.corp:3128"
            assert found["NO_PROXY"].split(",")[-3:] == [".svc", ".cluster.local", ".corp"]
            assert "HTTP_PROXY" not in found
        assert 3128 in egress_ports(objects)
        assert 3128 not in egress_ports(rendered("logLevel=INFO"))

    @pytest.mark.parametrize(("chart", "process"), [("orders", "http"), ("orders", "relay"), ("operator", "operator")])
    @pytest.mark.parametrize("above", ["", "global."])
    def test_with_authorities_of_ones_own(self, chart, process, above):
        objects = rendered(f"{above}authority.configMapName=corp-ca,{above}authority.key=all.pem", chart)
        runs = container(objects, process)
        assert {"name": "SSL_CERT_FILE", "value": "/etc/authority/ca.crt"} in runs["env"]
        assert {"name": "authority", "mountPath": "/etc/authority", "readOnly": True} in runs["volumeMounts"]
        assert "{'key': 'all.pem', 'path': 'ca.crt'}" in str(objects)


class TestPostgresql:
    def test_a_certificate_is_checked_by_an_authority(self):
        objects = rendered("database.sslMode=verify-full,database.caSecretName=pg-ca,database.caSecretKey=root.pem")
        for process in ("http", "consumer", "relay", "migrate"):
            found = environment(objects, process)
            assert (found["PGSSLMODE"], found["PGSSLROOTCERT"]) == ("verify-full", "/etc/database-ca/ca.crt")
            assert "/etc/database-ca" in str(container(objects, process)["volumeMounts"])
        assert "{'key': 'root.pem', 'path': 'ca.crt'}" in str(objects)

    @pytest.mark.parametrize(
        ("options", "name", "service", "migration"),
        [
            ("database.migration.secretName=owner", "DATABASE_URL", ("orders-app", "uri"), ("owner", "uri")),
            ("database.migration.secretName=owner,database.migration.secretKey=dsn", "DATABASE_URL",
             ("orders-app", "uri"), ("owner", "dsn")),
            ("database.hosts={h},database.migration.secretName=owner", "PGPASSWORD",
             ("orders-app", "password"), ("owner", "password")),
            ("database.hosts={h},database.migration.usernameKey=boss", "PGUSER",
             ("orders-app", "username"), ("orders-app", "boss")),
        ],
    )  # fmt: skip
    def test_who_migrates_is_not_who_serves(self, options, name, service, migration):
        objects = rendered(f"database.secretName=orders-app,database.secretKey=uri,{options}")
        found = [environment(objects, process)[name] for process in ("http", "relay", "migrate")]
        assert [(each["name"], each["key"]) for each in found] == [service, service, migration]

    def test_by_parts_a_password_is_as_it_is(self):
        """It is in no URL, where some characters would have to be written otherwise."""
        objects = rendered("database.hosts={a:6432,[fd00::1],c},database.name=shop,database.options.connect_timeout=3")
        url = "postgresql://a:6432,[fd00::1],c/shop?connect_timeout=3"
        assert environment(objects)["DATABASE_URL"] == url
        assert {6432, 5432} <= egress_ports(objects)

    def test_a_user_in_a_host_is_refused(self):
        assert "hosts" in refused("database.hosts={u:p@h}")

    def test_extra_env_wins(self):
        found = environment(rendered("database.hosts={h},http.extraEnv.PGPASSWORD=x,http.extraEnv.DATABASE_URL=y"))
        assert (found["PGPASSWORD"], found["DATABASE_URL"]) == ("x", "y")


class TestKeda:
    def test_it_scales_the_consumer_by_its_groups_lag(self):
        objects = rendered(f"keda.enabled=true,kafka.prefix=prod.,kafka.topicPartitions=9,{SCRAM}")
        [scaled] = of_kind(objects, "ScaledObject")
        [proof] = of_kind(objects, "TriggerAuthentication")
        [trigger] = scaled["spec"]["triggers"]
        [consumer] = [
            each for each in of_kind(objects, "Deployment") if each["metadata"]["name"] == "r-orders-consumer"
        ]

        assert scaled["spec"]["scaleTargetRef"] == {"name": consumer["metadata"]["name"]}
        assert "replicas" not in consumer["spec"]
        assert scaled["spec"]["maxReplicaCount"] == 9
        assert (
            trigger["metadata"].items()
            >= {"consumerGroup": "prod.orders", "sasl": "scram_sha512", "tls": "enable"}.items()
        )
        assert trigger["authenticationRef"]["name"] == proof["metadata"]["name"]
        assert [each["parameter"] for each in proof["spec"]["secretTargetRef"]] == ["password", "ca"]
        [config] = of_kind(objects, "ConfigMap")
        assert {each["key"] for each in proof["spec"]["configMapTargetRef"]} <= config["data"].keys()

    def test_in_plain_text_it_needs_no_proof(self):
        objects = rendered("keda.enabled=true,worker.enabled=true")
        [scaled] = of_kind(objects, "ScaledObject")
        assert scaled["spec"]["scaleTargetRef"]["name"] == "r-orders-worker"
        assert not of_kind(objects, "TriggerAuthentication")

    @pytest.mark.parametrize(
        ("options", "sentence"),
        [
            ("release.managed=true", "the operator sets the number of consumers"),
            ("consumer.enabled=false", "there is no consumer to scale"),
            ("keda.minReplicas=7", "keda.minReplicas is 7 and keda.maxReplicas is 6"),
        ],
    )
    def test_what_would_not_work_is_told(self, options, sentence):
        assert sentence in refused(f"keda.enabled=true,{options}")


class TestEdge:
    def test_an_ingress_sends_everything_here(self):
        objects = rendered("ingress.enabled=true,ingress.className=nginx,ingress.hostnames={a.org,b.org}", "gateway")
        [ingress] = of_kind(objects, "Ingress")
        assert ingress["spec"]["ingressClassName"] == "nginx"
        assert [rule["host"] for rule in ingress["spec"]["rules"]] == ["a.org", "b.org"]
        [path] = ingress["spec"]["rules"][0]["http"]["paths"]
        [service] = of_kind(objects, "Service")
        assert path["backend"]["service"] == {"name": service["metadata"]["name"], "port": {"name": "http"}}

    def test_the_proof_of_a_name_comes_through(self):
        """HTTP-01: on port 80, from the issuer to the pod that cert-manager makes; and pods start before it is over."""
        objects = rendered(TLS, "gateway")
        [_, solver] = sorted(of_kind(objects, "Service"), key=lambda each: len(each["metadata"]["name"]))
        [config] = of_kind(objects, "ConfigMap")
        [certificate] = of_kind(objects, "Certificate")
        assert solver["spec"]["selector"] == {"acme.cert-manager.io/http01-solver": "true"}
        assert f"address: {solver['metadata']['name']}" in config["data"]["gateway.yaml"]
        assert "prefix: /.well-known/acme-challenge" in config["data"]["gateway.yaml"]
        assert certificate["metadata"]["annotations"]["cert-manager.io/issue-temporary-certificate"] == "true"
        assert 8089 in egress_ports(objects)
        assert "DNS-01" in refused(f"{TLS},tls.hosts={{a.org,b.org}}", "gateway")

    def test_the_documented_way_needs_nothing_that_waits_for_it(self):
        """k8s/cert-manager with k8s/platform-values.yaml, on an empty cluster."""
        objects = render("platform", ROOT / "k8s" / "platform-values.yaml", "--namespace", "shop")
        assert "shop-gateway-acme" in str(objects) or "r-gateway-acme" in str(objects)
        assert "issue-temporary-certificate" in (ROOT / "k8s" / "cert-manager" / "certificates.yaml").read_text()
        # What Argo CD would make anew at each sync, and what it encrypted could not be read again.
        assert not of_kind(objects, "Secret")

    def test_one_who_ends_tls_is_not_redirected_for_ever(self):
        assert "would be redirected for ever" in refused(
            "ingress.enabled=true,gateway.tls.enabled=true,tls.selfSigned=true", "gateway"
        )
