"""The client against a server that plays what a real one rarely does, and against a real one."""

import hashlib
import http.server
import json
import threading

import pytest

import dagy
import server as servers
from dagy import DagyClient, DagyError, LocalArtifact, client as client_module, flow, noop, shell


class Played:
    """Answers with a script: (status, headers, body) in order; keeps what it was asked."""

    def __init__(self):
        self.script, self.asked = [], []
        played = self

        class Handler(http.server.BaseHTTPRequestHandler):
            def answer(self):
                size = int(self.headers.get("Content-Length") or 0)
                played.asked.append((self.command, self.path, self.headers, self.rfile.read(size)))
                status, headers, body = played.script.pop(0)
                data = body if isinstance(body, bytes) else json.dumps(body).encode()
                self.send_response(status)
                for name, value in headers.items():
                    self.send_header(name, value)
                self.send_header("Content-Length", str(len(data)))
                self.end_headers()
                self.wfile.write(data)

            do_GET = do_POST = do_PUT = answer

            def log_message(self, *unused):
                pass

        self.server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.url = f"http://127.0.0.1:{self.server.server_port}"
        threading.Thread(target=self.server.serve_forever, daemon=True).start()

    def plays(self, *answers):
        self.script = [(status, headers, body) for status, headers, body in answers]
        self.asked.clear()

    def close(self):
        self.server.shutdown()
        self.server.server_close()


@pytest.fixture
def played():
    made = Played()
    yield made
    made.close()


@pytest.fixture
def pauses(monkeypatch):
    found = []
    monkeypatch.setattr(client_module.time, "sleep", found.append)
    return found


def test_an_error_names_its_fields(played):
    errors = [{"path": "/flow_spec/name", "message": "is required"}]
    played.plays((422, {}, {"detail": "not valid", "errors": errors}))
    with pytest.raises(DagyError) as caught:
        DagyClient(played.url).call("POST", "/flows", {})
    assert (caught.value.status, caught.value.detail, caught.value.errors) == (
        422, "not valid", errors)
    assert str(caught.value) == "422: not valid\n  /flow_spec/name: is required"


@pytest.mark.parametrize("body, detail", [(b"<html>", "<html>"), (b"", "an empty answer"),
                                          (b"[]", "[]"), (b"{}", "{}")])
def test_an_error_of_something_else(played, body, detail):
    played.plays((500, {}, body))
    with pytest.raises(DagyError) as caught:
        DagyClient(played.url).call("GET", "/runs")
    assert (caught.value.status, caught.value.detail, caught.value.errors) == (500, detail, [])


def test_an_answer_that_is_not_json(played):
    played.plays((200, {}, b"<html>"))
    with pytest.raises(DagyError, match="did not answer in JSON"):
        DagyClient(played.url).call("GET", "/runs")


def test_no_answer():
    with pytest.raises(DagyError, match="no answer from http://127.0.0.1:9") as caught:
        DagyClient("http://127.0.0.1:9").call("GET", "/runs")
    assert caught.value.status == 0


@pytest.mark.parametrize("url", ["localhost:8000", "ftp://localhost", "http://", ""])
def test_no_address(url):
    with pytest.raises(ValueError, match="not the address of a server"):
        DagyClient(url)


@pytest.mark.parametrize("status", [429, 503])
def test_busy_servers_are_waited_for(played, pauses, status):
    busy = (status, {"Retry-After": "7"}, {"detail": "busy"})
    played.plays(busy, (status, {}, {"detail": "busy"}),
                 (status, {"Retry-After": "Fri, 31 Dec 1999 23:59:59 GMT"}, {"detail": "busy"}),
                 (status, {"Retry-After": "3600"}, {"detail": "busy"}), (200, {}, {"ok": True}))
    assert DagyClient(played.url).call("GET", "/runs") == {"ok": True}
    assert pauses == [7, 2, 4, 60]


def test_busy_servers_are_not_waited_for_for_ever(played, pauses):
    played.plays(*[(503, {"Retry-After": "1"}, {"detail": "busy"})] * 9)
    with pytest.raises(DagyError, match="503: busy"):
        DagyClient(played.url).call("GET", "/runs")
    assert len(played.asked) == 6 and pauses == [1] * 5


def test_a_repeated_trigger_is_one_trigger(played, pauses):
    played.plays((503, {}, {"detail": "busy"}), (202, {}, {"run_id": "r"}), (202, {}, {}))
    client = DagyClient(played.url)
    client.trigger("f")
    client.trigger("f", idempotency_key="mine")
    keys = [asked[2]["Idempotency-Key"] for asked in played.asked]
    assert keys[0] == keys[1] and len(keys[0]) == 32 and keys[2] == "mine"


def test_the_token_stays_with_its_server(played):
    other = Played()
    client = DagyClient(played.url, token="dagy_sk_x")
    played.plays((302, {"Location": other.url + "/runs"}, {}))
    with pytest.raises(DagyError, match="redirects to another server"):
        client.call("GET", "/runs")
    assert other.asked == []
    played.plays((302, {"Location": "/elsewhere"}, {}), (200, {}, {"ok": True}))
    assert client.call("GET", "/runs") == {"ok": True}
    assert [asked[2]["Authorization"] for asked in played.asked] == ["Bearer dagy_sk_x"] * 2
    other.plays((200, {}, b""))
    client.exchange("PUT", other.url + "/part", b"data", {})
    assert other.asked[0][2]["Authorization"] is None
    other.close()


def test_a_run_is_waited_for_by_the_server_first(played, pauses):
    ended = {"run_id": "r", "status": "SUCCEEDED", "finished_at": "t"}
    hooks = {"run_id": "r", "status": "SUCCEEDED", "finished_at": None}
    played.plays((200, {}, hooks), (200, {}, hooks), (200, {}, ended), (202, {}, hooks),
                 (200, {}, ended))
    assert DagyClient(played.url).run("f") == ended
    assert DagyClient(played.url).run("f", timeout_seconds=2.5) == ended
    assert [json.loads(asked[3])["wait_seconds"] for asked in played.asked
            if asked[0] == "POST"] == [30, 2]
    assert pauses == [0.05]


def test_pages(played):
    played.plays((200, {}, {"items": [1, 2], "next_token": "t/="}),
                 (200, {}, {"items": [3], "next_token": None}))
    assert list(DagyClient(played.url).runs(limit=2, status=None)) == [1, 2, 3]
    assert [asked[1] for asked in played.asked] == ["/runs?limit=2",
                                                    "/runs?limit=2&next_token=t%2F%3D"]


def test_names_are_quoted(played):
    played.plays((200, {}, {"run_id": "x"}))
    DagyClient(played.url + "/app/").get("a/../b?c")
    assert played.asked[0][1] == "/app/runs/a%2F..%2Fb%3Fc"


# ---- uploads ----


class Small:
    """An artifact of ten bytes."""
    data = b"0123456789"
    sha256 = hashlib.sha256(data).hexdigest()


def etag(data):
    return f'"{hashlib.sha256(data).hexdigest()}"'


def begun(played, part_size=4):
    parts = [{"part_number": number, "url": ("" if number % 2 else played.url) + f"/part/{number}"}
             for number in (2, 1, 3)]
    return (201, {}, {"upload_id": "u", "key": "k", "artifact_uri": "dagy://k",
                      "part_size": part_size, "parts": parts, "expires_at": ""})


def put(data):
    return (200, {"ETag": etag(data)}, b"")


def test_an_upload(played):
    played.plays(begun(played), put(b"0123"), put(b"4567"), put(b"89"),
                 (200, {}, {"artifact_uri": "dagy://k", "size_bytes": 10, "etag": "e"}),
                 (201, {}, {"flow_name": "f"}))
    answer = DagyClient(played.url, "t").register({"name": "f"}, artifact=Small(),
                                                  deployment_name="d", tags={"a": "b"})
    assert answer == {"flow_name": "f"}
    sent = [(method, path, body) for method, path, _, body in played.asked]
    assert json.loads(sent[0][2]) == {
        "filename": "artifact.zip", "size_bytes": 10, "content_type": "application/zip",
        "sha256": Small.sha256, "part_size": 8 << 20}
    assert sent[1:4] == [("PUT", "/part/1", b"0123"), ("PUT", "/part/2", b"4567"),
                         ("PUT", "/part/3", b"89")]
    assert json.loads(sent[4][2]) == {"upload_id": "u", "key": "k", "parts": [
        {"part_number": 1, "etag": etag(b"0123")}, {"part_number": 2, "etag": etag(b"4567")},
        {"part_number": 3, "etag": etag(b"89")}]}
    assert json.loads(sent[5][2]) == {"flow_spec": {"name": "f"}, "artifact_uri": "dagy://k",
                                      "deployment_name": "d", "tags": {"a": "b"}}


@pytest.mark.parametrize("answers, message", [
    ([(200, {"ETag": etag(b"other")}, b"")], "part 1 of the artifact arrived damaged"),
    ([(403, {}, {"detail": "expired"})], "403: expired"),
    ([put(b"0123"), put(b"4567"), put(b"89"), (422, {}, {"detail": "part mismatch"})], "mismatch")])
@pytest.mark.parametrize("abort", [(204, {}, b""), (404, {}, {"detail": "gone"})])
def test_a_failed_upload_is_aborted(played, answers, message, abort):
    played.plays(begun(played), *answers, abort)
    with pytest.raises(DagyError, match=message):
        DagyClient(played.url).register({"name": "f"}, artifact=Small())
    method, path, _, body = played.asked[-1]
    assert (method, path) == ("POST", "/artifacts/multipart/abort")
    assert json.loads(body) == {"upload_id": "u", "key": "k"}


def test_deploy_sends_code_only_where_there_is_some(played):
    @flow
    def plain():
        noop()

    played.plays((201, {}, {"flow_name": "plain"}))
    dagy.deploy(plain, DagyClient(played.url), deployment_name="d")
    assert json.loads(played.asked[0][3]) == {
        "flow_spec": dagy.flow_spec(plain), "deployment_name": "d"}

    @flow
    def broken():
        pass
    played.plays()
    with pytest.raises(dagy.FlowError):
        dagy.deploy(broken, DagyClient(played.url))
    assert played.asked == []


# ---- a real server ----


@pytest.fixture(scope="module")
def real(tmp_path_factory):
    with servers.Server(tmp_path_factory.mktemp("server")) as started:
        client = DagyClient(f"http://localhost:{started.port}")
        answer = client.login(servers.OWNER, servers.PASSWORD)
        assert client.token == answer["access_token"]
        yield client


@flow
def greeting(name: str, seconds: float = 0):
    return shell("jq -c '{hello: .name}'", inputs={"name": name}, id="greet",
                 after=dagy.delay(0.01))


@flow
def sleeping():
    dagy.delay(3600)


def test_a_wrong_password(real):
    with pytest.raises(DagyError) as caught:
        DagyClient(real.url).login(servers.OWNER, "wrong")
    assert caught.value.status == 401


def test_register_and_run(real):
    version = dagy.deploy(greeting, real, deployment_name="greet")
    assert (version["flow_name"], version["deployment_name"]) == ("greeting", "greet")
    assert dagy.deploy(greeting, real)["flow_version"] == version["flow_version"]
    assert "greeting" in {each["flow_name"] for each in real.flows(limit=1)}
    for target in ({"flow_name": "greeting"}, {"deployment_name": "greet"}):
        run = real.run(parameters={"name": "you"}, **target)
        assert (run["status"], run["output"]) == ("SUCCEEDED", {"hello": "you"})
    assert [line["message"] for line in real.logs(run["run_id"])] == ['{"hello":"you"}']
    found = real.task_runs(run["run_id"], limit=1)
    assert {each["task_id"] for each in found} == {"delay", "greet"}
    assert len(list(real.runs(flow_name="greeting", limit=1))) == 2


def test_deploy_a_registered_version(real):
    dagy.deploy(greeting, real)
    answer = real.deploy("greeting", "by_name")
    assert (answer["deployment_name"], answer["flow_name"]) == ("by_name", "greeting")


def test_the_same_key_is_the_same_run(real):
    dagy.deploy(greeting, real)
    first = real.trigger("greeting", {"name": "a"}, idempotency_key="one")
    again = real.trigger("greeting", {"name": "a"}, idempotency_key="one")
    assert again["run_id"] == first["run_id"]
    assert real.trigger("greeting", {"name": "a"})["run_id"] != first["run_id"]


def test_cancel_and_wait(real):
    dagy.deploy(sleeping, real)
    run_id = real.trigger("sleeping")["run_id"]
    with pytest.raises(TimeoutError, match=f"run {run_id} is RUNNING after 0.1 s"):
        real.wait(run_id, timeout_seconds=0.1)
    assert real.cancel(run_id, "enough")["status"] == "CANCELLED"
    assert real.wait(run_id)["status"] == "CANCELLED"
    with pytest.raises(DagyError) as caught:
        real.cancel(run_id)
    assert caught.value.status == 409


def test_refusals_of_the_server(real):
    dagy.deploy(greeting, real)
    with pytest.raises(DagyError) as caught:
        real.trigger("greeting", {"name": 3})
    assert caught.value.status == 422
    assert [each["path"] for each in caught.value.errors] == ["/parameters/name"]
    with pytest.raises(DagyError) as caught:
        real.get("run_nothing")
    assert caught.value.status == 404


@flow(on_success=[lambda: noop(id="done")], tags={"a": "b"}, namespace="sdk", max_parallel=8,
      timeout_seconds=60, concurrency_limit=2, concurrency_key="parameters.name",
      concurrency_policy="queue")
def everything(name: str = "x", names: list = ["a", "b"]):
    """Each option and builder that the server has."""
    said = shell("echo {{ inputs.name }}", inputs={"name": name}, id="said", retries=2,
                 retry_delay_seconds=[0, 1], retry_jitter_factor=0.5, retry_on=["exit_code"],
                 timeout_seconds=10, priority=5, execution_mode="nano", side_effect=False,
                 concurrency_limit=3, concurrency_key="inputs.name", name="Say it",
                 description="says it", tags={"c": "d"}, cache={"key": "inputs.name",
                                                                "ttl_seconds": 60})
    each = [dagy.transform("[.inputs.item, .inputs.index]", inputs={"item": x}, max_parallel=2,
                           max_failures=1, retries=1, retry_backoff={"initial": 1, "max": 2},
                           id="each") for x in names]
    chosen = dagy.branch({"short": "size(inputs.all) < 3"}, otherwise="long",
                         inputs={"all": each})
    short = noop(after=[chosen.case("short"), said], id="short")
    long = noop(after=chosen.case("long"), id="long", when="run.attempt == 1")
    counted = shell("echo $((${COUNT:-0} + 1))", repeat_until="inputs.previous >= 1",
                    max_iterations=3, id="counted")
    computed = dagy.transform(".inputs.n", inputs={"n": dagy.expression("size(parameters.names)")},
                              after=[short, long, counted], trigger_rule="none_failed",
                              id="computed")
    return [computed, each]


def test_the_server_knows_every_option(real):
    dagy.deploy(everything, real)
    run = real.run("everything", {"names": [5, 6]})
    assert run["status"] == "SUCCEEDED", run
    assert run["output"] == {"computed": 2, "each": [[5, 0], [6, 1]]}
    found = {each["task_id"]: each["status"] for each in run["task_runs"]}
    assert (found["short"], found["long"], found["done"]) == ("SUCCEEDED", "SKIPPED", "SUCCEEDED")


def test_an_artifact_of_a_file():
    assert LocalArtifact.of(greeting).entrypoint(dagy.task(test_an_artifact_of_a_file)) == (
        "test_client:test_an_artifact_of_a_file")
