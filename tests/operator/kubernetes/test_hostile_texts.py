"""Every text that a tenant can write, made hostile: it is refused with a sentence, or reaches no path and no host."""

import asyncio
import json
import re
from contextlib import suppress
from datetime import UTC, datetime, timedelta

import pytest
from pydantic import ValidationError

from slipway_operator.errors import KubernetesError, NotAName, Unreadable
from slipway_operator.runtimes.kubernetes.api.addresses import Addresses
from slipway_operator.runtimes.kubernetes.api.kinds import (
    CONFIG_MAP,
    DEPLOYMENT,
    MICROSERVICE,
    RELEASE_PLAN,
    SERVICE_VERSION,
    Key,
)
from slipway_operator.runtimes.kubernetes.gates.checks import Answer
from slipway_operator.runtimes.kubernetes.gates.contract_question import Answer as Answered
from slipway_operator.runtimes.kubernetes.objects.manifests import Owner, service_version
from slipway_operator.runtimes.kubernetes.observe.fetching import readable
from slipway_operator.runtimes.kubernetes.reconciler import Reconciler
from slipway_operator.spec.microservice import MicroserviceSpec
from slipway_operator.spec.releaseplan import ReleasePlanSpec
from slipway_operator.spec.serviceversion import ServiceVersionSpec
from slipway_operator.spec.status import MicroserviceStatus
from support.cluster.memory_api import MemoryApi
from support.hostile_texts import HOSTILE, SPEC, changed, places

OURS = re.compile(r"/api(s/[a-z0-9.]+)?/v1(alpha1)?/namespaces/team-a/[a-z]+(/[a-z0-9][a-z0-9.-]{0,252})?(/status)?")
PREVIEW = re.compile(r"http://orders-preview\.team-a\.svc(:[0-9]+)?/.*", re.DOTALL)


PLAN = {
    "waves": [
        {"name": "first", "services": [{"name": "orders", "version": "1.0", "dependsOn": []}]},
        {"name": "second", "services": [{"name": "users", "version": ">=1", "dependsOn": ["orders"]}]},
    ]
}
STATUS = {
    "phase": "Releasing",
    "activeVersion": "0a1b2c3d",
    "stableVersion": "0a1b2c3d",
    "candidateVersion": "0a1b2c3d",
    "previewVersion": "0a1b2c3d",
    "release": {
        "version": "0a1b2c3d", "kind": "Release", "attempt": 1, "fingerprint": "0a1b2c3d", "reached": "Checking",
        "started": "2026-01-01T00:00:00Z", "since": "2026-01-01T00:00:00Z",
    },
    "heldVersion": {
        "version": "0a1b2c3d", "reason": "GateFailed", "message": "no", "fingerprint": "0a1b2c3d",
        "since": "2026-01-01T00:00:00Z",
    },
    "draining": [{"version": "0a1b2c3d", "since": "2026-01-01T00:00:00Z"}],
}  # fmt: skip


CONFIG_MAPS = {"configMap", "configMapRef", "configMapKeyRef"}


def of_config_maps():
    """One place of each kind."""
    found = {place[-2]: place for place in places(SPEC) if place[-1] == "name" and place[-2] in CONFIG_MAPS}
    return [*found.values(), *(place for place in places(SPEC) if "projected" in place)][:4]


RECORD = service_version(
    Owner("orders", "1"), MicroserviceSpec.model_validate(SPEC), "0a1b2c3d", 1, {"settings": "0123456789abcdef"}
)["spec"]  # fmt: skip


class Fetcher:
    """Prometheus and pods that say nothing; addresses are kept."""

    def __init__(self):
        self.asked = []

    async def fetch(self, url, query):
        self.asked.append(url)
        metric = dict.fromkeys(("status", "le", "slipway_dev_version"), "200")
        result = [{"metric": metric, "value": [1, "100"]}]
        return Answer(200, json.dumps({"ok": 1, "data": {"resultType": "vector", "result": result}}))

    async def judge(self, namespace, question):
        self.asked += [f"{each.address}/contracts" for each in question.candidate.ports]
        return Answered("Passed", "")


class TeamA:
    """One operator, and what its API and others were asked while it looked at the objects of team-a."""

    def __init__(self, *, spec=SPEC, status=None, record=None, plan=None):
        self.api, self.fetcher = MemoryApi(), Fetcher()
        self.now = datetime(2026, 1, 5, 12, tzinfo=UTC)
        self.api.put(MICROSERVICE, "team-a", "orders", {"spec": spec, "status": status or {}})
        self.api.put(CONFIG_MAP, "team-a", "settings", {"data": {"key": "value"}})
        self.api.put(CONFIG_MAP, "secretive", "private", {"data": {"token": "secret"}})
        if record:
            labels = {"slipway.dev/microservice": "orders", "slipway.dev/version": "0a1b2c3d"}
            metadata = {"name": "orders-0a1b2c3d", "namespace": "team-a", "labels": labels}
            self.api.put(SERVICE_VERSION, "team-a", "orders-0a1b2c3d", {"metadata": metadata, "spec": record})
        if plan:
            self.api.put(RELEASE_PLAN, "team-a", "plan", {"spec": plan})
        self.reconciler = Reconciler(
            self.api, self.fetcher, identity="test", judge=self.fetcher, clock=lambda: self.now,
            addresses=Addresses(namespace="team-a"),
        )  # fmt: skip

    def look(self, key=None, times=1):
        async def looks():
            for _ in range(times):
                with suppress(KubernetesError):
                    await self.reconciler.reconcile(key or Key("team-a", "orders"))
                self.api.settle()
                self.now += timedelta(seconds=20)

        asyncio.run(looks())
        return self

    @property
    def status(self):
        return self.api.objects[MICROSERVICE.path("team-a", "orders")]["status"]

    def strayed(self):
        """Paths and addresses that are none of team-a's."""
        known = ("http://prometheus:9090/", "http://10.1.0.1:9100/")
        hosts = [url for url in self.fetcher.asked if not url.startswith(known) and not PREVIEW.fullmatch(url)]
        return [path for path in self.api.asked if not OURS.fullmatch(path)] + hosts

    def told(self):
        """The sentence that a person reads; empty: nothing is wrong."""
        return self.status.get("blockedBy", "")


def test_the_story_that_is_made_hostile_reaches_every_kind_of_request():
    team = TeamA().look(times=16)
    asked = {path.split("/")[path.split("/").index("team-a") + 1] for path in team.api.asked}

    assert team.status["phase"] == "Released"
    assert team.strayed() == []
    assert asked == {
        "configmaps", "deployments", "endpointslices", "events", "jobs", "microservices", "poddisruptionbudgets",
        "pods", "releaseplans", "services", "serviceversions",
    }  # fmt: skip
    assert {url.split("/")[2] for url in team.fetcher.asked} == {
        "orders-preview.team-a.svc", "prometheus:9090", "10.1.0.1:9100"
    }  # fmt: skip


def refused(model, content):
    try:
        model.model_validate(content)
    except ValidationError:
        return True
    return False


def everywhere(model, content, text, *, but=()):
    """The text in all places that take it: a story is slow, and reading is not."""
    made = content
    for place in places(content):
        if not set(but) & set(place) and not refused(model, changed(content, place, text)):
            made = changed(made, place, text)
    return made


@pytest.mark.parametrize("text", HOSTILE)
def test_a_hostile_text_in_a_microservice_leads_nowhere(text):
    hostile = everywhere(MicroserviceSpec, SPEC, text, but=CONFIG_MAPS)
    assert TeamA(spec=hostile).look(times=6).strayed() == []


@pytest.mark.parametrize("address", ["http://169.254.169.254/", "http://a@prometheus", "http://x.team-b", "http://p/#"])
@pytest.mark.parametrize("gate", [2, 3])
def test_an_address_that_is_not_allowed_is_not_asked_and_told(gate, address):
    kind = SPEC["gates"][gate]["type"]
    team = TeamA(spec=changed(SPEC, ("gates", gate, kind, "address"), address)).look(times=10)

    assert team.strayed() == []
    assert address[7:-1].rpartition("/")[0] in team.told()
    assert "ALLOWED_ADDRESSES" in team.told() or "write it as http://host:port" in team.told()


@pytest.mark.parametrize("brokers", ["169.254.169.254:80", "kafka.team-b:9092", "kafka:9092,127.0.0.1:22"])
def test_brokers_that_are_not_allowed_are_not_asked_and_told(brokers):
    team = TeamA(spec=changed(SPEC, ("events", "bootstrapServers"), brokers)).look(times=2)
    assert "events.bootstrapServers: " in team.told()
    assert "ALLOWED_ADDRESSES" in team.told()


@pytest.mark.parametrize("text", HOSTILE)
def test_a_hostile_text_in_a_status_a_record_or_a_plan_leads_nowhere(text):
    status = everywhere(MicroserviceStatus, STATUS, text)
    record = everywhere(ServiceVersionSpec, RECORD, text)
    plan = everywhere(ReleasePlanSpec, PLAN, text)
    for team in (TeamA(status=status), TeamA(record=record, status=STATUS), TeamA(plan=plan)):
        team.look(Key("team-a", "plan", RELEASE_PLAN))
        assert team.look(times=2).strayed() == []


def test_what_is_refused_is_told_in_one_sentence():
    for place in places(SPEC):
        for text in HOSTILE[:1] + HOSTILE[-1:]:
            spec = changed(SPEC, place, text)
            if refused(MicroserviceSpec, spec):
                with pytest.raises(
                    Unreadable, match=r"^Microservice orders can't be read .*: spec\.\S+: .{10,}"
                ) as told:
                    readable(MicroserviceSpec, MICROSERVICE, {"metadata": {"name": "orders"}, "spec": spec})
                assert len(str(told.value)) < 400


@pytest.mark.parametrize("place", of_config_maps(), ids=lambda place: ".".join(map(str, place)))
def test_what_is_no_name_of_a_configmap_is_told_where_people_look(place):
    for text in HOSTILE[:-1]:
        team = TeamA(spec=changed(SPEC, place, text)).look(times=2)
        assert "is no name of a ConfigMap" in team.told()
        assert len(team.told()) < 300
        assert team.strayed() == []
        assert not [
            path for path, each in team.api.objects.items() if "/team-a/" in path and "secret" in str(each.get("data"))
        ]


@pytest.mark.parametrize("text", HOSTILE)
def test_no_path_is_made_of_what_is_no_name(text):
    for make in (
        lambda: CONFIG_MAP.path("team-a", text),
        lambda: DEPLOYMENT.path(text, "orders"),
        lambda: DEPLOYMENT.path(text),
        lambda: MICROSERVICE.path("team-a", "orders", text or "/"),
    ):
        with pytest.raises(NotAName, match=r"is no name of a \w+ or its namespace"):
            make()
    assert not Key("team-a", text).possible


def test_names_that_kubernetes_gives_make_paths():
    for name in ("kube-root-ca.crt", "orders-0a1b2c3d-http", "1", "x" * 253):
        assert CONFIG_MAP.path("team-a", name) == f"/api/v1/namespaces/team-a/configmaps/{name}"
    assert MICROSERVICE.path(None) == "/apis/slipway.dev/v1alpha1/microservices"
