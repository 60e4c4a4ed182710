"""Flows of Dagy in Python: `@task` and `@flow` describe them, `run_local` tries them, `deploy`
brings them to a server, `DagyClient` runs them there."""

import importlib
from typing import TYPE_CHECKING, Any

from .errors import DagyError, FlowError
from .model import Flow, Task, flow, task
from .nodes import approval, branch, delay, http, node, noop, shell, sql, subflow, transform
from .placeholders import Parameter, TaskOutput, expression, secret, variable
from .run_context import RunContext, context

if TYPE_CHECKING:
    from .artifact import LocalArtifact
    from .client import DagyClient
    from .deployment import deploy
    from .local import run_local
    from .spec import flow_spec

# Loaded when they are asked for: a task on a server needs none of them, and starts sooner.
_LATER = {"DagyClient": "client", "LocalArtifact": "artifact", "deploy": "deployment",
          "flow_spec": "spec", "run_local": "local"}

__all__ = [
    "DagyClient", "DagyError", "Flow", "FlowError", "LocalArtifact", "Parameter", "RunContext",
    "Task", "TaskOutput", "approval", "branch", "context", "delay", "deploy", "expression", "flow",
    "flow_spec", "http", "node", "noop", "run_local", "secret", "shell", "sql", "subflow", "task",
    "transform", "variable",
]


def __getattr__(name: str) -> Any:
    if name not in _LATER:
        raise AttributeError(f"module 'dagy' has no attribute {name!r}")
    found = getattr(importlib.import_module(f".{_LATER[name]}", __name__), name)
    globals()[name] = found
    return found
