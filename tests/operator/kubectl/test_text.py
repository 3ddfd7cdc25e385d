"""Times in words, and what the words of kubectl become."""

from datetime import timedelta

import pytest

from slipway_operator.errors import AccessUnknown, Missing, Outdated, Refused, Unreachable
from slipway_operator.kubectl.cluster import Target, error_of
from slipway_operator.kubectl.text import span


def test_spans_have_two_units_at_most():
    lengths = [0, 59, 60, 200, 3600, 5400, 90000, -5]

    assert [span(timedelta(seconds=each)) for each in lengths] == [
        "0 s", "59 s", "1 min", "3 min 20 s", "1 h", "1 h 30 min", "1 d 1 h", "0 s",
    ]  # fmt: skip


FORBIDDEN = (
    'Error from server (Forbidden): microservices.slipway.dev "orders" is forbidden: User "ann" cannot patch resource '
    '"microservices" in API group "slipway.dev"'
)
NO_CONFIG = "The connection to the server localhost:8080 was refused - did you specify the right host or port?"
NO_HOST = "E1125 01:00:00.0 memcache.go:265] couldn't get\nUnable to connect to the server: dial tcp: no such host"
WORDS = [
    (NO_CONFIG, AccessUnknown, "no kubeconfig names a cluster"),
    ('error: context "moon" does not exist', AccessUnknown, "kubectl config get-contexts"),
    ('error: the server doesn\'t have a resource type "microservices"', Missing, "helm install slipway-operator"),
    ('Error from server (NotFound): microservices.slipway.dev "x" not found', Missing, "no Microservice x"),
    (FORBIDDEN, Refused, "cannot patch resource"),
    (NO_HOST, Unreachable, "no such host"),
    ("Error from server (Conflict): Operation cannot be fulfilled", Outdated, "try again"),
    ("error: You must be logged in to the server (Unauthorized)", Refused, "sign in again"),
    ("", Refused, "said nothing"),
]


@pytest.mark.parametrize(("stderr", "kind", "sentence"), WORDS, ids=[sentence for _, _, sentence in WORDS])
def test_the_words_of_kubectl_become_a_sentence_with_a_cure(stderr, kind, sentence):
    error = error_of(stderr, Target(namespace="shop"))

    assert type(error) is kind
    assert sentence in str(error)
