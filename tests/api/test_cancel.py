"""POST /runs/{run_id}/cancel: final at once, processes ended after it."""

import pytest

from client import eventually
from flows import flow, get_run, logs, noop_run, register, shell, statuses, task, trigger
from server import processes_of

CANCEL = "POST /runs/{run_id}/cancel"

# Says that it is there, then waits for its end without ever heeding SIGTERM.
STUBBORN = "trap '' TERM; echo there; while :; do sleep 0.1; done"


def started(client, tasks, **keys):
    """A run whose first task has written its first line."""
    spec = flow(tasks, **keys)
    register(client, spec)
    run_id = trigger(client, spec["name"])
    eventually(lambda: logs(client, run_id))
    return run_id


def cancel(client, run_id, status=200, **body):
    return client.call(CANCEL, status, path={"run_id": run_id}, body=body or None)


def test_a_run_under_way(owner):
    run_id = started(owner, [shell("a", "echo there; exec sleep 600"),
                             task("b", depends_on=["a"])])
    answer = cancel(owner, run_id, reason="not needed").json
    assert answer == {"run_id": run_id, "status": "CANCELLED"}
    view = get_run(owner, run_id)
    assert view["status"] == "CANCELLED" and view["output"] is None
    assert view["error"] == {"kind": "cancelled", "message": "not needed"}
    view = eventually(lambda: (found := get_run(owner, run_id))["finished_at"] and found)
    assert statuses(view) == {"a": "CANCELLED", "b": "CANCELLED"}
    cancel(owner, run_id, 409)


def test_a_task_that_ignores_sigterm(owner):
    run_id = started(owner, [shell("stubborn", STUBBORN)])
    cancel(owner, run_id)
    view = get_run(owner, run_id)
    assert view["status"] == "CANCELLED" and view["finished_at"] is None
    cancel(owner, run_id, 409)
    view = eventually(lambda: (found := get_run(owner, run_id))["finished_at"] and found)
    assert view["status"] == "CANCELLED"
    assert statuses(view) == {"stubborn": "CANCELLED"}


def test_the_default_reason_names_who_did_it(owner, developer):
    run_id = started(owner, [shell("a", "echo there; exec sleep 600")])
    cancel(developer, run_id)
    assert "developer@default.test" in get_run(owner, run_id)["error"]["message"]


def test_a_finished_run(owner):
    run_id = noop_run(owner)["run_id"]
    before = get_run(owner, run_id)
    assert "final" in cancel(owner, run_id, 409).detail
    assert get_run(owner, run_id) == before


@pytest.mark.parametrize("body, path", [
    ({"reason": 1}, "/reason"), ({"reason": "x" * 4097}, "/reason"), ({"force": True}, "/force"),
])
def test_bad_bodies(owner, body, path):
    run_id = noop_run(owner)["run_id"]
    assert cancel(owner, run_id, 422, **body).error_paths == {path}


def test_another_organization(owner, stranger):
    run_id = started(owner, [shell("a", "echo there; exec sleep 600")])
    cancel(stranger, run_id, 404)
    assert get_run(owner, run_id)["status"] == "RUNNING"
    cancel(owner, run_id)


def test_children_of_a_task_end_with_it(owner):
    command = "sleep 600 & sh -c 'trap \"\" TERM; sleep 600' & echo $!; wait"
    run_id = started(owner, [shell("parent", command)])
    eventually(lambda: len(processes_of(run_id)) >= 3)
    cancel(owner, run_id)
    eventually(lambda: get_run(owner, run_id)["finished_at"])
    assert processes_of(run_id) == []
