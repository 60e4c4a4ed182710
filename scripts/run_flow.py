#!/usr/bin/python3
"""Registers a flow file, runs it, shows its log as it comes, and prints the result.

    run_flow.py flow.json -p name=value …

The server is DAGY_URL (http://localhost:8000). Who calls: DAGY_TOKEN; or DAGY_EMAIL (owner@localhost)
and DAGY_PASSWORD; or --login FILE, a JSON file {"email", "password"} that only its owner can read.
Exit code: 0 when the run succeeded, 1 when not, 2 for a wrong call, 3 when the login was refused.

In the flow file an object {"file": "path"} inside a task's config stands for the text of that file,
relative to the flow file. The server gets plain FlowSpec.
"""

import argparse
import datetime
import http.client
import json
import os
import pathlib
import stat
import sys
import time
import urllib.parse

REQUEST_SECONDS = 60
POLL_SECONDS_MIN = 0.15
POLL_SECONDS_MAX = 2.0
LINES_MAX = 1000
LINE, END, START = range(3)  # order of what happened in the same millisecond


class Refused(Exception):
    """An answer with a status of 400 or more, or none at all (status 0)."""

    def __init__(self, status, message):
        super().__init__(message)
        self.status = status


class Client:
    """Calls of the API over one connection. A 429 is waited out."""

    def __init__(self, url, token=None):
        parts = urllib.parse.urlsplit(url)
        if parts.scheme not in ("http", "https") or not parts.hostname:
            raise ValueError(f"not an address of a server: {url}")
        kind = http.client.HTTPSConnection if parts.scheme == "https" else http.client.HTTPConnection
        self.url = url
        self.connection = kind(parts.hostname, parts.port, timeout=REQUEST_SECONDS)
        self.prefix = parts.path.rstrip("/")
        self.token = token

    def call(self, method, path, body=None):
        while True:
            response, text = self._exchange(method, path, body)
            if response.status != 429:
                break
            time.sleep(int(response.headers.get("Retry-After", "1")))
        if response.status >= 400:
            raise Refused(response.status, f"{method} {path}: {response.status} {_explain(text)}")
        return json.loads(text) if text else None

    def _exchange(self, method, path, body):
        headers = {"Content-Type": "application/json"} if body is not None else {}
        if self.token:
            headers["Authorization"] = "Bearer " + self.token
        data = None if body is None else json.dumps(body).encode()
        try:
            self.connection.request(method, self.prefix + path, data, headers)
            response = self.connection.getresponse()
            return response, response.read()
        except (OSError, http.client.HTTPException) as error:
            self.connection.close()
            raise Refused(0, f"no answer from {self.url}: {error or type(error).__name__}") from None


def _explain(text):
    try:
        answer = json.loads(text)
        lines = [f"  {error['path']}: {error['message']}" for error in answer.get("errors", [])]
        return "\n".join([answer["detail"], *lines])
    except (ValueError, KeyError, TypeError, AttributeError):
        return text[:500].decode("utf-8", "replace")


def load_flow(path):
    """The FlowSpec of a flow file, with the text of the files that it names."""
    path = pathlib.Path(path)

    def expand(value):
        if isinstance(value, dict):
            if set(value) == {"file"}:
                return (path.parent / value["file"]).read_text(encoding="utf-8")
            return {name: expand(each) for name, each in value.items()}
        return [expand(each) for each in value] if isinstance(value, list) else value

    flow = json.loads(path.read_text(encoding="utf-8"))
    for task in flow["tasks"]:
        if "config" in task:
            task["config"] = expand(task["config"])
    return flow


class Display:
    """Prints log lines and what became of the tasks, in order of time; on a terminal in colour."""

    COLOURS = {"SUCCEEDED": "32", "FAILED": "31", "TIMED_OUT": "31", "CANCELLED": "33",
               "SKIPPED": "33", "RETRYING": "33", "RUNNING": "36"}

    def __init__(self):
        self.coloured = sys.stdout.isatty() and "NO_COLOR" not in os.environ
        self.shown = set()  # events of tasks
        self.held = []  # lines of tasks that were not yet seen to run
        self.ended = 0

    def paint(self, text, code):
        return f"\033[{code}m{text}\033[0m" if self.coloured and code else text

    def show(self, run, lines):
        tasks = run["task_runs"]
        width = max([len(task["task_id"]) for task in tasks], default=0)
        running = {task["task_run_id"] for task in tasks if task["started_at"]}
        lines, self.held = self.held + lines, []
        entries = []  # (time, rank, task, state or None for a line, text)
        for line in lines:
            if run["finished_at"] is None and line["task_run_id"] not in running:
                self.held.append(line)
                continue
            text = self.paint(line["message"], "33" if line["level"] == "error" else "")
            task = line["task_run_id"].split(":", 1)[1]
            entries.append((line["timestamp"], LINE, task, None, "| " + text))
        for task in tasks:
            entries += [entry for entry in events(task) if entry not in self.shown]
        for entry in sorted(entries, key=lambda entry: entry[:2]):
            moment, rank, task, state, text = entry
            if state:
                self.shown.add(entry)
                self.ended += rank == END and state != "RETRYING"
                text = (f"{self.paint(state, self.COLOURS.get(state))}{text}  "
                        f"[{self.ended}/{run['task_count']}]")
            print(f"{moment[11:23]}  {task:<{width}}  {text}", flush=True)


def events(task):
    """What has happened to a task so far, as entries of the display."""
    name, found = task["task_id"], []
    if task["started_at"] and task["started_at"] != task["finished_at"]:
        found.append((task["started_at"], START, name, "RUNNING", ""))
    for attempt in task["earlier_attempts"]:
        text = f" after attempt {attempt['attempt']}: {attempt['error']['message']}"
        found.append((attempt["finished_at"], END, name, "RETRYING", text))
    if task["finished_at"]:
        text = f" after {seconds(task)}" if task["started_at"] else ""
        text += f", attempt {task['attempt']}" if task["attempt"] > 1 else ""
        text += f": {task['error']['message']}" if task["error"] else ""
        found.append((task["finished_at"], END, name, task["status"], text))
    return found


def seconds(item):
    """How long a task or run took, as text."""
    def moment(name):
        return datetime.datetime.fromisoformat(item[name].replace("Z", "+00:00"))
    return f"{(moment('finished_at') - moment('started_at')).total_seconds():.2f} s"


def new_lines(client, run_id, after):
    """The log lines after the one of that `seq`, all that are stored by now."""
    found = []
    while True:
        query = f"?limit={LINES_MAX}" + (f"&after={after}" if after else "")
        page = client.call("GET", f"/runs/{run_id}/logs{query}")
        found += page["items"]
        if page["next_token"] is None:
            return found
        after = found[-1]["seq"]


def follow(client, run_id):
    """Shows a run until it has ended; returns it."""
    display, after, pause = Display(), None, POLL_SECONDS_MIN
    while True:
        # The run is read before its log: the log of a run that has ended is whole.
        run = client.call("GET", f"/runs/{run_id}")
        lines = new_lines(client, run_id, after)
        after = lines[-1]["seq"] if lines else after
        display.show(run, lines)
        if run["finished_at"]:
            return run
        time.sleep(pause)
        pause = min(POLL_SECONDS_MAX, pause * 1.05)  # stays within the default rate limit


def log_in(client, login_file):
    """True if a token was made that is to be ended again."""
    if client.token:
        return False
    if login_file:
        mode = os.stat(login_file).st_mode
        if mode & (stat.S_IRWXG | stat.S_IRWXO):
            raise ValueError(f"{login_file} must not be open to others: chmod 600 {login_file}")
        credentials = json.loads(pathlib.Path(login_file).read_text(encoding="utf-8"))
    elif "DAGY_PASSWORD" in os.environ:
        credentials = {"email": os.environ.get("DAGY_EMAIL", "owner@localhost"),
                       "password": os.environ["DAGY_PASSWORD"]}
    else:
        raise ValueError("set DAGY_PASSWORD or DAGY_TOKEN, or give --login FILE")
    client.token = client.call("POST", "/auth/login", credentials)["access_token"]
    return True


def parse_parameter(text):
    """"name=value"; the value is JSON if it is JSON, else text."""
    name, separator, value = text.partition("=")
    if not separator:
        raise argparse.ArgumentTypeError(f"{text!r} is not name=value")
    try:
        return name, json.loads(value)
    except ValueError:
        return name, value


def run_flow(client, path, parameters):
    flow = client.call("POST", "/flows", {"flow_spec": load_flow(path)})
    started = client.call("POST", "/runs", {
        "flow_name": flow["flow_name"], "flow_version": flow["flow_version"],
        "parameters": parameters})
    print(f"{flow['flow_name']} version {flow['flow_version']}: run {started['run_id']} "
          f"({started['run_slug']})", flush=True)
    run = follow(client, started["run_id"])
    ended = sum(task["status"] == "SUCCEEDED" for task in run["task_runs"])
    print(f"{run['status']} after {seconds(run)}, {ended} of {run['task_count']} tasks succeeded")
    if run["error"]:
        print(f"{run['error']['kind']}: {run['error']['message']}")
    if run["output"] is not None:
        print(json.dumps(run["output"], indent=2, ensure_ascii=False))
    return run["status"] == "SUCCEEDED"


def main():
    parser = argparse.ArgumentParser(description=__doc__,
                                     formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("flow", help="flow file")
    parser.add_argument("-p", "--parameter", action="append", default=[], type=parse_parameter,
                        metavar="NAME=VALUE", help="the value is JSON, or else text")
    parser.add_argument("--login", metavar="FILE", help="JSON file of mode 0600")
    arguments = parser.parse_args()
    try:
        client = Client(os.environ.get("DAGY_URL", "http://localhost:8000"),
                        os.environ.get("DAGY_TOKEN"))
        own_token = log_in(client, arguments.login)
    except Refused as error:
        print(error, file=sys.stderr)
        return 3 if error.status == 401 else 1
    except (ValueError, OSError) as error:
        print(error, file=sys.stderr)
        return 2
    try:
        succeeded = run_flow(client, arguments.flow, dict(arguments.parameter))
        if own_token:
            client.call("POST", "/auth/logout")
        return 0 if succeeded else 1
    except Refused as error:
        print(error, file=sys.stderr)
        return 1
    except (ValueError, OSError, KeyError) as error:
        print(f"{arguments.flow}: {error}", file=sys.stderr)
        return 2


if __name__ == "__main__":
    sys.exit(main())
