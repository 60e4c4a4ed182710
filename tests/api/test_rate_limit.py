"""The rate limit: a small one, on a server of its own."""

import pytest

from client import Client, eventually
from server import OWNER, PASSWORD

BURST = 8


@pytest.fixture
def limited(own_server):
    return Client(own_server(DAGY_RATE_LIMIT_PER_MINUTE="60", DAGY_RATE_LIMIT_BURST=str(BURST)))


def test_headers_on_success_and_errors(limited):
    answer = limited.call("GET /me", 401)
    assert answer.headers["X-RateLimit-Limit"] == "60"
    assert int(answer.headers["X-RateLimit-Remaining"]) < BURST
    missing = limited.request("GET", "/nothing")
    assert missing.status == 404 and missing.headers["X-RateLimit-Limit"] == "60"
    wrong = limited.request("DELETE", "/me")
    assert wrong.status == 405 and wrong.headers["X-RateLimit-Limit"] == "60"
    assert limited.call("POST /auth/login", 400, raw=b"{").headers["X-RateLimit-Limit"] == "60"
    token = limited.login(OWNER, PASSWORD)
    assert limited.with_token(token).call("GET /me", 200).headers["X-RateLimit-Limit"] == "60"


def exhaust(client):
    """Calls until the first 429, which it returns."""
    for _ in range(10 * BURST):
        answer = client.call("GET /me", (401, 429))
        if answer.status == 429:
            return answer
    raise AssertionError("never limited")


def test_too_many(limited):
    first = limited.call("GET /me", 401)
    assert int(first.headers["X-RateLimit-Remaining"]) <= BURST - 1
    refused = exhaust(limited)
    assert refused.headers["X-RateLimit-Remaining"] == "0"
    assert refused.headers["Retry-After"] == "1" and refused.detail


def test_what_is_not_limited(limited):
    exhaust(limited)
    for route in ("GET /health", "GET /health/live", "GET /docs", "GET /openapi.json"):
        for prefix in ("", "/app"):
            for _ in range(BURST):
                limited.call(route, 200, prefix=prefix)


def test_a_token_comes_back(limited):
    exhaust(limited)
    assert eventually(lambda: limited.call("GET /me", (401, 429)).status == 401, seconds=10)


def test_x_forwarded_for_makes_no_other_client(limited):
    exhaust(limited)
    for i in range(3):
        limited.request("GET", "/me", {"X-Forwarded-For": f"10.0.0.{i}"})
    answer = limited.request("GET", "/me", {"X-Forwarded-For": "10.9.9.9"})
    assert answer.status == 429


def test_off(own_server):
    client = Client(own_server(DAGY_RATE_LIMIT_PER_MINUTE="0"))
    for _ in range(300):
        client.call("GET /me", 401)
