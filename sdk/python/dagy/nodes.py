"""Tasks that are no Python functions: one builder for each node type of the server.

All are called in a flow's body (or a hook's lambda) and return what a task call returns. `inputs`
is {name: value, parameter or output}; config texts see them as {{ inputs.name }}, a shell command
gets them as a JSON object on standard input. Mapped over a list, the element is the input `item`.
`after` and the other options are those of @task. FlowError for what breaks a rule.
"""

from typing import Any, Dict, List, Mapping, Optional, Sequence, Union

from . import options as rules
from .errors import FlowError
from .model import current_builder
from .placeholders import BranchOutput, MappedOutput, Placeholder, TaskOutput

Inputs = Optional[Mapping[str, Any]]
Output = Any  # TaskOutput, or MappedOutput when an input is an element of a list


def _plain(where: str, value: Any) -> Any:
    if isinstance(value, Placeholder):
        raise FlowError(f"{where}: config takes no {value!r}; pass it in inputs= and write "
                        "{{ inputs.name }}")
    if isinstance(value, Mapping):
        return {name: _plain(f"{where}[{name!r}]", each) for name, each in value.items()}
    if isinstance(value, (list, tuple)):
        return [_plain(f"{where}[{i}]", each) for i, each in enumerate(value)]
    return rules.plain_json(where, value)


def node(kind: str, config: Mapping[str, Any], *, inputs: Inputs = None, after: Any = (),
         **options: Any) -> Output:
    """A task of any node type, for those that have no builder here. None in config is left out."""
    builder = current_builder(f"{kind}(…)")
    if not isinstance(inputs, (Mapping, type(None))):
        raise FlowError(f"{kind}: inputs must be a dict of name to value, not {inputs!r}")
    if "start" in options:
        raise FlowError(f"{kind}: start is an option of Python tasks")
    plain = {name: _plain(f"{kind}: {name}", value) for name, value in config.items()
             if value is not None}
    checked = rules.checked(kind, options, rules.TASK_OPTIONS)
    made = builder.add(kind, kind, plain, inputs or {}, checked, after)
    return MappedOutput(made.id) if made.map_over is not None else TaskOutput(made.id)


def noop(*, inputs: Inputs = None, after: Any = (), **options: Any) -> Output:
    """Does nothing: for joins."""
    return node("noop", {}, inputs=inputs, after=after, **options)


def shell(command: Union[str, Sequence[str]], *, env: Optional[Mapping[str, str]] = None,
          working_directory: Optional[str] = None, inputs: Inputs = None, after: Any = (),
          **options: Any) -> Output:
    """A list of words, or a text for `/bin/sh -c`. Output: the last line, as JSON if it is JSON."""
    words: List[Any] = [command] if isinstance(command, str) else list(command)
    if not words or not all(isinstance(each, str) for each in words) or not words[0]:
        raise FlowError(f"shell: command must be a text or a list of texts, not {command!r}")
    config = {"command": command, "env": env, "working_directory": working_directory}
    return node("shell", config, inputs=inputs, after=after, **options)


def transform(program: str, *, inputs: Inputs = None, after: Any = (), **options: Any) -> Output:
    """A jq program over {"inputs": {…}, "parameters": {…}}; it must give exactly one result."""
    if not isinstance(program, str) or not program:
        raise FlowError(f"transform: program must be a jq program, not {program!r}")
    return node("transform", {"program": program}, inputs=inputs, after=after, **options)


def http(method: str, url: str, *, headers: Optional[Mapping[str, str]] = None,
         query: Optional[Mapping[str, Any]] = None, body: Any = None,
         expect: Optional[Mapping[str, Any]] = None, auth: Optional[Mapping[str, Any]] = None,
         paginate: Optional[Mapping[str, Any]] = None, inputs: Inputs = None, after: Any = (),
         **options: Any) -> Output:
    """A request. Output: {"status", "headers", "body_type", "body"}."""
    config = {"method": method, "url": url, "headers": headers, "query": query, "body": body,
              "expect": expect, "auth": auth, "paginate": paginate}
    return node("http", config, inputs=inputs, after=after, **options)


def sql(connection: str, statement: str, *, parameters: Any = None, fetch: Optional[str] = None,
        inputs: Inputs = None, after: Any = (), **options: Any) -> Output:
    """A statement with bound parameters on a named connection."""
    config = {"connection": connection, "statement": statement, "parameters": parameters,
              "fetch": fetch}
    return node("sql", config, inputs=inputs, after=after, **options)


def branch(conditions: Mapping[str, str], *, otherwise: Optional[str] = None, inputs: Inputs = None,
           after: Any = (), **options: Any) -> BranchOutput:
    """Chooses the first label whose CEL expression is true: {label: expression}.

    Tasks with `after=chosen.case("label")` run only if that label was chosen.
    """
    if not isinstance(conditions, Mapping) or not conditions:
        raise FlowError(f"branch: conditions must be {{label: expression}}, not {conditions!r}")
    for label, condition in conditions.items():
        rules.text(1, 128)("branch: a label", label)
        rules.expression_text(f"branch: the condition of {label!r}", condition)
    listed = [{"label": label, "expression": each} for label, each in conditions.items()]
    made = node("branch", {"conditions": listed, "otherwise": otherwise}, inputs=inputs,
                after=after, **options)
    if not isinstance(made, TaskOutput):
        raise FlowError("branch: it cannot be mapped over a list")
    return BranchOutput(made.task_id, (*conditions, *([otherwise] if otherwise else [])))


def delay(seconds: Optional[float] = None, *, until: Optional[str] = None, inputs: Inputs = None,
          after: Any = (), **options: Any) -> Output:
    """Waits for `seconds` (at most 366 days), or until a time (ISO 8601 with its zone)."""
    if (seconds is None) == (until is None):
        raise FlowError("delay: give either seconds or until")
    if isinstance(seconds, (int, float)):
        rules.number(0, rules.SECONDS_MAX)("delay: seconds", seconds)
    return node("delay", {"seconds": seconds, "until": until}, inputs=inputs, after=after,
                **options)


def approval(message: str, *, assignees: Sequence[str] = (), form: Sequence[Mapping[str, Any]] = (),
             timeout_seconds: Optional[float] = None, on_timeout: Optional[str] = None,
             inputs: Inputs = None, after: Any = (), **options: Any) -> Output:
    """Waits until a person decides. Rejected, it fails with kind `rejected`."""
    if timeout_seconds is not None:
        rules.duration("approval: timeout_seconds", timeout_seconds)
    if on_timeout is not None:
        rules.one_of(("approve", "reject", "fail"))("approval: on_timeout", on_timeout)
    config: Dict[str, Any] = {"message": message, "assignees": list(assignees) or None,
                              "form": list(form) or None, "timeout_seconds": timeout_seconds,
                              "on_timeout": on_timeout}
    return node("approval", config, inputs=inputs, after=after, **options)


def subflow(flow: str, *, flow_version: Optional[str] = None,
            parameters: Optional[Mapping[str, Any]] = None, wait: bool = True,
            inputs: Inputs = None, after: Any = (), **options: Any) -> Output:
    """Runs another flow by its name. Output: that run's output, or its id with wait=False."""
    if not isinstance(flow, str):
        raise FlowError(f"subflow: flow must be the name of a registered flow, not {flow!r}")
    config = {"flow": flow, "flow_version": flow_version, "parameters": parameters,
              "wait": rules.truth("subflow: wait", wait)}
    return node("subflow", config, inputs=inputs, after=after, **options)
