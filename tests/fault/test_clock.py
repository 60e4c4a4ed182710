"""The wall clock of a server at work is set by an hour, forward and back.

Times of delays, retries and time limits are instants of the wall clock, because they outlive the
process: forward they are over at once, back they last until the clock has come to them again."""

import time

import check
import processes
from faults import Faults
from load import Caller, read_evidence, shell

HOUR = 3_600_000_000  # microseconds
NOTICE_SECONDS = 10  # the run loop looks at the clock every second
FAILS_ONCE = 'if [ "$DAGY_ATTEMPT" = 1 ]; then say end; exit 3; fi'


def flow(evidence, seconds):
    """What waits for a time: each for so long."""
    return {"name": f"waits_{seconds}", "fail_fast": False, "tasks": [
        {"id": "delay", "type": "delay", "config": {"seconds": seconds}},
        shell("after", evidence, ["delay"], lines=1),
        shell("retried", evidence, lines=1, retries=1, retry_delay_seconds=seconds, body=FAILS_ONCE),
        {"id": "limited", "type": "shell", "config": {"command": "sleep 600"},
         "timeout_seconds": seconds}]}


def post(caller, name):
    status, answer = caller.call("POST", "/runs", {"flow_name": name})
    assert status == 202, answer
    return answer["run_id"]


def tasks_of(caller, run_id):
    return {task["task_id"]: task for task in caller.get(f"/runs/{run_id}")["task_runs"]}


def wait_for(caller, run_id, **statuses):
    def reached():
        tasks = tasks_of(caller, run_id)
        return all(tasks[name]["status"] == status for name, status in statuses.items())
    processes.wait_until(reached, NOTICE_SECONDS, f"{statuses}, not {tasks_of(caller, run_id)}")


WAITING = {"delay": "WAITING", "retried": "RETRYING", "limited": "RUNNING"}
OVER = {"after": "SUCCEEDED", "retried": "SUCCEEDED", "limited": "TIMED_OUT"}


def check_once(run_id, evidence):
    """Nothing has fired twice: one process of each attempt."""
    seen = read_evidence(evidence)
    assert [attempt for _, attempt, _, what in seen[run_id, "after"] if what == "begin"] == [1]
    assert [attempt for _, attempt, _, what in seen[run_id, "retried"] if what == "begin"] == [1, 2]


def start(make_server, tmp_path, seconds):
    faults = Faults(tmp_path / "faults")
    evidence = tmp_path / "evidence"
    server = make_server(DAGY_DRAIN_SECONDS=0, **faults.settings).start()
    caller = Caller(server).log_in()
    caller.register(flow(evidence, seconds))
    return faults, evidence, server, caller


def end(server, caller, run_id):
    """Cancels what still runs, and stops: two runs have ended, each once."""
    assert caller.call("POST", f"/runs/{run_id}/cancel", {})[0] in (200, 409)
    processes.wait_until(lambda: caller.get(f"/runs/{run_id}")["finished_at"], NOTICE_SECONDS, run_id)
    assert server.stop() == 0
    assert len(check.ended_runs(server)) == 2


def test_forward(make_server, tmp_path):
    faults, evidence, server, caller = start(make_server, tmp_path, 600)
    run_id = post(caller, "waits_600")
    wait_for(caller, run_id, **WAITING)
    faults["clock_microseconds"] = HOUR
    wait_for(caller, run_id, **OVER)
    faults["clock_microseconds"] = 0  # the past that comes back is no reason to do it again
    later = post(caller, "waits_600")
    wait_for(caller, later, **WAITING)
    assert check.number_of(later) > check.number_of(run_id)
    check_once(run_id, evidence)
    end(server, caller, later)


def test_back(make_server, tmp_path):
    faults, evidence, server, caller = start(make_server, tmp_path, 2)
    run_id = post(caller, "waits_2")
    wait_for(caller, run_id, **WAITING)
    faults["clock_microseconds"] = -HOUR
    time.sleep(4)  # it must not happen, and there is no signal of that
    tasks = tasks_of(caller, run_id)
    assert {name: tasks[name]["status"] for name in WAITING} == WAITING, tasks
    # What begins now keeps its times, and comes after what there was.
    later = post(caller, "waits_2")
    assert check.number_of(later) > check.number_of(run_id)
    wait_for(caller, later, **OVER)
    assert caller.get("/health")["status"] in ("healthy", "degraded")
    # A restart does not lose what waits.
    assert server.stop() == 0
    server.start()
    caller.close()
    wait_for(caller, run_id, delay="WAITING", retried="RETRYING")
    faults["clock_microseconds"] = 0
    wait_for(caller, run_id, after="SUCCEEDED", retried="SUCCEEDED")
    check_once(run_id, evidence)
    check_once(later, evidence)
    end(server, caller, run_id)
