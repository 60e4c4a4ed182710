"""One attempt of a local run: a Python call in a thread, or a process. The words of its failures
are the server's."""

import json
import os
import shutil
import signal
import subprocess
import sys
import tempfile
import threading
import traceback
from dataclasses import dataclass
from typing import Any, Callable, Dict, List, Optional

from .model import Node
from .run_context import RunContext, of_this_thread

VALUE_BYTES_MAX = 64 << 20
STOP_SECONDS = 5.0  # SIGTERM to SIGKILL


@dataclass(frozen=True)
class Outcome:
    """Either `output`, which is JSON, or a failure."""

    output: str = "null"
    kind: Optional[str] = None
    message: str = ""


def invalid_result(message: str) -> Outcome:
    return Outcome(kind="invalid_result", message=message)


class Attempt:
    """Runs in a daemon thread of its own. A process can be ended; a Python call that is given up
    goes on in its thread, and nobody listens to it."""

    def __init__(self, node: Node, inputs: Dict[str, Any], parameters: Dict[str, Any],
                 context: RunContext, directory: str) -> None:
        self._node = node
        self._inputs = inputs
        self._parameters = parameters
        self._context = context
        self._directory = directory
        self._lock = threading.Lock()
        self._process: Optional["subprocess.Popen[bytes]"] = None
        self._is_stopped = False
        self._thread: Optional[threading.Thread] = None

    def start(self, report: Callable[[Outcome], None]) -> None:
        """`report` is called in the attempt's thread."""
        def work() -> None:
            report(self._perform())
        self._thread = threading.Thread(target=work, daemon=True,
                                        name=f"{self._context.task_id}.{self._context.attempt}")
        self._thread.start()

    def stop(self) -> None:
        """Asks the process to end, then ends it."""
        with self._lock:
            self._is_stopped = True
            process = self._process
        if process is not None and process.poll() is None:
            _kill(process, signal.SIGTERM)
            timer = threading.Timer(STOP_SECONDS, _kill, (process, signal.SIGKILL))
            timer.daemon = True
            timer.start()

    def join(self) -> None:
        """Waits for a process that was stopped; not for a Python call."""
        if self._process is not None and self._thread is not None:
            self._thread.join(STOP_SECONDS + 1)
            _kill(self._process, signal.SIGKILL)

    def _perform(self) -> Outcome:
        if self._node.task is not None:
            return self._call()
        if self._node.type == "noop":
            return Outcome()
        return self._transform() if self._node.type == "transform" else self._shell()

    # ---- Python ----

    def _call(self) -> Outcome:
        assert self._node.task is not None
        function: Callable[..., Any] = self._node.task.function
        if self._node.item_as is not None:
            function = getattr(self._node.task.item_as, self._node.item_as)
        token = of_this_thread.set(self._context)
        try:
            result = function(**self._inputs)
        except SystemExit as error:
            return _exited(error.code)
        except Exception as error:  # whatever the task raises is its failure
            traceback.print_exception(type(error), error,
                                      error.__traceback__ and error.__traceback__.tb_next)
            kind = type(error).__name__
            return Outcome(kind=f"exception:{kind}", message=f"{kind}: {error}"[:4000])
        finally:
            of_this_thread.reset(token)
        try:
            text = json.dumps(result, ensure_ascii=False, allow_nan=False)
            size = len(text.encode("utf-8"))
        except (TypeError, ValueError, RecursionError) as error:
            return invalid_result(f"the return value is not JSON: {error}")
        if size > VALUE_BYTES_MAX:
            return invalid_result(f"the result is larger than {VALUE_BYTES_MAX} bytes")
        return Outcome(text)

    # ---- processes ----

    def _shell(self) -> Outcome:
        config = self._node.config
        command = config["command"]
        words = ["/bin/sh", "-c", command] if isinstance(command, str) else list(command)
        index = self._context.map_index
        environment = {
            "PATH": os.environ.get("PATH", os.defpath), "LANG": "C.UTF-8", "HOME": self._directory,
            "DAGY_RUN_ID": self._context.run_id, "DAGY_TASK_ID": self._context.task_id,
            "DAGY_ATTEMPT": str(self._context.attempt),
            "DAGY_IDEMPOTENCY_KEY": self._context.idempotency_key,
            **({} if index is None else {"DAGY_MAP_INDEX": str(index)}), **config.get("env", {})}
        found = self._run(words, environment, config.get("working_directory", self._directory),
                          self._inputs, is_log=True)
        if isinstance(found, Outcome):
            return found
        last = found[-1] if found else ""
        if not last:
            return Outcome()
        return Outcome(last if _is_json(last) else json.dumps(last, ensure_ascii=False))

    def _transform(self) -> Outcome:
        program = [shutil.which("jq") or "/usr/bin/jq", "-c", " " + self._node.config["program"]]
        found = self._run(program, {}, self._directory,
                          {"inputs": self._inputs, "parameters": self._parameters}, is_log=False)
        if isinstance(found, Outcome):
            return found
        if len(found) != 1:
            return invalid_result("the program gave " + ("more than one" if found else "no")
                                  + " result")
        return Outcome(found[0])

    def _run(self, words: List[str], environment: Dict[str, str], directory: str, given: Any,
             is_log: bool) -> Any:
        """The lines of standard output, or the failure as an Outcome."""
        # Files, not pipes: what a process leaves behind could hold a pipe open.
        with tempfile.TemporaryFile() as stdin, tempfile.TemporaryFile() as stdout:
            stdin.write(json.dumps(given).encode())
            stdin.seek(0)
            try:
                with self._lock:
                    if self._is_stopped:
                        return Outcome(kind="cancelled", message="stopped before it began")
                    process = self._process = subprocess.Popen(
                        words, stdin=stdin, stdout=stdout, env=environment, cwd=directory,
                        start_new_session=True)
            except (OSError, ValueError) as error:
                return Outcome(kind="start_error", message=str(error))
            process.wait()
            _kill(process, signal.SIGKILL)  # what it left behind
            stdout.seek(0)
            text = stdout.read().decode("utf-8", "replace")
        if is_log and text:
            sys.stdout.write(text if text.endswith("\n") else text + "\n")
        if process.returncode < 0:
            return Outcome(kind="exit_code", message="ended by signal "
                           f"{-process.returncode} ({_signal_name(-process.returncode)})")
        if process.returncode > 0:
            return Outcome(kind="exit_code", message=f"exit code {process.returncode}")
        lines = text.split("\n")
        return lines[:-1] if lines[-1] == "" else lines


def _kill(process: "subprocess.Popen[bytes]", number: int) -> None:
    """Everything in the process's group; it leads a session of its own."""
    try:
        os.killpg(process.pid, number)
    except (ProcessLookupError, PermissionError):
        pass  # nothing of it is left


def _signal_name(number: int) -> str:
    try:
        return signal.Signals(number).name
    except ValueError:  # a real-time one
        return f"SIG{number}"


def _exited(code: Any) -> Outcome:
    if code is not None and not isinstance(code, int):
        print(code, file=sys.stderr)
        code = 1
    if not code or not code & 255:
        return invalid_result("the process ended without a result")
    return Outcome(kind="exit_code", message=f"exit code {code & 255}")


def _is_json(text: str) -> bool:
    def refuse(constant: str) -> None:
        raise ValueError(constant)
    try:
        json.loads(text, parse_constant=refuse)
    except (ValueError, RecursionError):
        return False
    return True
