"""What the http node sends, and what it makes of answers."""

import gzip
import json
import os
import socket
import threading
import time

import pytest

import network
import server as servers
from client import Client, eventually
from flows import flow, get_run, logs, register, run, run_flow, task, task_of, trigger

URL = "http://public.test"


def call(client, config, **keys):
    """The only task run of a flow with one http task."""
    return task_of(run(client, [task("call", "http", {"url": URL + "/", **config}, **keys)]), "call")


def succeed(client, config, **keys):
    ended = call(client, config, **keys)
    assert ended["status"] == "SUCCEEDED", ended
    return ended["output"]


def fail(client, config, kind, **keys):
    ended = call(client, config, **keys)
    assert ended["status"] == "FAILED", ended
    assert ended["error"]["kind"] == kind, ended
    return ended["error"]["message"]


def refused(client, config, path):
    answer = register(client, flow([task("call", "http", {"url": URL + "/", **config})]), 422)
    assert answer.error_paths == {"/flow_spec/tasks/0/config" + path}, answer
    return answer.json["errors"][0]["message"]


# ---- requests ----

@pytest.mark.parametrize("method", ["GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"])
def test_methods(world, owner, method):
    world.public.answer("/", body=b"yes")
    output = succeed(owner, {"method": method})
    sent, = world.public.requests
    assert sent.method == method and sent.body == b""
    assert output["status"] == 200 and output["body"] == (None if method == "HEAD" else "yes")
    assert ("idempotency-key" in sent.headers) == (method not in ("GET", "HEAD", "OPTIONS"))


def test_headers_query_and_body(world, owner):
    world.public.answer("/path")
    view = run(owner, [task("call", "http", {
        "method": "POST", "url": URL + "/path?a=1#fragment",
        "query": {"b": "x y&z=ü", "n": 5, "list": ["p", 2, True]},
        "headers": {"X-One": "1", "X-Empty": "", "Accept": "application/json"},
        "body": {"n": 12345678901234567890, "text": "ü"}})])
    assert view["status"] == "SUCCEEDED", view
    sent, = world.public.requests
    assert sent.target == "/path?a=1&b=x%20y%26z%3D%C3%BC&list=p&list=2&list=true&n=5"
    assert sent.headers["x-one"] == "1" and sent.headers["x-empty"] == ""
    assert sent.headers["accept"] == "application/json" and sent.headers["content-type"] == "application/json"
    assert sent.headers["host"] == "public.test" and sent.headers["user-agent"].startswith("Dagy/")
    assert sent.headers["idempotency-key"] == f"{view['run_id']}:call"
    assert sent.headers["traceparent"].startswith("00-")
    assert "expect" not in sent.headers and "cookie" not in sent.headers
    assert json.loads(sent.body) == {"n": 12345678901234567890, "text": "ü"}


def test_text_is_sent_as_it_is(world, owner):
    world.public.answer("/")
    succeed(owner, {"method": "PUT", "body": "a=1\nb", "headers": {"content-type": "text/csv"}})
    succeed(owner, {"method": "PUT", "body": "{}"})
    assert [(each.body, each.headers["content-type"]) for each in world.public.requests] == [
        (b"a=1\nb", "text/csv"), (b"{}", "text/plain; charset=utf-8")]


def test_templates_fill_every_part(world, owner):
    world.public.answer("/42")
    view = run(owner, [task("call", "http", {
        "url": URL + "/{{ parameters.id }}", "query": {"n": "{{ parameters.id }}"},
        "headers": {"X-Run": "{{ run.id }}"}, "method": "POST", "body": "{{ parameters.document }}",
        "auth": {"type": "bearer", "token": "{{ parameters.token }}"}})],
        parameters=[{"name": "id", "type": "integer", "default": 42}, {"name": "token", "type": "string", "default": "t"},
                    {"name": "document", "type": "object", "default": {"a": [1.10]}}])
    assert view["status"] == "SUCCEEDED", view
    sent, = world.public.requests
    assert sent.target == "/42?n=42" and sent.headers["x-run"] == view["run_id"]
    assert sent.headers["authorization"] == "Bearer t" and json.loads(sent.body) == {"a": [1.10]}


@pytest.mark.parametrize("value", ["a\r\nX-Injected: 1", "a\nb", "a\x7fb"])
def test_a_header_is_one_line_whatever_a_template_gives(world, owner, value):
    view = run(owner, [task("call", "http", {"url": URL + "/", "headers": {"X": "{{ parameters.v }}"}})],
               parameters=[{"name": "v", "type": "string", "default": value}])
    error = task_of(view, "call")["error"]
    assert error == {"kind": "invalid_config", "message": "/config/headers/X: must not hold control characters"}
    assert world.public.requests == []


def test_all_broken_rules_are_told_and_none_is_retried(world, owner):
    ended = call(owner, {"method": "{{ 'get' }}", "url": "{{ 'file:///x' }}", "headers": {"X": "{{ 5 }}"}}, retries=3)
    assert ended["attempt"] == 1 and ended["error"]["kind"] == "invalid_config"
    message = ended["error"]["message"]
    assert "/config/method: must be one of" in message and "/config/headers/X: must be a string" in message


def test_auth(world, owner):
    world.public.answer("/")
    succeed(owner, {"auth": {"type": "basic", "username": "me", "password": "pä:ss"}})
    succeed(owner, {"auth": {"type": "bearer", "token": "t0k"}})
    assert [each.headers["authorization"] for each in world.public.requests] == ["Basic bWU6cMOkOnNz", "Bearer t0k"]


@pytest.mark.parametrize("config, path", [
    ({"method": "get"}, "/method"), ({"method": "CONNECT"}, "/method"), ({"headers": {"Host": "x"}}, "/headers/Host"),
    ({"headers": {"content-length": "1"}}, "/headers/content-length"), ({"headers": {"x": "1", "X": "2"}}, "/headers/x"),
    ({"headers": {"Accept-Encoding": "br"}}, "/headers/Accept-Encoding"), ({"query": {"q": "x" * 8192}}, "/query"), ({"headers": {"a b": "x"}}, "/headers/a b"),
    ({"headers": {"": "x"}}, "/headers/"), ({"headers": {"X": "a\nb"}}, "/headers/X"), ({"headers": {"X": 1}}, "/headers/X"),
    ({"headers": {f"h{i}": "" for i in range(101)}}, "/headers"), ({"headers": {"X": "x" * 65537}}, "/headers"),
    ({"query": {"a": None}}, "/query/a"), ({"query": {"a": [{}]}}, "/query/a/0"), ({"method": "HEAD", "body": 1}, "/body"),
    ({"expect": {"status": []}}, "/expect/status"), ({"expect": {"status": [99]}}, "/expect/status/0"),
    ({"expect": {"status": ["1xx"]}}, "/expect/status/0"), ({"expect": {"status": ["20x"]}}, "/expect/status/0"),
    ({"expect": {"body": "xml"}}, "/expect/body"), ({"auth": {"type": "digest"}}, "/auth/type"),
    ({"auth": {"type": "basic", "username": "u"}}, "/auth/password"), ({"auth": {"type": "bearer"}}, "/auth/token"),
    ({"auth": {"type": "bearer", "token": "t", "username": "u"}}, "/auth/username"),
    ({"auth": {"type": "basic", "username": "a:b", "password": ""}}, "/auth/username"),
    ({"auth": {"type": "bearer", "token": "t"}, "headers": {"authorization": "x"}}, "/headers/authorization"),
    ({"paginate": {}}, "/paginate/by"), ({"paginate": {"by": "url"}}, "/paginate/pointer"),
    ({"paginate": {"by": "cursor", "pointer": "/c"}}, "/paginate/parameter"),
    ({"paginate": {"by": "link", "pointer": "/c"}}, "/paginate/pointer"),
    ({"paginate": {"by": "link", "items": "data"}}, "/paginate/items"),
    ({"paginate": {"by": "link", "pages_max": 1001}}, "/paginate/pages_max"),
    ({"paginate": {"by": "link", "pages_max": 0}}, "/paginate/pages_max"),
    ({"paginate": {"by": "link"}, "method": "POST"}, "/paginate"),
    ({"paginate": {"by": "link"}, "expect": {"body": "text"}}, "/paginate"), ({"timeout": 5}, "/timeout"),
    ({"url": ""}, "/url"), ({"url": 5}, "/url")])
def test_refused_configs(world, owner, config, path):
    refused(owner, config, path)


def test_a_request_that_is_too_large(world, owner):
    world.public.answer("/")
    succeed(owner, {"method": "POST", "body": "x" * 1_000_000})
    view = run(owner, [task("make", "python", {"code": "def main(): return 'x' * (16 * 1024 * 1024 + 1)"}),
                       task("call", "http", {"url": URL, "method": "POST", "body": "{{ tasks.make }}"},
                            depends_on=["make"])])
    error = task_of(view, "call")["error"]
    assert error == {"kind": "invalid_config", "message": "/config/body: must have at most 16777216 bytes"}
    assert len(world.public.requests) == 1


# ---- answers ----

@pytest.mark.parametrize("content_type, body, expected", [
    ("application/json", b'{"n": 12345678901234567890}', ("json", {"n": 12345678901234567890})),
    ("application/problem+json; charset=utf-8", b"[1]", ("json", [1])), ("text/plain", b"[1]", ("text", "[1]")),
    ("application/json", b"{broken", ("text", "{broken")), ("text/plain", b"\xff\xfe", ("base64", "//4=")),
    ("application/octet-stream", b"a\0b", ("base64", "YQBi")), ("application/json", b"", ("json", None))])
def test_bodies(world, owner, content_type, body, expected):
    world.public.answer("/", 200, {"Content-Type": content_type}, body)
    output = succeed(owner, {})
    assert (output["body_type"], output["body"]) == expected


def test_expected_bodies(world, owner):
    world.public.answer("/", 200, {"Content-Type": "text/plain"}, b'{"a": 1}')
    assert succeed(owner, {"expect": {"body": "json"}})["body"] == {"a": 1}
    assert succeed(owner, {"expect": {"body": "text"}})["body"] == '{"a": 1}'
    assert succeed(owner, {"expect": {"body": "base64"}})["body"] == "eyJhIjogMX0="
    world.public.answer("/", 200, {}, b"\xff")
    assert "not JSON" in fail(owner, {"expect": {"body": "json"}}, "invalid_result")
    assert "no UTF-8" in fail(owner, {"expect": {"body": "text"}}, "invalid_result")


def test_headers_of_an_answer(world, owner):
    world.public.answer("/", 200, [("X-A", "1"), ("x-a", " 2 "), ("Set-Cookie", "a=1"), ("Set-Cookie", "b=2")])
    headers = succeed(owner, {})["headers"]
    assert headers["x-a"] == "1, 2" and headers["set-cookie"] == ["a=1", "b=2"]
    succeed(owner, {})
    assert "cookie" not in world.public.requests[-1].headers


@pytest.mark.parametrize("status, kind", [(400, "http_4xx"), (404, "http_4xx"), (429, "http_429"), (500, "http_5xx"),
                                          (503, "http_5xx"), (304, "http_3xx")])
def test_statuses_that_fail(world, owner, status, kind):
    world.public.answer("/", status, {}, b"" if status == 304 else b"because of rain")
    message = fail(owner, {"query": {"secret": "hidden"}}, kind)
    assert message.startswith(f"GET {URL}/: status {status}") and "hidden" not in message
    assert status == 304 or "because of rain" in message


def test_expected_statuses(world, owner):
    world.public.answer("/", 404)
    assert succeed(owner, {"expect": {"status": [200, 404]}})["status"] == 404
    assert succeed(owner, {"expect": {"status": ["4xx"]}})["status"] == 404
    world.public.answer("/", 204)
    fail(owner, {"expect": {"status": [200]}}, "http_2xx")


def test_compressed_answers(world, owner):
    world.public.answer("/", 200, {"Content-Encoding": "gzip"}, gzip.compress(b"packed"))
    assert succeed(owner, {})["body"] == "packed"
    world.public.answer("/", 200, {"Content-Encoding": "gzip"}, gzip.compress(bytes(17 << 20)))
    assert "16777216 bytes" in fail(owner, {}, "response_too_large")


def test_a_compressed_answer_must_be_whole(world, owner):
    whole = gzip.compress(os.urandom(10_000))
    for broken in (whole[:5_000], whole[:-1], whole + b"x", b"plain"):
        world.public.answer("/", 200, {"Content-Encoding": "gzip"}, broken)
        assert "not whole" in fail(owner, {}, "encoding")
    world.public.answer("/", 200, {"Content-Encoding": "br"}, b"x")
    assert "was not asked for" in fail(owner, {}, "encoding")


def test_answers_in_memory_are_bounded(world, owner):
    """Forty flows of pages keep up to 1,200 MiB; all together may keep 512."""
    world.public.answer("/", 200, {}, b"[\"" + b"x" * (15 << 20) + b"\"]")
    peak = 0

    def resident():
        for line in open(f"/proc/{world.server.process.pid}/status"):
            if line.startswith("VmRSS:"):
                return int(line.split()[1]) // 1024
    register(owner, spec := flow([task("call", "http", {
        "url": URL + "/?{{ inputs.item }}", "paginate": {"by": "page", "parameter": "page", "pages_max": 2}},
        map_over={"literal": list(range(40))}, max_parallel=40, max_failures=40)], max_parallel=40))
    run_id = trigger(owner, spec["name"])
    while get_run(owner, run_id)["finished_at"] is None:
        peak = max(peak, resident())
        time.sleep(0.02)
    kinds = {each["error"]["kind"] for each in owner.call("GET /runs/{run_id}", 200, path={"run_id": run_id}).json["task_runs"]
             if each["map_index"] is not None}
    assert kinds == {"pagination", "overloaded"}
    assert peak < 1000


def test_answers_that_are_too_large(world, owner):
    world.public.answer("/", 200, {}, b"x" * ((16 << 20) + 1))
    fail(owner, {}, "response_too_large")
    world.public.answer("/", 200, {f"X-{i}": "x" * 60000 for i in range(2)})
    assert "header" in fail(owner, {}, "response_too_large")
    world.public.answer("/", 200, {}, b"x" * (16 << 20))
    assert run(owner, [task("call", "http", {"url": URL})])["status"] == "SUCCEEDED"


# ---- redirects ----

@pytest.mark.parametrize("status, method, then", [
    (301, "POST", "GET"), (302, "POST", "GET"), (303, "POST", "GET"), (303, "PUT", "GET"), (303, "HEAD", "HEAD"),
    (301, "PUT", "PUT"), (307, "POST", "POST"), (308, "PATCH", "PATCH"), (302, "DELETE", "DELETE")])
def test_redirects(world, owner, status, method, then):
    world.public.answer("/a/start", status, {"Location": "../b?x=1"})
    world.public.answer("/b", body=b"there")
    config = {"url": URL + "/a/start", "method": method, "auth": {"type": "bearer", "token": "t"}}
    if method in ("POST", "PUT", "PATCH"):
        config["body"] = {"a": 1}
    succeed(owner, config)
    first, second = world.public.requests
    assert (second.method, second.target) == (then, "/b?x=1")
    assert second.body == (first.body if then == method else b"")
    assert ("content-type" in second.headers) == (then == method and "body" in config)
    assert second.headers["authorization"] == "Bearer t"


def test_another_origin_learns_nothing_of_the_caller(world, owner):
    world.names.names["other.test"] = [[network.PUBLIC_2]]
    world.public.answer("/", 307, {"Location": "http://other.test/"})
    world.other.answer("/", 302, {"Location": URL + "/back"})
    world.public.answer("/back")
    succeed(owner, {"auth": {"type": "basic", "username": "u", "password": "p"},
                    "headers": {"X-Api-Key": "k", "Cookie": "c=1", "Accept": "text/plain"}})
    elsewhere, = world.other.requests
    assert elsewhere.headers["accept"] == "text/plain"
    for request in (elsewhere, world.public.requests[1]):  # nor does the first, when led back to
        assert not {"authorization", "x-api-key", "cookie", "traceparent"} & request.headers.keys()


def test_too_many_redirects(world, owner):
    world.public.routes["/"] = lambda request: (302, {"Location": f"/?{len(world.public.requests)}"}, b"")
    assert "more than 10 redirects" in fail(owner, {}, "redirect")
    assert len(world.public.requests) == 11


def test_a_redirect_that_is_expected_is_not_followed(world, owner):
    world.public.answer("/", 302, {"Location": "/b"})
    output = succeed(owner, {"expect": {"status": [302]}})
    assert output["headers"]["location"] == "/b" and len(world.public.requests) == 1


def test_a_redirect_that_is_not_named_is_followed(world, owner):
    world.public.answer("/", 302, {"Location": "/b"})
    world.public.answer("/b", 304)
    assert succeed(owner, {"expect": {"status": [200, 304]}})["status"] == 304


def test_a_redirect_to_the_same_document(world, owner):
    world.public.routes["/"] = lambda request: ((302, {"Location": "#part"}, b"") if len(world.public.requests) < 2
                                                 else (200, {}, request.target.encode()))
    assert succeed(owner, {"query": {"a": 1}})["body"] == "/?a=1"


@pytest.mark.parametrize("location", ["http://@public.test/", "file:///etc/passwd", "ftp://public.test/", "http://u:p@public.test/", "http://"])
def test_redirects_to_what_is_no_url(world, owner, location):
    world.public.answer("/", 302, {"Location": location})
    fail(owner, {}, "redirect")


# ---- pages ----

def pages(world, count, lead):
    """Routes of `count` pages with two items each; `lead(i)` is (headers, members) of page i."""
    def answer(request):
        i = int((request.target.split("page=") + ["1"])[1])
        headers, members = lead(i)
        items = [] if i > count else [2 * i, 2 * i + 1]
        return 200, {"Content-Type": "application/json", **headers}, json.dumps({"data": items, **members}).encode()
    world.public.routes["/"] = answer


def test_pages_by_link(world, owner):
    pages(world, 3, lambda i: ({"Link": f'</?page=1>; rel=first, <?page={i + 1}>; title="a, b"; rel="last next"'}
                               if i < 3 else {"Link": '<?page=1>; rel="prev"'}, {}))
    output = succeed(owner, {"paginate": {"by": "link", "items": "/data"}})
    assert output["body"] == [2, 3, 4, 5, 6, 7] and output["pages"] == 3 and output["body_type"] == "json"


def test_pages_by_url(world, owner):
    pages(world, 3, lambda i: ({}, {"links": {"next": f"{URL}/?page={i + 1}" if i < 3 else None}}))
    assert succeed(owner, {"paginate": {"by": "url", "items": "/data", "pointer": "/links/next"}})["pages"] == 3


@pytest.mark.parametrize("end", [None, ""])
def test_pages_by_cursor(world, owner, end):
    pages(world, 3, lambda i: ({}, {"next": i + 1 if i < 3 else end}))
    output = succeed(owner, {"query": {"size": 2}, "paginate": {"by": "cursor", "items": "/data", "pointer": "/next",
                                                               "parameter": "page"}})
    assert len(output["body"]) == 6
    assert [each.target for each in world.public.requests] == ["/?size=2", "/?size=2&page=2", "/?size=2&page=3"]


def test_pages_by_number(world, owner):
    pages(world, 2, lambda i: ({}, {}))
    output = succeed(owner, {"paginate": {"by": "page", "items": "/data", "parameter": "page", "first": 1}})
    assert output["body"] == [2, 3, 4, 5] and output["pages"] == 3  # the last one is empty


def test_pages_that_end_badly(world, owner):
    config = {"paginate": {"by": "cursor", "items": "/data", "pointer": "/next", "parameter": "page", "pages_max": 2}}
    pages(world, 3, lambda i: ({}, {"next": i + 1 if i < 3 else None}))
    assert "more than 2 pages" in fail(owner, config, "pagination")
    pages(world, 3, lambda i: ({}, {"next": 1 if i == 1 else 1}))
    config["paginate"]["pages_max"] = 50
    assert "there before" in fail(owner, config, "pagination")
    pages(world, 3, lambda i: ({}, {"next": {"x": 1}}))
    assert "an object at '/next'" in fail(owner, config, "pagination")
    config["paginate"]["items"] = "/other"
    assert "no list at '/other'" in fail(owner, config, "pagination")
    world.public.answer("/", 200, {}, b"<html>")
    fail(owner, config, "invalid_result")
    world.public.answer("/", 500)
    fail(owner, config, "http_5xx")


# ---- attempts ----

def test_retries_by_kind(world, owner):
    def flaky(request):
        return (503, {}, b"") if len(world.public.requests) < 3 else (200, {}, b"up")
    world.public.routes["/"] = flaky
    ended = call(owner, {"method": "POST"}, retries=5, retry_delay_seconds=0.01, retry_on=["http_5xx"])
    assert ended["status"] == "SUCCEEDED" and ended["attempt"] == 3
    assert len({each.headers["idempotency-key"] for each in world.public.requests}) == 1
    assert len({each.headers["traceparent"] for each in world.public.requests}) == 3
    world.public.answer("/", 404)
    assert call(owner, {}, retries=5, retry_delay_seconds=0.01, retry_on=["http_5xx", "http_429"])["attempt"] == 1


def test_connections_that_fail(world, owner):
    fail(owner, {"url": "http://public.test:81/"}, "connection")
    fail(owner, {"url": "http://unknown.test/"}, "connection")
    with socket.create_server((network.PUBLIC, 82)) as listener:
        def hang_up():
            connection, _ = listener.accept()
            connection.recv(1)
            connection.close()
        threading.Thread(target=hang_up, daemon=True).start()
        fail(owner, {"url": "http://public.test:82/"}, "connection")


def answer_raw(port, raw):
    """Answers one connection with these bytes, whatever is asked."""
    listener = socket.create_server((network.PUBLIC, port))

    def serve():
        with listener:
            connection, _ = listener.accept()
            with connection:
                connection.recv(4096)
                connection.sendall(raw)
    threading.Thread(target=serve, daemon=True).start()


def test_trailers_are_no_headers(world, owner):
    answer_raw(84, b"HTTP/1.1 200 OK\r\nX-A: one\r\n two\r\nX-B : 1\r\n: x\r\nTransfer-Encoding: chunked\r\n\r\n"
                   b"2\r\nhi\r\n0\r\nHTTP/evil: 1\r\nLocation: /\r\nContent-Type: application/json\r\n\r\n")
    output = succeed(owner, {"url": "http://public.test:84/"})
    assert output["body"] == "hi"
    assert output["headers"] == {"x-a": "one two", "x-b": "1", "transfer-encoding": "chunked"}


@pytest.mark.parametrize("raw", [b"", b"garbage", b"HTTP/1.1 200 OK\r\nContent-Length: -1\r\n\r\n",
                                 b"HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nabc", b"HTTP/1.1 200 OK\r\n",
                                 b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\n"])
def test_answers_that_are_none(world, owner, raw):
    answer_raw(85, raw)
    fail(owner, {"url": "http://public.test:85/"}, "connection")


class Silent:
    """A service that takes a request and says nothing."""

    def __init__(self):
        self.listener = socket.create_server((network.PUBLIC, 83))
        self.ended = threading.Event()
        self.asked = threading.Event()
        threading.Thread(target=self.serve, daemon=True).start()

    def serve(self):
        connection, _ = self.listener.accept()
        connection.recv(4096)
        self.asked.set()
        if connection.recv(1) == b"":
            self.ended.set()

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.listener.close()


def test_a_timeout_ends_the_call(world, owner):
    with Silent() as silent:
        ended = call(owner, {"url": "http://public.test:83/"}, timeout_seconds=0.5)
        assert (ended["status"], ended["error"]["kind"]) == ("TIMED_OUT", "timeout")
        run_id = ended["task_run_id"].split(":")[0]
        assert eventually(lambda: [line["message"].rsplit(",", 1)[0] for line in logs(owner, run_id)]) == [
            "GET http://public.test:83/: no answer"]
        assert silent.ended.wait(5)


def test_a_cancel_ends_the_call(world, owner):
    register(owner, spec := flow([task("call", "http", {"url": "http://public.test:83/"})]))
    with Silent() as silent:
        run_id = trigger(owner, spec["name"])
        assert silent.asked.wait(5)
        owner.call("POST /runs/{run_id}/cancel", (200, 202), path={"run_id": run_id})
        assert silent.ended.wait(5)

        eventually(lambda: get_run(owner, run_id)["status"] == "CANCELLED")


def test_waiting_calls_hold_no_thread(world, owner):
    """Four hundred calls that wait for one another: they are under way at the same time."""
    count = 400
    barrier = threading.Barrier(count, timeout=30)

    def together(request):
        barrier.wait()
        return 200, {}, b""
    world.public.routes["/"] = together
    threads = f"/proc/{world.server.process.pid}/task"
    before = len(os.listdir(threads))
    view = run(owner, [task("call", "http", {"url": URL + "/?{{ inputs.item }}"},
                            map_over={"literal": list(range(count))}, max_parallel=count)], max_parallel=count)
    assert view["status"] == "SUCCEEDED", view["error"]
    assert len(os.listdir(threads)) <= before + 2


def test_a_call_is_repeated_after_kill_9(world, tmp_path):
    own = servers.Server(tmp_path).start()
    owner = Client(own)
    token = owner.login(servers.OWNER, servers.PASSWORD)
    owner = owner.with_token(token)
    register(owner, spec := flow([task("call", "http", {"url": "http://public.test:83/", "method": "POST"})]))
    with Silent() as silent:
        run_id = trigger(owner, spec["name"])
        assert silent.asked.wait(5)
        own.process.kill()
        own.wait()
    own.start()
    own_client = Client(own, token)

    def has_failed():
        view = get_run(own_client, run_id)
        assert view["finished_at"] is not None
        return view
    view = eventually(has_failed)
    assert task_of(view, "call")["error"]["kind"] == "connection"  # nobody listens any more
    assert any("connect" in line["message"] or "no answer" in line["message"] for line in logs(own_client, run_id))
    assert own.stop() == 0


def test_a_second_run_uses_the_connection_again(world, owner):
    world.public.answer("/")
    register(owner, spec := flow([task("call", "http", {"url": URL + "/"})]))
    for _ in range(5):
        assert run_flow(owner, spec["name"])["status"] == "SUCCEEDED"
    assert world.public.connections <= 2


def test_stopping_does_not_wait_for_calls(world, tmp_path):
    own = servers.Server(tmp_path, DAGY_DRAIN_SECONDS="0").start()
    owner = Client(own)
    owner = owner.with_token(owner.login(servers.OWNER, servers.PASSWORD))
    register(owner, spec := flow([task("call", "http", {"url": "http://public.test:83/"})]))
    with Silent() as silent:
        trigger(owner, spec["name"])
        assert silent.asked.wait(5)
        began = time.monotonic()
        assert own.stop() == 0
        assert time.monotonic() - began < 5
