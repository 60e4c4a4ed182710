"""kill -9 of the real server, twenty times or for DAGY_FAULT_KILL_SECONDS, under load."""

import itertools
import os
import random
import time

import check
import processes
from load import Caller, Load, flows, read_evidence

KILLS = 20
KILL_SECONDS = float(os.environ.get("DAGY_FAULT_KILL_SECONDS", "0"))
THREADS = 6
# A task that is lost four times is given up (kind node_lost), so at least every third time the
# server lives until all that it found at its start has ended.
SETTLE_EVERY = 3
SETTLE_SECONDS = 60


def kill(server):
    server.process.kill()
    assert server.wait() == -9


def settle(caller, load):
    """Waits until every run that was acknowledged by now has ended."""
    for run_id in load.acknowledged_since_last_time():
        processes.wait_until(lambda: caller.get(f"/runs/{run_id}")["finished_at"], SETTLE_SECONDS,
                             f"the end of {run_id}")


def start_again(server, before):
    """Nothing that the dead server started may outlive its successor's first word."""
    server.start()
    alive = processes.of_attempts(server.data_dir)
    left = {pid for pid, started in before.items() if alive.get(pid) == started}
    assert not left, f"processes of the killed server live on: {left}"


def test_kill(make_server, seed, tmp_path):
    draw = random.Random(seed)
    evidence = tmp_path / "evidence"
    server = make_server().start()
    caller = Caller(server).log_in()
    specs = flows(evidence)
    for flow in specs.values():
        caller.register(flow)
    load = Load(server, caller.token, seed, THREADS)
    load.start()
    orphans = kills = 0
    until = time.monotonic() + KILL_SECONDS
    try:
        for number in itertools.count():
            if number >= KILLS and time.monotonic() >= until:
                break
            if number % SETTLE_EVERY == SETTLE_EVERY - 1:
                settle(caller, load)
            time.sleep(draw.uniform(0.05, 1.2))
            before = processes.of_attempts(server.data_dir)
            kill(server)
            orphans += len(before)
            kills += 1
            caller.close()
            start_again(server, before)
    finally:
        load.stop()
    settle(caller, load)

    seen = read_evidence(evidence)
    lost = sum(check.run(caller, run_id, specs[flow], seen)
               for run_id, flow in load.acknowledged.items())
    assert server.stop() == 0
    check.database(server, load.acknowledged, load.requests)
    assert processes.of_attempts(server.data_dir) == {}
    # The test is worth something only if the kills hit work.
    print(f"{kills} kills, {len(load.acknowledged)} runs, {lost} processes lost, {orphans} alive at a kill, "
          f"{load.repeats} requests repeated")
    assert len(load.acknowledged) > 200
    assert lost > 5 and orphans > 5 and load.repeats > 10
