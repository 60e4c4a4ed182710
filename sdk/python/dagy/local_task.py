"""One task of a local run, or one element of a mapped one: its state and how it shows."""

import json
from collections import deque
from dataclasses import dataclass, field
from typing import Any, Deque, Dict, List, Optional

from .local_attempt import Attempt
from .local_rules import C, F, S, U
from .model import Node

OPEN = ("PENDING", "QUEUED", "RUNNING", "RETRYING", "WAITING")


@dataclass(eq=False)
class TaskRun:
    """A task, or one element of a mapped one."""

    node: Node
    is_hook: bool = False
    index: Optional[int] = None
    mapped: Optional["TaskRun"] = None  # whose element it is
    item: Any = None
    status: str = "PENDING"
    by_choice: bool = False
    number: int = 0  # of the last attempt
    output: str = "null"
    error: Optional[Dict[str, str]] = None
    attempt: Optional[Attempt] = None  # while it runs
    epoch: int = 0  # counts what timers and reports may be about
    elements: "List[TaskRun]" = field(default_factory=list)
    waiting: "Deque[TaskRun]" = field(default_factory=deque)  # elements that have not begun
    open_elements: int = 0
    failures: int = 0

    @property
    def end(self) -> str:
        """As the trigger rules of its children see it."""
        if self.status in ("FAILED", "TIMED_OUT"):
            return F
        return S if self.status == "SUCCEEDED" else C if self.by_choice else U

    def document(self) -> Dict[str, Any]:
        return {"task_id": self.node.id, "map_index": self.index,
                "name": self.node.options.get("name", self.node.id), "status": self.status,
                "attempt": self.number, "output": json.loads(self.output), "error": self.error}
