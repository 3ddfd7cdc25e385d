"""The name of a version, and what people write becoming what the planner reads."""

from collections.abc import Mapping
from datetime import timedelta

import pytest

from slipway_operator.planning.desired import desired_of
from slipway_operator.spec.gates import Gate
from slipway_operator.spec.hashing import former_fingerprint, hash_of, spec_fingerprint, version_hash, version_name
from slipway_operator.spec.microservice import MicroserviceSpec
from slipway_operator.spec.strategy import Strategy


def template(**changes):
    container = {"name": "http", "image": "shop/orders:1.0", "args": ["http"]} | changes
    metadata = {"labels": {"app.kubernetes.io/name": "orders"}, "annotations": {"checksum/config": "abc"}}
    return {"metadata": metadata, "spec": {"containers": [container], "enableServiceLinks": False}}


def spec(**changes):
    given = {
        "version": "1.0",
        "components": {"http": {"template": template()}, "consumer": {"replicas": 2, "template": template()}},
        "events": {"group": "orders"},
    }
    return MicroserviceSpec.model_validate(given | changes)


def with_http(template_):
    return spec(components={"http": {"template": template_}, "consumer": {"replicas": 2, "template": template()}})


# Never change these: another hash for the same spec releases every service again when the operator is upgraded
# (argo-rollouts #4755).
GOLDEN = {
    "3947906c": spec(),
    "c7aed5f2": spec(
        migrations={"expand": template(args=["migrate"]), "contract": template(args=["migrate", "--all"])}
    ),
    "200f6f82": spec(
        components={"grpc": {"template": template(image="Größe/bücher@sha256:" + "0" * 64, stdin=False, ports=[])}},
        ports=[{"name": "grpc", "port": 9090, "appProtocol": "kubernetes.io/h2c"}],
        events=None,
    ),
}


@pytest.mark.parametrize("golden", GOLDEN)
def test_hashes_stay_what_they_are(golden):
    assert version_hash(GOLDEN[golden]) == golden


SAME = {
    "another label for people": spec(version="1.1"),
    "another size": spec(replicas=9),
    "another number of workers": spec(
        components={"http": {"template": template()}, "consumer": {"replicas": 7, "template": template()}}
    ),
    "another strategy": spec(strategy={"type": "Rolling"}),
    "a gate": spec(gates=[{"name": "c", "type": "contracts"}]),
    "defaults written out": spec(ports=[{"name": "http", "port": 80}], history=5),
    "a decision": spec(release={"promote": "0a1b2c3d", "paused": True}),
    "another chart": with_http(
        template() | {"metadata": {"labels": {"app.kubernetes.io/name": "orders", "helm.sh/chart": "orders-9"},
                                   "annotations": {"checksum/config": "abc", "skaffold.dev/run-id": "1"}}}
    ),
    "nothing, written out": with_http(template() | {"spec": {**template()["spec"], "nodeSelector": {}, "x": None}}),
}  # fmt: skip
OTHER = {
    "another image": with_http(template(image="shop/orders:1.1")),
    "another argument": with_http(template(args=["grpc"])),
    "a field nobody declared": with_http(template(tty=True)),
    "a value that is false": with_http(template(stdin=False)),
    "another configuration": with_http(
        template() | {"metadata": {"labels": {"app.kubernetes.io/name": "orders"},
                                   "annotations": {"checksum/config": "abd"}}}
    ),
    "another port": spec(ports=[{"name": "http", "port": 81}]),
    "another group": spec(events={"group": "orders-2"}),
    "a migration": spec(migrations={"expand": template()}),
    "the other migration": spec(migrations={"contract": template()}),
    "a component less": spec(components={"http": {"template": template()}}),
}  # fmt: skip


@pytest.mark.parametrize("same", SAME.values(), ids=SAME)
def test_what_runs_alike_is_one_version(same):
    assert version_hash(same) == version_hash(spec())


@pytest.mark.parametrize("other", OTHER.values(), ids=OTHER)
def test_what_runs_differently_is_another_version(other):
    assert version_hash(other) != version_hash(spec())


def test_all_other_versions_differ_from_each_other():
    assert len({version_hash(other) for other in OTHER.values()}) == len(OTHER)


def test_a_version_is_named_after_its_service():
    assert version_name("orders", "0a1b2c3d") == "orders-0a1b2c3d"
    assert hash_of("orders-0a1b2c3d") == hash_of("0a1b2c3d") == "0a1b2c3d"


@pytest.mark.parametrize(
    "same", [spec(replicas=9), spec(release={"promote": "0a1b2c3d", "paused": True}), SAME["another number of workers"]]
)
def test_sizes_and_decisions_do_not_end_a_hold(same):
    assert spec_fingerprint(same) == spec_fingerprint(spec())


@pytest.mark.parametrize(
    "other", [spec(release={"retry": "1"}), spec(watchSeconds=1), spec(version="2"), OTHER["another image"]]
)
def test_any_other_change_ends_a_hold(other):
    assert spec_fingerprint(other) != spec_fingerprint(spec())


def test_a_spec_becomes_what_the_planner_reads():
    read = desired_of(
        spec(
            replicas=3,
            strategy={"type": "Rolling", "autoPromote": False, "progressDeadlineSeconds": 60},
            gates=[{"name": "c", "type": "contracts"}, {"name": "p", "type": "prometheus", "phase": "afterPromotion"}],
            events={"group": "orders", "handover": "Overlap"},
            release={"promote": "orders-0a1b2c3d", "activeVersion": "0a1b2c3d", "paused": True},
        ),
        generation=4,
    )

    assert (read.replicas, read.workers, read.generation) == (3, {"consumer": 2}, 4)
    assert (read.rolling, read.auto_promote, read.exclusive, read.paused) == (True, False, False, True)
    assert (read.promote, read.pinned) == ("0a1b2c3d", "0a1b2c3d")
    assert read.progress_deadline == timedelta(seconds=60)
    assert [(gate.name, gate.after_promotion) for gate in read.gates] == [("c", False), ("p", True)]
    assert not read.expand


def test_unknown_fields_of_pods_survive():
    given = template(tty=True)

    assert with_http(given).components["http"].template.as_given() == given


class NewerStrategy(Strategy):
    bake: bool = True
    steps: tuple[int, ...] = (10, 50)


class NewerGate(Gate):
    weight: int = 1


class Newer(MicroserviceSpec):
    """As a later release may have it: more settings, each with a default that is no nothing."""

    strategy: NewerStrategy = NewerStrategy()
    gates: tuple[NewerGate, ...] = ()
    limits: Mapping[str, int] = {"cpu": 2}
    mirror: NewerStrategy = NewerStrategy()
    flavour: str = "plain"


@pytest.mark.parametrize(
    "given", [{}, {"strategy": {"type": "Rolling"}}, {"gates": [{"name": "c", "type": "contracts"}]}]
)
def test_settings_that_a_later_release_adds_change_no_fingerprint(given):
    """An upgrade of the operator would try each held version again."""
    today = spec(**given)
    given = today.model_dump(by_alias=True, exclude_unset=True)
    later = Newer.model_validate(given)
    # As the API server hands it out, once the new definitions are there: with every default.
    written_out = Newer.model_validate(later.model_dump(by_alias=True, mode="json"))

    assert spec_fingerprint(later) == spec_fingerprint(written_out) == spec_fingerprint(today)
    assert spec_fingerprint(later.model_copy(update={"flavour": "hot"})) != spec_fingerprint(today)


# As version hashes: another fingerprint for the same spec tries each held version again.
FINGERPRINTS = {"3947906c": "2f189782", "c7aed5f2": "833fb642", "200f6f82": "35c51516"}
FORMER = {"3947906c": "638bebcf", "c7aed5f2": "8986fb00", "200f6f82": "9b3ef322"}


def test_fingerprints_stay_what_they_are():
    assert {name: spec_fingerprint(each) for name, each in GOLDEN.items()} == FINGERPRINTS


def test_the_former_fingerprint_is_the_one_that_was_stored():
    assert {name: former_fingerprint(each) for name, each in GOLDEN.items()} == FORMER
