"""A scripted flow of which every sync, of a commit or of an object, is in turn where the server is
killed, before it or after it, or fails, which must end the server."""

import signal

import pytest

import check
import load
import processes
from faults import Faults
from load import Caller, Lost, noop, shell

pytestmark = pytest.mark.sqlite_only("counts the syncs of the server itself")
END_SECONDS = 30
HALF = """printf '"'; printf "$DAGY_RUN_ID"; head -c 40000 /dev/zero | tr '\\0' x; echo '"'"""


def flows(evidence):
    child = {"name": "child", "tasks": [shell("inside", evidence, lines=3)]}
    mapped = shell("mapped", evidence, ["first"], lines=3, map_over={"literal": [1, 2]})
    parent = {"name": "parent", "tasks": [
        shell("first", evidence, lines=3),
        mapped,
        shell("retried", evidence, ["first"], lines=3, retries=1, retry_delay_seconds=0.05,
              body='if [ "$DAGY_ATTEMPT" = 1 ]; then say end; exit 3; fi'),
        {"id": "big", "type": "shell", "depends_on": ["first"], "config": {"command": HALF},
         "map_over": {"literal": [1, 2]}},  # both outputs together are an object
        {"id": "sub", "type": "subflow", "depends_on": ["first"],
         "config": {"flow": "child", "parameters": {}, "wait": True}},
        {"id": "ask", "type": "approval", "depends_on": ["mapped", "retried", "big", "sub"],
         "config": {"message": "go on?"}},
        noop("beside", ["ask"]),
        shell("last", evidence, ["beside"], lines=3)]}
    return child, parent


class Client:
    """Follows the script over any number of deaths of the server."""

    def __init__(self, server, caller, faults, fault):
        self.server = server
        self.caller = caller
        self.faults = faults
        self.fault = fault
        self.deaths = 0

    def insist(self, request):
        """The answer of `request`, however often the server dies of it."""
        while True:
            try:
                return request()
            except Lost:
                self.start_again()

    def start_again(self):
        died_of = -signal.SIGABRT if self.fault == "fail" else -signal.SIGKILL
        assert self.server.wait() == died_of, self.server.log()
        self.deaths += 1
        before = processes.of_attempts(self.server.data_dir)
        # The first start after it dies, too, of its recovery.
        self.faults.at_sync(1 if self.deaths == 1 else 0, self.fault)
        self.caller.close()
        try:
            self.server.start()
        except AssertionError:
            return self.start_again()
        alive = processes.of_attempts(self.server.data_dir)
        left = {pid for pid, started in before.items() if alive.get(pid) == started}
        assert not left, f"processes of the killed server live on: {left}"

    def play(self, request):
        """One run of the parent flow from its creation to its end."""
        run_id = self.insist(lambda: self.create(request))
        self.insist(lambda: self.approve(run_id))
        return self.insist(lambda: processes.wait_until(
            lambda: (run := self.caller.get(f"/runs/{run_id}"))["finished_at"] and run,
            END_SECONDS, f"the end of {run_id}"))

    def create(self, request):
        status, answer = self.caller.call("POST", "/runs", {"flow_name": "parent"},
                                          {"Idempotency-Key": request})
        assert status in (200, 202), answer
        return answer["run_id"]

    def approve(self, run_id):
        def decided():
            status, answer = self.caller.call(
                "POST", f"/runs/{run_id}/tasks/ask/decision", {"decision": "approve"})
            if status == 200:
                return True
            assert status in (404, 409), answer
            run = self.caller.get(f"/runs/{run_id}")
            assert run["status"] in ("QUEUED", "RUNNING", "SUCCEEDED"), run
            tasks = {task["task_id"]: task for task in run["task_runs"]}
            return "ask" in tasks and tasks["ask"]["status"] == "SUCCEEDED"  # before it died
        processes.wait_until(decided, END_SECONDS, f"the approval of {run_id}")


def check_run(run, evidence, deaths):
    """One end, and of each task the last process that began counts and came to its end."""
    assert run["status"] == "SUCCEEDED", run
    tasks = {task["task_run_id"].split(":", 1)[1]: task for task in run["task_runs"]}
    assert {task["status"] for task in tasks.values()} == {"SUCCEEDED"}, tasks
    for name in ("first", "retried", "last"):
        lost = check.processes(tasks[name], evidence[run["run_id"], name], name == "retried")
        assert 0 <= lost <= deaths
    begun = [entry for entry in evidence[run["run_id"], "mapped"] if entry[3] == "begin"]
    assert 2 <= len(begun) <= 2 * (1 + deaths)
    first = evidence[run["run_id"], "first"][-1][0]
    assert first < min(place for place, *_ in evidence[run["run_id"], "mapped"])


def check_children(server, parents):
    """The sub-flow is one run of each run, whatever happened at its beginning."""
    rows = server.database.rows("SELECT parent_run FROM run WHERE flow_name = ?", ["child"])
    assert sorted(parent for parent, in rows) == sorted(check.number_of(run) for run in parents)


@pytest.mark.parametrize("fault", ["kill_before", "kill_after", "fail"])
def test_every_sync(make_server, tmp_path, fault):
    evidence = tmp_path / "evidence"
    faults = Faults(tmp_path / "faults")
    server = make_server(**faults.settings).start()
    caller = Caller(server).log_in()
    for flow in flows(evidence):
        caller.register(flow)
    number = 0
    acknowledged = []
    while True:
        number += 1
        client = Client(server, caller, faults, fault)
        faults.at_sync(number, fault)
        run = client.play(f"{fault}-{number}")
        acknowledged.append(run["run_id"])
        check_run(run, load.read_evidence(evidence), client.deaths)
        if faults["syncs"] < number and client.deaths == 0:
            break
        assert client.deaths > 0, "it lived on"
    faults.at_sync(0, fault)
    assert server.stop() == 0
    assert processes.of_attempts(server.data_dir) == {}
    check.finished_runs(server, acknowledged)
    check_children(server, acknowledged)
    print(f"{number - 1} syncs")
    assert number > 10
