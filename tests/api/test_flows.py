"""POST /flows: what is registered, what is refused and where the refusal points."""

import threading

import pytest

from flows import flow, fresh_name, python, register, shell, task, transform


def refuse(client, spec, **more):
    return client.call("POST /flows", 422, body={"flow_spec": spec, **more})


def refused_paths(client, spec, **more):
    return refuse(client, spec, **more).error_paths


def test_register_and_read(owner):
    spec = flow([shell("extract", "echo 1", name="Extract", tags={"team": "data"}),
                 python("load", "def main(n): return n", depends_on=["extract"],
                        inputs={"n": {"task": "extract"}})],
                version="1.0.0", description="…", namespace="billing", tags={"tier": "gold"},
                parameters=[{"name": "day", "type": "string", "default": "today"}],
                outputs=["load"], max_parallel=3, timeout_seconds=600)
    made = register(owner, spec).json
    assert made["flow_name"] == spec["name"] and made["flow_version"] == "1.0.0"
    assert made["namespace"] == "billing" and made["tags"] == {"tier": "gold"}
    assert made["status"] == "ACTIVE" and made["created_by"] == "owner@localhost"
    assert made["artifact_uri"] is None and made["deployment_name"] is None
    assert made["flow_spec"] == spec
    path = {"flow_name": spec["name"], "flow_version": "1.0.0"}
    assert owner.call("GET /flows/{flow_name}/latest", 200, path=path).json == made
    route = "GET /flows/{flow_name}/versions/{flow_version}"
    assert owner.call(route, 200, path=path).json == made


def test_the_same_again_answers_the_existing_row(owner):
    spec = flow([task("a", retries=1), task("b", depends_on=["a"])], version="7")
    first = register(owner, spec).json
    assert register(owner, spec, 200).json == first
    reordered = {key: spec[key] for key in reversed(spec)}
    assert register(owner, reordered, 200).json == first
    with_nulls = dict(spec, description=None, tags=None)
    assert register(owner, with_nulls, 200).json == first


def test_another_spec_of_the_same_version(owner):
    spec = flow([task("a")], version="1.0")
    register(owner, spec)
    answer = register(owner, dict(spec, tasks=[task("b")]), 409)
    assert "1.0" in answer.detail and spec["name"] in answer.detail
    register(owner, dict(spec, tasks=[task("b")], version="1.1"))


def test_versions_are_numbered(owner):
    name = fresh_name("numbered")
    labels = [register(owner, flow([task("a", description=str(i))], name=name)).json["flow_version"]
              for i in range(3)]
    assert labels == ["1", "2", "3"]
    again = register(owner, flow([task("a", description="1")], name=name, version="latest"), 200)
    assert again.json["flow_version"] == "2"
    register(owner, flow([task("a", description="x")], name=name, version="5"))  # its serial is 4
    following = register(owner, flow([task("a", description="y")], name=name)).json["flow_version"]
    assert following == "6"  # 5 is taken by an author's label


def test_twenty_at_once_make_one_version(owner):
    spec = flow([task("a")])
    answers = []

    def send():
        answers.append(owner.call("POST /flows", (200, 201), body={"flow_spec": spec}))

    threads = [threading.Thread(target=send) for _ in range(20)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(answer.status for answer in answers) == [200] * 19 + [201]
    assert {answer.json["flow_version"] for answer in answers} == {"1"}


def test_namespace_and_tags_of_the_request_win(owner):
    spec = flow([task("a")], namespace="of_spec", tags={"a": "1"})
    made = owner.call("POST /flows", 201, body={
        "flow_spec": spec, "namespace": "of_request", "tags": {"b": "2"}}).json
    assert made["namespace"] == "of_request" and made["tags"] == {"b": "2"}


@pytest.mark.parametrize("field", ["artifact_uri", "schedule", "timezone"])
def test_later_fields_of_the_request(owner, field):
    answer = refuse(owner, flow([task("a")]), **{field: "x"})
    assert answer.error_paths == {"/" + field} and field in answer.detail


@pytest.mark.parametrize("field, value", [
    ("schedule", "* * * * *"), ("priority", 1), ("hooks", {}), ("executor", "local"),
])
def test_later_keys_of_a_flow(owner, field, value):
    answer = refuse(owner, flow([task("a")], **{field: value}))
    assert answer.error_paths == {"/flow_spec/" + field} and field in answer.detail


@pytest.mark.parametrize("field, value", [
    ("executor", "pool"), ("executor", "docker"), ("pool", "gpu"), ("hooks", []),
])
def test_later_keys_of_a_task(owner, field, value):
    answer = refuse(owner, flow([task("a"), task("b", **{field: value})]))
    assert answer.error_paths == {"/flow_spec/tasks/1/" + field} and field in answer.detail


@pytest.mark.parametrize("source", ["variable", "secret"])
def test_later_sources_of_an_input(owner, source):
    spec = flow([task("a", inputs={"x": {source: "y"}})])
    assert refused_paths(owner, spec) == {"/flow_spec/tasks/0/inputs/x/" + source}


@pytest.mark.parametrize("keys, path", [
    ({"when": "nothing"}, "/when"), ({"when": "1"}, "/when"), ({"when": "1 +"}, "/when"),
    ({"when": "inputs.x == 1"}, ""), ({"when": "parameters.x == 1"}, ""),
    ({"when": "tasks.b == 1"}, ""), ({"when": "secrets.x == 1"}, "/when"),
    ({"when": "variables.x == 1"}, "/when"), ({"when": "x" * 4097}, "/when"),
    ({"trigger_rule": "some"}, "/trigger_rule"),
    ({"inputs": {"x": {"expression": "inputs.y"}}}, "/inputs/x/expression"),
    ({"inputs": {"x": {"expression": "1", "literal": 1}}}, "/inputs/x"),
    ({"retry_backoff": {"initial": 0}}, "/retry_backoff/initial"),
    ({"retry_backoff": {"factor": 0.5}}, "/retry_backoff/factor"),
    ({"retry_backoff": {"initial": 9, "max": 8}}, "/retry_backoff/max"),
    ({"retry_backoff": {}, "retry_delay_seconds": 1}, "/retry_backoff"),
    ({"concurrency_limit": 0}, "/concurrency_limit"), ({"concurrency_key": "'a'"}, "/concurrency_key"),
    ({"priority": 101}, "/priority"), ({"priority": -101}, "/priority"),
    ({"max_parallel": 2}, "/max_parallel"), ({"max_failures": 2}, "/max_failures"),
    ({"map_over": {"task": "b"}}, "/map_over/task"), ({"map_over": {"parameter": "p"}}, "/map_over/parameter"),
    ({"map_over": {"literal": []}, "max_parallel": 0}, "/max_parallel"),
    ({"map_over": {"literal": []}, "max_failures": 100_001}, "/max_failures"),
    ({"map_over": {"literal": []}, "inputs": {"item": {"literal": 1}}}, "/inputs/item"),
    ({"repeat_until": "true", "max_iterations": 0}, "/max_iterations"),
    ({"repeat_until": "true", "max_iterations": 1001}, "/max_iterations"),
    ({"repeat_until": "true", "inputs": {"previous": {"literal": 1}}}, "/inputs/previous"),
    ({"max_iterations": 2}, "/max_iterations"), ({"cache": {"ttl_seconds": 5}}, "/cache/key"),
    ({"cache": {"key": "1", "ttl_seconds": 0}}, "/cache/ttl_seconds"),
    ({"cache": {"key": "1 +", "ttl_seconds": 5}}, "/cache/key"),
    ({"execution_mode": "huge"}, "/execution_mode"), ({"side_effect": 1}, "/side_effect"),
])
def test_broken_rules_of_flow_control(owner, keys, path):
    spec = flow([task("a", **keys), task("b")])
    assert refused_paths(owner, spec) == {"/flow_spec/tasks/0" + path}


@pytest.mark.parametrize("keys, path", [
    ({"concurrency_key": "'a'"}, "/concurrency_key"), ({"concurrency_policy": "skip"}, "/concurrency_policy"),
    ({"concurrency_limit": 1, "concurrency_policy": "drop"}, "/concurrency_policy"),
    ({"concurrency_limit": 1, "concurrency_key": "inputs.x"}, "/concurrency_key"),
    ({"concurrency_limit": 1, "concurrency_key": "parameters.x"}, "/concurrency_key"),
    ({"on_failure": [task("a")]}, "/on_failure/0/id"),
    ({"on_failure": [task("h", depends_on=["a"])]}, "/on_failure/0/depends_on"),
    ({"on_cancel": [task("h", trigger_rule="all_done")]}, "/on_cancel/0/trigger_rule"),
    ({"on_success": [task("h", map_over={"literal": []})]}, "/on_success/0/map_over"),
    ({"on_success": [task("h", "delay", {"seconds": 1})]}, "/on_success/0/type"),
    ({"on_success": [task("h", "nothing")]}, "/on_success/0/type"),
    ({"on_success": [task("h", inputs={"x": {"task": "b"}})]}, "/on_success/0/inputs/x/task"),
])
def test_broken_rules_of_limits_and_hooks(owner, keys, path):
    assert refused_paths(owner, flow([task("a")], **keys)) == {"/flow_spec" + path}


@pytest.mark.parametrize("config, keys, path", [
    ({"seconds": 1}, {"retries": 1}, "/retries"), ({"seconds": 1}, {"timeout_seconds": 1}, "/timeout_seconds"),
    ({"seconds": 1}, {"concurrency_limit": 1}, "/concurrency_limit"), ({}, {}, "/config"),
    ({"seconds": 1}, {"repeat_until": "true"}, "/repeat_until"), ({"seconds": -1}, {}, "/config/seconds"),
    ({"seconds": 1}, {"cache": {"key": "'a'", "ttl_seconds": 1}}, "/cache"),
    ({"seconds": 1, "until": "2026-01-01T00:00:00Z"}, {}, "/config"), ({"until": "soon"}, {}, "/config/until"),
    ({"seconds": "{{ inputs.x }}"}, {}, ""), ({"seconds": "{{ 1 + }}"}, {}, "/config/seconds"),
])
def test_broken_rules_of_a_delay(owner, config, keys, path):
    spec = flow([task("a", "delay", config, **keys)])
    assert refused_paths(owner, spec) == {"/flow_spec/tasks/0" + path}


def branch(*labels, otherwise=None):
    config = {"conditions": [{"label": label, "expression": "true"} for label in labels]}
    return task("a", "branch", config | ({"otherwise": otherwise} if otherwise else {}))


@pytest.mark.parametrize("first, label, path", [
    (branch("x"), "y", "/edges/0/label"), (task("a"), "x", "/edges/0/label"), (branch("x"), "", "/edges/0/label"),
    (branch(), "x", "/tasks/0/config/conditions"),
    (task("a", "branch", {"conditions": [{"label": "x", "expression": "1 +"}]}), "x",
     "/tasks/0/config/conditions/0/expression"),
    (task("a", "branch", {"conditions": [{"label": "x", "expression": "true"}]},
          map_over={"literal": [1]}), "x", "/tasks/0/map_over"),
])
def test_broken_rules_of_a_branch(owner, first, label, path):
    spec = flow([first, task("b")], edges=[{"source": "a", "target": "b", "label": label}])
    assert path in {each.removeprefix("/flow_spec") for each in refused_paths(owner, spec)}


@pytest.mark.parametrize("kind", ["agent", "notify", "", "Shell"])
def test_unknown_node_types(owner, kind):
    answer = refuse(owner, flow([task("a", kind)]))
    assert answer.error_paths == {"/flow_spec/tasks/0/type"}
    if kind:
        assert "noop, python, shell, http, sql, transform" in answer.detail


@pytest.mark.parametrize("spec, path", [
    ({}, "/flow_spec/name"),
    ({"name": "x"}, "/flow_spec/tasks"),
    ({"name": "x", "tasks": []}, "/flow_spec/tasks"),
    ({"name": "x", "tasks": {}}, "/flow_spec/tasks"),
    ({"name": "x", "tasks": [1]}, "/flow_spec/tasks/0"),
    ({"name": "x", "tasks": [{}]}, "/flow_spec/tasks/0/id"),
    ({"name": "x", "tasks": [{"id": "a"}]}, "/flow_spec/tasks/0/type"),
    ({"name": 5, "tasks": [task("a")]}, "/flow_spec/name"),
    ({"name": "", "tasks": [task("a")]}, "/flow_spec/name"),
    ({"name": "-x", "tasks": [task("a")]}, "/flow_spec/name"),
    ({"name": "a b", "tasks": [task("a")]}, "/flow_spec/name"),
    ({"name": "x" * 129, "tasks": [task("a")]}, "/flow_spec/name"),
    ({"name": "naïve", "tasks": [task("a")]}, "/flow_spec/name"),
])
def test_malformed_specs(owner, spec, path):
    assert path in refused_paths(owner, spec)


@pytest.mark.parametrize("keys, path", [
    ({"version": "a/b"}, "/version"), ({"version": ""}, "/version"), ({"version": 1}, "/version"),
    ({"description": 1}, "/description"), ({"description": "x" * 4097}, "/description"),
    ({"tags": ["a"]}, "/tags"), ({"tags": {"a": 1}}, "/tags/a"),
    ({"tags": {f"t{i}": "" for i in range(65)}}, "/tags"),
    ({"namespace": "a b"}, "/namespace"),
    ({"fail_fast": "yes"}, "/fail_fast"), ({"fail_fast": 1}, "/fail_fast"),
    ({"max_parallel": 0}, "/max_parallel"), ({"max_parallel": 10_001}, "/max_parallel"),
    ({"max_parallel": 1.5}, "/max_parallel"), ({"max_parallel": "4"}, "/max_parallel"),
    ({"timeout_seconds": 0}, "/timeout_seconds"), ({"timeout_seconds": -1}, "/timeout_seconds"),
    ({"timeout_seconds": 1e12}, "/timeout_seconds"), ({"timeout_seconds": "1"}, "/timeout_seconds"),
    ({"outputs": []}, "/outputs"), ({"outputs": ["zz"]}, "/outputs/0"),
    ({"outputs": ["a", "a"]}, "/outputs/1"), ({"outputs": "a"}, "/outputs"),
    ({"edges": [{"source": "a", "target": "zz"}]}, "/edges/0/target"),
    ({"edges": [{"source": "zz", "target": "a"}]}, "/edges/0/source"),
    ({"edges": [{"source": "a"}]}, "/edges/0/target"),
    ({"edges": [{"source": "a", "target": "b", "label": "x"}]}, "/edges/0/label"),
    ({"edges": [{"source": "a", "target": "b"}] * 2}, "/edges/1"),
    ({"parameters": [{"type": "string"}]}, "/parameters/0/name"),
    ({"parameters": [{"name": "p", "type": "date"}]}, "/parameters/0/type"),
    ({"parameters": [{"name": "p"}, {"name": "p"}]}, "/parameters/1/name"),
    ({"parameters": [{"name": "p", "type": "integer", "default": "1"}]}, "/parameters/0/default"),
    ({"parameters": [{"name": "p", "enum": []}]}, "/parameters/0/enum"),
    ({"parameters": [{"name": "p", "default": "c", "enum": ["a"]}]}, "/parameters/0/default"),
    ({"parameters": [{"name": "p", "secret": True}]}, "/parameters/0/secret"),
    ({"colour": "red"}, "/colour"),
])
def test_broken_rules_of_a_flow(owner, keys, path):
    paths = refused_paths(owner, flow([task("a"), task("b")], **keys))
    assert "/flow_spec" + path in paths, paths


@pytest.mark.parametrize("keys, path", [
    ({"depends_on": ["zz"]}, "/depends_on/0"), ({"depends_on": "a"}, "/depends_on"),
    ({"depends_on": ["a", "a"]}, "/depends_on"), ({"depends_on": [1]}, "/depends_on/0"),
    ({"retries": -1}, "/retries"), ({"retries": 101}, "/retries"), ({"retries": "1"}, "/retries"),
    ({"retry_delay_seconds": -1}, "/retry_delay_seconds"),
    ({"retry_delay_seconds": []}, "/retry_delay_seconds"),
    ({"retry_delay_seconds": [1, "2"]}, "/retry_delay_seconds/1"),
    ({"retry_delay_seconds": [1] * 102}, "/retry_delay_seconds"),
    ({"retry_jitter_factor": 1.5}, "/retry_jitter_factor"),
    ({"retry_on": ["http_404"]}, "/retry_on/0"), ({"retry_on": ["exception:"]}, "/retry_on/0"),
    ({"timeout_seconds": 0}, "/timeout_seconds"), ({"name": "x" * 257}, "/name"),
    ({"inputs": {"x": {"task": "zz"}}}, "/inputs/x/task"),
    ({"inputs": {"x": {"task": "a"}}}, "/inputs/x/task"),  # not upstream
    ({"inputs": {"x": {"tasks": ["a"]}}}, "/inputs/x/tasks/0"),
    ({"inputs": {"x": {"parameter": "zz"}}}, "/inputs/x/parameter"),
    ({"inputs": {"x": {"literal": 1, "parameter": "p"}}}, "/inputs/x"),
    ({"inputs": {"x": {"literal": 1, "path": "/a"}}}, "/inputs/x/path"),
    ({"inputs": {"x": {"task": "a", "path": "b"}}, "depends_on": ["a"]}, "/inputs/x/path"),
    ({"inputs": {"x": 5}}, "/inputs/x"), ({"inputs": {"a b": {"literal": 1}}}, "/inputs/a b"),
    ({"config": {"colour": 1}}, "/config/colour"), ({"config": []}, "/config"),
    ({"id": "a"}, "/id"), ({"id": "a:b"}, "/id"), ({"id": 7}, "/id"),
])
def test_broken_rules_of_a_task(owner, keys, path):
    spec = flow([task("a"), {**task("b"), **keys}])
    paths = refused_paths(owner, spec)
    assert "/flow_spec/tasks/1" + path in paths, paths


@pytest.mark.parametrize("kind, config, path", [
    ("shell", None, "/command"), ("shell", {"command": ""}, ""), ("shell", {"command": []}, "/command"),
    ("shell", {"command": [1]}, "/command/0"), ("shell", {"command": 5}, "/command"),
    ("shell", {"command": "x", "env": {"DAGY_RUN_ID": "1"}}, "/env/DAGY_RUN_ID"),
    ("shell", {"command": "x", "env": {"A=B": "1"}}, "/env/A=B"),
    ("shell", {"command": "x", "env": {"A": 1}}, "/env/A"),
    ("shell", {"command": "x", "user": "root"}, "/user"),
    ("python", None, ""), ("python", {"code": 1}, "/code"),
    ("python", {"entrypoint": "m"}, "/entrypoint"),
    ("python", {"code": "def main(): pass", "requirements": ["x"]}, "/requirements"),
    ("python", {"code": "def main(): pass", "start": "thread"}, "/start"),
    ("transform", None, "/program"), ("transform", {"program": "", }, "/program"),
    ("noop", {"x": 1}, "/x"),
])
def test_configs(owner, kind, config, path):
    paths = refused_paths(owner, flow([task("a", kind, config)]))
    assert any(found.startswith("/flow_spec/tasks/0/config" + path) for found in paths), paths


def test_cycles_are_named(owner):
    spec = flow([task("a", depends_on=["c"]), task("b", depends_on=["a"]),
                 task("c", depends_on=["b"]), task("outside", depends_on=["c"])])
    answer = refuse(owner, spec)
    assert answer.error_paths == {"/flow_spec/tasks"}
    assert "a -> b -> c -> a" in answer.detail or "b -> c -> a -> b" in answer.detail \
        or "c -> a -> b -> c" in answer.detail
    assert "outside" not in answer.detail
    alone = refuse(owner, flow([task("a", depends_on=["a"])]))
    assert "a -> a" in alone.detail
    drawn = refuse(owner, flow([task("a"), task("b")], edges=[
        {"source": "a", "target": "b"}, {"source": "b", "target": "a"}]))
    assert "cycle" in drawn.detail


def test_edges_alone_and_beside_depends_on(owner):
    tasks = [task("a"), task("b")]
    edges = [{"source": "a", "target": "b"}]
    register(owner, flow(tasks, edges=edges))
    dependent = [task("a"), task("b", depends_on=["a"])]
    register(owner, flow(dependent, edges=edges))
    assert refused_paths(owner, flow(dependent, edges=[])) == {"/flow_spec/edges"}
    other_way = [{"source": "b", "target": "a"}]
    assert refused_paths(owner, flow(dependent, edges=other_way)) == {"/flow_spec/edges"}


def test_an_ancestor_is_upstream(owner):
    register(owner, flow([task("a"), task("b", depends_on=["a"]),
                          task("c", depends_on=["b"], inputs={"x": {"task": "a"}})]))


def test_ten_thousand_tasks(owner):
    tasks = [task(f"t{i}", depends_on=[f"t{i - 1}"] if i else []) for i in range(10_000)]
    made = register(owner, flow(tasks)).json
    assert len(made["flow_spec"]["tasks"]) == 10_000
    assert refused_paths(owner, flow(tasks + [task("more")])) == {"/flow_spec/tasks"}


def test_a_long_cycle_is_cut(owner):
    tasks = [task(f"t{i}", depends_on=[f"t{(i - 1) % 1000}"]) for i in range(1000)]
    assert len(refuse(owner, flow(tasks)).detail) < 1000


def test_a_spec_that_is_too_large(owner):
    tasks = [python(f"t{i}", "def main(): pass\n" + "#" * 1_000_000) for i in range(5)]
    answer = refuse(owner, flow(tasks))
    assert answer.error_paths == {"/flow_spec"} and "4194304" in answer.detail
    register(owner, flow(tasks[:4]))


def test_very_many_errors_are_bounded(owner):
    answer = refuse(owner, flow([task("a", f"unknown{i}") for i in range(1)] +
                                [task(f"b{i}", "unknown") for i in range(1000)]))
    assert len(answer.json["errors"]) == 100 and "(and 1000 more)" in answer.detail


def test_numbers_and_text_pass_through_unchanged(owner):
    literal = {"huge": 123456789012345678901234567890, "text": "ünïcødé \U0001f600",
               "nested": [{"a": None}]}
    spec = flow([transform("a", ".inputs.x", inputs={"x": {"literal": literal}})])
    made = register(owner, spec).json
    assert made["flow_spec"]["tasks"][0]["inputs"]["x"]["literal"] == literal
