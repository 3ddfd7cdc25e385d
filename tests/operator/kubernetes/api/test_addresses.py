"""Which addresses of specs the operator asks: its tenants' own Services, and what its settings allow."""

import asyncio

import pytest

from slipway_chassis.config import load
from slipway_chassis.errors import ConfigurationError
from slipway_operator.runtimes.kubernetes.api.addresses import Addresses
from slipway_operator.runtimes.kubernetes.gates.checks import CheckedResolver, HttpFetcher
from slipway_operator.runtimes.kubernetes.process.settings import OperatorSettings

ALLOWED = Addresses(["*.monitoring:9090", "prometheus.example.com", "10.9.0.0/16:9090"], namespace="slipway-system")


@pytest.mark.parametrize(
    "url",
    [
        "http://prometheus.team-a:9090",
        "http://prometheus.team-a.svc/path",
        "https://prometheus.team-a.svc.cluster.local.",
        "http://pod-0.prometheus.team-a.svc:80",
        "http://prometheus-operated.monitoring:9090",
        "http://prometheus-operated.monitoring.svc:9090/prometheus",
        "https://prometheus.example.com/prometheus",
        "http://10.9.1.2:9090",
    ],
)
def test_own_services_and_what_is_allowed_are_asked(url):
    assert ALLOWED.url_refusal(url, "team-a") == ""


@pytest.mark.parametrize(
    "url",
    [
        "http://prometheus.team-b:9090",
        "http://team-a.team-b.svc:9090",
        "http://prometheus:9090",  # of the operator's namespace
        "http://prometheus-operated.monitoring:80",
        "http://monitoring:9090",
        "http://x.example.com",
        "http://169.254.169.254/latest/meta-data/",
        "http://127.0.0.1:9090",
        "http://127.1:9090",
        "http://2130706433",
        "http://0x7f.1",
        "http://[::1]:9090",
        "http://[::ffff:127.0.0.1]:9090",
        "http://[fe80::1]",
        "http://10.9.1.2:80",
        "http://localhost",
        "http://prometheus.team-a/admin/delete#",
        "http://prometheus.team-a/x?y=",
        "http://user:pw@prometheus.team-a",
        "http://prometheus.team-b\\@prometheus.team-a",
        "http://prometheus.team-a:port",
        "http://prometheus.team-a:99999",
        "http://",
        "ftp://prometheus.team-a",
        "http://prometheus..team-a/\n",
        "http://[::1",
        "http://" + "x" * 300 + ".team-a",
    ],
)
def test_all_other_addresses_are_refused_in_one_sentence(url):
    said = ALLOWED.url_refusal(url, "team-a")
    assert said
    assert len(said) < 350
    assert "ALLOWED_ADDRESSES" in said or "write it as http://host:port" in said


def test_brokers_are_checked_one_by_one():
    assert ALLOWED.brokers_refusal("kafka.team-a:9092,kafka.team-a.svc:9093", "team-a") == ""
    assert "'kafka.team-b' is not of namespace team-a" in ALLOWED.brokers_refusal(
        "kafka.team-a:9092,kafka.team-b:9092", "team-a"
    )
    assert ALLOWED.brokers_refusal("kafka:9092", "slipway-system") == ""


@pytest.mark.parametrize(
    ("canonical", "address", "astray"),
    [
        ("prometheus.team-a.svc.cluster.local", "10.96.0.7", False),
        ("", "10.96.0.7", False),
        ("prometheus.team-a.svc.cluster.local", "127.0.0.1", True),
        ("prometheus.team-a.svc.cluster.local", "169.254.169.254", True),
        ("prometheus.team-a.svc.cluster.local", "::ffff:169.254.169.254", True),
        ("prometheus.team-a.svc.cluster.local", "fe80::1%eth0", True),
        ("prometheus.team-a.svc.cluster.local", "0.0.0.0", True),  # noqa: S104
        ("private.team-b.svc.cluster.local", "10.96.0.7", True),
        ("metadata.example.com", "10.96.0.7", True),
    ],
)
def test_where_a_name_leads_counts_too(canonical, address, astray):
    assert ALLOWED.leads_astray("prometheus.team-a", 9090, canonical, address) is astray


def test_an_allowed_name_may_be_an_alias_but_of_no_machine_itself():
    assert not ALLOWED.leads_astray("prometheus.example.com", 443, "cdn.example.net", "10.96.0.7")
    assert ALLOWED.leads_astray("prometheus.example.com", 443, "cdn.example.net", "127.0.0.1")


def test_a_connection_goes_to_what_was_checked():
    with pytest.raises(OSError, match=r"localhost leads to .*, which is not asked"):
        asyncio.run(CheckedResolver(Addresses(["localhost"])).resolve("localhost", 80))
    assert asyncio.run(HttpFetcher(Addresses(["localhost"])).fetch("http://localhost:1/", {})) is None
    networks = Addresses(["localhost", "127.0.0.0/8", "::1/128"])
    found = asyncio.run(CheckedResolver(networks).resolve("localhost", 80))
    assert {each["host"] for each in found} <= {"127.0.0.1", "::1"}


def test_the_setting_is_a_list_and_a_wrong_entry_ends_the_start():
    settings = load(OperatorSettings, {"POD_NAME": "one", "ALLOWED_ADDRESSES": "*.kafka:9092, 10.0.0.0/8"})
    assert settings.addresses("x").brokers_refusal("shop-kafka.kafka:9092,10.1.2.3:1", "team-a") == ""
    with pytest.raises(ConfigurationError, match="ALLOWED_ADDRESSES"):
        load(OperatorSettings, {"POD_NAME": "one", "ALLOWED_ADDRESSES": "http://prometheus"})
