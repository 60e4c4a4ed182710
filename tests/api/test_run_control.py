"""Steering runs and looking across them: pause, rerun, redrive, bulk, search, stats, events."""

import concurrent.futures
import contextlib
import http.client
import resource
import socket
import threading
import time

import pytest

import server as servers
from client import Client, eventually
from flows import flow, fresh_name, get_run, register, run, run_flow, shell, task, trigger


def two_organizations(own_server, tmp_path):
    """Owners of two organizations on a server of their own."""
    house = servers.Server(tmp_path)
    house.start()
    assert house.stop() == 0
    servers.add_organization(house.data_dir, "other")
    servers.add_user(house.data_dir, "owner@other.test", "other", "owner")
    nobody = Client(own_server(tmp_path))
    return [nobody.with_token(nobody.login(email, servers.PASSWORD))
            for email in (servers.OWNER, "owner@other.test")]


def statuses(view):
    return {each["task_id"]: each["status"] for each in view["task_runs"]}


def finished(client, run_id):
    def look():
        view = get_run(client, run_id)
        assert view["finished_at"] is not None
        return view
    return eventually(look)


ROUTES = {
    "cancel": "POST /runs/{run_id}/cancel",
    "pause": "POST /runs/{run_id}/pause",
    "resume": "POST /runs/{run_id}/resume",
    "rerun": "POST /runs/{run_id}/rerun",
}


def post(client, run_id, what, status=200, **body):
    return client.call(ROUTES[what], status, path={"run_id": run_id}, body=body)


# ---- pause and resume ----

def test_a_paused_run_finishes_what_it_had_begun_and_no_more(owner):
    spec = flow([shell("a", "sleep 0.5"), task("b", depends_on=["a"])])
    register(owner, spec)
    run_id = trigger(owner, spec["name"])
    assert post(owner, run_id, "pause").json == {"run_id": run_id, "status": "PAUSED"}
    post(owner, run_id, "pause", 409)
    eventually(lambda: _has(owner, run_id, {"a": "SUCCEEDED", "b": "PENDING"}))
    view = get_run(owner, run_id)
    assert view["status"] == "PAUSED"
    why = owner.call("GET /runs/{run_id}/why", 200, path={"run_id": run_id}).json
    assert [each["code"] for each in why["reasons"]] == ["paused", "paused"]
    assert post(owner, run_id, "resume").json["status"] == "RUNNING"
    assert finished(owner, run_id)["status"] == "SUCCEEDED"
    post(owner, run_id, "resume", 409)
    post(owner, run_id, "pause", 409)


def _has(client, run_id, expected):
    return statuses(get_run(client, run_id)) == expected


def test_a_paused_run_can_be_cancelled(owner):
    spec = flow([shell("a", "sleep 60")])
    register(owner, spec)
    run_id = trigger(owner, spec["name"])
    post(owner, run_id, "pause")
    post(owner, run_id, "cancel")
    assert finished(owner, run_id)["status"] == "CANCELLED"


def test_a_pause_survives_a_restart(own_server, tmp_path):
    house = own_server(tmp_path)
    nobody = Client(house)
    owner = nobody.with_token(nobody.login(servers.OWNER, servers.PASSWORD))
    spec = flow([shell("a", "sleep 60"), task("d", "delay", {"seconds": 0.1}), task("e", depends_on=["d"])])
    register(owner, spec)
    run_id = trigger(owner, spec["name"])
    post(owner, run_id, "pause")
    house.process.kill()
    house.wait()
    house.start()
    owner = Client(house).with_token(owner.token)
    view = get_run(owner, run_id)
    assert view["status"] == "PAUSED" and statuses(view)["e"] == "PENDING"
    post(owner, run_id, "resume")
    eventually(lambda: _is(owner, run_id, "e", "SUCCEEDED"))
    post(owner, run_id, "cancel")


def _is(client, run_id, task_id, status):
    return statuses(get_run(client, run_id))[task_id] == status


@pytest.mark.parametrize("what", ["pause", "resume", "rerun"])
def test_runs_of_others(owner, viewer, stranger, what):
    run_id = run(owner, [task("a")])["run_id"]
    post(stranger, run_id, what, 404)
    post(viewer, run_id, what, 403)
    post(owner, "run_0000000000000", what, 404)
    assert post(owner, run_id, what, 422, other=1).error_paths == {"/other"}


# ---- rerun ----

STAMP = "date +%s%N"


@pytest.fixture
def failed(owner):
    """A run in which `a` and `c` succeed, `b` fails while its parameter says so."""
    spec = flow([shell("a", STAMP), shell("b", "exit {{ parameters.code }}", depends_on=["a"]),
                 shell("c", STAMP, depends_on=["a"]), shell("d", STAMP, depends_on=["b", "c"])],
                fail_fast=False, parameters=[{"name": "code", "type": "integer", "default": 1},
                                             {"name": "kept", "default": "x"}])
    register(owner, spec)
    return run_flow(owner, spec["name"], parameters={"kept": "y"})


def outputs(view):
    return {each["task_id"]: each["output"] for each in view["task_runs"]}


@pytest.mark.parametrize("origin, kept", [("start", ""), ("failed", "ac"), ("c", "a"), ("a", ""), ("d", "ac")])
def test_reruns(owner, failed, origin, kept):
    accepted = post(owner, failed["run_id"], "rerun", 202, **{"from": origin, "parameters": {"code": 0}}).json
    assert accepted["rerun_of"] == failed["run_id"] and accepted["status"] == "QUEUED"
    view = finished(owner, accepted["run_id"])
    assert view["status"] == "SUCCEEDED" and view["trigger_type"] == "rerun"
    assert view["rerun_of"] == failed["run_id"] and view["parameters"] == {"code": 0, "kept": "y"}
    for name in "ac":
        assert (outputs(view)[name] == outputs(failed)[name]) == (name in kept)
        attempts = [each["attempt"] for each in view["task_runs"] if each["task_id"] == name]
        assert attempts == ([0] if name in kept else [1])


def test_what_cannot_be_rerun(owner, failed):
    assert post(owner, failed["run_id"], "rerun", 422, **{"from": "nothing"}).error_paths == {"/from"}
    assert post(owner, failed["run_id"], "rerun", 422, parameters={"code": "x"}).error_paths == {"/parameters/code"}
    assert post(owner, failed["run_id"], "rerun", 422, parameters=[]).error_paths == {"/parameters"}
    spec = flow([shell("a", "sleep 60")])
    register(owner, spec)
    run_id = trigger(owner, spec["name"])
    post(owner, run_id, "rerun", 409)
    post(owner, run_id, "cancel")


# ---- failures by fingerprint ----

def test_failures_are_grouped_and_redriven(owner, stranger):
    spec = flow([shell("a", "echo x >&2; exit {{ parameters.code }}")],
                parameters=[{"name": "code", "type": "integer", "default": 4}])
    register(owner, spec)
    runs = [run_flow(owner, spec["name"])["run_id"] for _ in range(3)]

    def group():
        [found] = owner.call("GET /run-failures", 200, query={"flow_name": spec["name"]}).json["items"]
        return found
    found = group()
    assert found["runs"] == found["open"] == 3 and found["task_id"] == "a"
    assert found["last_run_id"] == runs[-1] and found["error"]["kind"] == "exit_code"
    path = {"fingerprint": found["fingerprint"]}
    stranger.call("POST /run-failures/{fingerprint}/redrive", 404, path=path, body={})
    result = owner.call("POST /run-failures/{fingerprint}/redrive", 200, path=path, body={}).json
    assert result["done"] == 3 and [each["run_id"] for each in result["items"]] == runs
    again = [finished(owner, each["new_run_id"]) for each in result["items"]]
    assert {view["rerun_of"] for view in again} == set(runs)
    assert (group()["runs"], group()["open"]) == (6, 3)


def test_redrives_at_the_same_time_repeat_a_run_once(owner):
    spec = flow([task("again", "delay", {"seconds": 600}, when="run.trigger_type == 'rerun'"),
                 shell("a", "exit 5", depends_on=["again"], trigger_rule="all_done")])
    register(owner, spec)
    runs = {run_flow(owner, spec["name"])["run_id"] for _ in range(5)}
    [found] = owner.call("GET /run-failures", 200, query={"flow_name": spec["name"]}).json["items"]
    path = {"fingerprint": found["fingerprint"]}
    gate = threading.Barrier(8)

    def redrive(_):
        gate.wait()
        return owner.call("POST /run-failures/{fingerprint}/redrive", (200, 404), path=path,
                          body={"from": "start"})
    with concurrent.futures.ThreadPoolExecutor(8) as pool:
        answers = [each.json for each in pool.map(redrive, range(8)) if each.status == 200]
    items = sum((each["items"] for each in answers), [])
    made = {each["run_id"]: each["new_run_id"] for each in items if each["new_run_id"]}
    assert set(made) == runs and sum(each["done"] for each in answers) == len(runs)
    assert all(each["error"] == f"{made[each['run_id']]} repeats it already"
               for each in items if not each["new_run_id"])
    assert len(sum(owner.pages("GET /runs", 100, query={"flow_name": spec["name"]}), [])) == 2 * len(runs)
    for run_id in made.values():
        post(owner, run_id, "cancel")


def test_numbers_do_not_make_another_failure(owner):
    spec = flow([task("a", "python", {"code": "import os\ndef main():\n"
                                              "    raise ValueError('row %d of 0x7f%08d' % (os.getpid(), os.getpid()))"})])
    register(owner, spec)
    for _ in range(2):
        run_flow(owner, spec["name"])
    [found] = owner.call("GET /run-failures", 200, query={"flow_name": spec["name"]}).json["items"]
    assert found["runs"] == 2 and found["error"]["kind"] == "exception:ValueError"


def test_failures_are_paged(owner):
    names = [fresh_name("broken") for _ in range(3)]
    for name in names:
        run(owner, [shell("a", "exit 1")], name=name)
    seen = [each["flow_name"] for each in sum(owner.pages("GET /run-failures", 1), [])]
    assert seen[:3] == names[::-1]


# ---- many at a time ----

def test_bulk_cancel(owner, stranger):
    spec = flow([shell("a", "sleep 60")])
    register(owner, spec)
    runs = [trigger(owner, spec["name"]) for _ in range(3)]
    over = run(owner, [task("a")])["run_id"]
    assert owner.call("POST /runs/cancel", 422, body={}).error_paths == {""}
    assert owner.call("POST /runs/cancel", 422, body={"run_ids": ["x"]}).error_paths == {"/run_ids/0"}
    foreign = stranger.call("POST /runs/cancel", 200, body={"run_ids": runs}).json
    assert foreign["done"] == 0 and all(each["error"] == "no such run" for each in foreign["items"])
    some = owner.call("POST /runs/cancel", 200, body={"run_ids": [runs[0], over], "reason": "enough"}).json
    assert some["done"] == 1 and [each["error"] for each in some["items"]] == [None, "the run is already final"]
    assert finished(owner, runs[0])["error"]["message"] == "enough"
    rest = owner.call("POST /runs/cancel", 200, body={"flow_name": spec["name"]}).json
    assert rest["done"] == 2 and not rest["has_more"]
    assert {finished(owner, each)["status"] for each in runs} == {"CANCELLED"}


def test_bulk_rerun(owner):
    spec = flow([shell("a", "exit 1")])
    register(owner, spec)
    runs = [run_flow(owner, spec["name"])["run_id"] for _ in range(2)]
    result = owner.call("POST /runs/rerun", 200, body={"flow_name": spec["name"], "status": "FAILED"}).json
    assert result["done"] == 2 and {each["run_id"] for each in result["items"]} == set(runs)
    for each in result["items"]:
        finished(owner, each["new_run_id"])


# ---- search and stats ----

def test_search(owner, stranger):
    word = fresh_name("Needle")
    spec = flow([task("a")], parameters=[{"name": "x", "default": "-"}])
    register(owner, spec)
    runs = [run_flow(owner, spec["name"], parameters={"x": f"in {word} 1"})["run_id"] for _ in range(3)]
    run_flow(owner, spec["name"])

    def search(client, **query):
        return [each["run_id"] for each in sum(client.pages("GET /runs/search", 2, query), [])]
    assert search(owner, q=word.upper()) == runs[::-1]
    assert search(owner, q=word, status="FAILED") == [] == search(stranger, q=word)
    assert search(owner, q=runs[1].lower()) == [runs[1]]
    slug = get_run(owner, runs[0])["run_slug"]
    assert runs[0] in search(owner, q=slug)
    owner.call("GET /runs/search", 400)
    owner.call("GET /runs/search", 400, query={"q": ""})


def test_stats(owner, stranger):
    name = run(owner, [task("a")])["flow_name"]
    run_flow(owner, name)

    def stats(client, status=200, **query):
        return client.call("GET /runs/stats", status, query={"flow_name": name, **query}).json
    [bucket] = stats(owner)["buckets"]
    assert bucket["runs"] == {"SUCCEEDED": 2} and bucket["mean_seconds"] > 0
    assert stats(stranger)["buckets"] == []
    assert stats(owner, bucket="day", since="2026-01-01T00:00:00Z")["buckets"][0]["runs"] == {"SUCCEEDED": 2}
    assert stats(owner, until="2026-01-01T00:00:00Z")["buckets"] == []
    stats(owner, 400, bucket="minute", since="2026-01-01T00:00:00Z")
    stats(owner, 400, since="2026-01-02T00:00:00Z", until="2026-01-01T00:00:00Z")
    stats(owner, 400, bucket="week")


# ---- events ----

def follow(client, run_id, last=None, until="end"):
    """Events of the run until one of type `until`, or the end of the stream: (id, type, data)."""
    connection = http.client.HTTPConnection("localhost", client.server.port, timeout=30)
    headers = {"Authorization": "Bearer " + client.token}
    if last is not None:
        headers["Last-Event-ID"] = last
    connection.request("GET", f"/runs/{run_id}/events", headers=headers)
    response = connection.getresponse()
    assert response.status == 200 and response.headers["Content-Type"] == "text/event-stream"
    events, fields = [], {}
    for raw in response:
        line = raw.decode().rstrip("\n")
        if line:
            name, _, value = line.partition(":")
            fields[name] = value.strip()
            continue
        if "event" in fields:
            events.append((fields.get("id"), fields["event"], fields["data"]))
            if fields["event"] == until:
                break
        fields = {}
    connection.close()
    return events


def kinds(events):
    return [kind for _, kind, _ in events]


@pytest.fixture
def chatty(owner):
    spec = flow([shell("a", "for i in 1 2 3 4 5; do echo line $i; sleep 0.3; done")])
    register(owner, spec)
    return trigger(owner, spec["name"])


def test_a_run_can_be_followed(owner, chatty):
    events = follow(owner, chatty)
    assert kinds(events)[0] == "reset" and kinds(events)[-2:] == ["run", "end"]
    assert [data for _, kind, data in events if kind == "log" and "line 5" in data]
    assert '"SUCCEEDED"' in events[-1][2] and events[-1][0] == "end"


def test_whoever_resumes_misses_nothing_and_hears_nothing_twice(owner, chatty):
    events = follow(owner, chatty, last="0.0", until="log")
    while kinds(events)[-1] != "end":
        events += follow(owner, chatty, last=[each for each, _, _ in events if each][-1], until="log")
    lines = [data.split('"message":"')[1].split('"')[0] for _, kind, data in events if kind == "log"]
    assert lines == [f"line {i}" for i in range(1, 6)]
    path = {"run_id": chatty}
    owner.call("GET /runs/{run_id}/events", 204, path=path, headers={"Last-Event-ID": "end"})


@pytest.mark.parametrize("last", ["zzz", "99999.0", "-1.0", "1"])
def test_an_unknown_id_gets_a_snapshot(owner, chatty, last):
    assert kinds(follow(owner, chatty, last=last, until="reset")) == ["reset"]
    finished(owner, chatty)
    assert kinds(follow(owner, chatty, last=last)) in (["reset", "end"], ["log"] * 5 + ["reset", "end"])


def test_after_the_end_the_missing_lines_come(owner, chatty):
    finished(owner, chatty)
    assert kinds(follow(owner, chatty, last="0.0")) == ["log"] * 5 + ["reset", "end"]


def test_events_of_others(stranger, nobody, chatty):
    stranger.call("GET /runs/{run_id}/events", 404, path={"run_id": chatty})
    nobody.call("GET /runs/{run_id}/events", 401, path={"run_id": chatty})


STREAM_CLIENTS_MAX = 1000  # limits::stream_clients_max


@pytest.fixture
def many_descriptors():
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    wanted = 2 * STREAM_CLIENTS_MAX
    if hard != resource.RLIM_INFINITY and hard < wanted:
        pytest.skip(f"absent here: {wanted} file descriptors")
    resource.setrlimit(resource.RLIMIT_NOFILE, (max(soft, wanted), hard))
    yield
    resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))


def server_with_a_delay(own_server):
    """A server, its owner and the name of a flow that only waits."""
    house = own_server()
    nobody = Client(house)
    owner = nobody.with_token(nobody.login(servers.OWNER, servers.PASSWORD))
    spec = flow([task("d", "delay", {"seconds": 600})])
    register(owner, spec)
    return house, owner, spec["name"]


def test_as_many_clients_follow_as_there_is_room_for(many_descriptors, own_server):
    house, owner, flow_name = server_with_a_delay(own_server)
    run_id = trigger(owner, flow_name)
    request = (f"GET /runs/{run_id}/events HTTP/1.1\r\nHost: localhost\r\n"
               f"Authorization: Bearer {owner.token}\r\n\r\n").encode()

    def begin():
        connection = socket.create_connection(("localhost", house.port), timeout=30)
        connection.sendall(request)
        return connection

    def status(connection):
        return int(connection.recv(12)[9:])

    with contextlib.ExitStack() as stack:
        followers = [stack.enter_context(begin()) for _ in range(STREAM_CLIENTS_MAX)]
        assert {status(each) for each in followers} == {200}
        path = {"run_id": run_id}
        refused = owner.call("GET /runs/{run_id}/events", 503, path=path)
        assert refused.detail == "too many clients follow runs, try again"
        assert refused.headers["Retry-After"] == "1"
        followers.pop().close()

        def accepted():
            return status(stack.enter_context(begin())) == 200
        eventually(accepted)
        owner.call("GET /runs/{run_id}/events", 503, path=path)
        post(owner, run_id, "cancel")  # those who have heard the end need no place
        other = trigger(owner, flow_name)
        follow(owner, other, until="reset")


def test_a_stopping_server_ends_its_streams(own_server):
    house, owner, flow_name = server_with_a_delay(own_server)
    run_id = trigger(owner, flow_name)
    connection = http.client.HTTPConnection("localhost", house.port, timeout=30)
    connection.request("GET", f"/runs/{run_id}/events", headers={"Authorization": "Bearer " + owner.token})
    response = connection.getresponse()
    assert response.readline() == b"retry: 2000\n"
    before = time.monotonic()
    assert house.stop() == 0
    assert time.monotonic() - before < 10
    assert b"reset" in response.read()
