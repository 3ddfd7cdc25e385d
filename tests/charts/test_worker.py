"""``worker.enabled``: one process in place of consumer and relay, managed or not."""

import pytest

from slipway_operator.spec.microservice import MicroserviceSpec
from support.charts import CHARTS, WITH_DATA, helm, of_kind, pod_templates, render

pytestmark = pytest.mark.charts
WORKER = ("--set", "worker.enabled=true")
MANAGED = ("--set", "release.managed=true")


def objects(service, *options):
    return render(service, CHARTS / service / "ci" / "plain-values.yaml", *options)


def processes(found):
    return {process: template for name, process, template in pod_templates(found)}


# A service may have one of them alone; a worker is for those that have both.
WITH_BOTH = [service for service in WITH_DATA if {"consumer", "relay"} <= processes(objects(service)).keys()]


def refusal(*options):
    done = helm("template", "r", CHARTS / "users", "-f", CHARTS / "users" / "ci" / "plain-values.yaml", *options)
    assert done.returncode != 0
    return " ".join(done.stderr.split())


@pytest.mark.parametrize("service", WITH_BOTH)
class TestEachService:
    @pytest.mark.parametrize("managed", [(), MANAGED], ids=["unmanaged", "managed"])
    def test_it_runs_in_place_of_consumer_and_relay(self, service, managed):
        both, one = (processes(objects(service, *managed, *more)) for more in ((), WORKER))

        assert both.keys() - one.keys() == {"consumer", "relay"}
        assert one.keys() - both.keys() == {"worker"}

    def test_it_has_the_probes_and_the_hardening_of_those_it_stands_for(self, service):
        consumer = processes(objects(service))["consumer"]["spec"]["containers"][0]
        worker = processes(objects(service, *WORKER))["worker"]["spec"]["containers"][0]

        differs = {"name", "args", "resources", "env"}
        assert {key: value for key, value in worker.items() if key not in differs} == {
            key: value for key, value in consumer.items() if key not in differs
        }
        assert worker["args"] == ["worker"]
        assert worker["resources"].keys() == {"requests", "limits"}

    def test_its_policy_is_a_consumers(self, service):
        def policies(*options):
            found = of_kind(objects(service, *options), "NetworkPolicy")
            return {each["metadata"]["name"].rpartition("-")[2]: each["spec"] for each in found}

        of_worker, of_consumer = policies(*WORKER)["worker"], policies()["consumer"]

        assert {key: of_worker[key] for key in ("ingress", "egress")} == {
            key: of_consumer[key] for key in ("ingress", "egress")
        }
        assert of_worker["podSelector"]["matchLabels"]["app.kubernetes.io/component"] == "worker"

    def test_the_operator_takes_it_as_what_consumes(self, service):
        [found] = of_kind(objects(service, *MANAGED, *WORKER), "Microservice")
        spec = MicroserviceSpec.model_validate(found["spec"])

        assert "worker" in spec.components
        assert spec.components["worker"].replicas == 1
        assert spec.events.group == service

    def test_more_pods_than_one_have_a_budget(self, service):
        def budgets(*options):
            found = of_kind(objects(service, *WORKER, *options), "PodDisruptionBudget")
            return {each["metadata"]["name"] for each in found}

        assert f"r-{service}-worker" not in budgets()
        assert f"r-{service}-worker" in budgets("--set", "worker.replicas=2")


def test_it_gets_what_is_set_for_either_and_its_own_wins():
    options = ("--set", "relay.extraEnv.A=relay", "--set", "worker.extraEnv.B=worker", "--set", "consumer.extraEnv.B=c")
    env = processes(objects("users", *WORKER, *options))["worker"]["spec"]["containers"][0]["env"]

    told = {each["name"]: each.get("value") for each in env}
    assert (told["A"], told["B"]) == ("relay", "worker")
    assert {"DATABASE_URL", "SIGNING_KEYS_SECRET"} <= told.keys()


@pytest.mark.parametrize("missing", ["consumer", "relay"])
def test_half_a_worker_is_refused(missing):
    said = refusal(*WORKER, "--set", f"{missing}.enabled=false")

    assert f"{missing}.enabled is false" in said
    assert "set both to true, or worker.enabled to false" in said


def test_two_values_for_one_variable_are_refused():
    options = ("--set", "consumer.extraEnv.MODE=one", "--set", "relay.extraEnv.MODE=two")

    assert "set worker.extraEnv.MODE, which wins" in refusal(*WORKER, *options)
    assert processes(objects("users", *WORKER, *options, "--set", "worker.extraEnv.MODE=three"))
