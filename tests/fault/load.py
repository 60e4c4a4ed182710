"""Load on a server that may die at any moment: flows that leave evidence, threads that start them.

Evidence is a file outside of the server's reach: every process of a task appends a line when it
begins and one when it ends, with a token of its own.
"""

import collections
import http.client
import json
import random
import threading
import time

import server as servers

REQUEST_SECONDS = 30
LINES = 40  # of a task's log

# One process of a task: says in the evidence that it begins, writes numbered lines, says that it
# ends. Its token is in each line and in its output, so the log of one process can be told apart.
TASK = """
token=$(cat /proc/sys/kernel/random/uuid)
say() {{ echo "$DAGY_RUN_ID $DAGY_TASK_ID $DAGY_ATTEMPT $token $1" >>{evidence}; }}
say begin
{body}
i=1
while [ $i -le {lines} ]; do echo "$token $i"; i=$((i + 1)); done
say end
echo "{{\\"token\\": \\"$token\\", \\"lines\\": {lines}}}"
"""


def shell(task_id, evidence, depends_on=(), body="", lines=LINES, **more):
    command = TASK.format(evidence=evidence, body=body, lines=lines)
    return {"id": task_id, "type": "shell", "depends_on": list(depends_on),
            "config": {"command": command}, **more}


def noop(task_id, depends_on=()):
    return {"id": task_id, "type": "noop", "depends_on": list(depends_on)}


def flows(evidence):
    """The flows of the load; each takes a parameter `request`, which finds its run again."""
    chain = [noop(f"n{i}", [f"n{i - 1}"] if i else []) for i in range(8)]
    lines = [shell("first", evidence),
             shell("second", evidence, ["first"], body="sleep 0.05")]
    branches = [f"branch{i}" for i in range(4)]
    fan = [shell("split", evidence, lines=3),
           *[shell(name, evidence, ["split"], body=f"sleep 0.0{i}") for i, name in
             enumerate(branches)],
           noop("beside", ["split"]),
           shell("join", evidence, [*branches, "beside"], lines=3)]
    # Leaves a process of another session behind, and succeeds only the second time.
    stubborn = [shell("retried", evidence, retries=1, body="""
setsid sleep 600 &
if [ "$DAGY_ATTEMPT" = 1 ]; then say end; exit 3; fi""")]
    parameters = [{"name": "request", "type": "string", "required": True}]
    tasks = {"chain": chain, "lines": lines, "fan": fan, "stubborn": stubborn}
    return {name: {"name": name, "parameters": parameters, "tasks": each}
            for name, each in tasks.items()}


def read_evidence(path):
    """(run, task) -> [(place in the file, attempt, token, "begin" or "end")]"""
    found = collections.defaultdict(list)
    for place, line in enumerate(path.read_text().splitlines() if path.exists() else []):
        run, task, attempt, token, what = line.split(" ")
        found[run, task].append((place, int(attempt), token, what))
    return found


class Lost(Exception):
    """The server went away in the middle of a call: whether it was obeyed is not known."""


class Caller:
    """One thread's connection; connects again wherever the server is now."""

    def __init__(self, server, token=None):
        self.server = server
        self.token = token
        self.connection = None

    def call(self, method, path, body=None, headers=None):
        try:
            if self.connection is None:
                self.connection = http.client.HTTPConnection("127.0.0.1", self.server.port,
                                                             timeout=REQUEST_SECONDS)
            sent = {"Authorization": f"Bearer {self.token}"} if self.token else {}
            if body is not None:
                sent["Content-Type"] = "application/json"
            self.connection.request(method, path, None if body is None else json.dumps(body),
                                    {**sent, **(headers or {})})
            response = self.connection.getresponse()
            text = response.read()
        except (OSError, http.client.HTTPException) as error:
            self.close()
            raise Lost(repr(error)) from error
        if response.getheader("Connection", "").lower() == "close":
            self.close()
        return response.status, json.loads(text) if text else None

    def close(self):
        if self.connection is not None:
            self.connection.close()
        self.connection = None

    def get(self, path):
        status, answer = self.call("GET", path)
        assert status == 200, (path, status, answer)
        return answer

    def log_in(self):
        status, answer = self.call("POST", "/auth/login",
                                   {"email": servers.OWNER, "password": servers.PASSWORD})
        assert status == 200, answer
        self.token = answer["access_token"]
        return self

    def register(self, flow):
        status, answer = self.call("POST", "/flows", {"flow_spec": flow})
        assert status in (200, 201), answer

    def items(self, path):
        """All items of a list, over its pages."""
        token = ""
        while token is not None:
            page = self.get(f"{path}?limit=1000" + (f"&next_token={token}" if token else ""))
            yield from page["items"]
            token = page["next_token"]


class Load:
    """Threads that start runs until they are told to stop. `acknowledged` is what must end."""

    WEIGHTS = {"chain": 60, "lines": 20, "fan": 12, "stubborn": 8}

    def __init__(self, server, token, seed, threads):
        self.server = server
        self.token = token
        self.lock = threading.Lock()
        self.acknowledged = {}  # run_id -> flow
        self.settled = 0  # how many of them acknowledged_since_last_time has given
        self.requests = {}  # request -> run_id, or None while nothing was answered
        self.repeats = 0  # requests with a key that were sent more than once
        self.problems = []
        self.stopping = threading.Event()
        self.threads = [threading.Thread(target=self._work, args=(f"{seed}.{i}",))
                        for i in range(threads)]

    def start(self):
        for thread in self.threads:
            thread.start()

    def stop(self):
        self.stopping.set()
        for thread in self.threads:
            thread.join()
        assert not self.problems, self.problems[:5]

    def acknowledged_since_last_time(self):
        with self.lock:
            new = list(self.acknowledged)[self.settled:]
            self.settled += len(new)
            return new

    def _work(self, name):
        draw = random.Random(name)
        caller = Caller(self.server, self.token)
        number = 0
        while not self.stopping.is_set():
            number += 1
            try:
                self._start_run(caller, draw, f"{name}.{number}")
            except Exception as error:  # a thread must not die in silence
                self.problems.append(repr(error))
                return
            time.sleep(draw.uniform(0, 0.06))

    def _start_run(self, caller, draw, request):
        flow = draw.choices(list(self.WEIGHTS), self.WEIGHTS.values())[0]
        body = {"flow_name": flow, "parameters": {"request": request},
                "wait_seconds": draw.choice([0, 0, 0, 5])}
        with_key = draw.random() < 0.4
        with self.lock:
            self.requests[request] = None
        run = self._post(caller, body, request if with_key else None)
        if run is None:
            return
        if with_key and draw.random() < 0.5:  # a client that is not sure asks again
            self._again(caller, body, request, run)
        with self.lock:
            self.acknowledged[run] = flow
            self.requests[request] = run

    def _again(self, caller, body, request, run):
        repeated = self._post(caller, body, request)
        self.repeats += 1
        assert repeated in (run, None), f"{request}: {run}, then {repeated}"

    def _post(self, caller, body, key):
        """The run's id. With a key a lost call is repeated; without, nobody knows: None."""
        while True:
            try:
                status, answer = caller.call("POST", "/runs", body,
                                             {"Idempotency-Key": key} if key else None)
            except Lost:
                time.sleep(0.02)
                if key is None or self.stopping.is_set():
                    return None
                self.repeats += 1
                continue
            if status in (200, 202):
                return answer["run_id"]
            assert status == 503, (status, answer)  # it is stopping
            time.sleep(0.02)
            if self.stopping.is_set():
                return None
