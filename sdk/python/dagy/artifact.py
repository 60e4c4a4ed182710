"""The code of a flow as a ZIP: the same bytes for the same files, on every machine."""

import hashlib
import inspect
import io
import os
import pathlib
import zipfile
from typing import Dict, Iterable, List, Optional, Tuple, Union

from .errors import FlowError
from .model import Flow, Task

FILES_MAX = 10_000
BYTES_MAX = 256 << 20
ENTRYPOINT_BYTES_MAX = 255
_EPOCH = (1980, 1, 1, 0, 0, 0)  # the first time that a ZIP can say

PathLike = Union[str, "os.PathLike[str]"]


def source_file(function: object) -> pathlib.Path:
    """The file that defines a function. FlowError when there is none, as at a prompt."""
    name = inspect.unwrap(function).__code__.co_filename  # type: ignore
    path = pathlib.Path(name).resolve()
    if not path.is_file():
        raise FlowError(f"{function!r} is not defined in a file ({name}), so it cannot go "
                        "into an artifact")
    return path


def root_and_package(file: pathlib.Path) -> Tuple[pathlib.Path, Optional[str]]:
    """What goes on sys.path for a file, and the package below it that the file is in."""
    root = file.parent
    while (root / "__init__.py").exists():
        root = root.parent
    return root, file.relative_to(root).parts[0] if root != file.parent else None


class LocalArtifact:
    """Files below `root`: all of them, or those listed. Not: names that begin with a dot,
    `__pycache__`, and what `exclude` names.

    FlowError: a file outside of root, a symbolic link that leads outside, more than 10,000 files or
    256 MiB. The ZIP is stored, not compressed, in order of names, with times of 1980.
    """

    def __init__(self, root: PathLike, files: Optional[Iterable[PathLike]] = None,
                 exclude: Iterable[PathLike] = ()) -> None:
        self.root = pathlib.Path(root).resolve()
        self._excluded = [pathlib.Path(each).resolve() for each in exclude]
        chosen = [self.root] if files is None else [self.root / each for each in files]
        found: Dict[str, pathlib.Path] = {}
        for each in chosen:
            for path in self._below(each):
                found[self._name(path)] = path
                if len(found) > FILES_MAX:
                    raise FlowError(f"{self.root} has more than {FILES_MAX} files; name those that "
                                    "the flow needs")
        if not found:
            raise FlowError(f"{self.root}: there is no file for the artifact")
        self.files = dict(sorted(found.items()))
        self._data: Optional[bytes] = None

    @classmethod
    def of(cls, flow: Flow, exclude: Iterable[PathLike] = ()) -> "LocalArtifact":
        """The directory of the flow's file; of a flow in a package, the whole package."""
        root, package = root_and_package(source_file(flow.function))
        return cls(root, None if package is None else [package], exclude)

    def _below(self, start: pathlib.Path) -> Iterable[pathlib.Path]:
        if not start.exists():
            raise FlowError(f"{start} does not exist")
        if start.is_file():
            yield start
            return
        for folder, folders, names in os.walk(start):
            here = pathlib.Path(folder)
            kept = [each for each in sorted(folders) if self._is_wanted(here / each)]
            for each in kept:
                if (here / each).is_symlink():
                    raise FlowError(f"{here / each} is a link to a folder, which an artifact "
                                    "cannot have")
            folders[:] = kept
            yield from (here / each for each in names if self._is_wanted(here / each))

    def _is_wanted(self, path: pathlib.Path) -> bool:
        is_left_out = path.name.startswith(".") or path.name == "__pycache__"
        return not is_left_out and path.suffix != ".pyc" and path.resolve() not in self._excluded

    def _name(self, path: pathlib.Path) -> str:
        real = path.resolve()
        if not real.is_relative_to(self.root) or not path.is_relative_to(self.root):
            raise FlowError(f"{path} is outside of {self.root}")
        if not real.is_file():
            raise FlowError(f"{path} is no plain file")
        return path.relative_to(self.root).as_posix()

    @property
    def data(self) -> bytes:
        """The ZIP."""
        if self._data is None:
            self._data = self._zipped()
        return self._data

    def _zipped(self) -> bytes:
        out, size = io.BytesIO(), 0
        with zipfile.ZipFile(out, "w", zipfile.ZIP_STORED) as archive:
            for name, path in self.files.items():
                size += path.stat().st_size
                if size > BYTES_MAX:
                    raise FlowError(f"{self.root} is larger than {BYTES_MAX >> 20} MiB; name the "
                                    "files that the flow needs")
                entry = zipfile.ZipInfo(name, _EPOCH)
                entry.create_system = 3  # Unix
                entry.external_attr = (0o755 if os.access(path, os.X_OK) else 0o644) << 16
                archive.writestr(entry, path.read_bytes())
        return out.getvalue()

    @property
    def sha256(self) -> str:
        """Of the ZIP, in hexadecimal."""
        return hashlib.sha256(self.data).hexdigest()

    def entrypoint(self, task: Task, item_as: Optional[str] = None) -> str:
        """`module:name` of a task in this artifact; FlowError if it cannot be reached there."""
        function = task.function
        path, owner = source_file(function), f"task '{function.__name__}'"
        names = {real: name for name, real in self._real_files().items()}
        if path not in names:
            raise FlowError(f"{owner} is defined in {path}, which the artifact of {self.root} "
                            "has not")
        if "<" in function.__qualname__:
            raise FlowError(f"{owner} is defined inside a function: only what stands at the top "
                            "of a module can be found again")
        self._check_reachable(owner, task, item_as)
        parts: List[str] = names[path][:-len(".py")].split("/")
        if parts[-1] == "__init__":
            parts.pop()
        if not names[path].endswith(".py") or not all(each.isidentifier() for each in parts):
            raise FlowError(f"{owner}: {names[path]} is not the name of a module; use letters, "
                            "digits and '_'")
        attribute = function.__qualname__ + (f".item_as.{item_as}" if item_as else "")
        found = f"{'.'.join(parts)}:{attribute}"
        if not found.isascii() or len(found) > ENTRYPOINT_BYTES_MAX:
            raise FlowError(f"{owner}: the entry point {found} must be of ASCII letters, at most "
                            f"{ENTRYPOINT_BYTES_MAX}")
        return found

    @staticmethod
    def _check_reachable(owner: str, task: Task, item_as: Optional[str]) -> None:
        first, *others = task.function.__qualname__.split(".")
        found = inspect.unwrap(task.function).__globals__.get(first)
        for name in others:
            found = getattr(found, name, None)
        if found is not task.function and getattr(found, "function", None) is not task.function:
            raise FlowError(f"{owner}: its module has something else under that name")
        if item_as is not None and not isinstance(found, Task):
            raise FlowError(f"{owner} is mapped over a list: decorate it with @task where it is "
                            "defined")

    def _real_files(self) -> Dict[str, pathlib.Path]:
        return {name: path.resolve() for name, path in self.files.items()}
