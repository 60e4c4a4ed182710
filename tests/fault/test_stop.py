"""SIGTERM: the server finishes what runs, ends what does not want to end, and can be hurried."""

import signal
import time

import pytest

import check
import processes
import server as servers
from load import TASK, Caller, Load, flows, noop, read_evidence

GRACE_SECONDS = 5  # SIGTERM to SIGKILL of a task
SLACK_SECONDS = 10  # of a machine that is busy


def start_run(caller, flow):
    caller.register(flow)
    status, answer = caller.call("POST", "/runs", {"flow_name": flow["name"]})
    assert status == 202, answer
    return answer["run_id"]


def one_task(command, **more):
    return {"name": "one", "tasks": [{"id": "task", "type": "shell",
                                      "config": {"command": command}, **more}]}


def wait_for_line(caller, run_id, text):
    """Until the task has written this line."""
    processes.wait_until(
        lambda: text in [line["message"] for line in caller.items(f"/runs/{run_id}/logs")],
        SLACK_SECONDS, f"the line {text!r}")


def wait_for_end(caller, run_id):
    def ended():
        run = caller.get(f"/runs/{run_id}")
        return run if run["finished_at"] else None
    return processes.wait_until(ended, GRACE_SECONDS + SLACK_SECONDS, f"the end of {run_id}")


def ended_in_order(server, caller, specs, load, evidence):
    for run_id in load.acknowledged:
        wait_for_end(caller, run_id)
    seen = read_evidence(evidence)
    lost = sum(check.run(caller, run_id, specs[flow], seen)
               for run_id, flow in load.acknowledged.items())
    assert server.stop() == 0
    check.database(server, load.acknowledged, load.requests)
    return lost


def test_drain_under_load(make_server, seed, tmp_path):
    """What runs is finished, what was acknowledged goes on after the next start: nothing is lost."""
    evidence = tmp_path / "evidence"
    server = make_server().start()
    caller = Caller(server).log_in()
    specs = flows(evidence)
    for flow in specs.values():
        caller.register(flow)
    load = Load(server, caller.token, seed, threads=4)
    load.start()
    try:
        for _ in range(3):
            time.sleep(1)
            assert server.stop() == 0, server.log()
            assert processes.of_attempts(server.data_dir) == {}
            caller.close()
            server.start()
    finally:
        load.stop()
    assert len(load.acknowledged) > 50
    assert ended_in_order(server, caller, specs, load, evidence) == 0


def test_drain_waits_for_a_task(make_server, tmp_path):
    evidence = tmp_path / "evidence"
    gate = tmp_path / "gate"
    body = f"echo waiting; while [ ! -e {gate} ]; do sleep 0.02; done"
    flow = one_task(TASK.format(evidence=evidence, body=body, lines=2))
    flow["tasks"].append(noop("after", ["task"]))
    server = make_server().start()
    caller = Caller(server).log_in()
    run_id = start_run(caller, flow)
    wait_for_line(caller, run_id, "waiting")
    server.terminate()
    processes.wait_until(lambda: '"stopping"' in server.log(), SLACK_SECONDS, "the signal")
    processes.wait_until(  # it takes no new runs …
        lambda: caller.call("POST", "/runs", {"flow_name": "one"})[0] == 503, SLACK_SECONDS, "503")
    assert caller.get(f"/runs/{run_id}")["status"] == "RUNNING"  # … but answers, and waits
    gate.touch()
    assert server.wait() == 0, server.log()
    server.start()
    caller.close()
    run = wait_for_end(caller, run_id)
    assert run["status"] == "SUCCEEDED"
    assert [what for *_, what in read_evidence(evidence)[run_id, "task"]] == ["begin", "end"]


def test_drain_ends_a_task_that_takes_too_long(make_server):
    """After the time to drain its process is ended; the next start runs it again."""
    server = make_server(DAGY_DRAIN_SECONDS=1).start()
    caller = Caller(server).log_in()
    run_id = start_run(caller, one_task("echo begin; if [ ! -e seen ]; then touch seen; sleep 600; fi"))
    wait_for_line(caller, run_id, "begin")
    began = time.monotonic()
    assert server.stop() == 0, server.log()
    assert time.monotonic() - began < 1 + GRACE_SECONDS + SLACK_SECONDS
    assert processes.of_attempts(server.data_dir) == {}
    server.start()
    caller.close()
    run = wait_for_end(caller, run_id)
    assert run["status"] == "SUCCEEDED"
    assert run["task_runs"][0]["attempt"] == 1  # a stop is no failure of the task
    assert server.stop() == 0


DEAF = "trap '' TERM; echo deaf; while :; do sleep 0.05; done"


def test_cancel_of_a_task_that_ignores_sigterm(make_server):
    server = make_server().start()
    caller = Caller(server).log_in()
    run_id = start_run(caller, one_task(DEAF))
    wait_for_line(caller, run_id, "deaf")
    assert processes.of_attempts(server.data_dir)
    began = time.monotonic()
    status, answer = caller.call("POST", f"/runs/{run_id}/cancel", {})
    assert (status, answer["status"]) == (200, "CANCELLED")
    run = caller.get(f"/runs/{run_id}")
    assert run["status"] == "CANCELLED" and run["finished_at"] is None  # its process still lives
    run = wait_for_end(caller, run_id)
    assert run["status"] == "CANCELLED"
    assert time.monotonic() - began >= GRACE_SECONDS - 0.1
    assert processes.of_attempts(server.data_dir) == {}
    assert server.stop() == 0


def test_time_limit_of_a_task_that_ignores_sigterm(make_server):
    server = make_server().start()
    caller = Caller(server).log_in()
    run = wait_for_end(caller, start_run(caller, one_task(DEAF, timeout_seconds=0.5)))
    assert run["status"] == "FAILED"
    task, = run["task_runs"]
    assert (task["status"], task["error"]["kind"]) == ("TIMED_OUT", "timeout")
    assert processes.of_attempts(server.data_dir) == {}
    assert server.stop() == 0


def test_stop_kills_a_task_that_ignores_sigterm(make_server):
    server = make_server(DAGY_DRAIN_SECONDS=0).start()
    caller = Caller(server).log_in()
    wait_for_line(caller, start_run(caller, one_task(DEAF)), "deaf")
    began = time.monotonic()
    assert server.stop() == 0, server.log()
    assert time.monotonic() - began < GRACE_SECONDS + SLACK_SECONDS
    assert processes.of_attempts(server.data_dir) == {}


def test_second_sigterm_stops_at_once(make_server):
    server = make_server(DAGY_DRAIN_SECONDS=300).start()
    caller = Caller(server).log_in()
    run_id = start_run(caller, one_task(
        "echo begin; trap '' TERM; if [ ! -e seen ]; then touch seen; sleep 600; fi"))
    wait_for_line(caller, run_id, "begin")
    server.terminate()
    processes.wait_until(lambda: '"stopping"' in server.log(), SLACK_SECONDS, "the first signal")
    began = time.monotonic()
    server.terminate()
    assert server.wait() == 128 + signal.SIGTERM
    assert time.monotonic() - began < 2
    server.start()  # waits until the task's process is gone
    caller.close()
    assert wait_for_end(caller, run_id)["status"] == "SUCCEEDED"
    assert server.stop() == 0


def test_second_server_on_the_same_directory_is_refused(make_server, tmp_path):
    first = make_server().start()
    second = servers.Server(tmp_path)
    with pytest.raises(AssertionError, match="in use by another dagy process"):
        second.start()
    assert second.wait() == 1
    caller = Caller(first).log_in()
    assert caller.get("/health")["status"] == "healthy"
    assert first.stop() == 0
