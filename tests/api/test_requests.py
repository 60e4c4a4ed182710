"""What holds for every route: paths, methods, prefix, query, bodies."""

import json

import pytest

from flows import fresh_name, task

LISTS = ["GET /flows", "GET /runs"]


def bearer(client, **more):
    return {"Authorization": "Bearer " + client.token, **more}


@pytest.mark.parametrize("target", [
    "/nothing", "/flows/", "/flows/x", "/flows/x/versions/1/more", "/runs/", "//flows", "/app",
    "/app/", "/app/app/flows", "/appflows", "/Flows", "/flows%2F", "/", "/health/", "/docs/x",
])
def test_unknown_paths(owner, target):
    answer = owner.request("GET", target, bearer(owner))
    assert answer.status == 404, answer
    assert answer.detail and answer.headers["X-Request-Id"]


@pytest.mark.parametrize("target, allow", [
    ("/auth/login", "POST"), ("/auth/logout", "POST"), ("/auth/password", "POST"),
    ("/me", "GET"), ("/users/me", "GET"), ("/flows", "GET, POST"), ("/flows/x/latest", "GET"),
    ("/flows/x/versions", "GET"), ("/flows/x/versions/1", "GET, DELETE"), ("/deployments/x", "DELETE"),
    ("/deployments/x/version", "PUT"), ("/workflows/x", "PATCH"), ("/api-keys", "GET, POST"), ("/runs", "GET, POST"),
    ("/runs/run_0000000000000", "GET"), ("/runs/run_0000000000000/cancel", "POST"),
    ("/runs/run_0000000000000/logs", "GET"), ("/runs/run_0000000000000/tasks", "GET"),
    ("/health", "GET"), ("/health/live", "GET"), ("/openapi.json", "GET"), ("/docs", "GET"),
])
def test_other_methods(owner, target, allow):
    for prefix in ("", "/app"):
        for method in {"DELETE", "PUT", "PATCH", "OPTIONS"} - set(allow.split(", ")):
            answer = owner.request(method, prefix + target, bearer(owner))
            assert answer.status == 405, answer
            allowed = set(answer.headers["Allow"].split(", "))
            assert allowed - {"HEAD"} == set(allow.split(", ")), answer.headers["Allow"]
            assert answer.detail


@pytest.mark.parametrize("target", ["/me", "/flows", "/runs", "/health", "/openapi.json", "/docs"])
def test_head_is_get_without_its_body(owner, target):
    head = owner.request("HEAD", target, bearer(owner))
    get = owner.request("GET", target, bearer(owner))
    assert head.status == get.status == 200 and head.body == b""
    assert head.headers["Content-Type"] == get.headers["Content-Type"]
    if target != "/health":  # its timestamp may change, its length does not
        assert head.headers["Content-Length"] == str(len(get.body))


def test_head_of_what_is_not_there(owner):
    assert owner.request("HEAD", "/nothing").status == 404
    assert owner.request("HEAD", "/auth/login").status == 405
    assert owner.request("HEAD", "/me").status == 401


def test_everything_is_served_under_app_too(owner):
    name = fresh_name("prefixed")
    spec = {"name": name, "tasks": [task("a")]}
    owner.call("POST /flows", 201, body={"flow_spec": spec}, prefix="/app")
    for prefix in ("", "/app"):
        path = {"flow_name": name, "flow_version": "1"}
        for route in ("GET /flows/{flow_name}/latest", "GET /flows/{flow_name}/versions/{flow_version}"):
            assert owner.call(route, 200, path=path, prefix=prefix).json["flow_name"] == name
        for route in ("GET /me", "GET /users/me", "GET /flows", "GET /runs", "GET /health",
                      "GET /health/live", "GET /openapi.json", "GET /docs"):
            owner.call(route, 200, prefix=prefix)
    body = {"flow_name": name, "wait_seconds": 60}
    run_id = owner.call("POST /runs", 200, body=body, prefix="/app").json["run_id"]
    for route in ("GET /runs/{run_id}", "GET /runs/{run_id}/logs", "GET /runs/{run_id}/tasks"):
        owner.call(route, 200, path={"run_id": run_id}, prefix="/app")
    owner.call("POST /runs/{run_id}/cancel", 409, path={"run_id": run_id}, prefix="/app")


def test_a_cursor_holds_under_both_prefixes(owner):
    for _ in range(2):
        owner.call("POST /flows", 201,
                   body={"flow_spec": {"name": fresh_name("cursor"), "tasks": [task("a")]}})
    page = owner.call("GET /flows", 200, query={"limit": 1}).json
    query = {"limit": 1, "next_token": page["next_token"]}
    assert owner.call("GET /flows", 200, query=query, prefix="/app").json["items"]


# ---- query ----

@pytest.mark.parametrize("route", LISTS)
@pytest.mark.parametrize("limit", ["0", "1001", "-1", "abc", "1.5", "", "1e2", "0x10", "null",
                                   "99999999999999999999", "01", "+1"])
def test_bad_limit(owner, route, limit):
    assert "/limit" in owner.call(route, 400, query=f"limit={limit}").error_paths


@pytest.mark.parametrize("route", LISTS)
def test_edges_of_limit(owner, route):
    owner.call(route, 200, query={"limit": 1})
    owner.call(route, 200, query={"limit": 1000})


@pytest.mark.parametrize("route", LISTS + ["GET /me", "GET /health", "GET /docs",
                                           "GET /openapi.json", "POST /runs"])
def test_unknown_query_parameter(owner, route):
    body = {} if route.startswith("POST") else None
    answer = owner.call(route, 400, query={"colour": "red"}, body=body)
    assert answer.error_paths == {"/colour"} and "colour" in answer.detail


@pytest.mark.parametrize("query", [
    "limit=5&limit=6", "limit=%zz", "limit=5%", "namespace=%00", "namespace=%ff", "status=active",
    "status=", "tag=", "next_token=", "limit", "status=DELETED",
])
def test_unreadable_query(owner, query):
    owner.call("GET /flows", 400, query=query)


def test_a_query_that_is_too_long(owner):
    owner.call("GET /flows", 400, query="tag=" + "x" * 9000)


@pytest.mark.parametrize("token", ["garbage", "AAAA", "%F0%9F%98%80", "A" * 2000, "="])
def test_a_next_token_that_is_none(owner, token):
    for route in LISTS:
        owner.call(route, 400, query="next_token=" + token)


# ---- bodies ----

POSTS = ["POST /auth/login", "POST /auth/password", "POST /flows", "POST /runs"]


@pytest.mark.parametrize("route", POSTS)
@pytest.mark.parametrize("raw", [
    b"{", b"nothing", b"{\"a\":1,}", b"{'a':1}", b"{} {}", b"{\"a\":01}", b"{\"a\":NaN}",
    b"{\"a\":\"\\x\"}", b"{\"a\":\"tab\there\"}", b"{\"a\":1,\"a\":2}", b"\xef\xbb\xbf{}",
    b"{\"a\":\"\xff\"}", b"{\"a\":\"\xc0\x80\"}", b"{\"a\":\"\xed\xa0\x80\"}",
    b"{\"a\":\"\\ud800\"}", b"{\"a\":\"\\udc00\\ud800\"}", b"{\"a\":\"\\u0000\"}",
    b"{\"a\":\"\x00\"}", b"{\"\\u0000\":1}", b"//x\n{}",
])
def test_what_is_not_json(owner, route, raw):
    assert owner.call(route, 400, raw=raw).detail


@pytest.mark.parametrize("route", POSTS)
@pytest.mark.parametrize("raw", [b"[]", b"null", b"1", b"\"text\"", b"true", b"  []  "])
def test_json_that_is_no_object(owner, route, raw):
    assert owner.call(route, 422, raw=raw).error_paths == {""}


def nested(depth):
    return b"[" * depth + b"]" * depth


@pytest.mark.parametrize("route", POSTS)
def test_depth(owner, route):
    assert owner.call(route, 400, raw=nested(65)).detail
    owner.call(route, 422, raw=nested(64))
    owner.call(route, 400, raw=b"[" * 1_000_000)


@pytest.mark.parametrize("route", POSTS)
def test_an_empty_body_is_an_empty_object(owner, route):
    empty = owner.call(route, 422, raw=b"", headers={"Content-Type": "text/plain"})
    same = owner.call(route, 422, body={})
    assert empty.json == same.json


@pytest.mark.parametrize("kind", ["text/plain", "application/x-www-form-urlencoded", "",
                                  "application/jsonx", "application/problem+json", "json"])
@pytest.mark.parametrize("route", POSTS)
def test_other_content_types(owner, route, kind):
    owner.call(route, 415, raw=b"{}", headers={"Content-Type": kind})


@pytest.mark.parametrize("kind", ["application/json; charset=utf-8", "Application/JSON",
                                  "application/json ;charset=utf-8"])
def test_spellings_of_json(owner, kind):
    owner.call("POST /runs", 422, raw=b"{}", headers={"Content-Type": kind})


@pytest.mark.parametrize("route", POSTS)
def test_a_body_that_is_too_large(owner, route):
    huge = json.dumps({"text": "x" * 10_000_000}).encode()
    owner.call(route, 413, raw=huge)


def test_a_body_that_is_too_large_in_chunks(owner):
    def chunks():
        for _ in range(160):
            yield b" " * 65536

    answer = owner.request("POST", "/runs", bearer(
        owner, **{"Content-Type": "application/json", "Transfer-Encoding": "chunked"}),
        body=chunks())
    assert answer.status == 413


@pytest.mark.parametrize("route", ["GET /me", "GET /flows", "GET /health"])
def test_get_takes_no_body(owner, route):
    owner.call(route, 400, raw=b"{}")


def test_null_counts_as_absent(owner):
    body = {"flow_spec": None}
    assert owner.call("POST /flows", 422, body=body).error_paths == {"/flow_spec"}


def test_every_broken_rule_is_named(owner):
    body = {"flow_name": 5, "wait_seconds": "long", "colour": "red", "a/b~c": 1}
    answer = owner.call("POST /runs", 422, body=body)
    assert answer.error_paths == {"/flow_name", "/wait_seconds", "/colour", "/a~1b~0c"}
    assert "more" in answer.detail


def test_a_request_id_comes_back(owner):
    answer = owner.request("GET", "/me", bearer(owner, **{"X-Request-Id": "my-own-id.7"}))
    assert answer.headers["X-Request-Id"] == "my-own-id.7"
    answer = owner.request("GET", "/me", bearer(owner, **{"X-Request-Id": "x" * 500}))
    assert len(answer.headers["X-Request-Id"]) <= 128
