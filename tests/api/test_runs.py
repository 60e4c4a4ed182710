"""POST /runs: parameters, waiting, Idempotency-Key."""

import threading

import pytest

from flows import (flow, fresh_name, get_run, noop_run, register, run_flow, shell, task, trigger)

PARAMETERS = [
    {"name": "text", "type": "string"},
    {"name": "count", "type": "integer", "default": 3},
    {"name": "ratio", "type": "number", "default": 0.5},
    {"name": "flag", "type": "boolean", "default": False},
    {"name": "box", "type": "object", "default": {"a": None}},
    {"name": "list", "type": "array", "default": []},
    {"name": "colour", "type": "string", "enum": ["red", "blue"], "default": "red"},
    {"name": "must", "type": "string", "required": True},
]


@pytest.fixture(scope="module")
def parametrized(owner):
    spec = flow([task("a")], parameters=PARAMETERS)
    register(owner, spec)
    return spec["name"]


@pytest.fixture(scope="module")
def plain(owner):
    """A flow of one task that does nothing."""
    spec = flow([task("only")])
    register(owner, spec)
    return spec["name"]


@pytest.fixture(scope="module")
def sleeper(owner):
    """A flow whose only task ends when it is told to."""
    spec = flow([shell("sleep", ["sleep", "600"])])
    register(owner, spec)
    return spec["name"]


def cancel(client, run_id, status=200):
    return client.call("POST /runs/{run_id}/cancel", status, path={"run_id": run_id})


# ---- trigger ----

def test_accepted(owner, plain):
    answer = owner.call("POST /runs", 202, body={"flow_name": plain}).json
    assert answer["status"] == "QUEUED"
    view = get_run(owner, answer["run_id"])
    assert view["run_slug"] == answer["run_slug"] and view["flow_name"] == plain
    assert view["flow_version"] == "1" and view["trigger_type"] == "api"
    assert view["created_by"] == "owner@localhost" and view["executor"] == "local"
    words = answer["run_slug"].split("-")
    assert len(words) == 3 and len(words[2]) == 4 and int(words[2], 16) >= 0
    assert len(answer["run_id"]) == len("run_") + 13


def test_ids_grow(owner, plain):
    ids = [trigger(owner, plain) for _ in range(20)]
    assert ids == sorted(ids) and len(set(ids)) == 20


def test_the_newest_version_or_the_one_that_is_named(owner):
    name = fresh_name("versions")
    for label in ("one", "two"):
        register(owner, flow([task(label)], name=name, version=label))
    assert run_flow(owner, name)["flow_version"] == "two"
    old = run_flow(owner, name, flow_version="one")
    assert old["flow_version"] == "one" and old["task_runs"][0]["task_id"] == "one"
    register(owner, flow([task("three")], name=name, version="three"))
    assert run_flow(owner, name)["flow_version"] == "three"
    owner.call("POST /runs", 404, body={"flow_name": name, "flow_version": "four"})
    owner.call("POST /runs", 404, body={"flow_name": name + "x"})


@pytest.mark.parametrize("field", ["deployment_name", "execution_mode", "priority", "schedule",
                                   "timezone"])
def test_fields_that_are_wrong_or_later(owner, plain, field):
    answer = owner.call("POST /runs", 422, body={"flow_name": plain, field: "x"})
    assert answer.error_paths == {"/" + field} and field in answer.detail


@pytest.mark.parametrize("body, path", [
    ({}, "/deployment_name"), ({"flow_name": None}, "/deployment_name"), ({"flow_name": 1}, "/flow_name"),
    ({"flow_name": ""}, "/flow_name"), ({"flow_name": "a b"}, "/flow_name"),
    ({"flow_name": "a", "flow_version": 1}, "/flow_version"),
    ({"flow_name": "a", "flow_version": "a/b"}, "/flow_version"),
    ({"flow_name": "a", "wait_seconds": -1}, "/wait_seconds"),
    ({"flow_name": "a", "wait_seconds": 601}, "/wait_seconds"),
    ({"flow_name": "a", "wait_seconds": 1.5}, "/wait_seconds"),
    ({"flow_name": "a", "wait_seconds": "1"}, "/wait_seconds"),
    ({"flow_name": "a", "wait_seconds": True}, "/wait_seconds"),
    ({"flow_name": "a", "colour": 1}, "/colour"),
])
def test_bad_bodies(owner, body, path):
    assert path in owner.call("POST /runs", 422, body=body).error_paths


# ---- parameters ----

def test_defaults_are_filled_in(owner, parametrized):
    view = run_flow(owner, parametrized, parameters={"must": "x", "count": 7})
    assert view["parameters"] == {
        "text": None, "count": 7, "ratio": 0.5, "flag": False, "box": {"a": None}, "list": [],
        "colour": "red", "must": "x"}


@pytest.mark.parametrize("parameters, paths", [
    ({}, {"/parameters/must"}),
    ({"must": None}, {"/parameters/must"}),
    ({"must": 1}, {"/parameters/must"}),
    ({"must": "x", "other": 1}, {"/parameters/other"}),
    ({"must": "x", "text": 1, "count": "1", "ratio": "1", "flag": 0, "box": [], "list": {}},
     {"/parameters/text", "/parameters/count", "/parameters/ratio", "/parameters/flag",
      "/parameters/box", "/parameters/list"}),
    ({"must": "x", "count": 1.5}, {"/parameters/count"}),
    ({"must": "x", "count": True}, {"/parameters/count"}),
    ({"must": "x", "colour": "green"}, {"/parameters/colour"}),
    ({"must": "x", "a/b~c": 1}, {"/parameters/a~1b~0c"}),
    ([], {"/parameters"}), ("text", {"/parameters"}), (5, {"/parameters"}),
])
def test_wrong_parameters(owner, parametrized, parameters, paths):
    body = {"flow_name": parametrized, "parameters": parameters}
    assert owner.call("POST /runs", 422, body=body).error_paths == paths


def test_parameters_reach_the_task_exactly(owner):
    value = {"huge": 123456789012345678901234567890, "text": "ünïcødé \U0001f600 \" \\ \n", "no": None}
    spec = flow([shell("echo", "cat", inputs={"v": {"parameter": "v"}})],
                parameters=[{"name": "v", "type": "object"}])
    register(owner, spec)
    view = run_flow(owner, spec["name"], parameters={"v": value})
    assert view["output"] == {"echo": {"v": value}}


def test_parameters_that_are_too_large(owner):
    spec = flow([shell("count", "wc -c", inputs={"v": {"parameter": "v"}})],
                parameters=[{"name": "v"}])
    register(owner, spec)
    body = {"flow_name": spec["name"], "parameters": {"v": "x" * (1 << 20)}}
    assert owner.call("POST /runs", 422, body=body).error_paths == {"/parameters"}
    view = run_flow(owner, spec["name"], parameters={"v": "x" * 900_000})
    assert view["status"] == "SUCCEEDED"
    assert view["output"] == {"count": len('{"v":""}') + 900_000}
    assert view["parameters"] is None
    assert view["parameters_ref"]["bytes"] == len('{"v":""}') + 900_000
    small = run_flow(owner, spec["name"], parameters={"v": "x" * 5000})
    assert small["parameters"] is None and small["parameters_ref"] == {"bytes": 5008, "sha256": None}


# ---- waiting ----

def test_waiting_answers_with_the_ended_run(owner, plain):
    view = run_flow(owner, plain)
    assert view["status"] == "SUCCEEDED" and view["finished_at"] >= view["created_at"]
    assert get_run(owner, view["run_id"]) == view


def test_time_up(owner, sleeper):
    answer = owner.call("POST /runs", 202, body={"flow_name": sleeper, "wait_seconds": 1}).json
    assert answer["status"] == "RUNNING"
    cancel(owner, answer["run_id"])


def test_waiting_sees_a_cancel(owner, sleeper):
    key = fresh_name("key")
    seen = []

    def wait():
        seen.append(owner.call("POST /runs", 200, headers={"Idempotency-Key": key},
                               body={"flow_name": sleeper, "wait_seconds": 60}).json)

    waiter = threading.Thread(target=wait)
    waiter.start()
    run_id = None
    while run_id is None:  # the waiting request made it, or will
        items = owner.call("GET /runs", 200, query={"flow_name": sleeper, "status": "RUNNING"})
        run_id = next((item["run_id"] for item in items.json["items"]), None)
    cancel(owner, run_id)
    waiter.join()
    assert seen[0]["run_id"] == run_id and seen[0]["status"] == "CANCELLED"


# ---- Idempotency-Key ----

def with_key(client, key, body, status):
    return client.call("POST /runs", status, body=body, headers={"Idempotency-Key": key})


def test_a_repeat_answers_the_first_run(owner, plain):
    key = fresh_name("key")
    first = with_key(owner, key, {"flow_name": plain}, 202)
    assert "Idempotency-Replayed" not in first.headers
    again = with_key(owner, key, {"flow_name": plain}, 200)
    assert again.headers["Idempotency-Replayed"] == "true"
    assert again.json["run_id"] == first.json["run_id"]
    spelled = owner.call("POST /runs", 200, headers={"Idempotency-Key": key},
                         raw=b' { "flow_name" : "%s" } ' % plain.encode())
    assert spelled.json["run_id"] == first.json["run_id"]


def test_a_waiting_repeat_waits(owner):
    spec = flow([shell("slow", "sleep 0.5; echo 1")])
    register(owner, spec)
    key = fresh_name("key")
    body = {"flow_name": spec["name"], "wait_seconds": 60}
    answers = at_once(3, lambda _: with_key(owner, key, body, 200))
    again = with_key(owner, key, body, 200)
    assert {answer.json["run_id"] for answer in answers} == {again.json["run_id"]}
    assert {answer.json["status"] for answer in answers} == {"SUCCEEDED"}


def test_another_body_with_the_same_key(owner, plain, parametrized):
    key = fresh_name("key")
    with_key(owner, key, {"flow_name": plain}, 202)
    for body in ({"flow_name": plain, "flow_version": "1"}, {"flow_name": parametrized},
                 {"flow_name": plain, "parameters": {}}):
        answer = with_key(owner, key, body, 422)
        assert "Idempotency-Key" in answer.detail


def test_null_inside_of_data_makes_another_body(owner):
    spec = flow([task("a")], parameters=[{"name": "v", "type": "object"}])
    register(owner, spec)
    key = fresh_name("key")
    with_key(owner, key, {"flow_name": spec["name"], "parameters": {"v": {}}}, 202)
    with_key(owner, key, {"flow_name": spec["name"], "parameters": {"v": {"a": None}}}, 422)


def at_once(count, send):
    """Calls send(0), …, send(count - 1) from as many threads; returns their answers."""
    answers = [None] * count
    gate = threading.Barrier(count)

    def work(number):
        gate.wait()
        answers[number] = send(number)

    threads = [threading.Thread(target=work, args=(number,)) for number in range(count)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    return answers


def test_twenty_at_once_make_one_run(owner, plain):
    key = fresh_name("key")
    answers = at_once(20, lambda _: with_key(owner, key, {"flow_name": plain}, (200, 202)))
    assert len({answer.json["run_id"] for answer in answers}) == 1
    assert sum("Idempotency-Replayed" not in answer.headers for answer in answers) == 1


def test_two_bodies_at_once_with_one_key(owner, plain):
    bodies = [{"flow_name": plain}, {"flow_name": plain, "flow_version": "1"}]
    for _ in range(10):
        key = fresh_name("key")
        answers = at_once(8, lambda i: with_key(owner, key, bodies[i % 2], (200, 202, 422)))
        made = [i % 2 for i, answer in enumerate(answers) if answer.status == 202]
        assert len(made) == 1
        assert {i % 2 for i, answer in enumerate(answers) if answer.status == 422} == {1 - made[0]}
        assert sum(answer.status == 422 for answer in answers) == 4


def test_a_key_belongs_to_its_principal(owner, developer, stranger, plain):
    key = fresh_name("key")
    mine = with_key(owner, key, {"flow_name": plain}, 202).json["run_id"]
    assert with_key(developer, key, {"flow_name": plain}, 202).json["run_id"] != mine
    with_key(stranger, key, {"flow_name": plain}, 404)


@pytest.mark.parametrize("key", ["a b", "a\tb", "x" * 256, "é"])
def test_bad_keys(owner, plain, key):
    headers = {"Idempotency-Key": key.encode() if key == "é" else key}
    owner.call("POST /runs", 400, body={"flow_name": plain}, headers=headers)


def test_the_longest_key(owner, plain):
    with_key(owner, "!" + "~" * 254, {"flow_name": plain}, (200, 202))


def test_an_empty_key_is_refused(owner, plain):
    with_key(owner, "", {"flow_name": plain}, 400)


def test_a_refused_trigger_does_not_use_its_key(owner, plain):
    key = fresh_name("key")
    with_key(owner, key, {"flow_name": plain, "parameters": {"x": 1}}, 422)
    with_key(owner, key, {"flow_name": plain}, 202)


def test_noop_run(owner):
    view = noop_run(owner)
    assert view["status"] == "SUCCEEDED" and view["output"] == {"only": None}
    assert view["task_count"] == 1
