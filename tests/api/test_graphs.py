"""Runs of several tasks: values between them, order, fail_fast, limits."""

import pytest

from flows import flow, python, register, run, run_flow, shell, statuses, task, task_of, transform

SIZE_CODE = "def main(value): return [len(value), value[0], value[-1]]"
HUNDRED_KIB = 100 << 10
THREE_MIB = 3 << 20


def from_task(task_id, path=None):
    return {"task": task_id} if path is None else {"task": task_id, "path": path}


# ---- values ----

def test_values_go_from_task_to_task(owner):
    view = run(owner, [
        python("a", "def main(): return {'rows': [{'n': 1}, {'n': 2}], 'a/b': {'~': 'odd'}}"),
        transform("sum", "[.inputs.rows[].n] | add", depends_on=["a"],
                  inputs={"rows": from_task("a", "/rows")}),
        shell("odd", "jq .x", depends_on=["a"], inputs={"x": from_task("a", "/a~1b/~0")}),
        shell("element", "jq .x", depends_on=["a"], inputs={"x": from_task("a", "/rows/1/n")}),
        python("all", "def main(**inputs): return inputs", depends_on=["sum", "odd", "element"],
               inputs={"list": {"tasks": ["element", "sum", "odd"]}, "whole": from_task("a")}),
    ], outputs=["all"])
    assert view["status"] == "SUCCEEDED", view
    assert view["output"]["list"] == [2, 3, "odd"]
    assert view["output"]["whole"]["a/b"] == {"~": "odd"}


@pytest.mark.parametrize("path", ["/none", "/rows/7", "/rows/01", "/rows/n"])
def test_a_path_that_leads_nowhere(owner, path):
    view = run(owner, [python("a", "def main(): return {'rows': [1]}"),
                       shell("b", "cat", depends_on=["a"], inputs={"x": from_task("a", path)})])
    assert view["status"] == "FAILED" and view["error"]["kind"]
    assert path in task_of(view, "b")["error"]["message"]


def test_outputs(owner):
    tasks = [shell("a", "echo 1"), shell("b", "echo 2", depends_on=["a"]),
             shell("c", "echo 3", depends_on=["a"])]
    assert run(owner, tasks)["output"] == {"b": 2, "c": 3}
    assert run(owner, tasks, outputs=["a"])["output"] == 1
    assert run(owner, tasks, outputs=["a", "c"])["output"] == {"a": 1, "c": 3}
    assert run(owner, tasks, outputs=["c", "a"])["output"] == {"c": 3, "a": 1}


@pytest.mark.parametrize("size", [HUNDRED_KIB, THREE_MIB])
def test_large_values_between_tasks(owner, size):
    make = f"def main(): return 'a' + 'é' * ({size} // 2 - 2) + 'z'"
    view = run(owner, [python("make", make),
                       python("use", SIZE_CODE, depends_on=["make"],
                              inputs={"value": from_task("make")})])
    assert view["status"] == "SUCCEEDED", view["error"]
    made = task_of(view, "make")
    assert made["output"] is None and len(made["output_ref"]["sha256"]) == 64
    assert made["output_ref"]["bytes"] == size
    assert task_of(view, "use")["output"] == [size // 2, "a", "z"]


def test_a_large_value_as_the_output_of_a_run(owner):
    big, small = python("big", "def main(): return 'x' * 102_400"), shell("small", "echo 1")
    single = run(owner, [big], outputs=["big"])
    assert single["output"] is None and single["output_ref"]["bytes"] >= 65536
    several = run(owner, [big, small])
    assert several["output"] is None and several["output_ref"]["bytes"] > 0


def test_a_value_of_five_kib_is_only_in_tasks(owner):
    view = run(owner, [python("a", "def main(): return 'x' * 5000")])
    shown = view["task_runs"][0]
    assert shown["output"] is None and shown["output_ref"] == {"bytes": 5002, "sha256": None}
    items = owner.call("GET /runs/{run_id}/tasks", 200, path={"run_id": view["run_id"]}).json
    assert items["items"][0]["output"] == "x" * 5000
    assert items["items"][0]["output_ref"] is None


def test_a_value_of_a_failed_run_is_kept(owner):
    view = run(owner, [shell("good", "echo 5"), shell("bad", "exit 1", depends_on=["good"])])
    assert view["status"] == "FAILED" and view["output"] is None
    assert task_of(view, "good")["output"] == 5


# ---- order ----

def test_diamond(owner):
    view = run(owner, [shell("a", "echo 1"), shell("b", "echo 2", depends_on=["a"]),
                       shell("c", "echo 3", depends_on=["a"]),
                       shell("d", "jq -c .x", depends_on=["b", "c"],
                             inputs={"x": {"tasks": ["b", "c"]}})])
    assert view["output"] == {"d": [2, 3]}
    ends = {each["task_id"]: each for each in view["task_runs"]}
    for parent, child in ("ab", "ac", "bd", "cd"):
        assert ends[parent]["finished_at"] <= ends[child]["started_at"]


def test_fan_out_and_in(owner):
    wide = [f"t{i}" for i in range(200)]
    view = run(owner, [shell("first", "echo 0"),
                       *[task(name, depends_on=["first"]) for name in wide],
                       shell("last", "jq '.all | length'", depends_on=wide,
                             inputs={"all": {"tasks": wide}})])
    assert view["output"] == {"last": 200}


def test_max_parallel(owner):
    # Each task holds a lock file of its own while it runs and counts those it sees.
    count = "touch lock.$DAGY_TASK_ID; n=$(ls lock.* | wc -l); sleep 0.05; rm lock.$DAGY_TASK_ID"
    for limit in (1, 2):
        view = run(owner, [shell(f"t{i}", count + "; echo $n") for i in range(6)], max_parallel=limit)
        assert view["status"] == "SUCCEEDED"
        assert max(view["output"].values()) <= limit
    view = run(owner, [task(f"t{i}") for i in range(50)], max_parallel=1)
    starts = sorted((each["started_at"], each["finished_at"]) for each in view["task_runs"])
    assert all(earlier[1] <= later[0] for earlier, later in zip(starts, starts[1:]))


# ---- failures ----

def test_fail_fast(owner):
    view = run(owner, [shell("bad", "exit 1"), shell("slow", "sleep 600"),
                       task("after_bad", depends_on=["bad"]),
                       task("after_slow", depends_on=["slow"])])
    assert view["status"] == "FAILED"
    found = statuses(view)
    assert found["bad"] == "FAILED" and found["slow"] == "CANCELLED"
    assert found["after_bad"] in ("SKIPPED", "CANCELLED")
    assert found["after_slow"] in ("SKIPPED", "CANCELLED")
    assert view["error"]["kind"] == "exit_code" and "bad" in view["error"]["message"]


def test_without_fail_fast_independent_branches_go_on(owner):
    view = run(owner, [shell("bad", "exit 1"), shell("good", "sleep 0.1; echo 1"),
                       task("after_bad", depends_on=["bad"]),
                       task("after_good", depends_on=["good"]),
                       task("after_both", depends_on=["after_bad", "after_good"])],
               fail_fast=False)
    assert view["status"] == "FAILED"
    assert statuses(view) == {"bad": "FAILED", "good": "SUCCEEDED", "after_bad": "SKIPPED",
                              "after_good": "SUCCEEDED", "after_both": "SKIPPED"}


def test_a_skipped_task_has_no_attempt(owner):
    view = run(owner, [shell("bad", "exit 1"), task("after", depends_on=["bad"])], fail_fast=False)
    after = task_of(view, "after")
    assert after["attempt"] == 0 and after["started_at"] is None and after["error"] is None


# ---- time ----

def test_a_run_that_takes_too_long(owner):
    view = run(owner, [shell("a", "sleep 600"), task("b", depends_on=["a"])], timeout_seconds=0.3)
    assert view["status"] == "FAILED" and view["error"]["kind"] == "timeout"
    assert statuses(view)["b"] in ("SKIPPED", "CANCELLED")


def test_a_run_within_its_time(owner):
    assert run(owner, [shell("a", "echo 1")], timeout_seconds=60)["status"] == "SUCCEEDED"


def test_the_run_timeout_covers_retries(owner):
    view = run(owner, [shell("a", "exit 1", retries=100, retry_delay_seconds=600)],
               timeout_seconds=0.5)
    assert view["status"] == "FAILED" and view["error"]["kind"] == "timeout"


def test_a_spec_with_everything_runs_twice(owner):
    spec = flow([shell("a", "jq -c .", inputs={"p": {"parameter": "p"}, "l": {"literal": [{"x": None}]}},
                       retries=2, retry_delay_seconds=[0.1], retry_jitter_factor=0.5,
                       timeout_seconds=30, description="d", tags={"t": "1"})],
                parameters=[{"name": "p", "type": "number", "default": 1.50}])
    register(owner, spec)
    for _ in range(2):
        view = run_flow(owner, spec["name"])
        assert view["output"] == {"a": {"p": 1.5, "l": [{"x": None}]}}
