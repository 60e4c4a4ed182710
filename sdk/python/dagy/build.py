"""What a flow file is for the server: `python3 -m dagy.build FILE[:FLOW] --output DIR`.

Writes DIR/flow.json, the body of POST /flows without artifact_uri, and DIR/artifact.zip if the flow
has Python tasks. Errors exit with 2 and one line `FILE:line: message` on standard error.
"""

import argparse
import importlib
import json
import os
import pathlib
import sys
import traceback
from types import ModuleType
from typing import Dict, List, NoReturn, Optional

from .artifact import LocalArtifact, root_and_package
from .errors import FlowError
from .model import Flow
from .spec import all_nodes, flow_spec

FLOW_FILE, ZIP_FILE = "flow.json", "artifact.zip"


class BuildError(Exception):
    """`line` of the file (1 when none is at fault), and why."""

    def __init__(self, line: int, message: str) -> None:
        super().__init__(message)
        self.line = line


def _reraise(file: pathlib.Path, error: BaseException, line: int = 1) -> NoReturn:
    """As a BuildError at the innermost line of the file that the error came through."""
    for frame in traceback.extract_tb(error.__traceback__):
        if os.path.realpath(frame.filename) == str(file):
            line = frame.lineno or line
    if isinstance(error, SyntaxError) and os.path.realpath(error.filename or "") == str(file):
        line = error.lineno or line
    known = isinstance(error, (FlowError, TypeError))
    text = str(error) if known else f"{type(error).__name__}: {error}"
    raise BuildError(line, " ".join(text.split())) from error


def load(file: pathlib.Path) -> ModuleType:
    """Imports a file under the name that it will have in the artifact."""
    root, _ = root_and_package(file)
    name = ".".join(file.relative_to(root).with_suffix("").parts)
    name = name[:-len(".__init__")] if name.endswith(".__init__") else name
    if not all(part.isidentifier() for part in name.split(".")):
        raise BuildError(1, f"{file.name} is not the name of a module; use letters, digits and '_'")
    sys.path.insert(0, str(root))
    try:
        module = importlib.import_module(name)
    except (Exception, SystemExit) as error:
        _reraise(file, error)
    if os.path.realpath(module.__file__ or "") != str(file):
        raise BuildError(1, f"another module is called {name}: {module.__file__ or 'built in'}; "
                            "rename the file")
    return module


def find_flow(module: ModuleType, name: Optional[str]) -> Flow:
    """The flow of that variable or name; without one, the only flow that the module defines."""
    flows = {key: value for key, value in vars(module).items() if isinstance(value, Flow)}
    if name is not None:
        for key, value in flows.items():
            if name in (key, value.name):
                return value
        raise BuildError(1, f"there is no flow {name!r}" + _listing(flows))
    own = {value.name: value for value in flows.values()
           if value.function.__module__ == module.__name__}
    if len(own) != 1:
        what = "there is no flow: decorate a function with @flow" if not own else (
            "there are several flows: choose one with FILE:FLOW" + _listing(own))
        raise BuildError(1, what)
    return next(iter(own.values()))


def _listing(names: Dict[str, Flow]) -> str:
    return "; there are: " + ", ".join(sorted(names)) if names else ""


def build(file: pathlib.Path, name: Optional[str], output: pathlib.Path) -> None:
    """BuildError when the file or its flow breaks a rule, OSError when it cannot be written."""
    flow = find_flow(load(file), name)
    line = flow.function.__code__.co_firstlineno
    try:
        has_code = any(node.task for node in all_nodes(flow.build()))
        written = [output, output / FLOW_FILE, output / ZIP_FILE]  # by an earlier build
        artifact = LocalArtifact.of(flow, exclude=written) if has_code else None
        body = {"flow_spec": flow_spec(flow, artifact)}
        data = artifact.data if artifact is not None else None
    except (Exception, SystemExit) as error:
        _reraise(file, error, line)
    output.mkdir(parents=True, exist_ok=True)
    zip_file = output / ZIP_FILE
    if data is not None:
        zip_file.write_bytes(data)
    elif zip_file.exists():
        zip_file.unlink()  # of an earlier build, which had code
    text = json.dumps(body, indent=2, ensure_ascii=False) + "\n"
    (output / FLOW_FILE).write_text(text, encoding="utf-8")


def main(arguments: List[str]) -> int:
    parser = argparse.ArgumentParser(prog="python3 -m dagy.build",
                                     description=__doc__.split("\n")[0])
    parser.add_argument("file", metavar="FILE[:FLOW]")
    parser.add_argument("--output", required=True, metavar="DIR", type=pathlib.Path)
    given = parser.parse_args(arguments)
    path, _, name = given.file.partition(":")
    try:
        file = pathlib.Path(path).resolve()
        if file.suffix != ".py" or not file.is_file():
            raise BuildError(1, "is no Python file" if file.exists() else "does not exist")
        build(file, name or None, given.output)
    except BuildError as error:
        print(f"{path}:{error.line}: {error}", file=sys.stderr)
        return 2
    except OSError as error:
        print(f"{path}:1: {error}", file=sys.stderr)
        return 2
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
