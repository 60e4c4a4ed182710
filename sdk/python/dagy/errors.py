"""The two errors of the package: a flow that breaks a rule, and an answer that refuses."""

from typing import Any, Dict, List, Optional


class FlowError(ValueError):
    """A flow, a task or a call of one breaks a rule; the message names which and where."""


class DagyError(Exception):
    """The server refused, or did not answer (`status` 0).

    `detail` is its text; `errors` are the fields it names: [{"path": RFC 6901, "message": str}].
    """

    def __init__(self, status: int, detail: str,
                 errors: Optional[List[Dict[str, Any]]] = None) -> None:
        self.status = status
        self.detail = detail
        self.errors = errors or []
        lines = [f"  {each.get('path')}: {each.get('message')}" for each in self.errors]
        super().__init__("\n".join([f"{status}: {detail}" if status else detail, *lines]))
