"""`task`, `flow`, and the graph that a flow's body draws when it is called with placeholders."""

import functools
import inspect
from contextvars import ContextVar
from dataclasses import dataclass, field
from typing import Any, Callable, Dict, Iterable, List, Mapping, Optional, Sequence, Set, Tuple

from . import options as rules
from .errors import FlowError
from .parameters import ParameterSpec, parameters_of
from .placeholders import (Case, MapItem, MappedOutput, Parameter, Placeholder, Source, TaskOutput,
                           output_task)

HOOKS = ("on_success", "on_failure", "on_cancel")
HOOKS_MAX = 100
TASKS_MAX = 10_000


@dataclass
class Node:
    """One task of a graph. `config` of a Python task lacks its entrypoint, which `spec` adds."""

    id: str
    type: str
    config: Dict[str, Any]
    options: Dict[str, Any]
    inputs: Dict[str, Source] = field(default_factory=dict)
    map_over: Optional[Source] = None
    depends_on: List[str] = field(default_factory=list)
    labels: Dict[str, str] = field(default_factory=dict)  # parent -> choice of that branch
    task: Optional["Task"] = None  # of a Python task
    item_as: Optional[str] = None  # the argument that gets the element


@dataclass
class Graph:
    """What a flow is before it is a FlowSpec."""

    parameters: List[ParameterSpec]
    nodes: List[Node] = field(default_factory=list)
    outputs: Optional[List[str]] = None
    hooks: Dict[str, List[Node]] = field(default_factory=dict)


_building: "ContextVar[Optional[Builder]]" = ContextVar("dagy_building", default=None)


class Builder:
    """Collects the tasks that a flow's body calls."""

    def __init__(self, graph: Graph) -> None:
        self.graph = graph
        self.into = graph.nodes
        self.in_hooks = False
        self._ids: Dict[str, int] = {}  # the number that a stem's last id has
        self._placed: Set[str] = set()  # what others may depend on: no hooks

    def add(self, kind: str, stem: str, config: Dict[str, Any], inputs: Mapping[str, Any],
            options: Dict[str, Any], after: Any, task: "Optional[Task]" = None) -> Node:
        """A node with an id of its own: the option `id`, or `stem`, `stem_2`, …"""
        options = dict(options)
        node = Node(self._fresh_id(stem, options.pop("id", None)), kind, config, options, task=task)
        for name, value in inputs.items():
            self._give(node, name, value)
        for each in after if isinstance(after, (list, tuple)) else [after]:
            self._wait_for(node, each)
        self._check_together(node)
        if len(self.into) >= (HOOKS_MAX if self.in_hooks else TASKS_MAX):
            raise FlowError(f"task '{node.id}': there are too many tasks (at most {TASKS_MAX} in a "
                            f"flow and {HOOKS_MAX} hooks of a kind)")
        self.into.append(node)
        if not self.in_hooks:
            self._placed.add(node.id)
        return node

    def _fresh_id(self, stem: str, given: Optional[str]) -> str:
        if given is not None:
            if given in self._ids:
                raise FlowError(f"task '{given}' exists twice: give one of them another id=")
            self._ids[given] = 1
            return given
        rules.name(f"the id of task {stem!r} (use id=)", stem)
        number, found = self._ids.get(stem, 0), stem
        while found in self._ids:
            number += 1
            found = f"{stem}_{number}"
        self._ids[stem] = max(number, 1)
        self._ids.setdefault(found, 1)
        return found

    def _give(self, node: Node, name: str, value: Any) -> None:
        where = f"task '{node.id}': input '{name}'"
        rules.name(where, name)
        if isinstance(value, MapItem):
            return self._map(node, name, value)
        node.inputs[name] = self._source(where, value)
        for parent in self._parents(node.inputs[name]):
            self._depend(node, parent)

    def _map(self, node: Node, name: str, item: MapItem) -> None:
        if node.map_over is not None:
            raise FlowError(f"task '{node.id}' gets {item._describe()} as '{name}' and another "
                            f"element as '{node.item_as}'; a task is mapped over one list: return "
                            "what belongs together from the task before")
        if node.task is None and name != "item":
            raise FlowError(f"task '{node.id}': the element of a mapped {node.type} task is its "
                            f"input 'item', not '{name}'")
        node.map_over = item._source()
        node.item_as = name
        for parent in self._parents(node.map_over):
            self._depend(node, parent)

    def _source(self, where: str, value: Any) -> Source:
        if isinstance(value, Placeholder):
            return value._source()
        if isinstance(value, Case):
            raise FlowError(f"{where}: a choice of a branch is no value; use after=")
        if isinstance(value, (list, tuple)) and any(isinstance(x, Placeholder) for x in value):
            return self._fan_in(where, value)
        return {"literal": rules.plain_json(where, value)}

    @staticmethod
    def _fan_in(where: str, values: Sequence[Any]) -> Source:
        if len(values) == 1 and isinstance(values[0], MappedOutput):
            return {"task": values[0].task_id}
        for each in values:
            if isinstance(each, MapItem):
                raise FlowError(f"{where}: {each._describe()} cannot stand in a list of others; "
                                "pass the list itself, or the results of a mapped task as a list "
                                "of their own")
            if not isinstance(each, TaskOutput) or each.path:
                raise FlowError(f"{where}: a list is of whole outputs of tasks, or of plain "
                                f"values, not {each!r} beside an output; give it as an input of "
                                "its own")
        return {"tasks": [each.task_id for each in values]}

    @staticmethod
    def _parents(source: Source) -> List[str]:
        return list(source.get("tasks", [])) + ([source["task"]] if "task" in source else [])

    def _wait_for(self, node: Node, earlier: Any) -> None:
        if isinstance(earlier, Case):
            node.labels[earlier.task_id] = earlier.label
            return self._depend(node, earlier.task_id)
        parent = output_task(earlier)
        if parent is None:
            raise FlowError(f"task '{node.id}': after= takes outputs of tasks and choices of "
                            f"branches, not {earlier!r}")
        self._depend(node, parent)

    def _depend(self, node: Node, parent: str) -> None:
        if parent not in self._placed:
            raise FlowError(f"task '{node.id}': task '{parent}' is not of this flow")
        if not self.in_hooks and parent not in node.depends_on:
            node.depends_on.append(parent)

    def _check_together(self, node: Node) -> None:
        for option in ("max_parallel", "max_failures"):
            if option in node.options and node.map_over is None:
                raise FlowError(f"task '{node.id}': {option} belongs to a call for each element of "
                                "a list")
        for name in ("item", "index"):
            if node.map_over is not None and name in node.inputs:
                raise FlowError(f"task '{node.id}': a mapped task is given the input '{name}' by "
                                "its list; call that argument otherwise")
        if self.in_hooks and node.map_over is not None:
            raise FlowError(f"hook '{node.id}' is one task; it cannot be mapped")
        if self.in_hooks and node.options.get("trigger_rule", "all_success") != "all_success":
            raise FlowError(f"hook '{node.id}': trigger_rule is for tasks with parents")
        if not node.inputs.keys().isdisjoint({"previous"}) and "repeat_until" in node.options:
            raise FlowError(f"task '{node.id}': input 'previous' is given by repeat_until")


def current_builder(what: str) -> Builder:
    """FlowError outside of a flow's body."""
    builder = _building.get()
    if builder is None:
        raise FlowError(f"{what} is for the body of a flow; as a hook write lambda: {what}")
    return builder


class Task:
    """A function that flows can call. Outside of a flow's body it is the plain function."""

    def __init__(self, function: Callable[..., Any], options: Mapping[str, Any]) -> None:
        if not inspect.isfunction(function):
            raise FlowError(f"@task is for functions, not {function!r}")
        self.function = function
        functools.update_wrapper(self, function)
        owner = f"task '{function.__name__}'"
        if (inspect.iscoroutinefunction(function) or inspect.isgeneratorfunction(function)
                or inspect.isasyncgenfunction(function)):
            raise FlowError(f"{owner}: a task is a plain function that returns its result")
        self.signature = inspect.signature(function)
        for each in self.signature.parameters.values():
            if each.kind in (each.VAR_POSITIONAL, each.POSITIONAL_ONLY):
                raise FlowError(f"{owner}: '{each.name}' cannot be given by name, as inputs are")
            if each.name == "after":
                raise FlowError(f"{owner}: an argument cannot be called 'after', which names tasks "
                                "to wait for")
        self.options = rules.checked(owner, options, rules.TASK_OPTIONS)
        if "repeat_until" in self.options and "previous" not in self.signature.parameters:
            raise FlowError(f"{owner}: repeat_until gives the argument 'previous': add "
                            "previous=None")

    def with_options(self, **options: Any) -> "Task":
        """The same task with other options; None takes one away."""
        return Task(self.function, {**self.options, **options})

    def __call__(self, *args: Any, after: Any = (), **kwargs: Any) -> Any:
        builder = _building.get()
        if builder is None:
            if after != ():
                raise FlowError(f"task '{self.function.__name__}': after= is for the body of a "
                                "flow")
            return self.function(*args, **kwargs)
        inputs = self._bind(args, kwargs)
        config = {"start": self.options["start"]} if "start" in self.options else {}
        options = {name: value for name, value in self.options.items() if name != "start"}
        node = builder.add("python", self.function.__name__, config, inputs, options, after, self)
        return MappedOutput(node.id) if node.map_over is not None else TaskOutput(node.id)

    def _bind(self, args: Tuple[Any, ...], kwargs: Dict[str, Any]) -> Dict[str, Any]:
        owner = f"task '{self.function.__name__}'"
        try:
            given = dict(self.signature.bind_partial(*args, **kwargs).arguments)
        except TypeError as error:
            raise TypeError(f"{owner}: {error}") from None
        is_mapped = any(isinstance(value, MapItem) for value in given.values())
        for each in self.signature.parameters.values():
            if each.kind == each.VAR_KEYWORD:
                given.update(given.pop(each.name, {}))
                continue
            is_own = (each.name == "index" and is_mapped
                      or each.name == "previous" and "repeat_until" in self.options)
            if each.name not in given and each.default is each.empty and not is_own:
                raise TypeError(f"{owner}: the argument '{each.name}' is missing")
        return given

    @property
    def item_as(self) -> "ItemAs":
        """For entry points of mapped tasks: `work.item_as.name` gives the element as `name`."""
        return ItemAs(self)

    def takes(self, name: str) -> bool:
        """Whether the function has an argument of that name."""
        return name in self.signature.parameters


class ItemAs:
    """Functions of a mapped task, by the name of the argument that is the element.

    A mapped task gets `item` and `index`; `index` reaches a function only if it asks for it.
    """

    def __init__(self, task: Task) -> None:
        self._task = task

    def __getattr__(self, name: str) -> Callable[..., Any]:
        if name.startswith("__"):
            raise AttributeError(name)

        def call(item: Any, index: int, **inputs: Any) -> Any:
            inputs[name] = item
            if self._task.takes("index"):
                inputs.setdefault("index", index)
            return self._task.function(**inputs)
        return call


def task(function: Optional[Callable[..., Any]] = None, **options: Any) -> Any:
    """`@task` or `@task(retries=3, …)`: the options of a task of the FlowSpec. FlowError if
    one is unknown or out of its range."""
    if function is not None:
        return Task(function, options)
    return lambda decorated: Task(decorated, options)


class Flow:
    """A function whose body calls tasks. `build()` draws its graph."""

    def __init__(self, function: Callable[..., Any], options: Dict[str, Any],
                 hooks: Dict[str, Sequence[Any]]) -> None:
        if not inspect.isfunction(function):
            raise FlowError(f"@flow is for functions, not {function!r}")
        self.function = function
        functools.update_wrapper(self, function)
        owner = f"flow '{function.__name__}'"
        self.options = rules.checked(owner, options, rules.FLOW_OPTIONS)
        self.name: str = rules.name(f"{owner}: name", self.options.pop("name", function.__name__))
        self.options.setdefault("description", _first_line(function.__doc__))
        if "concurrency_policy" in self.options and "concurrency_limit" not in self.options:
            raise FlowError(f"{owner}: concurrency_policy belongs to concurrency_limit")
        self.hooks = {kind: self._checked_hooks(owner, kind, each) for kind, each in hooks.items()}
        self.parameters = parameters_of(function)

    @staticmethod
    def _checked_hooks(owner: str, kind: str, hooks: Any) -> List[Callable[[], Any]]:
        if not isinstance(hooks, (list, tuple)) or not all(callable(each) for each in hooks):
            raise FlowError(f"{owner}: {kind} must be a list of tasks, or of lambdas that call "
                            "them")
        return list(hooks)

    def __call__(self, *_: Any, **__: Any) -> Any:
        raise FlowError(f"flow '{self.name}' is not called: run_local(flow, …) runs it here, "
                        "deploy(flow, …) on a server, subflow('…') inside another flow")

    def build(self) -> Graph:
        """The graph. Whatever the body raises comes through; FlowError for a broken rule."""
        if _building.get() is not None:
            raise FlowError(f"flow '{self.name}' cannot be built inside another flow: use "
                            "subflow()")
        graph = Graph(self.parameters)
        builder = Builder(graph)
        token = _building.set(builder)
        try:
            result = self.function(**{each.name: Parameter(each.name) for each in self.parameters})
            if not graph.nodes:
                raise FlowError(f"flow '{self.name}' calls no task")
            graph.outputs = self._outputs(result)
            builder.in_hooks = True
            for kind, hooks in self.hooks.items():
                builder.into = graph.hooks.setdefault(kind, [])
                for hook in hooks:
                    hook()
        finally:
            _building.reset(token)
        return graph

    def _outputs(self, result: Any) -> Optional[List[str]]:
        if result is None:
            return None
        whole = output_task(result)
        found: List[str] = []
        several: Iterable[Any] = result if isinstance(result, (list, tuple)) else [result]
        for each in [result] if whole is not None else several:
            one = output_task(each)
            if one is None:
                raise FlowError(f"flow '{self.name}' returns {each!r}; it can return the output of "
                                "a task, or several in a list: the result is then {id: output}")
            if one not in found:
                found.append(one)
        if not found:
            raise FlowError(f"flow '{self.name}' returns an empty list; return nothing instead")
        return found


def _first_line(text: Optional[str]) -> Optional[str]:
    lines = (text or "").strip().splitlines()
    return lines[0].strip() if lines else None


def flow(function: Optional[Callable[..., Any]] = None, *, on_success: Sequence[Any] = (),
         on_failure: Sequence[Any] = (), on_cancel: Sequence[Any] = (), **options: Any) -> Any:
    """`@flow` or `@flow(name=…, fail_fast=False, on_failure=[alert], …)`.

    The function's parameters are the flow's: their types from annotations (str, int, float, bool,
    dict, list, Literal, Optional; Annotated[type, "description"]), their defaults. It returns
    nothing, an output, or a list of them. Hooks are tasks, or lambdas without arguments that call
    tasks. FlowError for what breaks a rule.
    """
    hooks = {"on_success": on_success, "on_failure": on_failure, "on_cancel": on_cancel}
    if function is not None:
        return Flow(function, options, hooks)
    return lambda decorated: Flow(decorated, options, hooks)
