"""The database stops and comes back under a server at work, which stays and goes on by itself."""

import random
import time

import pytest

import processes
from load import Caller
from work import Work

AWAY_SECONDS = 1.5
STOPS = ("fast", "immediate") * 3
DRAIN_SECONDS = 2
GRACE_SECONDS = 5  # SIGTERM to SIGKILL of a task
SLACK_SECONDS = 5


def is_unhealthy(caller):
    status, answer = caller.call("GET", "/health")
    store = next(each for each in answer["components"] if each["name"] == "store")
    return status == 503 and answer["status"] == store["status"] == "unhealthy"


def is_healthy(caller):
    return caller.call("GET", "/health")[1]["status"] != "unhealthy"


def test_stops_under_load(cluster, make_node, seed, tmp_path):
    draw = random.Random(seed)
    node = make_node().start()
    caller = Caller(node).log_in()
    with Work(node, tmp_path, seed) as work:
        back = []
        for mode in STOPS:
            work.goes_on()
            time.sleep(draw.uniform(0.2, 1))
            cluster.stop(mode)
            processes.wait_until(lambda: is_unhealthy(caller), 10, "/health says so")
            until = time.monotonic() + AWAY_SECONDS
            while time.monotonic() < until:
                assert caller.call("GET", "/runs")[0] == 503
                assert caller.call("GET", "/health/live")[0] == 200
                time.sleep(0.1)
            cluster.start()
            back.append(work.goes_on())
        print("seconds until the first run after a start:", [f"{each:.2f}" for each in back])
        processes.wait_until(lambda: is_healthy(caller), 10, "/health says so")
        assert work.finish() == 0
    caller.close()
    assert node.stop() == 0
    work.check_stopped(node)
    assert len(work.load.acknowledged) > 50


@pytest.mark.parametrize("how", ["stopped", "silent"])
def test_sigterm_while_it_is_away(how, cluster, database, make_node, gate, seed, tmp_path):
    node = make_node(DAGY_DATABASE_URL=gate.url(database.url), DAGY_DRAIN_SECONDS=DRAIN_SECONDS)
    node.start()
    with Work(node, tmp_path, seed) as work:
        work.goes_on()
        time.sleep(1)
        if how == "stopped":
            cluster.stop("immediate")
        else:
            gate.hold()
        time.sleep(0.5)
        work.probe.stopping.set()
        began = time.monotonic()
        node.terminate()
        node.wait()
        took = time.monotonic() - began
        print(f"{how}: ended after {took:.2f} s with {node.process.returncode}")
        if how == "stopped":
            cluster.start()
        else:
            gate.open()
        assert processes.of_attempts(node.data_dir) == {}
        node.start()
        work.finish()
    assert node.stop() == 0
    work.check_stopped(node)
    assert took < DRAIN_SECONDS + GRACE_SECONDS + SLACK_SECONDS
