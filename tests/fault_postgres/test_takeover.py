"""Two servers on one database: one works, the other takes over when it must, and only then."""

import threading
import time

import pytest

import processes
from gate import BEFORE, HOLD, Gate
from load import Caller, Lost
from node import Nodes
from work import Work

TAKEOVER_SECONDS = 15  # of one that is silent: docs say so
RELEASE_SECONDS = 3
AGAIN_SECONDS = 5
SHORT_PAUSE_SECONDS = 5
LONG_PAUSE_SECONDS = {False: 60, True: 20}  # in a commit


class Pair:
    """The first works, the second stands by."""

    def __init__(self, make_node, **settings_of_first):
        self.first = make_node("first", **settings_of_first).start()
        self.second = make_node("second").launch()
        self.second.wait_until_standing_by()
        self.nodes = Nodes(self.first, self.second)

    def work(self, directory, seed):
        # A request to a paused server hangs until the client gives up.
        return Work(self.nodes, directory, seed, slowest=40)

    def ends(self, work):
        for node in (self.first, self.second):
            if node.process.poll() is None:
                assert node.stop() == 0, node.log()[-2000:]
        work.check_stopped(self.first, self.second)


@pytest.fixture
def pair(make_node):
    return Pair(make_node)


def test_one_that_stands_by_says_so(pair):
    caller = Caller(pair.second)
    assert caller.call("GET", "/health/live")[0] == 200
    for method, path in (("GET", "/health"), ("GET", "/runs"), ("POST", "/runs")):
        status, answer = caller.call(method, path)
        assert status == 503 and "stands by" in answer["detail"], (path, status, answer)
    caller.close()
    assert pair.second.stop() == 0
    assert pair.first.stop() == 0


def test_after_sigterm(pair, seed, tmp_path):
    """Again and again: at once, and no process is lost."""
    with pair.work(tmp_path, seed) as work:
        working, other = pair.first, pair.second
        for _ in range(3):
            work.goes_on()
            time.sleep(0.5)
            working.terminate()
            assert working.wait() == 0
            ended = time.monotonic()
            took = other.wait_until_ready() - ended
            print(f"taken over {took:.2f} s after the end")
            assert took < RELEASE_SECONDS
            work.goes_on()
            working.launch().wait_until_standing_by()
            working, other = other, working
        assert work.finish() == 0
    pair.ends(work)


def test_after_a_kill(pair, seed, tmp_path):
    with pair.work(tmp_path, seed) as work:
        working, other = pair.first, pair.second
        lost = 0
        for _ in range(2):
            work.goes_on()
            lost += len(processes.wait_until(lambda: processes.of_attempts(working.data_dir), 10,
                                             "a process"))
            working.kill()
            killed = time.monotonic()
            took = other.wait_until_ready(TAKEOVER_SECONDS) - killed
            print(f"taken over {took:.2f} s after the kill")
            work.goes_on()
            working.launch().wait_until_standing_by()
            working, other = other, working
        assert work.finish() <= lost
    pair.ends(work)


def test_the_same_again_does_not_wait(pair, seed, tmp_path):
    with pair.work(tmp_path, seed) as work:
        work.goes_on()
        pair.first.kill()
        began = time.monotonic()
        pair.first.launch()
        took = pair.first.wait_until_ready() - began
        print(f"ready {took:.2f} s after its start")
        assert took < AGAIN_SECONDS
        work.goes_on()
        work.finish()
        assert not pair.second.is_working()
    pair.ends(work)


def test_of_two_one_takes_over(make_node, seed, tmp_path):
    nodes = [make_node("n0").start()]
    nodes += [make_node(f"n{i}").launch() for i in (1, 2, 3)]
    for node in nodes[1:]:
        node.wait_until_standing_by()
    with Work(Nodes(*nodes), tmp_path, seed, slowest=40) as work:
        for stop in ("SIGTERM", "kill"):
            work.goes_on()
            working, = [node for node in nodes if node.is_working()]
            others = [node for node in nodes if node.process.poll() is None and node is not working]
            if stop == "kill":
                working.kill()
            else:
                assert working.stop() == 0
            processes.wait_until(lambda: any(node.is_working() for node in others),
                                 TAKEOVER_SECONDS, "a takeover")
            work.goes_on()
            time.sleep(3)
            assert sum(node.is_working() for node in others) == 1
        work.finish()
    for node in nodes:
        if node.process.poll() is None:
            assert node.stop() == 0
    work.check_stopped(*nodes)


def test_after_a_short_pause_it_goes_on(pair, seed, tmp_path):
    with pair.work(tmp_path, seed) as work:
        for _ in range(2):
            work.goes_on()
            pair.first.pause()
            time.sleep(SHORT_PAUSE_SECONDS)
            pair.first.resume()
            work.goes_on()
        assert not pair.second.is_working()
        assert work.finish() == 0
    pair.ends(work)


def ask_of_paused(node, token, count=4):
    """Requests that wait for it in the kernel; the list gets what they are told."""
    told = []

    def ask():
        try:
            told.append(Caller(node, token).call(
                "POST", "/runs", {"flow_name": "chain", "parameters": {"request": "late"}})[0])
        except Lost:
            told.append(None)
    threads = [threading.Thread(target=ask) for _ in range(count)]
    for thread in threads:
        thread.start()
    return threads, told


@pytest.mark.parametrize("in_a_commit", [False, True])
def test_after_a_long_pause_it_ends(make_node, database, seed, tmp_path, in_a_commit):
    """Also one that is paused, and cut off, in the middle of a transaction, which holds its row."""
    with Gate.to(database.url) as gate:
        pair = Pair(make_node, DAGY_DATABASE_URL=gate.url(database.url))
        old, new = pair.first, pair.second
        with pair.work(tmp_path, seed) as work:
            work.goes_on()
            time.sleep(0.5)
            if in_a_commit:
                gate.cut_at_commit(BEFORE, 3, HOLD).wait()
            old.pause()
            paused = time.monotonic()
            took = new.wait_until_ready(TAKEOVER_SECONDS) - paused
            print(f"taken over {took:.2f} s after the pause")
            work.goes_on(40)
            time.sleep(max(0, paused + LONG_PAUSE_SECONDS[in_a_commit] - time.monotonic()))
            if in_a_commit:
                gate.open()  # the held COMMIT arrives
            threads, told = ask_of_paused(old, work.caller.token)
            time.sleep(0.2)
            old.resume()
            resumed = time.monotonic()
            assert old.wait() == 1, old.log()[-2000:]
            print(f"ended {time.monotonic() - resumed:.2f} s after it was resumed")
            assert time.monotonic() - resumed < 10
            for thread in threads:
                thread.join()
            assert set(told) <= {None, 503}, told
            assert processes.of_attempts(old.data_dir) == {}
            assert new.is_working()
            work.goes_on()
            print("processes lost:", work.finish())
        pair.ends(work)
