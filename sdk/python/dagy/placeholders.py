"""Values that a flow's body handles before they exist: parameters, outputs, elements of lists.

They can be passed to tasks, and nothing else: a run decides what they are, the body only draws the
graph. Whatever would need the value itself is a TypeError that says what to use instead.
"""

from typing import Any, Dict, Iterator, NoReturn, Optional, Tuple

Source = Dict[str, Any]  # an input's source, as the FlowSpec has it

_OPERATORS = ("lt le gt ge add radd sub rsub mul rmul matmul truediv rtruediv floordiv rfloordiv "
              "mod rmod pow rpow and rand or ror xor rxor lshift rlshift rshift rrshift neg "
              "pos abs invert round divmod rdivmod eq ne").split()
_CONVERSIONS = {"str": "text", "format": "text", "bytes": "bytes", "int": "a number",
                "float": "a number", "index": "a number", "complex": "a number"}


class Placeholder:
    """Base of everything that stands for a value of a run."""

    def _describe(self) -> str:
        raise NotImplementedError

    def _source(self) -> Source:
        """What gives the value to an input."""
        raise NotImplementedError

    def _no(self, what: str, instead: str) -> NoReturn:
        raise TypeError(f"{self._describe()} is known only when the flow runs, so a flow's body "
                        f"cannot {what}; {instead}")

    def __repr__(self) -> str:
        return f"<{self._describe()}>"

    __hash__ = object.__hash__

    def __bool__(self) -> bool:
        self._no("decide by it", "use the option when=, branch(), or decide inside a task")

    def __len__(self) -> int:
        self._no("take its length", "take it inside a task, or iterate over it to map a task")

    def __contains__(self, _: object) -> bool:
        self._no("look into it", "look inside a task, or use the option when=")

    def __getitem__(self, key: Any) -> Any:
        self._no(f"take {key!r} out of it", "take it inside the task that gets it")

    def __iter__(self) -> Iterator[Any]:
        self._no("iterate over it", "iterate inside a task")

    def __call__(self, *_: Any, **__: Any) -> Any:
        self._no("call it", "it is a value, not a task")


def _refuse_operator(name: str) -> Any:
    def method(self: Placeholder, *_: Any) -> NoReturn:
        self._no(f"compute with it ({name})", "compute inside a task, or use expression(\"…\")")
    return method


def _refuse_conversion(name: str, kind: str) -> Any:
    def method(self: Placeholder, *_: Any) -> NoReturn:
        self._no(f"turn it into {kind}",
                 "pass it to a task as it is, or write {{ … }} into the task's config")
    return method


for _name in _OPERATORS:
    setattr(Placeholder, f"__{_name}__", _refuse_operator(_name))
for _name, _kind in _CONVERSIONS.items():
    setattr(Placeholder, f"__{_name}__", _refuse_conversion(_name, _kind))


class Parameter(Placeholder):
    """A parameter of the flow, by name. Iterating over it gives one MapItem."""

    def __init__(self, name: str) -> None:
        self.name = name

    def _describe(self) -> str:
        return f"parameter '{self.name}'"

    def _source(self) -> Source:
        return {"parameter": self.name}

    def __iter__(self) -> "Iterator[MapItem]":
        yield MapItem(self)


class TaskOutput(Placeholder):
    """What a task of the flow will return. `output["key"]` and `output[0]` reach into it."""

    def __init__(self, task_id: str, path: str = "") -> None:
        self.task_id = task_id
        self.path = path  # RFC 6901

    def _describe(self) -> str:
        return f"the output of task '{self.task_id}'" + (f" at {self.path}" if self.path else "")

    def _source(self) -> Source:
        return {"task": self.task_id, **({"path": self.path} if self.path else {})}

    def __iter__(self) -> "Iterator[MapItem]":
        yield MapItem(self)

    def __getitem__(self, key: Any) -> "TaskOutput":
        is_index = isinstance(key, int) and not isinstance(key, bool) and key >= 0
        if not is_index and not isinstance(key, str):
            raise TypeError(f"{self._describe()}: [{key!r}] must be a name or an index from 0; "
                            "take anything else inside a task")
        part = str(key).replace("~", "~0").replace("/", "~1")
        return TaskOutput(self.task_id, f"{self.path}/{part}")


class BranchOutput(TaskOutput):
    """The label that a branch chose. `after=branch.case("label")` waits for that choice."""

    def __init__(self, task_id: str, labels: Tuple[str, ...]) -> None:
        super().__init__(task_id)
        self.labels = labels

    def case(self, label: str) -> "Case":
        """ValueError when the branch has no such label."""
        if label not in self.labels:
            raise ValueError(f"branch '{self.task_id}' has no choice {label!r}; it has: "
                             + ", ".join(self.labels))
        return Case(self.task_id, label)


class Case:
    """One choice of a branch, for `after=`."""

    def __init__(self, task_id: str, label: str) -> None:
        self.task_id = task_id
        self.label = label


class MapItem(Placeholder):
    """Each element of a list that a run will have. A task that gets it runs once for each."""

    def __init__(self, over: Placeholder) -> None:
        self.over = over

    def _describe(self) -> str:
        return f"an element of {self.over._describe()}"

    def _source(self) -> Source:
        """Of the list."""
        return self.over._source()


class MappedOutput(MapItem):
    """Each result of a mapped task; in a list of its own, the list of all results.

    `[f(x) for x in xs]` is that list. `g(f(x))`, and `g(y) for y in [f(x) for x in xs]`, run `g`
    once for each result.
    """

    def __init__(self, task_id: str) -> None:
        super().__init__(TaskOutput(task_id))
        self.task_id = task_id

    def _describe(self) -> str:
        return f"each output of the mapped task '{self.task_id}'"


class Computed(Placeholder):
    """A source that is named rather than passed: expression(), variable(), secret()."""

    def __init__(self, kind: str, value: str) -> None:
        if not isinstance(value, str) or not value:
            raise TypeError(f"{kind}() needs a text, not {value!r}")
        self.kind = kind
        self.value = value

    def _describe(self) -> str:
        return f"{self.kind}({self.value!r})"

    def _source(self) -> Source:
        return {self.kind: self.value}

    def __iter__(self) -> Iterator[MapItem]:
        yield MapItem(self)


def expression(cel: str) -> Computed:
    """An input that the server computes: CEL over parameters, run and tasks."""
    return Computed("expression", cel)


def variable(key: str) -> Computed:
    """An input that is a variable of the run's environment."""
    return Computed("variable", key)


def secret(name: str) -> Computed:
    """An input that is a secret; filled in when the attempt starts."""
    return Computed("secret", name)


def output_task(value: object) -> Optional[str]:
    """The task whose whole output `value` is, if it is one."""
    if isinstance(value, TaskOutput) and not value.path:
        return value.task_id
    if isinstance(value, list) and len(value) == 1 and isinstance(value[0], MappedOutput):
        return value[0].task_id
    return value.task_id if isinstance(value, MappedOutput) else None
