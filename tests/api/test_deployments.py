"""Deployments, environments, workflow status, deleting versions, backends."""

import threading

import pytest

from flows import flow, fresh_name, get_run, register, run_flow, task

CREATE = "POST /deployments"
LIST = "GET /deployments"
ROLLBACK = "POST /deployments/{deployment_name}/rollback"
SET_VERSION = "PUT /deployments/{deployment_name}/version"
DELETE = "DELETE /deployments/{deployment_name}"
DEPLOY = "POST /flows/{flow_name}/deploy"
VERSION = "GET /flows/{flow_name}/versions/{flow_version}"
DELETE_VERSION = "DELETE /flows/{flow_name}/versions/{flow_version}"
WORKFLOW = "PATCH /workflows/{workflow_id}"

GREETING = [{"name": "greeting", "type": "string", "required": True},
            {"name": "count", "type": "integer", "default": 1}]


def greet(name=None, **keys):
    """A flow whose output is its parameters."""
    tasks = [task("say", "transform", {"program": ".parameters"})]
    return flow(tasks, name=name, parameters=GREETING, outputs=["say"], **keys)


@pytest.fixture
def greeter(owner):
    """A flow with versions 1, 2 and 3."""
    name = fresh_name("greeter")
    for description in ("one", "two", "three"):
        register(owner, greet(name, description=description))
    return name


def create(client, status=201, **body):
    return client.call(CREATE, status, body=body)


def deploy(client, flow_name, status=201, **body):
    return client.call(DEPLOY, status, path={"flow_name": flow_name}, body=body)


def change(client, version, body, status=200):
    return client.call(WORKFLOW, status, path={"workflow_id": version["workflow_id"]}, body=body)


def named(client, **query):
    return [item["deployment_name"] for page in client.pages(LIST, 2, query) for item in page]


# ---- create, list, delete ----

def test_create(owner, greeter):
    made = create(owner, deployment_name=fresh_name("d"), flow_name=greeter, flow_version="2",
                  parameters={"count": 5}, tags={"team": "data"}, execution_mode="nano").json
    assert made["flow_version"] == "2" and made["previous_flow_version"] is None
    assert made["parameters"] == {"count": 5} and made["tags"] == {"team": "data"}
    assert made["execution_mode"] == "nano" and made["status"] == "ACTIVE"
    assert made["created_at"] == made["updated_at"]
    assert owner.call(LIST, 200, query={"flow_name": greeter}).json == {
        "items": [made], "next_token": None}


def test_the_newest_version_and_the_first_environment_are_the_defaults(owner, greeter):
    first = create(owner, deployment_name=fresh_name("d"), flow_name=greeter).json
    assert first["flow_version"] == "3" and first["execution_mode"] == "small"
    by_slug = create(owner, deployment_name=fresh_name("d"), flow_name=greeter, environment_id="dev").json
    assert by_slug["environment_id"] == first["environment_id"]


def test_one_name_in_each_environment(owner, greeter):
    name = fresh_name("d")
    ids = [create(owner, deployment_name=name, flow_name=greeter, environment_id=slug).json["environment_id"]
           for slug in ("dev", "staging", "prod")]
    assert len(set(ids)) == 3
    for slug, environment in zip(("dev", "staging", "prod"), ids):
        create(owner, 409, deployment_name=name, flow_name=greeter, environment_id=slug)
        create(owner, 409, deployment_name=name, flow_name=greeter, environment_id=environment)
        assert named(owner, flow_name=greeter, environment_id=slug) == [name]
    assert named(owner, flow_name=greeter) == [name] * 3


@pytest.mark.parametrize("body, path", [
    ({}, "/deployment_name"), ({"deployment_name": "d"}, "/flow_name"),
    ({"deployment_name": ""}, "/deployment_name"), ({"deployment_name": "a b"}, "/deployment_name"),
    ({"deployment_name": "x" * 129}, "/deployment_name"), ({"deployment_name": 7}, "/deployment_name"),
    ({"execution_mode": "huge"}, "/execution_mode"), ({"tags": {"a": 1}}, "/tags/a"),
    ({"unknown": 1}, "/unknown"),
])
def test_bad_fields(owner, greeter, body, path):
    answer = create(owner, 422, **body)
    assert path in answer.error_paths


@pytest.mark.parametrize("parameters, path", [
    ({"count": "five"}, "/parameters/count"), ({"other": 1}, "/parameters/other"),
    ([], "/parameters"), ("text", "/parameters"), (7, "/parameters"),
])
def test_parameters_must_fit_the_version(owner, greeter, parameters, path):
    answer = create(owner, 422, deployment_name=fresh_name("d"), flow_name=greeter, parameters=parameters)
    assert answer.error_paths == {path}
    assert named(owner, flow_name=greeter) == []


def test_what_is_not_there(owner, greeter):
    create(owner, 404, deployment_name="d", flow_name="no_such_flow")
    create(owner, 404, deployment_name="d", flow_name=greeter, flow_version="9")
    create(owner, 404, deployment_name="d", flow_name=greeter, environment_id="moon")
    owner.call(LIST, 404, query={"environment_id": "moon"})
    for route in (ROLLBACK, DELETE):
        owner.call(route, 404, path={"deployment_name": "nothing"}, body={} if route == ROLLBACK else None)
    owner.call(SET_VERSION, 404, path={"deployment_name": "nothing"}, body={"flow_version": "1"})


def test_delete(owner, greeter):
    name = fresh_name("d")
    create(owner, deployment_name=name, flow_name=greeter)
    create(owner, deployment_name=name, flow_name=greeter, environment_id="prod")
    run = run_flow(owner, None, deployment_name=name, parameters={"greeting": "hi"})
    owner.call(DELETE, 204, path={"deployment_name": name})
    owner.call(DELETE, 404, path={"deployment_name": name})
    assert named(owner, flow_name=greeter, environment_id="prod") == [name]
    assert get_run(owner, run["run_id"])["deployment_name"] == name
    owner.call(DELETE, 204, path={"deployment_name": name}, query={"environment": "prod"})
    assert named(owner, flow_name=greeter) == []


def test_pages_while_others_insert(owner, greeter):
    """Every deployment that was there at the start is seen once, whatever comes meanwhile."""
    before = [create(owner, deployment_name=fresh_name("p"), flow_name=greeter).json["deployment_name"]
              for _ in range(20)]
    stop = threading.Event()

    def insert():
        while not stop.is_set():
            create(owner, deployment_name=fresh_name("q"), flow_name=greeter)

    threads = [threading.Thread(target=insert) for _ in range(3)]
    for thread in threads:
        thread.start()
    try:
        for _ in range(5):
            seen = [name for name in named(owner, flow_name=greeter) if name in before]
            assert seen == before[::-1]
    finally:
        stop.set()
        for thread in threads:
            thread.join()


def test_one_of_many_wins_a_name(owner, greeter):
    name = fresh_name("race")
    statuses = []

    def insert():
        statuses.append(create(owner, (201, 409), deployment_name=name, flow_name=greeter).status)

    threads = [threading.Thread(target=insert) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(statuses) == [201] + [409] * 7


# ---- versions ----

def test_version_and_rollback(owner, greeter):
    name = fresh_name("d")
    create(owner, deployment_name=name, flow_name=greeter, flow_version="1")
    path = {"deployment_name": name}
    owner.call(ROLLBACK, 409, path=path, body={})
    changed = owner.call(SET_VERSION, 200, path=path, body={"flow_version": "3"}).json
    assert (changed["flow_version"], changed["previous_flow_version"]) == ("3", "1")
    again = owner.call(SET_VERSION, 200, path=path, body={"flow_version": "3"}).json
    assert again == changed
    back = owner.call(ROLLBACK, 200, path=path).json
    assert (back["flow_version"], back["previous_flow_version"], back["rolled_back_from"]) == ("1", "3", "3")
    chosen = owner.call(ROLLBACK, 200, path=path, body={"target_version": "2"}).json
    assert (chosen["flow_version"], chosen["rolled_back_from"]) == ("2", "1")
    owner.call(ROLLBACK, 409, path=path, body={"target_version": "2"})
    owner.call(ROLLBACK, 404, path=path, body={"target_version": "9"})
    owner.call(SET_VERSION, 404, path=path, body={"flow_version": "9"})
    assert owner.call(SET_VERSION, 422, path=path, body={}).error_paths == {"/flow_version"}


def test_a_version_whose_parameters_do_not_fit(owner, greeter):
    name = fresh_name("d")
    create(owner, deployment_name=name, flow_name=greeter, flow_version="1", parameters={"count": 2})
    register(owner, flow([task("a")], name=greeter, version="bare"))
    answer = owner.call(SET_VERSION, 422, path={"deployment_name": name}, body={"flow_version": "bare"})
    assert answer.error_paths == {"/parameters/count"}


def test_deploy(owner, greeter):
    name = fresh_name("d")
    made = deploy(owner, greeter, deployment_name=name, flow_version="1", parameters={"count": 2},
                  tags={"a": "b"}).json
    assert made["schedule_id"] is None and made["flow_version"] == "1"
    again = deploy(owner, greeter, deployment_name=name).json
    assert (again["flow_version"], again["previous_flow_version"]) == ("3", "1")
    assert again["parameters"] == {"count": 2} and again["tags"] == {"a": "b"}
    other = register(owner, greet()).json["flow_name"]
    deploy(owner, other, 409, deployment_name=name)
    deploy(owner, other, deployment_name=name, environment_id="prod")
    deploy(owner, "no_such_flow", 404, deployment_name=name)
    deploy(owner, greeter, 404, deployment_name=name, flow_version="9")
    for field in ("schedule", "timezone"):
        assert deploy(owner, greeter, 422, deployment_name=name, **{field: "x"}).error_paths == {"/" + field}
    deploy(owner, greeter, deployment_name=name, schedule=None, timezone=None)


def test_registering_with_a_deployment(owner):
    name, deployment = fresh_name("flow"), fresh_name("d")

    def post(status, description, **keys):
        body = {"flow_spec": greet(name, description=description), "deployment_name": deployment, **keys}
        return owner.call("POST /flows", status, body=body)

    assert post(201, "one", execution_mode="micro").json["deployment_name"] == deployment
    assert post(201, "two").json["flow_version"] == "2"
    bound = owner.call(LIST, 200, query={"flow_name": name}).json["items"][0]
    assert (bound["flow_version"], bound["previous_flow_version"], bound["execution_mode"]) == ("2", "1", "micro")
    # The same again binds it again.
    assert post(200, "one").json["flow_version"] == "1"
    first = owner.call(VERSION, 200, path={"flow_name": name, "flow_version": "1"}).json
    second = owner.call(VERSION, 200, path={"flow_name": name, "flow_version": "2"}).json
    assert (first["deployment_name"], second["deployment_name"]) == (deployment, None)
    for field in ("schedule", "timezone"):
        answer = post(422, "three", **{field: "@daily"})
        assert answer.error_paths == {"/" + field} and "/deploy" in answer.detail
    owner.call("POST /flows", 422, body={"flow_spec": greet(), "execution_mode": "micro"})


def test_a_refused_deployment_leaves_no_version(owner, greeter):
    taken = fresh_name("d")
    create(owner, deployment_name=taken, flow_name=greeter)
    other = greet()
    owner.call("POST /flows", 409, body={"flow_spec": other, "deployment_name": taken})
    owner.call("GET /flows/{flow_name}/latest", 404, path={"flow_name": other["name"]})


def test_deleting_versions(owner, greeter):
    run = run_flow(owner, greeter, parameters={"greeting": "hi"})
    name = fresh_name("d")
    create(owner, deployment_name=name, flow_name=greeter, flow_version="3")
    three = {"flow_name": greeter, "flow_version": "3"}
    owner.call(DELETE_VERSION, 409, path=three)
    owner.call(DELETE, 204, path={"deployment_name": name})
    owner.call(DELETE_VERSION, 204, path=three)
    owner.call(DELETE_VERSION, 404, path=three)
    owner.call(VERSION, 404, path=three)
    assert owner.call("GET /flows/{flow_name}/latest", 200, path=three).json["flow_version"] == "2"
    items = owner.call("GET /flows/{flow_name}/versions", 200, path=three).json["items"]
    assert [item["flow_version"] for item in items] == ["2", "1"]
    owner.call("POST /runs", 404, body={"flow_name": greeter, "flow_version": "3", "parameters": {"greeting": "x"}})
    assert run_flow(owner, greeter, parameters={"greeting": "x"})["flow_version"] == "2"
    # Its runs are whole, and its label is not given again.
    assert get_run(owner, run["run_id"])["output"] == run["output"]
    owner.call("POST /flows", 409, body={"flow_spec": greet(greeter, version="3", description="other")})
    assert register(owner, greet(greeter, description="four")).json["flow_version"] == "4"
    # The same comes back under it.
    assert register(owner, greet(greeter, description="three")).json["flow_version"] == "3"


def test_a_flow_without_versions_is_not_there(owner):
    name = register(owner, greet()).json["flow_name"]
    path = {"flow_name": name, "flow_version": "1"}
    owner.call(DELETE_VERSION, 204, path=path)
    owner.call("GET /flows/{flow_name}/versions", 404, path=path)
    owner.call("GET /flows/{flow_name}/latest", 404, path=path)
    owner.call("POST /runs", 404, body={"flow_name": name, "parameters": {"greeting": "x"}})


# ---- runs ----

def test_a_run_of_a_deployment(owner, greeter):
    name = fresh_name("d")
    made = create(owner, deployment_name=name, flow_name=greeter, flow_version="2",
                  parameters={"greeting": "hello", "count": 2}, execution_mode="micro",
                  environment_id="staging").json
    run = run_flow(owner, None, deployment_name=name, environment_id="staging", parameters={"count": 7})
    assert run["flow_name"] == greeter and run["flow_version"] == "2"
    assert run["deployment_name"] == name and run["environment_id"] == made["environment_id"]
    assert run["execution_mode"] == "micro"
    assert run["output"] == run["parameters"] == {"greeting": "hello", "count": 7}
    assert get_run(owner, run["run_id"]) == run
    listed = owner.call("GET /runs", 200, query={"deployment_name": name}).json["items"]
    assert [(item["run_id"], item["environment_id"]) for item in listed] == [
        (run["run_id"], made["environment_id"])]
    assert owner.call("GET /runs", 200, query={"deployment_name": name + "x"}).json["items"] == []
    larger = run_flow(owner, None, deployment_name=name, environment_id="staging", execution_mode="small")
    assert larger["execution_mode"] == "small"


def test_a_run_keeps_the_version_it_started_with(owner, greeter):
    name = fresh_name("d")
    create(owner, deployment_name=name, flow_name=greeter, flow_version="1", parameters={"greeting": "a"})
    run = run_flow(owner, None, deployment_name=name)
    owner.call(SET_VERSION, 200, path={"deployment_name": name}, body={"flow_version": "2"})
    assert run_flow(owner, None, deployment_name=name)["flow_version"] == "2"
    again = owner.call("POST /runs/{run_id}/rerun", 202, path={"run_id": run["run_id"]}, body={"from": "start"}).json
    again = get_run(owner, again["run_id"])
    assert again["flow_version"] == "1" and again["deployment_name"] == name


@pytest.mark.parametrize("body, path", [
    ({}, "/deployment_name"), ({"deployment_name": "d", "flow_name": "f"}, "/deployment_name"),
    ({"deployment_name": "d", "flow_version": "1"}, "/flow_version"),
    ({"flow_name": "f", "execution_mode": "giant"}, "/execution_mode"),
])
def test_either_a_deployment_or_a_flow(owner, body, path):
    assert path in owner.call("POST /runs", 422, body=body).error_paths


def test_what_a_run_does_not_find(owner, greeter):
    owner.call("POST /runs", 404, body={"deployment_name": "nothing"})
    owner.call("POST /runs", 404, body={"flow_name": greeter, "environment_id": "moon"})
    name = fresh_name("d")
    create(owner, deployment_name=name, flow_name=greeter)
    owner.call("POST /runs", 404, body={"deployment_name": name, "environment_id": "prod"})
    answer = owner.call("POST /runs", 422, body={"deployment_name": name, "parameters": {"count": "x"}})
    assert answer.error_paths == {"/parameters/greeting", "/parameters/count"}


def test_another_organization_has_its_own(stranger, owner, greeter):
    name = fresh_name("d")
    made = create(owner, deployment_name=name, flow_name=greeter).json
    for route, body in ((ROLLBACK, {}), (SET_VERSION, {"flow_version": "1"}), (DELETE, None)):
        stranger.call(route, 404, path={"deployment_name": name}, body=body)
    stranger.call("POST /runs", 404, body={"deployment_name": name})
    create(stranger, 404, deployment_name=name, flow_name=greeter)
    version = owner.call("GET /flows/{flow_name}/latest", 200, path={"flow_name": greeter}).json
    theirs = register(stranger, greet(greeter)).json
    bound = create(stranger, deployment_name=name, flow_name=greeter).json
    assert bound["environment_id"] != made["environment_id"]
    create(stranger, 404, deployment_name=name, flow_name=greeter, environment_id=made["environment_id"])
    stranger.call(WORKFLOW, 404, path={"workflow_id": version["workflow_id"]}, body={"status": "paused"})
    assert theirs["status"] == "ACTIVE"


# ---- workflows ----

@pytest.mark.parametrize("status", ["paused", "archived"])
def test_only_an_active_workflow_starts(owner, greeter, status):
    version = owner.call("GET /flows/{flow_name}/latest", 200, path={"flow_name": greeter}).json
    name = fresh_name("d")
    create(owner, deployment_name=name, flow_name=greeter, parameters={"greeting": "a"})
    run = run_flow(owner, None, deployment_name=name)
    changed = change(owner, version, {"status": status}).json
    assert changed["status"] == status and changed["version"] == 3 and changed["flow_name"] == greeter
    for body in ({"deployment_name": name}, {"flow_name": greeter, "parameters": {"greeting": "a"}},
                 {"flow_name": greeter, "flow_version": "1", "parameters": {"greeting": "a"}}):
        owner.call("POST /runs", 409, body=body)
    owner.call("POST /runs/{run_id}/rerun", 409, path={"run_id": run["run_id"]}, body={"from": "start"})
    latest = owner.call("GET /flows/{flow_name}/latest", 200, path={"flow_name": greeter}).json
    assert latest["status"] == "INACTIVE"
    assert owner.call(LIST, 200, query={"flow_name": greeter}).json["items"][0]["status"] == "INACTIVE"
    inactive = owner.call("GET /flows", 200, query={"status": "INACTIVE", "limit": 1000}).json["items"]
    assert greeter in [item["flow_name"] for item in inactive]
    # A new version does not wake it.
    assert register(owner, greet(greeter, description="new")).json["status"] == "INACTIVE"
    change(owner, version, {"status": "active"})
    assert run_flow(owner, None, deployment_name=name)["status"] == "SUCCEEDED"


def test_a_parent_cannot_start_a_paused_workflow(owner, greeter):
    version = owner.call("GET /flows/{flow_name}/latest", 200, path={"flow_name": greeter}).json
    parent = flow([task("child", "subflow", {"flow": greeter, "parameters": {"greeting": "a"}})])
    register(owner, parent)
    change(owner, version, {"status": "paused"})
    run = run_flow(owner, parent["name"])
    assert run["status"] == "FAILED" and "paused" in run["task_runs"][0]["error"]["message"]


def test_describing_a_workflow(owner, greeter):
    version = owner.call("GET /flows/{flow_name}/latest", 200, path={"flow_name": greeter}).json
    described = change(owner, version, {"description": "says hello"}).json
    assert described["description"] == "says hello" and described["status"] == "active"
    assert change(owner, version, {}).json == described
    for body, path in (({"status": "draft"}, "/status"), ({"description": "x" * 4097}, "/description"),
                       ({"name": "x"}, "/name")):
        assert change(owner, version, body, 422).error_paths == {path}
    owner.call(WORKFLOW, 404, path={"workflow_id": "wf_nothing"}, body={"status": "paused"})


# ---- backends ----

def test_backends(viewer, owner):
    backends = viewer.call("GET /flows/backends", 200).json["items"]
    assert [backend["name"] for backend in backends] == ["local"]
    tiers = backends[0]["tiers"]
    assert [tier["execution_mode"] for tier in tiers] == [
        "nano", "micro", "small", "medium", "large", "xlarge"]
    assert tiers[0]["vcpus"] == 0.125 and tiers[0]["memory_mb"] == 256
    assert backends[0]["max_memory_mb"] == tiers[-1]["memory_mb"] == 12288


def test_a_flow_may_be_named_as_a_route_is(owner):
    register(owner, greet("backends"))
    latest = owner.call("GET /flows/{flow_name}/latest", 200, path={"flow_name": "backends"}).json
    assert latest["flow_name"] == "backends"
