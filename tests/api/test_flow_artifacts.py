"""Flow versions with an artifact: what a ZIP file may be, and Python functions in it."""

import io
import shutil
import struct
import warnings
import zipfile

import pytest

from artifacts import upload, upload_files, zip_of
from client import Client, eventually
from flows import flow, fresh_name, get_run, logs, run_flow, task, task_of, trigger
from test_recovery import ended, kill, sign_in

STARTS = ("fork", "worker", "spawn")
NO_ARTIFACT = "dagy://artifacts/" + "0" * 64


def register(client, spec, uri, status=201):
    return client.call("POST /flows", status, body={"flow_spec": spec, "artifact_uri": uri})


def entry(task_id, entrypoint, start="fork", **keys):
    return task(task_id, "python", {"entrypoint": entrypoint, "start": start}, **keys)


def run(client, files, tasks):
    """Registers a flow of these tasks with an artifact of these files, and runs it to its end."""
    spec = flow(tasks)
    register(client, spec, upload_files(client, files))
    return run_flow(client, spec["name"])


# ---- what an artifact is ----

@pytest.mark.parametrize("uri", [
    "", "x", NO_ARTIFACT, NO_ARTIFACT.upper(), NO_ARTIFACT[:-1], NO_ARTIFACT + "0", "dagy://artifacts/../x",
    "file:///etc/passwd", "/etc/passwd"])
def test_an_artifact_that_is_none(owner, uri):
    assert register(owner, flow([task("a")]), uri, 422).error_paths == {"/artifact_uri"}


def test_an_artifact_of_another_organization(owner, stranger):
    uri = upload_files(stranger, {"theirs.py": fresh_name("x = 'theirs'  #")})
    assert register(owner, flow([task("a")]), uri, 422).error_paths == {"/artifact_uri"}
    register(stranger, flow([task("a")]), uri)
    # Not even once it is unpacked.
    assert register(owner, flow([task("a")]), uri, 422).error_paths == {"/artifact_uri"}


def test_spec_and_artifact_are_the_version(owner):
    spec = flow([task("a")])
    one, two = (upload_files(owner, {"a.py": f"x = {x}"}) for x in (1, 2))
    first = register(owner, spec, one).json
    assert (first["flow_version"], first["artifact_uri"]) == ("1", one)
    assert register(owner, spec, one, 200).json["flow_version"] == "1"
    second = register(owner, spec, two).json
    assert (second["flow_version"], second["artifact_uri"]) == ("2", two)
    assert register(owner, spec, None).json["artifact_uri"] is None
    named = spec | {"version": "v"}
    register(owner, named, one)
    register(owner, named, two, 409)
    register(owner, named, None, 409)
    latest = owner.call("GET /flows/{flow_name}/latest", 200, path={"flow_name": spec["name"]}).json
    assert latest["artifact_uri"] == one


# ---- what a ZIP file may be ----

def zip_with(*entries):
    """A ZIP of (name, bytes, changes of its ZipInfo)."""
    made = io.BytesIO()
    with warnings.catch_warnings(), zipfile.ZipFile(made, "w", zipfile.ZIP_DEFLATED) as archive:
        warnings.simplefilter("ignore")
        for name, data, changes in entries:
            info = zipfile.ZipInfo("placeholder")
            info.filename = name
            info.compress_type = zipfile.ZIP_DEFLATED
            for key, value in changes.items():
                setattr(info, key, value)
            archive.writestr(info, data, compress_type=info.compress_type)
    return made.getvalue()


def one(name, data=b"x", **changes):
    return zip_with((name, data, changes))


def encrypted():
    """Both headers say so."""
    data = bytearray(one("a.py"))
    data[6] |= 1
    data[data.index(b"PK\1\2") + 8] |= 1
    return bytes(data)


def with_sizes_that_lie():
    data = bytearray(one("a.py", b"x" * 100_000))
    at = data.index(b"PK\1\2") + 24
    data[at:at + 4] = struct.pack("<I", 10)
    data[22:26] = struct.pack("<I", 10)
    return bytes(data)


def with_one_place_for_two():
    """Two entries of the directory at the end share the bytes of one."""
    data = zip_with(("a", b"x" * 1000, {}), ("b", b"y" * 1000, {}))
    second = data.rindex(b"PK\1\2")
    data = bytearray(data)
    data[second + 42:second + 46] = b"\0\0\0\0"
    return bytes(data)


def damaged():
    data = bytearray(one("a.py", bytes(range(256)) * 10, compress_type=zipfile.ZIP_STORED))
    data[500] ^= 1
    return bytes(data)


def with_file_and_directory():
    return zip_with(("a", b"x", {}), ("a/b.py", b"x", {}))


ATTACKS = {
    "not a ZIP file": b"PK\3\4 something else",
    "the end of a ZIP file": zip_of({"a.py": "x"})[20:],
    "the beginning of a ZIP file": zip_of({"a.py": "x" * 100})[:-10],
    "upwards": one("../a.py"),
    "upwards within": one("a/../../b.py"),
    "the directory itself": one("a/./b.py"),
    "nothing between slashes": one("a//b.py"),
    "only a slash": one("/"),
    "dots": one(".."),
    "absolute": one("/etc/cron.d/a"),
    "backslash": one("..\\a.py"),
    "drive": one("C:\\a.py"),
    "control character": one("a\n.py"),
    "link": one("a.py", b"/etc/passwd", external_attr=0o120777 << 16, create_system=3),
    "link of another system": one("a.py", b"/etc/passwd", external_attr=0o120777 << 16, create_system=0),
    "device": one("a.py", external_attr=0o020666 << 16, create_system=3),
    "twice": zip_with(("a.py", b"1", {}), ("a.py", b"2", {})),
    "file and directory of one name": zip_with(("a", b"1", {}), ("a/", b"", {})),
    "below a file": with_file_and_directory(),
    "below a file that comes later": zip_with(("a/b.py", b"x", {}), ("a", b"x", {})),
    "encrypted": encrypted(),
    "another compression": one("a.py", compress_type=zipfile.ZIP_LZMA),
    "too long a name": one("a" * 1025),
    "too long a name for a file": one("a" * 256),
    "a name that is only long": one("/".join(["a" * 200] * 6)),
    "bomb": one("a.py", b"\0" * (64 << 20)),
    "many small bombs": zip_with(*((f"{n}.py", b"\0" * (4 << 20), {}) for n in range(16))),
    "sizes that lie": with_sizes_that_lie(),
    "overlapping": with_one_place_for_two(),
    "damaged": damaged(),
    "too many entries": zip_with(*((f"{n}", b"", {}) for n in range(20_001))),
}


@pytest.mark.parametrize("name", ATTACKS)
def test_what_is_no_sound_zip_file(house, owner, name):
    uri = upload(owner, ATTACKS[name])
    for _ in range(2):
        refused = register(owner, flow([task("a")]), uri, 422)
        assert refused.error_paths == {"/artifact_uri"} and "artifact" in refused.detail
    unpacked = house.server.data_dir / "artifacts"
    assert not [path for path in unpacked.iterdir() if path.name.startswith(uri[-64:])]
    assert not (house.server.data_dir / "a.py").exists()


def test_what_is_a_sound_one(house, owner):
    data = zip_with(("pkg/", b"", {}), ("pkg/__init__.py", b"", {}), ("pkg/ü.txt", "ü".encode(), {}),
                    ("b.py", b"x", {"compress_type": zipfile.ZIP_STORED}), ("a..b/c...txt", b"", {}))
    uri = upload(owner, data)
    register(owner, flow([task("a")]), uri)
    root = house.server.data_dir / "artifacts" / uri[-64:]
    assert (root / "pkg/ü.txt").read_text(encoding="utf-8") == "ü"
    assert (root / "a..b/c...txt").read_bytes() == b"" and (root / "b.py").stat().st_mode & 0o7777 == 0o644


def test_an_empty_zip_file(owner):
    register(owner, flow([task("a")]), upload(owner, zip_of({})))


# ---- functions in it ----

@pytest.mark.parametrize("config, where", [
    ({}, "config"),
    ({"code": "def main(): pass", "entrypoint": "a:b"}, "config"),
    ({"entrypoint": "a"}, "config/entrypoint"),
    ({"entrypoint": ":b"}, "config/entrypoint"),
    ({"entrypoint": "a:"}, "config/entrypoint"),
    ({"entrypoint": "a:b:c"}, "config/entrypoint"),
    ({"entrypoint": "a..b:c"}, "config/entrypoint"),
    ({"entrypoint": ".a:c"}, "config/entrypoint"),
    ({"entrypoint": "1a:c"}, "config/entrypoint"),
    ({"entrypoint": "a/b:c"}, "config/entrypoint"),
    ({"entrypoint": "a b:c"}, "config/entrypoint"),
    ({"entrypoint": "{{ parameters.x }}:c"}, "config/entrypoint"),
    ({"entrypoint": "a" * 254 + ":b"}, "config/entrypoint"),
    ({"entrypoint": 1}, "config/entrypoint"),
])
def test_what_is_no_function(owner, config, where):
    refused = owner.call("POST /flows", 422, body={"flow_spec": flow([task("a", "python", config)])})
    assert refused.error_paths == {"/flow_spec/tasks/0/" + where}


def test_a_function_needs_an_artifact_with_its_module(owner):
    spec = flow([task("a"), entry("b", "etl:run"), entry("c", "pkg.etl:run")], on_failure=[entry("d", "no:run")])
    refused = register(owner, spec, None, 422)
    assert refused.error_paths == {"/flow_spec/tasks/1/config/entrypoint", "/flow_spec/tasks/2/config/entrypoint",
                                   "/flow_spec/on_failure/0/config/entrypoint"}
    uri = upload_files(owner, {"etl.py": "", "pkg/__init__.py": ""})
    refused = register(owner, spec, uri, 422)
    assert refused.error_paths == {"/flow_spec/tasks/2/config/entrypoint",
                                   "/flow_spec/on_failure/0/config/entrypoint"}
    assert "pkg.etl" in refused.detail
    register(owner, spec, upload_files(owner, {"etl/__init__.py": "", "pkg/etl.py": "", "no.py": ""}))


ETL = """\
import json
import dagy
from shared import factor

class Steps:
    @staticmethod
    def double(x):
        return {"value": x * factor, "task": dagy.context.task_id, "attempt": dagy.context.attempt}

def total(values):
    print("adding", len(values))
    return sum(each["value"] for each in values)

def fail(**inputs):
    raise RuntimeError("it fails")

def no_json():
    return {1, 2}

not_callable = 1
"""
FILES = {"pkg/__init__.py": "", "pkg/etl.py": ETL, "shared.py": "factor = 2\n"}


@pytest.mark.parametrize("start", STARTS)
def test_functions_of_an_artifact(owner, start):
    done = run(owner, FILES, [
        entry("a", "pkg.etl:Steps.double", start, inputs={"x": {"literal": 1}}),
        entry("b", "pkg.etl:Steps.double", start, inputs={"x": {"literal": 20}}),
        entry("sum", "pkg.etl:total", start, depends_on=["a", "b"], inputs={"values": {"tasks": ["a", "b"]}})])
    assert done["status"] == "SUCCEEDED", done
    assert done["output"] == 42 or done["output"] == {"sum": 42}
    assert task_of(done, "a")["output"] == {"value": 2, "task": "a", "attempt": 1}
    assert [line["message"] for line in logs(owner, done["run_id"])] == ["adding 2"]


@pytest.mark.parametrize("start", STARTS)
@pytest.mark.parametrize("function, kind", [
    ("fail", "exception:RuntimeError"), ("no_json", "invalid_result"), ("missing", "exception:TypeError"),
    ("not_callable", "exception:TypeError"), ("Steps.missing", "exception:TypeError"),
    ("total", "exception:TypeError")])
def test_functions_that_fail(owner, start, function, kind):
    done = run(owner, FILES, [entry("a", "pkg.etl:" + function, start)])
    assert done["status"] == "FAILED"
    assert task_of(done, "a")["error"]["kind"] == kind


@pytest.mark.parametrize("start", STARTS)
def test_a_module_that_cannot_be_imported(owner, start):
    done = run(owner, {"broken.py": "import nothing_like_this\n"}, [entry("a", "broken:run", start)])
    assert task_of(done, "a")["error"]["kind"] == "exception:ModuleNotFoundError"
    lines = [line["message"] for line in logs(owner, done["run_id"])]
    assert any("broken.py" in line for line in lines) and not any("importlib" in line for line in lines)


def test_a_worker_imports_once(owner):
    files = {"counting.py": "count = 0\ndef up():\n    global count\n    count += 1\n    return count\n"
                            "def again():\n    return up()\n"}
    done = run(owner, files, [entry("a", "counting:up", "worker"),
                              entry("b", "counting:again", "worker", depends_on=["a"]),
                              entry("c", "counting:up", "spawn", depends_on=["b"])])
    assert [task_of(done, name)["output"] for name in "abc"] == [1, 2, 1]


WRITER = """\
import os
def write(where):
    try:
        with open(os.path.join(os.path.dirname(__file__), where), "w") as file:
            file.write("changed")
    except OSError:
        return sorted(os.listdir(os.path.dirname(os.path.dirname(__file__)))), sorted(os.listdir(os.path.dirname(__file__)))
    return "written"
"""


@pytest.mark.parametrize("start", STARTS)
@pytest.mark.parametrize("where", ["writer.py", "new.py"])
def test_an_artifact_is_to_read(house, owner, start, where):
    health = owner.call("GET /health", 200).json
    done = run(owner, {"writer.py": WRITER}, [entry("a", "writer:write", start, inputs={"where": {"literal": where}})])
    found = task_of(done, "a")["output"]
    if found == "written":
        pytest.skip(f"absent here: isolation ({health})")
    neighbours, files = found
    assert len(neighbours) == 1 and files == ["writer.py"]
    roots = (house.server.data_dir / "artifacts").glob("*/writer.py")
    assert [root.read_text(encoding="utf-8") for root in roots] == [WRITER]


def test_code_beside_functions(owner):
    spec = flow([entry("a", "pkg.etl:Steps.double", inputs={"x": {"literal": 3}}),
                 task("b", "python", {"code": "def main(x): return x['value'] + 1"}, depends_on=["a"],
                      inputs={"x": {"task": "a"}}),
                 task("c", "shell", {"command": "echo 8"}, depends_on=["b"])], outputs=["b", "c"])
    register(owner, spec, upload_files(owner, FILES))
    assert run_flow(owner, spec["name"])["output"] == {"b": 7, "c": 8}


def test_the_own_dagy_of_an_artifact(owner):
    done = run(owner, {"dagy.py": "context = 'ours'\n", "a.py": "import dagy\ndef f():\n    return dagy.context\n"},
               [entry("a", "a:f")])
    assert task_of(done, "a")["output"] == "ours"


def test_two_artifacts_of_one_module_name(owner):
    for number in (1, 2):
        done = run(owner, {"same.py": f"def f():\n    return {number}\n"}, [entry("a", "same:f")])
        assert task_of(done, "a")["output"] == number


def test_a_run_finds_its_artifact_after_a_crash(own_server):
    server = own_server()
    client = sign_in(server)
    waiting = ("import os, time\ndef f():\n    print(os.getcwd() + '/go', flush=True)\n"
               "    while not os.path.exists('go'):\n        time.sleep(0.02)\n    return 'gone on'\n")
    spec = flow([entry("a", "waiting:f")])
    register(client, spec, upload_files(client, {"waiting.py": waiting}))
    run_id = trigger(client, spec["name"])
    go = eventually(lambda: logs(client, run_id))[0]["message"]
    kill(server)
    shutil.rmtree(server.data_dir / "artifacts")  # it is a copy
    server.start()
    client = sign_in(server)
    eventually(lambda: len(logs(client, run_id)) == 2)
    open(go, "w", encoding="utf-8").close()
    done = ended(client, run_id)
    assert done["status"] == "SUCCEEDED" and task_of(get_run(client, run_id), "a")["output"] == "gone on"


def test_what_a_crash_left_half_unpacked_goes(own_server):
    server = own_server()
    assert server.stop() == 0
    half = server.data_dir / "artifacts" / ("0" * 64 + ".tmp")
    half.mkdir(parents=True)
    server.start()
    assert not half.exists() and Client(server)
