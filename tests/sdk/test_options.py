"""Every option of tasks and flows: what is taken, and what is refused by name and rule."""

import pytest

from dagy import FlowError, flow, task
from dagy.options import FLOW_OPTIONS, TASK_OPTIONS

GOOD = {
    "id": "a.b-c_1", "name": "A name", "description": "", "tags": {"a": "b"}, "when": "true",
    "trigger_rule": "one_failed", "side_effect": False, "retries": 100,
    "retry_delay_seconds": [1, 2.5], "retry_backoff": {"initial": 1, "factor": 2, "max": 9},
    "retry_jitter_factor": 0.5, "retry_on": ["exit_code", "exception:KeyError", ValueError],
    "timeout_seconds": 0.1, "executor": "step-functions", "execution_mode": "nano", "pool": "gpu",
    "start": "worker", "concurrency_limit": 1, "concurrency_key": "run.id", "priority": -100,
    "max_parallel": 1, "max_failures": 0, "repeat_until": "true", "max_iterations": 1000,
    "cache": {"key": "1", "ttl_seconds": 1},
}
NEEDS = {"concurrency_key": {"concurrency_limit": 1}, "max_iterations": {"repeat_until": "true"}}
BAD = [
    ("id", "-a"), ("id", ""), ("id", "a" * 129), ("id", 3), ("name", "x" * 257), ("name", 3),
    ("description", "x" * 4097), ("tags", {"a": 1}), ("tags", ["a"]),
    ("tags", {str(i): "" for i in range(65)}), ("when", ""), ("when", True), ("when", "x" * 4097),
    ("trigger_rule", "all"), ("side_effect", 1), ("retries", -1), ("retries", 101),
    ("retries", True), ("retries", "3"), ("retries", 1.0), ("retry_delay_seconds", -1),
    ("retry_delay_seconds", []), ("retry_delay_seconds", [1, "x"]), ("retry_delay_seconds", "1"),
    ("retry_delay_seconds", [0] * 102), ("retry_delay_seconds", float("inf")),
    ("retry_backoff", 3), ("retry_backoff", {"first": 1}), ("retry_backoff", {"factor": 0.5}),
    ("retry_backoff", {"initial": 5, "max": 1}), ("retry_backoff", {"initial": 0}),
    ("retry_jitter_factor", 1.1), ("retry_jitter_factor", "x"), ("retry_on", "exit_code"),
    ("retry_on", ["exit"]), ("retry_on", ["exception:"]), ("retry_on", [int]),
    ("retry_on", ["timeout"] * 101), ("timeout_seconds", 0), ("timeout_seconds", 366 * 86400 + 1),
    ("timeout_seconds", float("nan")), ("executor", "remote"), ("execution_mode", "huge"),
    ("pool", "a b"), ("start", "thread"), ("concurrency_limit", 0),
    ("concurrency_limit", 1_000_001), ("concurrency_key", ""), ("priority", 101),
    ("max_parallel", 0), ("max_failures", -1), ("repeat_until", ""), ("max_iterations", 0),
    ("max_iterations", 1001), ("cache", {"key": "1"}), ("cache", {"ttl_seconds": 1}),
    ("cache", {"key": "1", "ttl_seconds": 0}), ("cache", "key"),
]


def function(previous=None):
    return previous


def test_every_option_has_a_case():
    assert set(GOOD) == set(TASK_OPTIONS) == {option for option, _ in BAD}


@pytest.mark.parametrize("option", GOOD)
def test_taken(option):
    made = task(**{option: GOOD[option]}, **NEEDS.get(option, {}))(function)
    assert option in made.options
    assert option not in made.with_options(**{option: None, **dict.fromkeys(NEEDS.get(option, {}))}
                                           ).options


@pytest.mark.parametrize("option, value", BAD, ids=lambda each: repr(each)[:30])
def test_refused(option, value):
    with pytest.raises(FlowError, match=f"task 'function': {option}"):
        task(**{option: value}, **NEEDS.get(option, {}))(function)


@pytest.mark.parametrize("options, rule", [
    ({"retry": 1}, "there is no option 'retry'; there are: cache"),
    ({"concurrency_key": "1"}, "concurrency_key belongs to concurrency_limit"),
    ({"max_iterations": 1}, "max_iterations belongs to repeat_until"),
    ({"retry_backoff": {}, "retry_delay_seconds": 1}, "stands instead of retry_delay_seconds"),
])
def test_together(options, rule):
    with pytest.raises(FlowError, match=rule):
        task(**options)(function)


@pytest.mark.parametrize("option, value", [
    ("name", "a b"), ("version", ""), ("description", 3), ("namespace", "/"), ("tags", 3),
    ("fail_fast", "no"), ("max_parallel", 10_001), ("timeout_seconds", -1),
    ("concurrency_limit", 0), ("concurrency_key", ""), ("concurrency_policy", "drop")])
def test_refused_of_flows(option, value):
    assert option in FLOW_OPTIONS
    with pytest.raises(FlowError, match=f"flow 'function': {option}"):
        flow(**{option: value, "concurrency_limit": value if option == "concurrency_limit" else 1}
             )(function)


def test_policies_belong_to_limits():
    with pytest.raises(FlowError, match="concurrency_policy belongs to concurrency_limit"):
        flow(concurrency_policy="skip")(function)


async def asynchronous(): pass
def generator(): yield
def several(*values): pass
def positional(value, /): pass
def after(after): pass
def loop(): pass


@pytest.mark.parametrize("function, options, rule", [
    (asynchronous, {}, "a task is a plain function"), (generator, {}, "a task is a plain function"),
    (several, {}, "'values' cannot be given by name"),
    (positional, {}, "'value' cannot be given by name"), (after, {}, "cannot be called 'after'"),
    (loop, {"repeat_until": "true"}, "add previous=None"), (len, {}, "@task is for functions"),
    (task(loop), {}, "@task is for functions"),
])
def test_refused_functions(function, options, rule):
    with pytest.raises(FlowError, match=rule):
        task(**options)(function)
