"""Reading runs: list, filters, cursors, one run, its tasks."""

import datetime

import pytest

from flows import flow, fresh_name, get_run, register, run, run_flow, shell, task, trigger

TASKS = "GET /runs/{run_id}/tasks"


@pytest.fixture(scope="module")
def runs(owner):
    """Seven runs of one flow: 4 succeeded, 3 failed; oldest first."""
    spec = flow([shell("end", "exit $(jq .code)",
                       inputs={"code": {"parameter": "code"}})],
                parameters=[{"name": "code", "type": "integer"}])
    register(owner, spec)
    return [run_flow(owner, spec["name"], parameters={"code": i % 2}) for i in range(7)]


def ids(pages):
    return [item["run_id"] for page in pages for item in page]


@pytest.mark.parametrize("limit", [1, 3, 7, 1000])
def test_pages_newest_first(owner, runs, limit):
    found = ids(owner.pages("GET /runs", limit, {"flow_name": runs[0]["flow_name"]}))
    assert found == [view["run_id"] for view in reversed(runs)]


@pytest.mark.parametrize("status, count", [("SUCCEEDED", 4), ("FAILED", 3), ("CANCELLED", 0),
                                           ("QUEUED", 0), ("RUNNING", 0)])
def test_filter_by_status(owner, runs, status, count):
    query = {"flow_name": runs[0]["flow_name"], "status": status}
    found = ids(owner.pages("GET /runs", 2, query))
    assert found == [view["run_id"] for view in reversed(runs) if view["status"] == status]
    assert len(found) == count


def test_filter_by_since(owner, runs):
    name = runs[0]["flow_name"]
    for i in (0, 3, 6):
        found = ids(owner.pages("GET /runs", 5, {"flow_name": name, "since": runs[i]["created_at"]}))
        expected = [view["run_id"] for view in reversed(runs)
                    if view["created_at"] >= runs[i]["created_at"]]
        assert found == expected
    local = datetime.datetime.fromisoformat(runs[3]["created_at"][:-1] + "+00:00")
    shifted = local.astimezone(datetime.timezone(datetime.timedelta(hours=5, minutes=30)))
    found = ids(owner.pages("GET /runs", 5, {"flow_name": name, "since": shifted.isoformat()}))
    assert runs[3]["run_id"] in found
    assert ids(owner.pages("GET /runs", 5, {"since": "2099-01-01T00:00:00Z"})) == []
    assert len(ids(owner.pages("GET /runs", 1000, {"since": "1970-01-01T00:00:00Z"}))) >= 7


@pytest.mark.parametrize("query", [
    "status=succeeded", "status=WAITING", "since=yesterday", "since=2026-01-01", "since=5",
    "since=2026-13-01T00:00:00Z", "since=2026-01-01T00:00:00", "schedule_id=x",
])
def test_unreadable_filters(owner, query):
    name = query.split("=")[0]
    assert owner.call("GET /runs", 400, query=query).error_paths == {"/" + name}


def test_a_summary_agrees_with_its_run(owner, runs):
    item = owner.call("GET /runs", 200, query={"flow_name": runs[0]["flow_name"], "limit": 1})
    summary = item.json["items"][0]
    view = get_run(owner, summary["run_id"])
    assert {key: view[key] for key in summary} == summary


def test_pages_are_stable_under_inserts(owner):
    spec = flow([task("a")])
    register(owner, spec)
    first = [trigger(owner, spec["name"]) for _ in range(4)]
    seen = []
    for page in owner.pages("GET /runs", 1, {"flow_name": spec["name"]}):
        seen += [item["run_id"] for item in page]
        trigger(owner, spec["name"])
    assert seen == first[::-1]


def test_a_cursor_is_bound_to_its_filter_and_organization(owner, stranger, runs):
    name = runs[0]["flow_name"]
    token = owner.call("GET /runs", 200, query={"flow_name": name, "limit": 1}).json["next_token"]
    for query in ({}, {"flow_name": name + "x"}, {"flow_name": name, "status": "FAILED"},
                  {"flow_name": name, "since": "2020-01-01T00:00:00Z"}):
        answer = owner.call("GET /runs", 400, query=dict(query, next_token=token))
        assert answer.error_paths == {"/next_token"}
    stranger.call("GET /runs", 400, query={"flow_name": name, "next_token": token})
    owner.call(TASKS, 400, path={"run_id": runs[0]["run_id"]}, query={"next_token": token})


@pytest.mark.parametrize("run_id", ["run_0000000000000", "run_", "x", "run_0000000000001x",
                                    "RUN_0000000000001", "1", "run_zzzzzzzzzzzzz",
                                    "run_000000000000u", "run_0000000000000:a", "%"])
def test_ids_that_are_none(owner, run_id):
    path = {"run_id": run_id}
    for route in ("GET /runs/{run_id}", TASKS, "GET /runs/{run_id}/logs"):
        owner.call(route, 404, path=path)
    owner.call("POST /runs/{run_id}/cancel", 404, path=path)


def test_a_live_run(owner):
    spec = flow([shell("wait", ["sleep", "600"]), task("after", depends_on=["wait"])])
    register(owner, spec)
    answer = owner.call("POST /runs", 202, body={"flow_name": spec["name"], "wait_seconds": 1})
    run_id = answer.json["run_id"]
    view = get_run(owner, run_id)
    assert view["status"] == "RUNNING" and view["started_at"] and view["finished_at"] is None
    tasks = {each["task_id"]: each for each in view["task_runs"]}
    assert tasks["wait"]["status"] == "RUNNING" and tasks["wait"]["attempt"] == 1
    assert tasks["after"]["status"] == "PENDING" and tasks["after"]["attempt"] == 0
    assert tasks["after"]["started_at"] is None and view["output"] is None
    items = owner.call(TASKS, 200, path={"run_id": run_id}).json["items"]
    assert items == view["task_runs"]
    listed = owner.call("GET /runs", 200, query={"status": "RUNNING", "flow_name": spec["name"]})
    assert [item["run_id"] for item in listed.json["items"]] == [run_id]
    owner.call("POST /runs/{run_id}/cancel", 200, path={"run_id": run_id})


def test_tasks_are_paged_in_the_order_of_the_spec(owner):
    tasks = [task(f"t{i}") for i in range(25)]
    view = run(owner, tasks[::-1])
    path = {"run_id": view["run_id"]}
    for limit in (1, 10, 25, 1000):
        items = [item for page in owner.pages(TASKS, limit, path=path) for item in page]
        assert [item["task_id"] for item in items] == [f"t{i}" for i in reversed(range(25))]
    assert items == view["task_runs"]


def test_a_wide_run_shows_a_thousand_tasks(owner):
    view = run(owner, [task(f"t{i}") for i in range(2500)], max_parallel=10_000)
    assert view["status"] == "SUCCEEDED" and view["task_count"] == 2500
    assert len(view["task_runs"]) == 1000
    path = {"run_id": view["run_id"]}
    assert get_run(owner, view["run_id"]) == view
    items = [item for page in owner.pages(TASKS, 1000, path=path) for item in page]
    assert [item["task_id"] for item in items] == [f"t{i}" for i in range(2500)]
    assert {item["status"] for item in items} == {"SUCCEEDED"}


def test_a_tasks_cursor_is_bound_to_its_run(owner):
    name = fresh_name("paged")
    register(owner, flow([task("a"), task("b")], name=name))
    one, two = run_flow(owner, name)["run_id"], run_flow(owner, name)["run_id"]
    token = owner.call(TASKS, 200, path={"run_id": one}, query={"limit": 1}).json["next_token"]
    owner.call(TASKS, 200, path={"run_id": one}, query={"next_token": token})
    owner.call(TASKS, 400, path={"run_id": two}, query={"next_token": token})


@pytest.mark.parametrize("query", ["limit=0", "limit=1001", "limit=abc", "next_token=xx",
                                   "status=FAILED"])
def test_bad_queries_of_tasks(owner, runs, query):
    owner.call(TASKS, 400, path={"run_id": runs[0]["run_id"]}, query=query)
