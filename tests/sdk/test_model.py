"""From functions to a FlowSpec, and every refusal on the way."""

import json
from typing import Annotated, Literal, Optional

import pytest

import dagy
from dagy import FlowError, flow, flow_spec, noop, shell, task


@task
def work(value, other=None):
    return [value, other]


@task
def join(values):
    return values


@task
def give():
    return [1, 2]


@task
def numbered(item_name, index, **more):
    return [item_name, index, more]


def spec_of(body, **options):
    return flow_spec(flow(**options)(body))


def tasks_of(body, **options):
    return {each["id"]: each for each in spec_of(body, **options)["tasks"]}


def test_a_call_is_a_task_with_sources():
    def body(name: str):
        first = work(name, other=(1, {"a": None}))
        join([first, work(first["a/b"]["~"][0])], after=give())

    spec = spec_of(body)
    assert spec["name"] == "body"
    assert spec["parameters"] == [{"name": "name", "type": "string", "required": True}]
    tasks = {each["id"]: each for each in spec["tasks"]}
    assert list(tasks) == ["work", "work_2", "give", "join"]
    assert tasks["work"] == {
        "id": "work", "type": "python", "config": {"entrypoint": "test_model:work"},
        "inputs": {"value": {"parameter": "name"}, "other": {"literal": [1, {"a": None}]}}}
    assert tasks["work_2"]["inputs"] == {"value": {"task": "work", "path": "/a~1b/~0/0"}}
    assert tasks["join"]["inputs"] == {"values": {"tasks": ["work", "work_2"]}}
    assert tasks["join"]["depends_on"] == ["work", "work_2", "give"]
    assert "outputs" not in spec and "edges" not in spec
    json.dumps(spec)


def test_a_comprehension_is_a_mapped_task():
    def body(names: list):
        found = [work(each, "x") for each in names]
        again = [join(each) for each in found]
        numbered_ = [numbered(each) for each in give()]
        join([each for each in [work(join(x)) for x in names]])
        return join(found), again, numbered_

    tasks = tasks_of(body)
    assert tasks["work"]["map_over"] == {"parameter": "names"}
    assert tasks["work"]["config"]["entrypoint"] == "test_model:work.item_as.value"
    assert tasks["work"]["inputs"] == {"other": {"literal": "x"}}
    assert tasks["join"]["map_over"] == {"task": "work"}
    assert tasks["join"]["depends_on"] == ["work"]
    assert tasks["numbered"]["map_over"] == {"task": "give"}
    assert tasks["work_2"]["map_over"] == {"task": "join_2"}
    assert tasks["join_3"]["inputs"] == {"values": {"task": "work_2"}}
    assert spec_of(body)["outputs"] == ["join_4", "join", "numbered"]


def test_entry_points_of_mapped_tasks_take_what_the_server_gives():
    assert work.item_as.value(item=1, index=5, other=2) == [1, 2]
    assert numbered.item_as.item_name(item=1, index=5, extra=2) == [1, 5, {"extra": 2}]


def test_outside_of_a_flow_a_task_is_the_function():
    assert work(1, other=2) == [1, 2]
    assert work.__name__ == "work"
    assert work.with_options(retries=3)(1) == [1, None]
    with pytest.raises(FlowError, match="after= is for the body of a flow"):
        work(1, after=[2])


def test_options_and_builders():
    def body(limit: int = 3):
        shell(["echo", "{{ inputs.n }}"], env={"A": "b"}, inputs={"n": limit}, id="say", retries=2,
              timeout_seconds=1.5, tags={"a": "b"}, name="Say", priority=-3)
        dagy.transform(".inputs", trigger_rule="all_done", when="parameters.limit > 2")
        dagy.http("GET", "https://example.org", query={"n": "{{ inputs.n }}"},
                  inputs={"n": limit})
        dagy.sql("warehouse", "select 1", fetch="all")
        dagy.delay(until="2026-01-01T00:00:00Z")
        dagy.approval("Go on?", assignees=["a@example.org"], timeout_seconds=5, on_timeout="reject")
        dagy.subflow("other", parameters={"n": 1}, wait=False)
        work.with_options(start="spawn", retry_backoff={"initial": 1}, cache={
            "key": "inputs.value", "ttl_seconds": 5}, retry_on=[ValueError, "timeout"])(
            dagy.expression("parameters.limit + 1"), dagy.secret("KEY"))
        work.with_options(max_parallel=2, max_failures=1)(next(iter(dagy.variable("LIST"))))

    tasks = tasks_of(body)
    assert tasks["say"] == {
        "id": "say", "type": "shell", "config": {"command": ["echo", "{{ inputs.n }}"],
                                                 "env": {"A": "b"}},
        "inputs": {"n": {"parameter": "limit"}}, "retries": 2, "timeout_seconds": 1.5,
        "tags": {"a": "b"}, "name": "Say", "priority": -3}
    assert tasks["transform"]["when"] == "parameters.limit > 2"
    assert tasks["http"]["config"] == {"method": "GET", "url": "https://example.org",
                                       "query": {"n": "{{ inputs.n }}"}}
    assert tasks["sql"]["config"]["fetch"] == "all"
    assert tasks["delay"]["config"] == {"until": "2026-01-01T00:00:00Z"}
    assert tasks["approval"]["config"]["on_timeout"] == "reject"
    assert tasks["subflow"]["config"] == {"flow": "other", "parameters": {"n": 1}, "wait": False}
    assert tasks["work"]["config"]["start"] == "spawn" and "start" not in tasks["work"]
    assert tasks["work"]["retry_on"] == ["exception:ValueError", "timeout"]
    assert tasks["work"]["inputs"] == {"value": {"expression": "parameters.limit + 1"},
                                       "other": {"secret": "KEY"}}
    assert tasks["work_2"]["map_over"] == {"variable": "LIST"}


def test_branches_have_edges():
    def body(n: int):
        chosen = dagy.branch({"big": "inputs.n > 10"}, otherwise="small", inputs={"n": n})
        left = noop(after=chosen.case("big"))
        right = noop(after=[chosen.case("small")])
        noop(after=[left, right], trigger_rule="none_failed")

    spec = spec_of(body)
    assert spec["edges"] == [
        {"source": "branch", "target": "noop", "label": "big"},
        {"source": "branch", "target": "noop_2", "label": "small"},
        {"source": "noop", "target": "noop_3"}, {"source": "noop_2", "target": "noop_3"}]


def test_a_branch_has_its_choices_only():
    def body():
        dagy.branch({"big": "true"}).case("small")
    with pytest.raises(ValueError, match="no choice 'small'; it has: big"):
        spec_of(body)


def test_parameters_come_from_the_signature():
    def body(a: Annotated[str, "what a is"], b: int = 3, c=1.5, d: bool = True, e: dict = {},
             f: Optional[list] = None, g: Literal["x", "y"] = "x", h: "float" = 1):
        noop()

    assert spec_of(body)["parameters"] == [
        {"name": "a", "type": "string", "required": True, "description": "what a is"},
        {"name": "b", "type": "integer", "required": False, "default": 3},
        {"name": "c", "type": "number", "required": False, "default": 1.5},
        {"name": "d", "type": "boolean", "required": False, "default": True},
        {"name": "e", "type": "object", "required": False, "default": {}},
        {"name": "f", "type": "array", "required": False},
        {"name": "g", "type": "string", "required": False, "default": "x", "enum": ["x", "y"]},
        {"name": "h", "type": "number", "required": False, "default": 1}]


def bad_any(a): noop()
def bad_type(a: bytes): noop()
def bad_default(a: int = "x"): noop()
def bad_bool(a: int = True): noop()
def bad_choice(a: Literal["x"] = "y"): noop()
def bad_several(*a: str): noop()
def bad_name(_a: str): noop()
def bad_union(a: Optional[bytes] = None): noop()


@pytest.mark.parametrize("body, rule", [
    (bad_any, "parameter 'a' needs a type: str, int"), (bad_type, "needs a type"),
    (bad_union, "needs a type"),
    (bad_default, "its default must be of type integer, not 'x'"),
    (bad_bool, "its default must be of type integer, not True"),
    (bad_choice, "its default must be one of 'x'"),
    (bad_several, "must be one that can be given by name"),
    (bad_name, "parameter '_a' must be a letter or digit"),
])
def test_bad_parameters(body, rule):
    with pytest.raises(FlowError, match=rule):
        flow(body)


def test_hooks():
    def body(name: str):
        join([work(1)])

    spec = spec_of(body, on_failure=[give, lambda: shell("echo {{ run.error.message }}", id="tell"),
                                     lambda: work(dagy.Parameter("name"))], on_cancel=[give])
    assert [each["id"] for each in spec["on_failure"]] == ["give", "tell", "work_2"]
    assert spec["on_failure"][2]["inputs"] == {"value": {"parameter": "name"}}
    assert [each["id"] for each in spec["on_cancel"]] == ["give_2"]
    assert "on_success" not in spec


@pytest.mark.parametrize("hooks, rule", [
    ("give", "on_failure must be a list of tasks"), ([1], "on_failure must be a list of tasks"),
    ([lambda: [work(x) for x in dagy.Parameter("name")]], "it cannot be mapped"),
    ([lambda: noop(trigger_rule="all_done")], "trigger_rule is for tasks with parents"),
    ([lambda: noop(id="join")], "task 'join' exists twice"),
])
def test_bad_hooks(hooks, rule):
    def body(name: str):
        join([work(1)])
    with pytest.raises(FlowError, match=rule):
        spec_of(body, on_failure=hooks)


def test_flow_options():
    def body():
        """First line.

        More."""
        noop()

    spec = spec_of(body, name="other", version="1.2", namespace="n", tags={"a": "b"},
                   fail_fast=False, max_parallel=3, timeout_seconds=9, concurrency_limit=1,
                   concurrency_key="run.id", concurrency_policy="skip")
    assert spec["description"] == "First line."
    assert (spec["name"], spec["fail_fast"], spec["concurrency_policy"]) == ("other", False, "skip")


# ---- what a body cannot do ----

PLACEHOLDER_ACTS = [
    ("decide by it", lambda x: 1 if x else 2), ("compute with it", lambda x: x + 1),
    ("compute with it", lambda x: 1 - x), ("compute with it", lambda x: x == 1),
    ("compute with it", lambda x: x < 1), ("compute with it", lambda x: -x),
    ("turn it into text", str), ("turn it into text", lambda x: f"{x}"),
    ("turn it into a number", int), ("turn it into a number", lambda x: range(x)),
    ("take its length", len), ("look into it", lambda x: 1 in x), ("call it", lambda x: x()),
]


@pytest.mark.parametrize("what, act", PLACEHOLDER_ACTS)
@pytest.mark.parametrize("kind", ["parameter", "output", "element", "mapped"])
def test_placeholders_are_no_values(what, act, kind):
    def body(n: list):
        made = {"parameter": n, "output": give(), "element": next(iter(n)),
                "mapped": [work(x) for x in n][0]}[kind]
        act(made)
    with pytest.raises(TypeError, match=f"known only when the flow runs.*cannot {what}"):
        flow(body).build()


def test_json_has_no_placeholders():
    def body(n: list):
        json.dumps(n)
    with pytest.raises(TypeError, match="Parameter"):
        flow(body).build()


def refused(rule, kind=FlowError):
    def decorate(body):
        CASES.append((body, rule, kind))
        return body
    return decorate


CASES = []


@refused("take 'a' out of it", TypeError)
def parameter_part(n: dict):
    work(n["a"])


@refused("must be a name or an index from 0", TypeError)
def negative_part():
    work(give()[-1])


@refused("iterate over it", TypeError)
def nested_list(n: list):
    [work(y) for x in n for y in x]


@refused("is mapped over one list")
def two_lists(a: list, b: list):
    [work(x, y) for x in a for y in b]


@refused("cannot stand in a list of others")
def mapped_beside_others(a: list):
    join([work(x) for x in a] + [give()])


@refused("cannot stand in a list of others")
def items_as_a_list(a: list):
    join(sorted(a))


@refused("a list is of whole outputs")
def parts_in_a_list():
    join([give()["a"]])


@refused("a list is of whole outputs")
def output_beside_a_value():
    join([give(), 1])


@refused("cannot stand inside another value")
def output_in_a_dict():
    work({"a": give()})


@refused("a set is not JSON")
def no_json():
    work({1, 2})


@refused("names must be text")
def no_text_names():
    work({1: 2})


@refused("JSON has no nan")
def no_number():
    work(float("nan"))


@refused("the argument 'value' is missing", TypeError)
def missing_argument():
    work()


@refused("task 'work': got an unexpected keyword argument 'third'", TypeError)
def unknown_argument():
    work(1, third=2)


@refused("after= takes outputs of tasks")
def after_a_value():
    work(1, after=["give"])


@refused("calls no task")
def nothing():
    pass


@refused("returns 3; it can return the output of a task")
def returns_a_value():
    give()
    return 3


@refused("it can return the output")
def returns_a_part():
    return give()["a"]


@refused("returns an empty list")
def returns_nothing():
    give()
    return []


@refused("task 'a' exists twice")
def same_id():
    noop(id="a")
    noop(id="a")


@refused("max_parallel belongs to a call for each element")
def max_parallel_of_one():
    work.with_options(max_parallel=2)(1)


@refused("the element of a mapped shell task is its input 'item'")
def shell_item(a: list):
    [shell("cat", inputs={"x": x}) for x in a]


@refused("a mapped task is given the input 'index' by its list")
def index_of_a_mapped_task(a: list):
    [numbered(x, index=1) for x in a]


@refused("config takes no <parameter 'a'>; pass it in inputs=")
def placeholder_in_config(a: str):
    shell("echo", env={"A": a})


@refused("a choice of a branch is no value")
def choice_as_value():
    work(dagy.branch({"a": "true"}).case("a"))


@refused("command must be a text or a list of texts")
def no_command():
    shell([])


@refused("give either seconds or until")
def no_delay():
    dagy.delay()


@refused("conditions must be")
def no_conditions():
    dagy.branch({})


@refused("it cannot be mapped")
def mapped_branch(a: list):
    [dagy.branch({"a": "true"}, inputs={"item": x}) for x in a]


@refused("start is an option of Python tasks")
def start_of_shell():
    shell("true", start="fork")


@refused("flow must be the name")
def subflow_of_an_object():
    dagy.subflow(FLOW)


@refused("is not called: run_local")
def calls_a_flow():
    FLOW()


@refused("expression\\(\\) needs a text", TypeError)
def no_expression():
    work(dagy.expression(3))


@flow
def FLOW():
    give()


@pytest.mark.parametrize("body, rule, kind", CASES, ids=[case[0].__name__ for case in CASES])
def test_refusals(body, rule, kind):
    with pytest.raises(kind, match=rule):
        flow(body).build()


def test_a_task_of_another_flow():
    kept = []

    def first():
        kept.append(give())

    def second():
        work(kept[0])

    flow(first).build()
    with pytest.raises(FlowError, match="task 'give' is not of this flow"):
        flow(second).build()


def test_building_twice_gives_the_same():
    assert flow_spec(FLOW) == flow_spec(FLOW)


def test_builders_are_for_bodies():
    with pytest.raises(FlowError, match=r"shell\(…\) is for the body of a flow; as a hook"):
        shell("true")


def test_what_is_no_flow():
    with pytest.raises(FlowError, match="is no flow"):
        flow_spec(work)
    with pytest.raises(FlowError, match="@flow is for functions"):
        flow(3)
