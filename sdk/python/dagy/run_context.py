"""What the code of a task may know of the attempt that runs it: `dagy.context`."""

import os
from contextvars import ContextVar
from dataclasses import dataclass
from typing import Optional


@dataclass(frozen=True)
class RunContext:
    """One attempt. `idempotency_key` is the same for every attempt of a task run."""

    run_id: str
    task_id: str
    attempt: int  # from 1
    map_index: Optional[int]  # of an element of a mapped task, from 0
    idempotency_key: str


# What run_local gives to the threads of its attempts.
of_this_thread: ContextVar[Optional[RunContext]] = ContextVar("dagy_context", default=None)


def _of_this_process() -> RunContext:
    try:
        index = os.environ.get("DAGY_MAP_INDEX", "")
        return RunContext(run_id=os.environ["DAGY_RUN_ID"], task_id=os.environ["DAGY_TASK_ID"],
                          attempt=int(os.environ["DAGY_ATTEMPT"]),
                          map_index=int(index) if index else None,
                          idempotency_key=os.environ["DAGY_IDEMPOTENCY_KEY"])
    except KeyError as missing:
        raise RuntimeError("dagy.context is for the code of a task while it runs: "
                           f"{missing.args[0]} is not set here") from None


class Context:
    """`dagy.context.run_id` and `dagy.context().run_id` are the same. RuntimeError outside
    of a run."""

    def __call__(self) -> RunContext:
        return of_this_thread.get() or _of_this_process()

    def __repr__(self) -> str:
        return "<dagy.context>"

    @property
    def run_id(self) -> str:
        return self().run_id

    @property
    def task_id(self) -> str:
        return self().task_id

    @property
    def attempt(self) -> int:
        return self().attempt

    @property
    def map_index(self) -> Optional[int]:
        return self().map_index

    @property
    def idempotency_key(self) -> str:
        return self().idempotency_key


context = Context()
