"""Who is let in."""

import pytest

from slipway_operator.console.access import host_is_here, is_foreign, is_token


@pytest.mark.parametrize("host", ["127.0.0.1:18006", "localhost:18006", "LOCALHOST:18006", "[::1]:18006"])
def test_a_loopback_host_is_here(host):
    assert host_is_here(host, 18006)


@pytest.mark.parametrize("host", [None, "", "evil.example:18006", "127.0.0.1", "127.0.0.1:80", "localhost.evil:18006"])
def test_any_other_name_is_not(host):
    assert not host_is_here(host, 18006)


@pytest.mark.parametrize(
    ("headers", "foreign"),
    [
        ({}, False),
        ({"Origin": "http://127.0.0.1:18006", "Sec-Fetch-Site": "same-origin"}, False),
        ({"Sec-Fetch-Site": "none"}, False),
        ({"Origin": "http://evil.example"}, True),
        ({"Origin": "null"}, True),
        ({"Origin": "http://127.0.0.1:8080"}, True),
        ({"Sec-Fetch-Site": "cross-site"}, True),
        ({"Sec-Fetch-Site": "same-site"}, True),
    ],
)
def test_pages_of_other_origins_are_foreign(headers, foreign):
    assert is_foreign(headers, 18006) is foreign


@pytest.mark.parametrize(
    ("given", "token", "right"),
    [("abc", "abc", True), ("abd", "abc", False), (None, "abc", False), ("", "", False), ("é", "abc", False)],
)
def test_a_token_is_the_whole_token(given, token, right):
    assert is_token(given, token) is right
