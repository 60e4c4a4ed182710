"""A flow's artifact is for its own attempts to read, on a server as root and as an ordinary user."""

import pytest

from artifacts import upload_files
from flows import flow, run_flow, task, task_of

LOOK = """\
import os
HERE = os.path.dirname(__file__)

def attempt(action):
    try:
        return action() or "done"
    except OSError as error:
        return type(error).__name__

def look():
    tries = [
        lambda: open(HERE + "/new.py", "w"),
        lambda: open(__file__, "a"),
        lambda: os.remove(__file__),
        lambda: os.rename(__file__, HERE + "/other.py"),
        lambda: os.chmod(__file__, 0o777),
        lambda: os.mkdir(os.path.dirname(HERE) + "/more"),
    ]
    return {"there": os.listdir(os.path.dirname(HERE)), "tries": [attempt(each) for each in tries]}
"""


@pytest.mark.parametrize("start", ["fork", "worker", "spawn"])
def test_an_artifact_is_to_read_and_of_its_organization(battlefield, start):
    if battlefield.isolation()["status"] != "healthy":
        pytest.skip("absent here: " + battlefield.isolation()["message"])
    upload_files(battlefield.victim, {"secret.py": "x = 'of the victim'\n"})
    uri = upload_files(battlefield.attacker, {"looking.py": LOOK})
    spec = flow([task("a", "python", {"entrypoint": "looking:look", "start": start})])
    battlefield.attacker.call("POST /flows", 201, body={"flow_spec": spec, "artifact_uri": uri})
    found = task_of(run_flow(battlefield.attacker, spec["name"]), "a")["output"]
    assert found["there"] == [uri[-64:]]
    assert "done" not in found["tries"], found
    kept = battlefield.server.data_dir / "artifacts" / uri[-64:]
    assert [path.name for path in kept.iterdir()] == ["looking.py"]
    assert (kept / "looking.py").read_text(encoding="utf-8") == LOOK
