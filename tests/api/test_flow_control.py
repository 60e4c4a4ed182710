"""What flows can say beyond a plain graph: conditions, branches, maps, loops, sub-flows, waits, limits."""

import time

import pytest

from client import eventually
from flows import flow, get_run, python, register, run, run_flow, shell, task, trigger

DECIDE = "POST /runs/{run_id}/tasks/{task_run_id}/decision"


def statuses(view):
    return {each["task_run_id"].split(":", 1)[1]: each["status"] for each in view["task_runs"]}


def outputs(view):
    return {each["task_run_id"].split(":", 1)[1]: each["output"] for each in view["task_runs"]}


def ended(client, run_id):
    def look():
        view = get_run(client, run_id)
        assert view["finished_at"] is not None
        return view
    return eventually(look)


def waiting(client, run_id, task_id, status="WAITING"):
    def look():
        view = get_run(client, run_id)
        assert statuses(view)[task_id] == status
        return view
    return eventually(look)


# ---- expressions ----

@pytest.mark.parametrize("when, status", [("parameters.x > 3", "SUCCEEDED"), ("parameters.x > 4", "SKIPPED"),
                                          ("inputs.y == [1, 'a']", "SUCCEEDED"), ("tasks.before == 8", "SUCCEEDED"),
                                          ("run.flow_name == 'other'", "SKIPPED")])
def test_when(owner, when, status):
    view = run(owner, [shell("before", "echo 8"),
                       task("a", when=when, depends_on=["before"], inputs={"y": {"literal": [1, "a"]}}),
                       task("after", depends_on=["a"])],
               parameters=[{"name": "x", "type": "integer", "default": 4}])
    assert view["status"] == "SUCCEEDED"
    assert statuses(view) == {"before": "SUCCEEDED", "a": status, "after": status}


def test_an_expression_that_fails_fails_its_task_and_is_not_retried(owner):
    view = run(owner, [task("a", when="1 / parameters.x == 1", retries=3)],
               parameters=[{"name": "x", "type": "integer", "default": 0}])
    assert view["status"] == "FAILED"
    ended_task = view["task_runs"][0]
    assert ended_task["attempt"] == 0 and ended_task["error"]["kind"] == "expression"
    assert "division" in ended_task["error"]["message"]


def test_expressions_in_inputs_and_config_keep_types_and_digits(owner):
    view = run(owner, [
        shell("a", "echo 12345678901234567890123"),
        python("b", "def main(x, n):\n    return [x, n, type(n).__name__]", depends_on=["a"],
               inputs={"x": {"task": "a"}, "n": {"expression": "size(parameters.list) * 2"}}),
        shell("c", ["echo", "{{ parameters.list }} and {{ 1 + 1 }}"]),
    ], parameters=[{"name": "list", "type": "array", "default": [1, 2.5]}])
    assert outputs(view)["b"] == [12345678901234567890123, 4, "int"]
    assert outputs(view)["c"] == "[1,2.5] and 2"


def test_code_is_not_templated(owner):
    view = run(owner, [python("a", "def main():\n    return f'{{x}}' + '{{ 1 + 1 }}'")])
    assert outputs(view)["a"] == "{x}{{ 1 + 1 }}"


def test_a_template_that_gives_a_wrong_config_fails_the_task(owner):
    view = run(owner, [task("a", "delay", {"seconds": "{{ parameters.x }}"})],
               parameters=[{"name": "x", "type": "string", "default": "soon"}])
    assert view["status"] == "FAILED" and "/seconds" in view["error"]["message"]


# ---- trigger rules, fail_fast ----

def test_a_handler_runs_and_the_run_still_fails(owner):
    view = run(owner, [shell("a", "exit 1"), task("b", depends_on=["a"]),
                       task("handler", depends_on=["a"], trigger_rule="one_failed"),
                       task("always", depends_on=["b"], trigger_rule="all_done")])
    assert view["status"] == "FAILED"
    assert statuses(view) == {"a": "FAILED", "b": "CANCELLED", "handler": "SUCCEEDED", "always": "SUCCEEDED"}


# ---- branches ----

@pytest.mark.parametrize("x, taken", [(9, "big"), (3, "small"), (0, "none")])
def test_a_branch(owner, x, taken):
    choose = task("choose", "branch", {"conditions": [
        {"label": "big", "expression": "parameters.x > 5"}, {"label": "small", "expression": "parameters.x > 0"}],
        "otherwise": "none"})
    names = ("big", "small", "none")
    spec = flow([choose, *map(task, names), task("join", trigger_rule="none_failed")],
                edges=[{"source": "choose", "target": name, "label": name} for name in names]
                + [{"source": name, "target": "join"} for name in names],
                parameters=[{"name": "x", "type": "integer", "default": x}])
    register(owner, spec)
    view = run_flow(owner, spec["name"])
    assert outputs(view)["choose"] == taken and view["status"] == "SUCCEEDED"
    for name in names:
        assert statuses(view)[name] == ("SUCCEEDED" if name == taken else "SKIPPED")
    assert statuses(view)["join"] == "SUCCEEDED"


# ---- maps ----

def test_a_map_gives_the_list_of_its_outputs(owner):
    view = run(owner, [task("m", "shell", {"command": "echo {{ inputs.item.n * 10 + inputs.index }}"},
                            map_over={"parameter": "list"}, max_parallel=2),
                       task("after", depends_on=["m"])],
               parameters=[{"name": "list", "type": "array", "default": [{"n": n} for n in range(1, 5)]}],
               outputs=["m"])
    assert view["output"] == [10, 21, 32, 43] and view["task_count"] == 6
    elements = [each for each in view["task_runs"] if each["map_index"] is not None]
    assert [each["task_run_id"] for each in elements] == [f"{view['run_id']}:m:{i}" for i in range(4)]


@pytest.mark.parametrize("max_failures, status, output", [(0, "FAILED", None), (1, "SUCCEEDED", [1, None, 3])])
def test_failures_of_elements(owner, max_failures, status, output):
    view = run(owner, [task("m", "shell", {"command": "test {{ inputs.item }} != 2 && echo {{ inputs.item }}"},
                            map_over={"literal": [1, 2, 3]}, max_failures=max_failures)], outputs=["m"])
    assert view["status"] == status and view["output"] == output
    if status == "FAILED":
        assert "element 1" in view["error"]["message"]


@pytest.mark.parametrize("value, message", [({"a": 1}, "a list"), (list(range(100_001)), "100000")])
def test_what_cannot_be_mapped_over(owner, value, message):
    kind = "array" if isinstance(value, list) else "object"
    view = run(owner, [task("m", map_over={"parameter": "x"})],
               parameters=[{"name": "x", "type": kind, "default": value}])
    assert view["status"] == "FAILED" and message in view["error"]["message"]


def test_an_empty_map_succeeds(owner):
    view = run(owner, [task("m", map_over={"literal": []})], outputs=["m"])
    assert view["status"] == "SUCCEEDED" and view["output"] == [] and view["task_count"] == 1


def test_a_hundred_thousand_elements(owner):
    spec = flow([task("m", map_over={"parameter": "list"})], parameters=[{"name": "list", "type": "array"}])
    register(owner, spec)
    view = run_flow(owner, spec["name"], parameters={"list": list(range(100_000))})
    assert view["status"] == "SUCCEEDED" and view["task_count"] == 100_001
    assert len(view["task_runs"]) == 1000


def test_logs_of_elements(owner):
    view = run(owner, [task("m", "shell", {"command": "echo number {{ inputs.item }}"},
                            map_over={"literal": [7, 8]})])
    log = owner.call("GET /runs/{run_id}/logs", 200, path={"run_id": view["run_id"]}).json["items"]
    assert {(each["task_run_id"].split(":", 1)[1], each["message"]) for each in log} == {
        ("m:0", "number 7"), ("m:1", "number 8")}
    one = owner.call("GET /runs/{run_id}/logs", 200, path={"run_id": view["run_id"]},
                     query={"task_run_id": view["run_id"] + ":m:1"}).json["items"]
    assert [each["message"] for each in one] == ["number 8"]


def test_what_an_element_sees(owner):
    view = run(owner, [task("m", "shell", {"command": "echo $DAGY_MAP_INDEX $DAGY_IDEMPOTENCY_KEY"},
                            map_over={"literal": ["a", "b"]})])
    assert outputs(view)["m:1"] == f"1 {view['run_id']}:m:1"


# ---- loops ----

COUNT = "echo $(( {{ inputs.previous == null ? 0 : inputs.previous }} + 1 ))"


def test_a_task_repeats_until_it_is_done(owner):
    view = run(owner, [shell("a", COUNT, repeat_until="inputs.previous >= 3")])
    assert view["status"] == "SUCCEEDED" and outputs(view) == {"a": 3}
    assert view["task_runs"][0]["attempt"] == 3


def test_iterations_have_an_end(owner):
    view = run(owner, [shell("a", COUNT, repeat_until="false", max_iterations=4)])
    assert view["status"] == "FAILED" and view["task_runs"][0]["error"]["kind"] == "max_iterations"


# ---- sub-flows ----

@pytest.fixture
def doubling(owner):
    spec = flow([shell("x", "echo $(( {{ parameters.n }} * 2 ))")],
                parameters=[{"name": "n", "type": "integer", "required": True}], outputs=["x"])
    register(owner, spec)
    return spec["name"]


def subflow(task_id, name, parameters, **keys):
    wait = keys.pop("wait", True)
    return task(task_id, "subflow", {"flow": name, "parameters": parameters, "wait": wait}, **keys)


def test_a_sub_flow_gives_its_output(owner, doubling):
    view = run(owner, [subflow("s", doubling, {"n": "{{ inputs.item }}"}, map_over={"literal": [3, 4]})])
    assert outputs(view)["s"] == [6, 8]
    child = get_run(owner, view["task_runs"][1]["child_run_id"])
    assert child["parent_run_id"] == view["run_id"] and child["trigger_type"] == "subflow"


def test_a_sub_flow_that_is_not_waited_for(owner, doubling):
    view = run(owner, [subflow("s", doubling, {"n": 1}, wait=False)])
    assert ended(owner, outputs(view)["s"]["run_id"])["output"] == 2


@pytest.mark.parametrize("parameters, message", [({"n": "x"}, "/parameters/n"), ({}, "/parameters/n: is required"),
                                                 ({"m": 1, "n": 1}, "/parameters/m")])
def test_parameters_of_a_sub_flow_are_checked(owner, doubling, parameters, message):
    view = run(owner, [subflow("s", doubling, parameters)])
    assert view["status"] == "FAILED" and message in view["error"]["message"]


def test_a_sub_flow_fails_its_parent_and_is_retried(owner):
    child = flow([shell("x", "exit 3")])
    register(owner, child)
    view = run(owner, [subflow("s", child["name"], {}, retries=1)])
    task_run = view["task_runs"][0]
    assert view["status"] == "FAILED" and task_run["attempt"] == 2
    assert task_run["error"]["kind"] == "subflow" and "exit code 3" in task_run["error"]["message"]


def test_cancelling_the_parent_cancels_the_sub_flow(owner):
    child = flow([shell("x", "sleep 60")])
    register(owner, child)
    parent = flow([subflow("s", child["name"], {})])
    register(owner, parent)
    run_id = trigger(owner, parent["name"])
    view = waiting(owner, run_id, "s")
    owner.call("POST /runs/{run_id}/cancel", 200, path={"run_id": run_id})
    assert ended(owner, view["task_runs"][0]["child_run_id"])["status"] == "CANCELLED"
    assert ended(owner, run_id)["status"] == "CANCELLED"


def test_a_sub_flow_repeats_until_it_is_done(owner):
    child = flow([shell("x", "echo $(( {{ parameters.n }} + 1 ))")],
                 parameters=[{"name": "n", "type": "integer"}], outputs=["x"])
    register(owner, child)
    count = "{{ inputs.previous == null ? 0 : inputs.previous }}"
    view = run(owner, [subflow("s", child["name"], {"n": count}, repeat_until="inputs.previous >= 3")])
    assert view["status"] == "SUCCEEDED" and outputs(view)["s"] == 3 and view["task_runs"][0]["attempt"] == 3


def test_sub_flows_end_somewhere(owner):
    spec = flow([task("s", "subflow", {"flow": "endless"})], name="endless")
    register(owner, spec)
    view = run_flow(owner, "endless")
    assert view["status"] == "FAILED" and "nested 10 deep" in view["error"]["message"]


def test_another_organizations_flow_is_no_sub_flow(owner, stranger, doubling):
    view = run(stranger, [subflow("s", doubling, {"n": 1})])
    assert view["status"] == "FAILED" and "no flow" in view["error"]["message"]


# ---- waits ----

def test_a_delay(owner):
    before = time.monotonic()
    view = run(owner, [task("d", "delay", {"seconds": "{{ parameters.x }}"}), task("e", depends_on=["d"])],
               parameters=[{"name": "x", "type": "number", "default": 0.3}])
    assert view["status"] == "SUCCEEDED" and time.monotonic() - before >= 0.3


def test_a_delay_until_a_time_that_is_over(owner):
    view = run(owner, [task("d", "delay", {"until": "2026-01-01T00:00:00Z"})])
    assert view["status"] == "SUCCEEDED"


@pytest.fixture
def asking(owner):
    """A run that waits for an approval."""
    spec = flow([task("ask", "approval", {
        "message": "deploy {{ parameters.what }}?", "assignees": [],
        "form": [{"name": "n", "type": "integer", "required": True}]}),
        task("then", depends_on=["ask"])], parameters=[{"name": "what", "default": "it"}])
    register(owner, spec)
    run_id = trigger(owner, spec["name"])
    waiting(owner, run_id, "ask")
    return run_id


def approvals(client, run_id):
    return [each for each in sum(client.pages("GET /approvals", 100), []) if each["run_id"] == run_id]


def decide(client, run_id, status, task_run_id="ask", **body):
    return client.call(DECIDE, status, path={"run_id": run_id, "task_run_id": task_run_id}, body=body)


def test_an_approval(owner, developer, viewer, asking):
    [shown] = approvals(viewer, asking)
    assert shown["message"] == "deploy it?" and shown["form"][0]["name"] == "n"
    assert decide(viewer, asking, 403, decision="approve").status == 403
    assert decide(developer, asking, 422, decision="approve").error_paths == {"/form/n"}
    assert decide(developer, asking, 422, decision="approve", form={"n": "x"}).error_paths == {"/form/n"}
    assert decide(developer, asking, 422, decision="perhaps").error_paths == {"/decision"}
    decide(developer, asking, 200, task_run_id=asking + ":ask", decision="approve", comment="fine", form={"n": 5})
    view = ended(owner, asking)
    assert view["status"] == "SUCCEEDED" and outputs(view)["ask"] == {
        "decision": "approved", "decided_by": "developer@default.test", "comment": "fine", "form": {"n": 5}}
    assert approvals(owner, asking) == []
    decide(developer, asking, 409, decision="approve", form={"n": 5})


def test_a_rejection_fails_the_task(owner, asking):
    decide(owner, asking, 200, decision="reject", comment="not now")
    view = ended(owner, asking)
    assert view["status"] == "FAILED" and "not now" in view["error"]["message"]
    assert view["task_runs"][0]["error"]["kind"] == "rejected"


def test_approvals_of_another_organization(stranger, asking):
    assert approvals(stranger, asking) == []
    decide(stranger, asking, 404, decision="approve", form={"n": 1})


def test_what_does_not_wait_for_an_approval(owner, asking):
    decide(owner, asking, 409, task_run_id="then", decision="approve")
    decide(owner, asking, 404, task_run_id="nothing", decision="approve")
    decide(owner, asking, 404, task_run_id="ask:1", decision="approve")


def test_an_approval_of_a_cancelled_run_is_closed(owner, asking):
    owner.call("POST /runs/{run_id}/cancel", 200, path={"run_id": asking})
    assert approvals(owner, asking) == []
    decide(owner, asking, 409, decision="approve", form={"n": 1})


def test_assigned_approvals(owner, developer):
    spec = flow([task("ask", "approval", {"assignees": ["somebody@default.test"]})])
    register(owner, spec)
    run_id = trigger(owner, spec["name"])
    waiting(owner, run_id, "ask")
    decide(developer, run_id, 403, decision="approve")
    decide(owner, run_id, 200, decision="approve")


@pytest.mark.parametrize("on_timeout, status", [("approve", "SUCCEEDED"), ("reject", "FAILED"), ("fail", "TIMED_OUT")])
def test_nobody_decides(owner, on_timeout, status):
    view = run(owner, [task("ask", "approval", {"timeout_seconds": 0.2, "on_timeout": on_timeout})])
    assert statuses(view)["ask"] == status


# ---- hooks, cache ----

@pytest.mark.parametrize("command, hook", [("true", "won"), ("exit 1", "lost")])
def test_hooks(owner, command, hook):
    spec = flow([shell("a", command)],
                on_success=[shell("won", "echo {{ run.status }}")],
                on_failure=[shell("lost", "echo {{ run.error.kind }} {{ tasks.a }}")],
                on_cancel=[shell("stopped", "echo {{ run.status }}")])
    register(owner, spec)
    view = ended(owner, trigger(owner, spec["name"]))
    assert statuses(view)[hook] == "SUCCEEDED"
    assert {name for name, status in statuses(view).items() if status == "SKIPPED"} == {
        "won", "lost", "stopped"} - {hook}
    assert outputs(view)[hook] == ("SUCCEEDED" if hook == "won" else "exit_code null")


def test_a_hook_never_changes_the_status(owner):
    spec = flow([task("a")], on_success=[shell("won", "exit 1")])
    register(owner, spec)
    view = ended(owner, trigger(owner, spec["name"]))
    assert view["status"] == "SUCCEEDED" and statuses(view)["won"] == "FAILED"


def test_a_hook_of_a_cancelled_run(owner):
    spec = flow([shell("a", "sleep 60")], on_cancel=[shell("stopped", "echo {{ run.status }}")])
    register(owner, spec)
    run_id = trigger(owner, spec["name"])
    waiting(owner, run_id, "a", "RUNNING")
    owner.call("POST /runs/{run_id}/cancel", 200, path={"run_id": run_id})
    assert outputs(ended(owner, run_id))["stopped"] == "CANCELLED"


def test_a_cached_output_stands_in(owner, stranger):
    spec = flow([shell("a", "date +%s%N", cache={"key": "parameters.x", "ttl_seconds": 600})],
                parameters=[{"name": "x", "default": "k"}], outputs=["a"])
    register(owner, spec)
    register(stranger, spec)
    first = run_flow(owner, spec["name"])
    again = run_flow(owner, spec["name"])
    assert again["output"] == first["output"] and again["task_runs"][0]["attempt"] == 0
    assert run_flow(owner, spec["name"], parameters={"x": "other"})["output"] != first["output"]
    assert run_flow(stranger, spec["name"])["output"] != first["output"]


def test_a_cache_has_its_time(owner):
    spec = flow([shell("a", "date +%s%N", cache={"key": "'k'", "ttl_seconds": 0.2})], outputs=["a"])
    register(owner, spec)
    first = run_flow(owner, spec["name"])["output"]
    eventually(lambda: _differs(owner, spec["name"], first))


def _differs(client, name, output):
    return run_flow(client, name)["output"] != output


# ---- limits across runs ----

def test_runs_wait_for_their_flows_limit(owner):
    spec = flow([shell("a", "sleep 60")], concurrency_limit=1, concurrency_key="parameters.k",
                parameters=[{"name": "k", "default": "x"}])
    register(owner, spec)
    first, second = trigger(owner, spec["name"]), trigger(owner, spec["name"])
    other = trigger(owner, spec["name"], parameters={"k": "y"})
    waiting(owner, first, "a", "RUNNING")
    waiting(owner, other, "a", "RUNNING")
    assert get_run(owner, second)["status"] == "QUEUED"
    why = owner.call("GET /runs/{run_id}/why", 200, path={"run_id": second}).json["reasons"]
    assert why[0]["code"] == "concurrency_limit" and why[0]["holders"][0]["run_id"] == first
    owner.call("POST /runs/{run_id}/cancel", 200, path={"run_id": first})
    waiting(owner, second, "a", "RUNNING")
    for run_id in (second, other):
        owner.call("POST /runs/{run_id}/cancel", 200, path={"run_id": run_id})


def test_a_run_too_many_is_refused(owner):
    spec = flow([shell("a", "sleep 60")], concurrency_limit=1, concurrency_policy="skip")
    register(owner, spec)
    first = trigger(owner, spec["name"])
    answer = owner.call("POST /runs", 409, body={"flow_name": spec["name"]})
    assert "concurrency_policy" in answer.detail
    owner.call("POST /runs/{run_id}/cancel", 200, path={"run_id": first})
    ended(owner, first)
    owner.call("POST /runs/{run_id}/cancel", 200, path={"run_id": trigger(owner, spec["name"])})


def test_a_newer_run_takes_the_place(owner):
    spec = flow([shell("a", "sleep 60")], concurrency_limit=1, concurrency_policy="cancel_running")
    register(owner, spec)
    first = trigger(owner, spec["name"])
    waiting(owner, first, "a", "RUNNING")
    second = trigger(owner, spec["name"])
    assert ended(owner, first)["status"] == "CANCELLED"
    waiting(owner, second, "a", "RUNNING")
    owner.call("POST /runs/{run_id}/cancel", 200, path={"run_id": second})


def test_attempts_wait_for_their_tasks_limit(owner):
    spec = flow([task("a", "shell", {"command": "sleep 60"}, map_over={"literal": [1, 2, 3]}, concurrency_limit=2)])
    register(owner, spec)
    run_id = trigger(owner, spec["name"])

    def two_run():
        view = statuses(get_run(owner, run_id))
        assert sorted(view.values()) == ["QUEUED", "RUNNING", "RUNNING", "RUNNING"]
        return True
    eventually(two_run)
    why = owner.call("GET /runs/{run_id}/why", 200, path={"run_id": run_id}).json["reasons"]
    assert [each["code"] for each in why] == ["concurrency_limit"] and len(why[0]["holders"]) == 2
    owner.call("POST /runs/{run_id}/cancel", 200, path={"run_id": run_id})


def test_priorities_and_foreign_holders(own_server, tmp_path):
    from test_run_control import two_organizations
    ours, theirs = two_organizations(own_server, tmp_path)
    hog = flow([task("a", "shell", {"command": "sleep 60"}, map_over={"expression": "[1,2,3,4,5,6,7,8,9,10,11,12]"},
                     )], max_parallel=100)
    register(theirs, hog)
    slots = 0
    hogs = []
    while slots == 0:
        hogs.append(trigger(theirs, hog["name"]))
        time.sleep(0.5)
        slots = sum("QUEUED" in statuses(get_run(theirs, each)).values() for each in hogs)
    spec = flow([shell("a", "true")])
    register(ours, spec)
    run_id = trigger(ours, spec["name"], priority=100)
    waiting(ours, run_id, "a", "QUEUED")
    why = ours.call("GET /runs/{run_id}/why", 200, path={"run_id": run_id}).json["reasons"]
    assert why[0]["code"] == "slot" and why[0]["holders"]
    for holder in why[0]["holders"]:
        assert holder == {"run_id": None, "task_run_id": None, "since": None, "note": "another organization"}
    theirs.call("POST /runs/{run_id}/cancel", 200, path={"run_id": hogs[0]})
    assert ended(ours, run_id)["status"] == "SUCCEEDED"

# ---- text that a database cannot store ----

NULL_CHARACTER = r"'a\u0000b'"  # in the language of expressions; JSON is refused with one


@pytest.mark.parametrize("spec, place", [
    ({"tasks": [shell("a", "true", cache={"key": NULL_CHARACTER, "ttl_seconds": 60})]}, "task"),
    ({"tasks": [shell("a", "true", concurrency_limit=1, concurrency_key=NULL_CHARACTER)]}, "task"),
    ({"tasks": [task("a", "approval", {"message": "{{ " + NULL_CHARACTER + " }}"})]}, "task"),
    ({"tasks": [task("a")], "concurrency_limit": 1, "concurrency_key": NULL_CHARACTER}, "run"),
])
def test_the_null_character_in_a_computed_text(owner, spec, place):
    spec = flow(**spec)
    register(owner, spec)
    body = {"flow_name": spec["name"], "wait_seconds": 30}
    if place == "run":
        assert "U+0000" in owner.call("POST /runs", 422, body=body).detail
        return
    view = owner.call("POST /runs", 200, body=body).json
    [failed] = view["task_runs"]
    assert view["status"] == "FAILED" and "U+0000" in failed["error"]["message"], view


def test_the_null_character_in_a_value(owner):
    spec = flow([task("a")], parameters=[{"name": "x", "required": True}])
    register(owner, spec)
    body = {"flow_name": spec["name"], "parameters": {"x": "a\0b"}}
    assert "U+0000" in owner.call("POST /runs", 400, body=body).detail
