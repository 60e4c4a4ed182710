"""The options of tasks and flows: what each may be. Names and ranges are those of the FlowSpec."""

import json
import math
import re
from typing import Any, Callable, Dict, Iterable, Mapping

from .errors import FlowError
from .placeholders import Placeholder

Check = Callable[[str, Any], Any]  # (where, value) -> the value as the FlowSpec has it

SECONDS_MAX = 366 * 86_400
EXPRESSION_BYTES_MAX = 4096
NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,127}")
RETRY_KINDS = ("exit_code", "timeout", "http_5xx", "http_429", "connection", "node_lost")
TRIGGER_RULES = ("all_success", "none_failed", "all_done", "one_success", "one_failed")
EXECUTORS = ("local", "pool", "docker", "lambda", "step-functions", "ecs", "kubernetes", "slurm")
EXECUTION_MODES = ("nano", "micro", "small", "medium", "large", "xlarge")


def _refuse(where: str, rule: str, value: Any) -> FlowError:
    return FlowError(f"{where} must be {rule}, not {value!r}")


def is_number(value: Any) -> bool:
    """An int or a finite float; booleans are none."""
    return (isinstance(value, (int, float)) and not isinstance(value, bool)
            and math.isfinite(value))


def whole(low: int, high: int) -> Check:
    def check(where: str, value: Any) -> int:
        if not isinstance(value, int) or isinstance(value, bool) or not low <= value <= high:
            raise _refuse(where, f"a whole number from {low} to {high}", value)
        return value
    return check


def number(low: float, high: float, above_low: bool = False) -> Check:
    def check(where: str, value: Any) -> float:
        if not is_number(value) or not low <= value <= high or (above_low and value == low):
            begin = f"above {low}" if above_low else f"from {low}"
            raise _refuse(where, f"a number {begin} to {high}", value)
        return value
    return check


def text(low: int = 0, high: int = 4096) -> Check:
    def check(where: str, value: Any) -> str:
        if not isinstance(value, str) or not low <= len(value.encode("utf-8", "replace")) <= high:
            raise _refuse(where, f"text of {low} to {high} bytes", value)
        return value
    return check


def name(where: str, value: Any) -> str:
    if not isinstance(value, str) or not NAME.fullmatch(value):
        raise _refuse(where, "a letter or digit, then at most 127 letters, digits, '.', '_', '-'",
                      value)
    return value


def truth(where: str, value: Any) -> bool:
    if not isinstance(value, bool):
        raise _refuse(where, "True or False", value)
    return value


def one_of(names: Iterable[str]) -> Check:
    allowed = tuple(names)

    def check(where: str, value: Any) -> str:
        if value not in allowed:
            raise _refuse(where, "one of " + ", ".join(allowed), value)
        return value
    return check


def tags(where: str, value: Any) -> Dict[str, str]:
    if not isinstance(value, Mapping) or len(value) > 64 or not all(
            isinstance(each, str) for pair in value.items() for each in pair):
        raise _refuse(where, "at most 64 texts by name", value)
    return dict(value)


def members(where: str, value: Any, checks: Mapping[str, Check],
            required: Iterable[str] = ()) -> Dict[str, Any]:
    """A dict with these members only, each checked."""
    if not isinstance(value, Mapping):
        raise _refuse(where, "a dict of " + ", ".join(checks), value)
    for each in value:
        if each not in checks:
            raise FlowError(f"{where} has no {each!r}; it may have: {', '.join(checks)}")
    for each in required:
        if each not in value:
            raise FlowError(f"{where} needs {each!r}")
    return {each: checks[each](f"{where}[{each!r}]", value[each]) for each in value}


duration = number(0, SECONDS_MAX, above_low=True)
expression_text = text(1, EXPRESSION_BYTES_MAX)


def _delays(where: str, value: Any) -> Any:
    check = number(0, SECONDS_MAX)
    if not isinstance(value, (list, tuple)):
        return check(where, value)
    if not 1 <= len(value) <= 101:
        raise _refuse(where, "a number, or a list of 1 to 101 numbers", value)
    return [check(f"{where}[{i}]", each) for i, each in enumerate(value)]


def _backoff(where: str, value: Any) -> Dict[str, Any]:
    found = members(where, value, {"initial": duration, "factor": number(1, 100), "max": duration})
    if found.get("max", 3600) < found.get("initial", 1):
        raise FlowError(f"{where}: max must not be below initial")
    return found


def _retry_on(where: str, value: Any) -> Any:
    if not isinstance(value, (list, tuple)) or len(value) > 100:
        raise _refuse(where, "a list of at most 100 kinds", value)
    found = []
    for each in value:
        if isinstance(each, type) and issubclass(each, Exception):
            each = "exception:" + each.__name__
        is_exception = (isinstance(each, str) and each.startswith("exception:")
                        and 10 < len(each) <= 128)
        if each not in RETRY_KINDS and not is_exception:
            raise _refuse(where, "of exception classes, exception:<Class>, "
                          + ", ".join(RETRY_KINDS), each)
        found.append(each)
    return found


def _cache(where: str, value: Any) -> Dict[str, Any]:
    checks = {"key": expression_text, "ttl_seconds": duration}
    return members(where, value, checks, required=checks)


TASK_OPTIONS: Dict[str, Check] = {
    "id": name,
    "name": text(0, 256),
    "description": text(),
    "tags": tags,
    "when": expression_text,
    "trigger_rule": one_of(TRIGGER_RULES),
    "side_effect": truth,
    "retries": whole(0, 100),
    "retry_delay_seconds": _delays,
    "retry_backoff": _backoff,
    "retry_jitter_factor": number(0, 1),
    "retry_on": _retry_on,
    "timeout_seconds": duration,
    "executor": one_of(EXECUTORS),
    "execution_mode": one_of(EXECUTION_MODES),
    "pool": name,
    "start": one_of(("fork", "worker", "spawn")),
    "concurrency_limit": whole(1, 1_000_000),
    "concurrency_key": expression_text,
    "priority": whole(-100, 100),
    "max_parallel": whole(1, 10_000),
    "max_failures": whole(0, 100_000),
    "repeat_until": expression_text,
    "max_iterations": whole(1, 1000),
    "cache": _cache,
}

FLOW_OPTIONS: Dict[str, Check] = {
    "name": name,
    "version": name,
    "description": text(),
    "namespace": name,
    "tags": tags,
    "fail_fast": truth,
    "max_parallel": whole(1, 10_000),
    "timeout_seconds": duration,
    "concurrency_limit": whole(1, 1_000_000),
    "concurrency_key": expression_text,
    "concurrency_policy": one_of(("queue", "skip", "cancel_running")),
}

# An option that means nothing without another one; map_over comes from the call.
BELONGS_TO = {"concurrency_key": "concurrency_limit", "max_iterations": "repeat_until"}


def checked(owner: str, options: Mapping[str, Any], known: Mapping[str, Check]) -> Dict[str, Any]:
    """The options that are given (not None), each checked. FlowError names owner, option, rule."""
    found = {}
    for option, value in options.items():
        if option not in known:
            raise FlowError(f"{owner}: there is no option {option!r}; there are: "
                            + ", ".join(sorted(known)))
        if value is not None:
            found[option] = known[option](f"{owner}: {option}", value)
    for option, other in BELONGS_TO.items():
        if option in found and other not in found:
            raise FlowError(f"{owner}: {option} belongs to {other}")
    if "retry_backoff" in found and "retry_delay_seconds" in found:
        raise FlowError(f"{owner}: retry_backoff stands instead of retry_delay_seconds")
    return found


def plain_json(where: str, value: Any, depth: int = 0) -> Any:
    """The value as JSON has it (tuples become lists). FlowError for what JSON cannot say."""
    if depth > 60:
        raise FlowError(f"{where} is nested deeper than 60 levels")
    if isinstance(value, Placeholder):
        raise FlowError(f"{where}: {value!r} cannot stand inside another value; give it as an "
                        "input of its own")
    if value is None or isinstance(value, (bool, str, int)):
        return value
    if isinstance(value, float):
        if not math.isfinite(value):
            raise FlowError(f"{where}: JSON has no {value!r}")
        return value
    if isinstance(value, (list, tuple)):
        return [plain_json(f"{where}[{i}]", each, depth + 1) for i, each in enumerate(value)]
    if isinstance(value, dict):
        for key in value:
            if not isinstance(key, str):
                raise FlowError(f"{where}: names must be text, not {key!r}")
        return {key: plain_json(f"{where}[{json.dumps(key)}]", each, depth + 1)
                for key, each in value.items()}
    raise FlowError(f"{where}: a {type(value).__name__} is not JSON; text, numbers, booleans, "
                    "None, lists and dicts are")
