"""Flows of Dagy in Python: `@task` and `@flow` describe them, `run_local` tries them, `deploy` brings
them to a server, `DagyClient` runs them there."""

from .artifact import LocalArtifact
from .client import DagyClient
from .deployment import deploy
from .errors import DagyError, FlowError
from .local import run_local
from .model import Flow, Task, flow, task
from .nodes import (approval, branch, delay, http, node, noop, shell, sql, subflow, transform)
from .placeholders import Parameter, TaskOutput, expression, secret, variable
from .run_context import RunContext, context
from .spec import flow_spec

__all__ = [
    "DagyClient", "DagyError", "Flow", "FlowError", "LocalArtifact", "Parameter",
    "RunContext", "Task", "TaskOutput", "approval", "branch", "context", "delay", "deploy",
    "expression", "flow", "flow_spec", "http", "node", "noop", "run_local", "secret", "shell", "sql",
    "subflow", "task", "transform", "variable",
]
