"""Runs in this process: states, trigger rules, retries, lists, timeouts, and what is refused."""

import itertools
import threading

import pytest

import dagy
from dagy import FlowError, context, delay, flow, noop, run_local, shell, task, transform
from dagy.local_rules import C, F, S, U, at_pointer, retry_delay, verdict
from dagy.local_rules import Unreachable

RULES = ("all_success", "none_failed", "all_done", "one_success", "one_failed")


@task
def give(value):
    return value


@task
def fail():
    raise ValueError("it broke")


@task
def join(values):
    return values


def run(body, parameters=None, options=None, **more):
    return run_local(flow(**{"name": "body", **(options or {})})(body), parameters, **more)


def statuses(result):
    return {each["task_id"] + ("" if each["map_index"] is None else f":{each['map_index']}"):
            each["status"] for each in result["task_runs"]}


def task_of(result, task_id, index=None):
    return next(each for each in result["task_runs"]
                if (each["task_id"], each["map_index"]) == (task_id, index))


def test_values_travel_as_json():
    def body(n: int, names: list = ["a"]):
        first = give({"t": (1, 2), "n": None})
        return [join([first, give(n)]), give(first["t"][1]), give(names)]

    result = run(body, {"n": 5})
    assert result["status"] == "SUCCEEDED" and result["error"] is None
    assert result["parameters"] == {"n": 5, "names": ["a"]}
    assert result["output"] == {"join": [{"t": [1, 2], "n": None}, 5], "give_3": 2,
                                "give_4": ["a"]}
    assert task_of(result, "join")["attempt"] == 1


def test_what_a_task_does_to_its_inputs_stays_there():
    @task
    def grow(values):
        values.append(1)
        return values

    def body():
        first = give([])
        return [first, grow(first), grow.with_options(id="other")(first)]
    assert run(body)["output"] == {"give": [], "grow": [1], "other": [1]}


@pytest.mark.parametrize("named, output", [
    (lambda a, b: None, {"join": [1, 2]}), (lambda a, b: a, 1), (lambda a, b: [a], 1),
    (lambda a, b: (a, b), {"give": 1, "give_2": 2})])
def test_outputs(named, output):
    def body():
        a, b = give(1), give(2)
        join([a, b])
        return named(a, b)
    assert run(body)["output"] == output


# ---- trigger rules ----


def expected(rule, ends):
    """The table of the specification, by its words."""
    no_failure = F not in ends and U not in ends
    runs = {"all_success": no_failure and S in ends, "none_failed": no_failure, "all_done": True,
            "one_success": S in ends, "one_failed": F in ends}[rule]
    if runs or not ends:
        return "run"
    return C if rule == "one_failed" or no_failure else U


@pytest.mark.parametrize("rule", RULES)
def test_verdicts(rule):
    for count in range(4):
        for ends in itertools.product((S, F, C, U), repeat=count):
            assert verdict(rule, list(ends)) == expected(rule, ends), (rule, ends)


@pytest.mark.parametrize("rule, with_failure, without", [
    ("all_success", "SKIPPED", "SUCCEEDED"), ("none_failed", "SKIPPED", "SUCCEEDED"),
    ("all_done", "SUCCEEDED", "SUCCEEDED"), ("one_success", "SUCCEEDED", "SUCCEEDED"),
    ("one_failed", "SUCCEEDED", "SKIPPED")])
@pytest.mark.parametrize("breaks", [True, False])
def test_trigger_rules(rule, with_failure, without, breaks):
    def body():
        parents = [give(1), fail() if breaks else noop()]
        last = noop(after=parents, trigger_rule=rule, id="last")
        noop(after=last, id="child", trigger_rule="none_failed")

    found = statuses(run(body, fail_fast=False))
    assert found["last"] == (with_failure if breaks else without)
    # Skipped by choice does not go on, skipped because something failed does.
    assert found["child"] == ("SKIPPED" if found["last"] == "SKIPPED" and breaks else "SUCCEEDED")


def test_fail_fast_cancels_the_others_but_those_that_handle_it():
    stop = threading.Event()

    @task
    def wait():
        stop.wait(30)

    def body():
        broken = fail()
        waiting = wait()
        noop(after=waiting, id="later")
        noop(after=[broken, waiting], trigger_rule="one_failed", id="handler")

    result = run(body)
    stop.set()
    assert result["status"] == "FAILED" and result["output"] is None
    assert result["error"] == {"kind": "exception:ValueError",
                               "message": "task 'fail' failed: ValueError: it broke"}
    assert statuses(result) == {"fail": "FAILED", "wait": "CANCELLED", "later": "CANCELLED",
                                "handler": "SUCCEEDED"}
    assert statuses(run(lambda: (fail(), noop(after=give(1)), None)[-1], fail_fast=False)) == {
        "fail": "FAILED", "give": "SUCCEEDED", "noop": "SUCCEEDED"}


def test_fail_fast_of_the_flow_counts_unless_it_is_given():
    def body():
        broken = fail()
        noop(after=delay(0.05), id="later")
        noop(after=broken, id="child")
    assert statuses(run(body, options={"fail_fast": False}))["child"] == "SKIPPED"
    assert statuses(run(body, options={"fail_fast": False}, fail_fast=True))["child"] == "CANCELLED"


def test_outputs_of_what_did_not_succeed_are_null():
    @task(trigger_rule="all_done")
    def see(whole, part):
        return [whole, part]

    def body():
        broken = fail()
        return see(broken, broken["a"])
    assert task_of(run(body), "see")["output"] == [None, None]


def test_a_path_to_nothing():
    result = run(lambda: give(give({"a": [1]})["a"][1]))
    assert task_of(result, "give_2")["error"] == {
        "kind": "start_error",
        "message": "input 'value': the output of task 'give' has nothing at '/a/1'"}


@pytest.mark.parametrize("pointer", ["/b", "/a/2", "/a/-1", "/a/01", "/a/x", "/a/0/x"])
def test_pointers_that_lead_nowhere(pointer):
    with pytest.raises(Unreachable):
        at_pointer({"a": [1, 2]}, pointer)


# ---- retries and timeouts ----


def test_retries():
    @task(retries=5)
    def third_time():
        if context.attempt < 3:
            raise KeyError("not yet")
        return context().attempt

    @task(retries=5, retry_on=["timeout", "exception:OSError"])
    def never():
        raise KeyError("x")

    @task(retries=2)
    def always():
        raise KeyError("x")

    result = run(lambda: (third_time(), never(), always(), None)[-1], fail_fast=False)
    assert [(each["status"], each["attempt"]) for each in result["task_runs"]] == [
        ("SUCCEEDED", 3), ("FAILED", 1), ("FAILED", 3)]
    assert task_of(result, "third_time")["error"] is None
    assert task_of(result, "always")["error"]["kind"] == "exception:KeyError"


@pytest.mark.parametrize("options, delays", [
    ({}, [0, 0]), ({"retry_delay_seconds": 2.5}, [2.5, 2.5]),
    ({"retry_delay_seconds": [1, 5, 30]}, [1, 5, 30, 30]),
    ({"retry_backoff": {"initial": 1, "factor": 3, "max": 20}}, [1, 3, 9, 20, 20]),
    ({"retry_backoff": {}}, [1, 2, 4])])
def test_retry_delays(options, delays):
    assert [retry_delay(options, used) for used in range(len(delays))] == delays
    jittered = [retry_delay({**options, "retry_jitter_factor": 0.5}, 0) for _ in range(50)]
    assert all(delays[0] <= each <= delays[0] * 1.5 for each in jittered)


def test_timeouts():
    forever = threading.Event()

    @task(timeout_seconds=0.05, retries=1, retry_on=["timeout"])
    def slow():
        forever.wait(30)

    def body():
        slow()
        shell("sleep 30 & wait", id="process", timeout_seconds=0.05)

    result = run(body, fail_fast=False)
    forever.set()
    assert statuses(result) == {"slow": "TIMED_OUT", "process": "TIMED_OUT"}
    assert task_of(result, "slow")["attempt"] == 2
    assert task_of(result, "slow")["error"] == {
        "kind": "timeout", "message": "the attempt took longer than its timeout of 0.05 s"}


def test_a_run_that_takes_too_long():
    result = run(lambda: noop(after=delay(60)), options={"timeout_seconds": 0.05})
    assert result["error"] == {"kind": "timeout",
                               "message": "the run took longer than its timeout of 0.05 s"}
    assert statuses(result) == {"delay": "CANCELLED", "noop": "CANCELLED"}


# ---- what a task may do ----


@pytest.mark.parametrize("act, kind, message", [
    (lambda: {1}, "invalid_result", "the return value is not JSON: Object of type set"),
    (lambda: float("inf"), "invalid_result", "the return value is not JSON: Out of range"),
    (lambda: "\ud800", "invalid_result", "the return value is not JSON: 'utf-8'"),
    (lambda: exit(3), "exit_code", "exit code 3"),
    (lambda: exit("so"), "exit_code", "exit code 1"),
    (lambda: exit(), "invalid_result", "the process ended without a result"),
    (lambda: 1 / 0, "exception:ZeroDivisionError", "ZeroDivisionError: division by zero"),
])
def test_failures_of_functions(act, kind, message):
    @task
    def work():
        return act()
    error = task_of(run(lambda: work()), "work")["error"]
    assert error["kind"] == kind and error["message"].startswith(message)


@pytest.mark.parametrize("command, output", [
    ("echo 1; echo '{\"a\": 1}'", {"a": 1}), ("echo text", "text"), ("true", None),
    ("echo NaN", "NaN"), ("printf 'no newline'", "no newline"), (["echo", "$HOME"], "$HOME"),
    ("echo x; echo", None), ("printf '\\377'", "\ufffd"), ("sleep 60 & echo x", "x")])
def test_shell_outputs(command, output):
    assert run(lambda: shell(command))["output"] == output


def test_a_shell_sees_its_inputs_and_little_else(monkeypatch):
    monkeypatch.setenv("SECRET", "s")

    def body(n: int):
        return [shell("cat", inputs={"n": n}, id="cat"),
                shell("echo $A $SECRET $DAGY_TASK_ID $DAGY_ATTEMPT", env={"A": "a"}, id="env"),
                shell("test \"$PWD\" = \"$HOME\" && touch a", id="here"),
                shell("pwd", working_directory="/", id="there")]
    assert run(body, {"n": 1})["output"] == {"cat": {"n": 1}, "env": "a env 1", "here": None,
                                             "there": "/"}


@pytest.mark.parametrize("command, kind, message", [
    ("exit 3", "exit_code", "exit code 3"), ("kill -9 $$", "exit_code", "ended by signal 9 (SIGKILL)"),
    ("kill -40 $$", "exit_code", "ended by signal 40"),
    (["/no/program"], "start_error", "[Errno 2]")])
def test_failures_of_commands(command, kind, message):
    error = task_of(run(lambda: shell(command)), "shell")["error"]
    assert error["kind"] == kind and error["message"].startswith(message)


@pytest.mark.parametrize("program, output, error", [
    (".inputs.a + .parameters.n", 3, None), ("1, 2", None, "more than one result"),
    ("empty", None, "no result"), ("error(\"x\")", None, "exit code 5"),
    ("-1", -1, None), ("env | length", 0, None)])
def test_transforms(program, output, error):
    def body(n: int = 2):
        return transform(program, inputs={"a": 1})
    result = run(body)
    assert result["output"] == output
    assert (error is None) == (result["status"] == "SUCCEEDED")
    assert error is None or error in result["error"]["message"]


def test_the_context_of_an_attempt():
    @task
    def who(name):
        return [context.run_id, context.task_id, context.attempt, context.map_index,
                context.idempotency_key, context() == context()]

    result = run(lambda: [[who(x) for x in give(["a"])], who("b")])
    run_id = result["run_id"]
    assert result["output"] == {
        "who": [[run_id, "who", 1, 0, f"{run_id}:who:0", True]],
        "who_2": [run_id, "who_2", 1, None, f"{run_id}:who_2", True]}


def test_a_context_of_the_environment(monkeypatch):
    with pytest.raises(RuntimeError, match="DAGY_RUN_ID is not set here"):
        context.run_id
    for name, value in {"RUN_ID": "r", "TASK_ID": "t", "ATTEMPT": "2", "MAP_INDEX": "",
                        "IDEMPOTENCY_KEY": "k"}.items():
        monkeypatch.setenv("DAGY_" + name, value)
    assert context() == dagy.RunContext("r", "t", 2, None, "k")
    monkeypatch.setenv("DAGY_MAP_INDEX", "7")
    assert context.map_index == 7


# ---- lists ----


def test_mapped_tasks():
    @task
    def square(n, index, plus=0):
        return [index, n * n + plus]

    def body(numbers: list):
        squares = [square(n, plus=1) for n in numbers]
        return [give(squares), [give(each) for each in squares]]

    result = run(body, {"numbers": [3, 1]})
    assert result["output"] == {"give": [[0, 10], [1, 2]], "give_2": [[0, 10], [1, 2]]}
    assert (task_of(result, "square")["attempt"], task_of(result, "square", 1)["output"]) == (
        0, [1, 2])
    assert run(body, {"numbers": []})["output"] == {"give": [], "give_2": []}


def test_mapped_tasks_of_other_types():
    def body(n: list):
        return [[transform(".inputs", inputs={"item": x, "a": 1}) for x in n],
                [delay(0.01, inputs={"item": x}) for x in n]]
    assert run(body, {"n": [5]})["output"] == {
        "transform": [{"item": 5, "index": 0, "a": 1}], "delay": [None]}


def test_a_shell_of_an_element_sees_its_number():
    def body(n: list):
        [shell("echo ${DAGY_MAP_INDEX-none}", inputs={"item": x}) for x in n]
        shell("echo ${DAGY_MAP_INDEX-none}", id="single")
    assert run(body, {"n": ["a", "b"]})["output"] == {"shell": [0, 1], "single": "none"}


def test_failures_of_elements():
    @task(max_failures=1)
    def invert(n):
        return 6 // n

    def body(numbers: list):
        return [invert(n) for n in numbers]

    result = run(body, {"numbers": [1, 0, 2]})
    assert result["output"] == [6, None, 3]
    result = run(body, {"numbers": [0, 0]}, max_workers=1)
    assert result["error"]["message"].startswith(
        "task 'invert' failed: element 1: ZeroDivisionError: integer division")
    assert statuses(result)["invert"] == "FAILED"


def test_a_failed_element_ends_the_others():
    @task(max_parallel=1)
    def work(n):
        return 1 // n

    def body(numbers: list):
        [work(n) for n in numbers]
    assert statuses(run(body, {"numbers": [1, 0, 1]})) == {
        "work": "FAILED", "work:0": "SUCCEEDED", "work:1": "FAILED", "work:2": "CANCELLED"}


@pytest.mark.parametrize("value, kind", [
    (3, "a number"), ("x", "a string"), ({}, "an object"), (None, "null"), (True, "a boolean")])
def test_only_lists_are_mapped(value, kind):
    result = run(lambda: [give(x) for x in give(value)])
    assert task_of(result, "give_2")["error"] == {
        "kind": "start_error", "message": f"map_over must be a list, not {kind}"}


class Gauge:
    """How many are inside at a time, at most. Everybody waits for `count` others, or a moment."""

    def __init__(self, count):
        self.lock, self.inside, self.most = threading.Lock(), 0, 0
        self.barrier = threading.Barrier(count)

    def __call__(self):
        with self.lock:
            self.inside += 1
            self.most = max(self.most, self.inside)
        self.barrier.wait(30)
        with self.lock:
            self.inside -= 1


@pytest.mark.parametrize("options, flow_options, workers, at_a_time", [
    ({"max_parallel": 2}, {}, None, 2), ({"concurrency_limit": 2}, {}, None, 2),
    ({}, {"max_parallel": 2}, None, 2), ({}, {}, 3, 3), ({}, {"max_parallel": 2}, 6, 2)])
def test_limits(options, flow_options, workers, at_a_time):
    gauge = Gauge(at_a_time)

    @task(**options)
    def work(n):
        gauge()

    def body(numbers: list):
        [work(n) for n in numbers]
    assert run(body, {"numbers": [0] * 6}, flow_options, max_workers=workers)["error"] is None
    assert gauge.most == at_a_time


def test_priorities():
    begun = []

    @task
    def note(name):
        begun.append(name)

    def body():
        for name, priority in (("low", -1), ("middle", 0), ("high", 5)):
            note.with_options(priority=priority)(name)
    run(body, max_workers=1)
    assert begun == ["high", "middle", "low"]


def test_long_chains_and_wide_lists():
    def chain():
        last = fail()
        for _ in range(2000):
            last = noop(after=last)
    result = run(chain, fail_fast=False)
    assert {each["status"] for each in result["task_runs"][1:]} == {"SKIPPED"}

    def wide(n: list):
        return join([give(x) for x in n])
    assert run(wide, {"n": list(range(2000))})["output"] == list(range(2000))


# ---- hooks ----


@pytest.mark.parametrize("breaks", [False, True])
def test_hooks(breaks):
    def body():
        fail() if breaks else give(1)

    result = run(body, options={
        "on_success": [lambda: give.with_options(id="good")("g")],
        "on_failure": [lambda: shell("exit 1", id="bad"), lambda: noop(id="other")],
        "on_cancel": [lambda: noop(id="never")]})
    assert result["status"] == ("FAILED" if breaks else "SUCCEEDED")  # hooks do not change it
    found = statuses(result)
    assert found["good"] == ("SKIPPED" if breaks else "SUCCEEDED")
    assert (found["bad"], found["other"]) == (("FAILED", "SUCCEEDED") if breaks else
                                              ("SKIPPED", "SKIPPED"))
    assert found["never"] == "SKIPPED"


# ---- refusals, before anything runs ----

ran = []


@task
def must_not_run(value=None, previous=None):
    ran.append(1)


@pytest.mark.parametrize("call, what", [
    (lambda: dagy.approval("?"), "type approval"), (lambda: dagy.http("GET", "x"), "type http"),
    (lambda: dagy.sql("c", "s"), "type sql"), (lambda: dagy.subflow("f"), "type subflow"),
    (lambda: dagy.branch({"a": "true"}), "type branch"), (lambda: dagy.node("agent", {}),
                                              "type agent"),
    (lambda: noop(when="true"), "when"),
    (lambda: noop(cache={"key": "1", "ttl_seconds": 1}), "cache"),
    (lambda: must_not_run.with_options(repeat_until="true")(), "repeat_until"),
    (lambda: noop(concurrency_limit=1, concurrency_key="1"), "concurrency_key"),
    (lambda: shell("echo {{ inputs.a }}"), "config.command has an expression"),
    (lambda: shell(["echo", "{{ 1 }}"]), "config.command.1 has an expression"),
    (lambda: shell("true", env={"A": "{{ 1 }}"}), "config.env.A has an expression"),
    (lambda: must_not_run(dagy.expression("1")), "input 'value' is an expression"),
    (lambda: must_not_run(dagy.variable("a")), "input 'value' is a variable"),
    (lambda: must_not_run(dagy.secret("a")), "input 'value' is a secret"),
    (lambda: [must_not_run(x) for x in dagy.expression("[1]")], "map_over is an expression"),
])
@pytest.mark.parametrize("is_hook", [False, True])
def test_what_needs_the_engine(call, what, is_hook):
    def body():
        first = must_not_run.with_options(id="first")()
        if not is_hook:
            call()
        return first

    if is_hook and "map_over" in what:
        return
    hooks = {"on_success": [lambda: call()]} if is_hook else {}
    with pytest.raises(FlowError, match=f"^task '[a-z_]+': {what}.*`dagy run FILE`"):
        run(body, options=hooks)
    assert not ran


def test_all_that_needs_the_engine_is_named():
    def body():
        noop(when="true", id="a")
        dagy.approval("?", id="b")
    with pytest.raises(FlowError, match="flow 'body': concurrency_key; task 'a': when; task 'b': "
                                        "type approval: a local run"):
        run(body, options={"concurrency_limit": 1, "concurrency_key": "1"})


def test_jq_programs_may_have_braces():
    assert run(lambda: transform("{a: {b: 1}} | .a", id="t"))["output"] == {"b": 1}


@pytest.mark.parametrize("parameters, rule", [
    ({}, "n: is required"), ({"n": None}, "n: is required"),
    ({"n": "1"}, "n: must be of type integer, not '1'"),
    ({"n": True}, "n: must be of type integer"), ({"n": 1.0}, "n: must be of type integer"),
    ({"n": 1, "m": 2}, "m: there is no such parameter"), ({"n": 1, "s": 3}, "s: must be of type"),
    ({"n": {1}}, "a set is not JSON")])
def test_refused_parameters(parameters, rule):
    def body(n: int, s: str = "x"):
        must_not_run(n)
    with pytest.raises(FlowError, match=rule):
        run(body, parameters)
    assert not ran


@pytest.mark.parametrize("options, rule", [
    ({"max_workers": 0}, "max_workers must be"), ({"max_workers": "2"}, "max_workers must be"),
    ({"fail_fast": "no"}, "fail_fast must be")])
def test_refused_options(options, rule):
    with pytest.raises(FlowError, match=rule):
        run(lambda: must_not_run(), **options)


def test_until():
    with pytest.raises(FlowError, match="task 'delay': until must be a time of ISO 8601 with its"):
        run(lambda: delay(until="2020-01-01T00:00:00"))
    assert run(lambda: delay(until="2020-01-01T00:00:00Z"))["status"] == "SUCCEEDED"


def test_no_flow():
    with pytest.raises(FlowError, match="is no flow"):
        run_local(give)


def test_jq_is_missing(monkeypatch):
    monkeypatch.setenv("PATH", "/nowhere")
    with pytest.raises(FlowError, match="needs the program jq"):
        run(lambda: transform("."))
