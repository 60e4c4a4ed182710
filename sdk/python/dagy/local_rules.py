"""What a local run knows of the engine's rules, and what it refuses because only the engine can do
it."""

import random
import shutil
from datetime import datetime, timezone
from typing import Any, Dict, Iterator, List, Optional, Tuple

from .errors import FlowError
from .model import Flow, Graph, Node
from .spec import all_nodes

LOCAL_TYPES = ("python", "shell", "transform", "noop", "delay")
ADVICE = "a local run has no engine for it; `dagy run FILE` runs the real one without a server"
LASTING = ("expression", "invalid_config", "forbidden_address")  # never retried

S, F, C, U = "succeeded", "failed", "skipped by choice", "unmet because something failed"


def verdict(rule: str, ends: List[str]) -> str:
    """What becomes of a task whose parents ended so: "run", C or U. The table is the engine's; a
    task without parents runs whatever its rule."""
    if not ends:
        return "run"
    went_wrong = F in ends or U in ends
    otherwise = U if went_wrong else C
    if rule == "all_success":
        return "run" if not went_wrong and S in ends else otherwise
    if rule == "none_failed":
        return U if went_wrong else "run"
    if rule == "one_success":
        return "run" if S in ends else otherwise
    if rule == "one_failed":
        return "run" if F in ends else C
    return "run"  # all_done


def handles_failure(rule: str) -> bool:
    """Still satisfiable when a task has failed: fail_fast spares it."""
    return rule in ("one_failed", "all_done")


def may_retry(options: Dict[str, Any], retries_used: int, kind: str) -> bool:
    if kind in LASTING or retries_used >= options.get("retries", 0):
        return False
    return "retry_on" not in options or kind in options["retry_on"]


def retry_delay(options: Dict[str, Any], retries_used: int) -> float:
    """Seconds to the next attempt, after `retries_used` earlier retries."""
    if "retry_backoff" in options:
        backoff = {"initial": 1, "factor": 2, "max": 3600, **options["retry_backoff"]}
        base = min(backoff["max"], backoff["initial"] * backoff["factor"] ** retries_used)
    else:
        delays = options.get("retry_delay_seconds", 0)
        listed = delays if isinstance(delays, list) else [delays]
        base = listed[min(retries_used, len(listed) - 1)]
    return float(base * (1 + options.get("retry_jitter_factor", 0) * random.random()))


def delay_seconds(node: Node) -> float:
    """How long a delay that begins now waits."""
    if "seconds" in node.config:
        return float(node.config["seconds"])
    return max(0.0, (_time(node.config["until"]) - datetime.now(timezone.utc)).total_seconds())


def _time(text: str) -> datetime:
    found = datetime.fromisoformat(text.replace("Z", "+00:00"))
    if found.tzinfo is None:
        raise ValueError("it names no zone")
    return found


def with_article(value: Any) -> str:
    """The kind of a JSON value that is no list."""
    if value is None:
        return "null"
    return {bool: "a boolean", str: "a string", dict: "an object"}.get(type(value), "a number")


# ---- refusals, before anything runs ----


def refuse_what_needs_the_engine(flow: Flow, graph: Graph) -> None:
    """FlowError names every such task and field."""
    found = [f"flow '{flow.name}': concurrency_key"] if "concurrency_key" in flow.options else []
    for node in all_nodes(graph):
        found += [f"task '{node.id}': {what}" for what in _needs(node)]
    if found:
        raise FlowError("; ".join(found) + f": {ADVICE}")
    for node in graph.nodes:
        if "until" in node.config and node.type == "delay":
            try:
                _time(node.config["until"])
            except ValueError as error:
                raise FlowError(f"task '{node.id}': until must be a time of ISO 8601 with its "
                                f"zone, not {node.config['until']!r} ({error})") from None
    if any(node.type == "transform" for node in all_nodes(graph)) and shutil.which("jq") is None:
        raise FlowError("a transform needs the program jq, which is not installed here")


def _needs(node: Node) -> Iterator[str]:
    if node.type not in LOCAL_TYPES:
        yield f"type {node.type}"
        return
    for option in ("when", "repeat_until", "cache", "concurrency_key"):
        if option in node.options:
            yield option
    sources = [(f"input '{name}'", source) for name, source in node.inputs.items()]
    if node.map_over is not None:
        sources.append(("map_over", node.map_over))
    for name, source in sources:
        for kind in ("expression", "variable", "secret"):
            if kind in source:
                yield f"{name} is {'an' if kind == 'expression' else 'a'} {kind}"
    if node.type != "transform":
        for name, text in _texts("config", node.config):
            if "{{" in text:
                yield f"{name} has an expression"


def _texts(name: str, value: Any) -> Iterator[Tuple[str, str]]:
    if isinstance(value, str):
        yield name, value
    pairs = value.items() if isinstance(value, dict) else (
        enumerate(value) if isinstance(value, list) else ())
    for key, each in pairs:
        yield from _texts(f"{name}.{key}", each)


class Unreachable(Exception):
    """A JSON pointer leads nowhere."""


def at_pointer(value: Any, pointer: str) -> Any:
    """RFC 6901; into null, which a task gives that did not succeed, everything is null."""
    if value is None:
        return None
    for part in pointer.split("/")[1:]:
        key = part.replace("~1", "/").replace("~0", "~")
        if isinstance(value, dict) and key in value:
            value = value[key]
        elif isinstance(value, list) and _index(key) is not None and int(key) < len(value):
            value = value[int(key)]
        else:
            raise Unreachable(pointer)
    return value


def _index(key: str) -> Optional[int]:
    return int(key) if key.isdecimal() and key.isascii() and str(int(key)) == key else None
