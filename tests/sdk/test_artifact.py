"""The ZIP of a flow's code, and the names by which its tasks are found there."""

import importlib.util
import io
import os
import zipfile

import pytest

from dagy import Flow, FlowError, LocalArtifact, artifact, flow, flow_spec, task

FLOW = """
from dagy import flow, task

@task
def work(): pass

@flow
def main():
    work()
"""


def load(path, name=None):
    spec = importlib.util.spec_from_file_location(name or path.stem, path)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return next(each for each in vars(module).values() if isinstance(each, Flow))


@pytest.fixture
def folder(tmp_path):
    files = {"flow.py": FLOW, "data/a.txt": "a", ".git/config": "no", ".env": "no",
             "__pycache__/flow.pyc": "no", "old.pyc": "no", "z.sh": "#!/bin/sh\n"}
    for name, text in files.items():
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).write_text(text)
    (tmp_path / "z.sh").chmod(0o755)
    return tmp_path


def names(made):
    return zipfile.ZipFile(io.BytesIO(made.data)).namelist()


def test_what_goes_in(folder):
    made = LocalArtifact.of(load(folder / "flow.py"))
    assert names(made) == ["data/a.txt", "flow.py", "z.sh"]
    entries = {each.filename: each for each in zipfile.ZipFile(io.BytesIO(made.data)).infolist()}
    assert {each.date_time for each in entries.values()} == {(1980, 1, 1, 0, 0, 0)}
    assert entries["z.sh"].external_attr >> 16 == 0o755
    assert entries["flow.py"].external_attr >> 16 == 0o644


def test_the_same_files_are_the_same_bytes(folder):
    first = LocalArtifact(folder)
    for each in folder.rglob("*"):
        os.utime(each, (1, 1))
    again = LocalArtifact(folder)
    assert first.data == again.data and first.sha256 == again.sha256 and len(first.sha256) == 64
    (folder / "data" / "a.txt").write_text("b")
    assert LocalArtifact(folder).sha256 != first.sha256


def test_chosen_files(folder):
    assert names(LocalArtifact(folder, ["flow.py", "data"])) == ["data/a.txt", "flow.py"]
    assert names(LocalArtifact(folder, exclude=[folder / "data"])) == ["flow.py", "z.sh"]


def test_a_package_goes_whole(tmp_path):
    package = tmp_path / "app" / "flows"
    package.mkdir(parents=True)
    (tmp_path / "other.txt").write_text("no")
    for each in (tmp_path / "app", package):
        (each / "__init__.py").write_text("")
    (package / "main.py").write_text(FLOW)
    made = load(package / "main.py")
    assert names(LocalArtifact.of(made)) == ["app/__init__.py", "app/flows/__init__.py",
                                             "app/flows/main.py"]
    assert flow_spec(made)["tasks"][0]["config"]["entrypoint"] == "app.flows.main:work"


def test_a_script_has_the_name_of_its_file(folder):
    made = load(folder / "flow.py", name="__main__")
    assert flow_spec(made)["tasks"][0]["config"]["entrypoint"] == "flow:work"


@pytest.mark.parametrize("files, rule", [
    (["missing"], "does not exist"), (["../x"], "is outside of|does not exist"),
    (["/etc/hostname"], "is outside of"), ([], "there is no file")])
def test_refused_files(folder, files, rule):
    with pytest.raises(FlowError, match=rule):
        LocalArtifact(folder, files)


def test_links_must_not_lead_outside(folder):
    (folder / "inside").symlink_to(folder / "flow.py")
    assert "inside" in names(LocalArtifact(folder))
    (folder / "outside").symlink_to("/etc/hostname")
    with pytest.raises(FlowError, match="outside is outside of"):
        LocalArtifact(folder)
    (folder / "outside").unlink()
    (folder / "linked").symlink_to(folder / "data")
    with pytest.raises(FlowError, match="linked is a link to a folder"):
        LocalArtifact(folder)


def test_a_pipe_is_no_file(folder):
    os.mkfifo(folder / "pipe")
    with pytest.raises(FlowError, match="is no plain file"):
        LocalArtifact(folder)


def test_limits(folder, monkeypatch):
    monkeypatch.setattr(artifact, "FILES_MAX", 2)
    with pytest.raises(FlowError, match="more than 2 files"):
        LocalArtifact(folder)
    monkeypatch.setattr(artifact, "FILES_MAX", 10)
    monkeypatch.setattr(artifact, "BYTES_MAX", 10)
    with pytest.raises(FlowError, match="larger than 0 MiB"):
        LocalArtifact(folder).data


def test_entry_points_that_nobody_could_find(folder, tmp_path_factory):
    @task
    def inner():
        pass

    with pytest.raises(FlowError, match="'inner' is defined inside a function"):
        flow_spec(flow(name="f")(lambda: inner()))
    made = load(folder / "flow.py")
    with pytest.raises(FlowError, match="'work' is defined in .*flow.py, which the artifact"):
        flow_spec(made, LocalArtifact(folder, ["z.sh"]))
    (folder / "my-flow.py").write_text(FLOW)
    with pytest.raises(FlowError, match="my-flow.py is not the name of a module"):
        flow_spec(load(folder / "my-flow.py"))


def renamed():
    pass


def twice(value):
    return value


def größe():
    pass


hidden, renamed = renamed, None


def test_tasks_of_plain_functions():
    assert flow_spec(flow(name="f")(lambda: task(twice)(1)))["tasks"][0]["config"] == {
        "entrypoint": "test_artifact:twice"}
    with pytest.raises(FlowError, match="'twice' is mapped over a list: decorate it with @task"):
        flow_spec(flow(name="f")(lambda: [task(twice)(x) for x in task(twice)([1])]))
    with pytest.raises(FlowError, match="'renamed': its module has something else under that name"):
        flow_spec(flow(name="f")(lambda: task(hidden)()))
    with pytest.raises(FlowError, match="test_artifact:größe must be of ASCII letters"):
        flow_spec(flow(name="f")(lambda: task(größe, id="size")()))


def test_code_without_a_file():
    space = {}
    exec(compile(FLOW, "<stdin>", "exec"), space)
    with pytest.raises(FlowError, match="is not defined in a file"):
        flow_spec(space["main"])


def test_no_code_needs_no_file():
    space = {}
    exec(compile("from dagy import flow, noop\n@flow\ndef f(): noop()\n", "<stdin>", "exec"), space)
    assert flow_spec(space["f"])["tasks"] == [{"id": "noop", "type": "noop"}]
