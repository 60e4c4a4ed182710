"""Work on a server while its database fails: the load, a client that times each answer, and the
check of what came of it all."""

import collections
import random
import threading
import time

import check
import processes
from load import Caller, Load, Lost, flows, noop, read_evidence

SETTLE_SECONDS = 60


class Work:
    """Runs with evidence, until finish(). Also a context manager, which only ends the threads."""

    def __init__(self, server, directory, seed, threads=4, slowest=8):
        self.server = server
        self.evidence = directory / "evidence"
        self.slowest = slowest
        self.caller = Caller(server).log_in()
        self.specs = flows(self.evidence)
        for flow in self.specs.values():
            self.caller.register(flow)
        self.load = Load(server, self.caller.token, seed, threads)
        self.probe = Probe(server, self.caller.token, self.load)
        self.is_over = False

    def __enter__(self):
        self.load.start()
        self.probe.thread.start()
        return self

    def __exit__(self, *unused):
        self.stop()

    def stop(self):
        if self.is_over:
            return
        self.is_over = True
        self.probe.stop()
        self.load.stop()

    def goes_on(self, seconds=15):
        """Waits until a run is acknowledged; returns how long that took."""
        began, before = time.monotonic(), len(self.load.acknowledged)
        processes.wait_until(lambda: self.load.problems or len(self.load.acknowledged) > before,
                             seconds, "an acknowledged run")
        assert not self.load.problems, self.load.problems[:3]
        return time.monotonic() - began

    def finish(self):
        """All that was acknowledged has ended as it should; returns how many processes were lost."""
        self.stop()
        self.caller.close()
        self._settle()
        seen = read_evidence(self.evidence)
        lost = sum(check.run(self.caller, run, self.specs[flow], seen)
                   for run, flow in self.load.acknowledged.items())
        self.caller.close()
        print(f"{len(self.load.acknowledged)} runs, {lost} processes lost, "
              f"{self.load.repeats} requests repeated; {self.probe}")
        assert self.probe.problems == []
        assert self.probe.slowest < self.slowest, self.probe
        return lost

    def _settle(self):
        for run in self.load.acknowledged:
            processes.wait_until(lambda: self._has_ended(run), SETTLE_SECONDS, f"the end of {run}")

    def _has_ended(self, run):
        status, view = self.caller.call("GET", f"/runs/{run}")
        return status == 200 and view["finished_at"]

    def check_stopped(self, *nodes):
        """Once all servers have ended."""
        check.database(nodes[0], self.load.acknowledged, self.load.requests)
        for node in nodes:
            assert processes.of_attempts(node.data_dir) == {}


class Probe:
    """One client that asks for this and that, and notes what it is told and how long that took."""

    EXPECTED = {200, 201, 202, 503}

    def __init__(self, server, token, load):
        self.caller = Caller(server, token)
        self.load = load
        self.answers = collections.Counter()  # (what, status)
        self.slowest = 0.0
        self.problems = []
        self.stopping = threading.Event()
        self.thread = threading.Thread(target=self._work)

    def __repr__(self):
        told = ", ".join(f"{what} {status}: {count}"
                         for (what, status), count in sorted(self.answers.items(), key=str))
        return f"slowest answer {self.slowest:.2f} s; {told}"

    def stop(self):
        self.stopping.set()
        if self.thread.is_alive():
            self.thread.join()

    def _work(self):
        number = 0
        while not self.stopping.wait(0.02):
            number += 1
            try:
                self._ask(number)
            except Lost:
                pass
            except Exception as error:  # a thread must not die in silence
                self.problems.append(repr(error))
                return

    def _ask(self, number):
        self._call("GET", "/runs?limit=1")
        self._call("GET", "/health")
        status, _ = self._call("GET", "/health/live")
        assert status == 200
        request = f"probe.{number}"
        with self.load.lock:
            self.load.requests[request] = None
        status, answer = self._call("POST", "/runs",
                                    {"flow_name": "chain", "parameters": {"request": request}})
        if status == 202:
            with self.load.lock:
                self.load.acknowledged[answer["run_id"]] = "chain"
                self.load.requests[request] = answer["run_id"]

    def _call(self, method, path, body=None):
        began = time.monotonic()
        try:
            status, answer = self.caller.call(method, path, body)
        finally:
            self.slowest = max(self.slowest, time.monotonic() - began)
        self.answers[f"{method} {path.partition('?')[0]}", status] += 1
        if status not in self.EXPECTED:
            self.problems.append((method, path, status, answer))
        return status, answer

    def refused(self):
        """How often it was told 503."""
        return sum(count for (_, status), count in self.answers.items() if status == 503)


class Registrations:
    """Clients that register flows, one version each, and note what they are told."""

    def __init__(self, server, token, threads=3):
        self.server, self.token = server, token
        self.told = {}  # flow -> status
        self.problems = []
        self.stopping = threading.Event()
        self.threads = [threading.Thread(target=self._work, args=(i,)) for i in range(threads)]

    def __enter__(self):
        for thread in self.threads:
            thread.start()
        return self

    def __exit__(self, *unused):
        self.stopping.set()
        for thread in self.threads:
            thread.join()

    def _work(self, thread):
        caller = Caller(self.server, self.token)
        number = 0
        while not self.stopping.wait(random.uniform(0, 0.02)):
            number += 1
            name = f"flow_{thread}_{number}"
            try:
                status, answer = caller.call(
                    "POST", "/flows", {"flow_spec": {"name": name, "tasks": [noop("only")]}})
            except Exception as error:  # a thread must not die in silence
                self.problems.append(repr(error))
                return
            self.told[name] = status
            if status not in (201, 503):
                self.problems.append((name, status, answer))

    def check(self, database):
        """One version and one line of the audit log for each that was acknowledged, and at most one
        for each other; returns how many were refused."""
        assert not self.problems, self.problems[:5]
        versions = dict(database.rows(
            "SELECT flow_name, COUNT(*) FROM flow_versions GROUP BY flow_name"))
        audited = dict(database.rows(
            "SELECT resource_id, COUNT(*) FROM audit_log WHERE http_path = '/flows' "
            "GROUP BY resource_id"))
        for name, status in self.told.items():
            made = versions.get(name, 0), audited.get(name, 0)
            assert made == (1, 1) or (status == 503 and made == (0, 0)), (name, status, made)
        return sum(status == 503 for status in self.told.values())
