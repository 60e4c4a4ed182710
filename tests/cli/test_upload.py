"""The code of a Python flow goes to the server in parts; here to one that only listens."""

import hashlib
import http.server
import json
import threading
import zipfile

import pytest

FLOW = """\
from dagy import flow, task

@task
def one() -> int:
    return 1

@flow
def counted():
    return one()
"""


class Listener(http.server.BaseHTTPRequestHandler):
    """Keeps what it is sent in `server.heard`: (method, path, credential, body)."""

    def answer(self, status, document=None, etag=None):
        body = json.dumps(document).encode() if document is not None else b""
        self.send_response(status)
        self.send_header("Content-Length", str(len(body)))
        if etag:
            self.send_header("ETag", etag)
        self.end_headers()
        self.wfile.write(body)

    def handle_call(self):
        body = self.rfile.read(int(self.headers.get("Content-Length", 0)))
        self.server.heard.append((self.command, self.path, self.headers["Authorization"], body))
        here = f"http://127.0.0.1:{self.server.server_address[1]}"
        if self.path.endswith("/initiate"):
            size = json.loads(body)["size_bytes"]
            half = size // 2 + 1
            elsewhere = here.replace("127.0.0.1", "localhost")
            self.answer(201, {"upload_id": "u", "key": "k", "part_size": half, "parts": [
                {"part_number": 1, "url": "/parts/1"}, {"part_number": 2, "url": f"{elsewhere}/parts/2"}]})
        elif self.path.startswith("/parts/"):
            if self.server.is_full and self.path == "/parts/2":
                self.answer(413, {"detail": "it is full"})
            else:
                self.answer(200, etag=hashlib.sha256(body).hexdigest())
        elif self.path.endswith("/complete"):
            self.answer(200, {"artifact_uri": "artifact://x"})
        elif self.path.endswith("/abort"):
            self.answer(204)
        else:
            self.answer(201, {"flow_name": "counted", "flow_version": "1", "deployment_name": "counted"})

    do_POST = do_PUT = handle_call

    def log_message(self, *unused):
        pass


@pytest.fixture
def listener():
    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), Listener) as made:
        made.heard, made.is_full = [], False
        made.url = f"http://127.0.0.1:{made.server_address[1]}"
        threading.Thread(target=made.serve_forever).start()
        yield made
        made.shutdown()


@pytest.fixture
def python_cli(alone):
    (alone.home / "counted.py").write_text(FLOW)
    alone.variables["DAGY_TOKEN"] = "dagy_at_x"
    return alone


def test_parts_and_registration(python_cli, listener, tmp_path):
    text = python_cli("deploy", "counted.py", "--url", listener.url)
    assert text == "counted version 1 is deployed as counted\n"
    paths = [path for _, path, _, _ in listener.heard]
    assert paths == ["/artifacts/multipart/initiate", "/parts/1", "/parts/2",
                     "/artifacts/multipart/complete", "/flows"]
    order = json.loads(listener.heard[0][3])
    artifact = listener.heard[1][3] + listener.heard[2][3]
    assert order["size_bytes"] == len(artifact)
    assert order["sha256"] == hashlib.sha256(artifact).hexdigest()
    (tmp_path / "sent.zip").write_bytes(artifact)
    assert any(name.endswith("counted.py") for name in zipfile.ZipFile(tmp_path / "sent.zip").namelist())
    complete = json.loads(listener.heard[3][3])
    assert complete["parts"] == [
        {"part_number": i, "etag": hashlib.sha256(listener.heard[i][3]).hexdigest()} for i in (1, 2)]
    assert json.loads(listener.heard[4][3])["artifact_uri"] == "artifact://x"
    credentials = [credential for _, _, credential, _ in listener.heard]
    assert credentials[2] is None  # another origin
    assert set(credentials[:2] + credentials[3:]) == {"Bearer dagy_at_x"}


def test_a_part_that_is_refused_gives_the_upload_up(python_cli, listener):
    listener.is_full = True
    assert "it is full" in python_cli("deploy", "counted.py", "--url", listener.url, code=1)
    assert listener.heard[-1][1] == "/artifacts/multipart/abort"
    assert not any(path == "/flows" for _, path, _, _ in listener.heard)


def test_python_file_that_is_wrong(python_cli):
    (python_cli.home / "broken.py").write_text("def\n")
    assert "broken.py:1" in python_cli("run", "broken.py", code=2)
    assert "there is no flow 'other'" in python_cli("run", "counted.py:other", code=2)
