"""`run_local`: a flow in this process, by the engine's rules of states, retries and lists.

One thread, the caller's, decides; attempts run in threads and processes and report to its queue.
Nothing is stored. Python tasks are called here, so they can be debugged; one that is given up (it
took too long, or another failed) goes on in its thread unheard until it returns.
"""

import heapq
import itertools
import json
import os
import queue
import shutil
import tempfile
import time
import uuid
from collections import deque
from typing import Any, Callable, Deque, Dict, List, Mapping, Optional, Tuple

from .errors import FlowError
from .local_attempt import Attempt, Outcome
from .local_rules import (C, F, Unreachable, at_pointer, delay_seconds, handles_failure, may_retry,
                          refuse_what_needs_the_engine, retry_delay, verdict, with_article)
from .local_task import OPEN, TaskRun
from .model import Flow, Graph
from .parameters import resolve
from .run_context import RunContext

HOOKS_SECONDS = 600.0
MAX_PARALLEL = 64  # where the flow names none
MAP_ELEMENTS_MAX = 100_000


def run_local(flow: Flow, parameters: Optional[Mapping[str, Any]] = None, *,
              max_workers: Optional[int] = None,
              fail_fast: Optional[bool] = None) -> Dict[str, Any]:
    """Runs the flow here and returns what GET /runs/{run_id} would show of it:

    {"run_id", "flow_name", "status", "parameters", "output", "error", "task_runs": [{"task_id",
    "map_index", "name", "status", "attempt", "output", "error"}]}. A flow that fails is a result
    with status FAILED; FlowError is for flows and parameters that break a rule, and for what only
    the engine can do (expressions, approvals, http, sql, branches), before anything runs.

    `max_workers` attempts run at a time (the flow's max_parallel, at most); `fail_fast` stands
    instead of the flow's own.
    """
    if not isinstance(flow, Flow):
        raise FlowError(f"{flow!r} is no flow: decorate its function with @flow")
    if max_workers is not None and (not isinstance(max_workers, int) or max_workers < 1):
        raise FlowError(f"max_workers must be a whole number from 1, not {max_workers!r}")
    if fail_fast not in (None, True, False):
        raise FlowError(f"fail_fast must be True, False or None, not {fail_fast!r}")
    graph = flow.build()
    refuse_what_needs_the_engine(flow, graph)
    values = resolve(flow.name, graph.parameters, parameters or {})
    directory = tempfile.mkdtemp(prefix="dagy_run_")
    run = _Run(flow, graph, values, directory, max_workers, fail_fast)
    try:
        run.drive()
    finally:
        run.stop()
        shutil.rmtree(directory, ignore_errors=True)
    return run.document()


class _Run:
    def __init__(self, flow: Flow, graph: Graph, parameters: Dict[str, Any], directory: str,
                 max_workers: Optional[int], fail_fast: Optional[bool]) -> None:
        self.id = "local_" + uuid.uuid4().hex[:16]
        self.flow, self.graph, self.parameters = flow, graph, parameters
        self.directory = directory
        self.fail_fast = flow.options.get("fail_fast", True) if fail_fast is None else fail_fast
        limit = flow.options.get("max_parallel", MAX_PARALLEL)
        self.slots = min(limit, max_workers or max(4, 4 * (os.cpu_count() or 1)))
        self.status, self.error = "RUNNING", None  # type: Tuple[str, Optional[Dict[str, str]]]
        self.output: Any = None
        self.tasks = {node.id: TaskRun(node) for node in graph.nodes}
        self.hooks = {kind: [TaskRun(node, is_hook=True) for node in nodes]
                      for kind, nodes in graph.hooks.items()}
        self.elements: List[TaskRun] = []
        self.children: Dict[str, List[TaskRun]] = {node.id: [] for node in graph.nodes}
        self.parents_open = {node.id: len(node.depends_on) for node in graph.nodes}
        for node in graph.nodes:
            for parent in node.depends_on:
                self.children[parent].append(self.tasks[node.id])
        self.open = len(self.tasks)
        self.first_failed: Optional[TaskRun] = None
        self.decidable: Deque[TaskRun] = deque(
            run for run in self.tasks.values() if not run.node.depends_on)
        self.ready: List[Tuple[int, int, TaskRun]] = []  # by priority, then age
        self.timers: List[Tuple[float, int, Callable[[], None]]] = []
        self.order = itertools.count()
        self.active: List[TaskRun] = []
        self.stopped: List[Attempt] = []
        self.reports: "queue.SimpleQueue[Tuple[TaskRun, int, Outcome]]" = queue.SimpleQueue()

    # ---- the loop ----

    def drive(self) -> None:
        if "timeout_seconds" in self.flow.options:
            seconds = self.flow.options["timeout_seconds"]
            error = {"kind": "timeout", "message": f"the run took longer than its timeout of "
                                                   f"{seconds:g} s"}
            self._at(seconds, lambda: self._decide("FAILED", error))
        self._loop(lambda: self.open == 0 or self.status != "RUNNING")
        if self.status == "RUNNING":
            self._conclude()
        hooks = self._hooks_of_the_end()
        for run in hooks:
            self._begin(run)

        def cancel_hooks() -> None:
            for run in hooks:
                self._cancel(run)
        self._at(HOOKS_SECONDS, cancel_hooks)
        self._loop(lambda: all(run.status not in OPEN for run in hooks))

    def _loop(self, is_over: Callable[[], bool]) -> None:
        while not is_over():
            while self.decidable:
                self._consider(self.decidable.popleft())
            while self.ready and len(self.active) < self.slots:
                self._start(heapq.heappop(self.ready)[2])
            if self.decidable:
                continue
            if is_over():
                return
            try:
                self._take(*self.reports.get(timeout=self._seconds_to_timer()))
            except queue.Empty:
                pass
            while self.timers and self.timers[0][0] <= time.monotonic():
                heapq.heappop(self.timers)[2]()

    def _seconds_to_timer(self) -> Optional[float]:
        return max(0.0, self.timers[0][0] - time.monotonic()) if self.timers else None

    def _at(self, seconds: float, action: Callable[[], Any]) -> None:
        heapq.heappush(self.timers, (time.monotonic() + seconds, next(self.order), action))

    def _at_for(self, run: TaskRun, seconds: float, action: Callable[[], Any]) -> None:
        """Only if by then nothing else has happened to the task."""
        epoch = run.epoch
        self._at(seconds, lambda: action() if run.epoch == epoch else None)

    def stop(self) -> None:
        """Ends the processes that still live."""
        for run in [*self.active]:
            self._give_up(run)
        for attempt in self.stopped:
            attempt.join()

    # ---- the life of a task ----

    def _consider(self, run: TaskRun) -> None:
        """All its parents have ended."""
        if run.status != "PENDING":
            return
        ends = [self.tasks[parent].end for parent in run.node.depends_on]
        decision = verdict(run.node.options.get("trigger_rule", "all_success"), ends)
        if decision == "run":
            self._expand(run) if run.node.map_over is not None else self._begin(run)
        else:
            run.by_choice = decision == C
            self._end(run, "SKIPPED")

    def _begin(self, run: TaskRun) -> None:
        run.epoch += 1
        if run.node.type == "delay":
            run.status = "WAITING"
            run.number = 1
            return self._at_for(run, delay_seconds(run.node), lambda: self._succeed(run, "null"))
        run.status = "QUEUED"
        priority = -run.node.options.get("priority", 0)
        heapq.heappush(self.ready, (priority, next(self.order), run))

    def _start(self, run: TaskRun) -> None:
        if run.status != "QUEUED":
            return  # cancelled meanwhile
        run.epoch += 1
        run.number += 1
        run.status = "RUNNING"
        try:
            inputs = self._inputs(run)
        except Unreachable as error:
            return self._fail(run, "start_error", str(error))
        task_run_id = ":".join([self.id, run.node.id]
                               + ([] if run.index is None else [str(run.index)]))
        context = RunContext(self.id, run.node.id, run.number, run.index, task_run_id)
        run.attempt = Attempt(run.node, inputs, self.parameters, context, self.directory)
        self.active.append(run)
        epoch = run.epoch
        run.attempt.start(lambda outcome: self.reports.put((run, epoch, outcome)))
        seconds = run.node.options.get("timeout_seconds")
        if seconds is not None:
            message = f"the attempt took longer than its timeout of {seconds:g} s"
            self._at_for(run, seconds, lambda: self._fail(run, "timeout", message))

    def _inputs(self, run: TaskRun) -> Dict[str, Any]:
        found = {name: self._value(f"input '{name}'", source)
                 for name, source in run.node.inputs.items()}
        if run.mapped is not None:
            found["item"] = json.loads(json.dumps(run.item))
            found["index"] = run.index
        return found

    def _value(self, name: str, source: Mapping[str, Any]) -> Any:
        """A fresh one each time: what a task does to it stays there."""
        if "parameter" in source:
            return json.loads(json.dumps(self.parameters[source["parameter"]]))
        if "tasks" in source:
            return [json.loads(self.tasks[each].output) for each in source["tasks"]]
        if "task" not in source:
            return json.loads(json.dumps(source["literal"]))
        pointer = source.get("path", "")
        try:
            return at_pointer(json.loads(self.tasks[source["task"]].output), pointer)
        except Unreachable:
            raise Unreachable(f"{name}: the output of task '{source['task']}' has nothing at "
                              f"'{pointer}'") from None

    def _take(self, run: TaskRun, epoch: int, outcome: Outcome) -> None:
        if run.epoch != epoch:
            return  # it was given up
        if outcome.kind is None:
            self._succeed(run, outcome.output)
        else:
            self._fail(run, outcome.kind, outcome.message)

    def _succeed(self, run: TaskRun, output: str) -> None:
        run.output = output
        self._end(run, "SUCCEEDED")

    def _fail(self, run: TaskRun, kind: str, message: str) -> None:
        self._give_up(run)
        run.error = {"kind": kind, "message": message}
        used = run.number - 1
        if may_retry(run.node.options, used, kind):
            run.status = "RETRYING"
            return self._at_for(run, retry_delay(run.node.options, used), lambda: self._begin(run))
        self._end(run, "TIMED_OUT" if kind == "timeout" else "FAILED")

    def _give_up(self, run: TaskRun) -> None:
        """Its slot is free; a process that lives is being ended."""
        run.epoch += 1
        if run in self.active:
            self.active.remove(run)
        if run.attempt is not None:
            run.attempt.stop()
            self.stopped.append(run.attempt)
            run.attempt = None

    def _cancel(self, run: TaskRun) -> None:
        if run.status in OPEN:
            self._end(run, "CANCELLED")

    # ---- the end of a task, and what follows ----

    def _end(self, run: TaskRun, status: str) -> None:
        if run.status == "RUNNING" and run.attempt is not None and status != "CANCELLED":
            run.attempt = None  # it has reported
        self._give_up(run)
        run.status = status
        if status == "SUCCEEDED":
            run.error = None
        if run.is_hook:
            return
        if run.mapped is not None:
            return self._follow_element(run, run.mapped)
        for element in run.elements:
            self._cancel(element)
        self.open -= 1
        for child in self.children[run.node.id]:
            self.parents_open[child.node.id] -= 1
            if self.parents_open[child.node.id] == 0:
                self.decidable.append(child)
        if run.end == F:
            self.first_failed = self.first_failed or run
            if self.fail_fast:
                self._cancel_others()

    def _cancel_others(self) -> None:
        for run in list(self.tasks.values()):
            if not handles_failure(run.node.options.get("trigger_rule", "all_success")):
                self._cancel(run)

    def _conclude(self) -> None:
        failed = self.first_failed
        if failed is None or failed.error is None:
            return self._decide("SUCCEEDED", None)
        self._decide("FAILED", {"kind": failed.error["kind"], "message":
                                f"task '{failed.node.id}' failed: {failed.error['message']}"})

    def _decide(self, status: str, error: Optional[Dict[str, str]]) -> None:
        if self.status != "RUNNING":
            return
        self.status, self.error = status, error
        for run in list(self.tasks.values()):
            self._cancel(run)
        if status != "SUCCEEDED":
            return
        named = self.graph.outputs
        ids = named or [each for each, children in self.children.items() if not children]
        values = {each: json.loads(self.tasks[each].output) for each in ids}
        self.output = values[ids[0]] if named and len(named) == 1 else values

    def _hooks_of_the_end(self) -> List[TaskRun]:
        mine = "on_success" if self.status == "SUCCEEDED" else "on_failure"
        for kind, hooks in self.hooks.items():
            for run in hooks if kind != mine else ():
                run.by_choice = True
                self._end(run, "SKIPPED")
        return self.hooks.get(mine, [])

    # ---- lists ----

    def _expand(self, run: TaskRun) -> None:
        assert run.node.map_over is not None
        run.status = "RUNNING"
        try:
            items = self._value("map_over", run.node.map_over)
        except Unreachable as error:
            return self._fail_mapped(run, "start_error", str(error))
        if not isinstance(items, list):
            return self._fail_mapped(run, "start_error",
                                     f"map_over must be a list, not {with_article(items)}")
        if len(items) > MAP_ELEMENTS_MAX:
            return self._fail_mapped(run, "start_error", f"map_over has {len(items)} elements, at "
                                     f"most {MAP_ELEMENTS_MAX} are allowed")
        run.elements = [TaskRun(run.node, index=i, mapped=run, item=item)
                        for i, item in enumerate(items)]
        self.elements += run.elements
        run.waiting.extend(run.elements)
        run.open_elements = len(items)
        if not items:
            return self._succeed(run, "[]")
        options = run.node.options
        for _ in range(min(options.get("max_parallel", len(items)),
                           options.get("concurrency_limit", len(items)))):
            self._next_element(run)

    def _next_element(self, mapped: TaskRun) -> None:
        while mapped.waiting:
            element = mapped.waiting.popleft()
            if element.status == "PENDING":
                return self._begin(element)

    def _follow_element(self, element: TaskRun, mapped: TaskRun) -> None:
        if mapped.status != "RUNNING" or element.status == "CANCELLED":
            return
        mapped.open_elements -= 1
        if element.end == F and element.error is not None:
            mapped.failures += 1
            if mapped.failures > mapped.node.options.get("max_failures", 0):
                return self._fail_mapped(mapped, element.error["kind"],
                                         f"element {element.index}: {element.error['message']}")
        self._next_element(mapped)
        if mapped.open_elements == 0:
            self._succeed(mapped, "[" + ",".join(each.output for each in mapped.elements) + "]")

    def _fail_mapped(self, run: TaskRun, kind: str, message: str) -> None:
        """Its elements had their retries; the task itself has none."""
        run.error = {"kind": kind, "message": message}
        self._end(run, "FAILED")

    # ---- the result ----

    def document(self) -> Dict[str, Any]:
        hooks = [run for runs in self.hooks.values() for run in runs]
        return {"run_id": self.id, "flow_name": self.flow.name, "status": self.status,
                "parameters": self.parameters, "output": self.output, "error": self.error,
                "task_runs": [run.document() for run in
                              [*self.tasks.values(), *hooks, *self.elements]]}
