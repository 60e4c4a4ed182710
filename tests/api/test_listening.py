"""TLS, compressed answers, and clients behind proxies."""

import gzip
import http.client
import socket
import ssl
import subprocess
import threading

import pytest

import server as servers
from client import Answer, Client
from flows import flow, register, run, task

BIG = [task(f"task_{i:04}", description="x" * 100) for i in range(1000)]


# ---- compressed answers ----

@pytest.mark.parametrize("accepted, packed", [
    ("gzip", True), ("br;q=1.0, gzip;q=0.8", True), ("*", True), ("gzip;q=0", False), ("identity", False),
    ("br", False), (None, False),
])
def test_large_answers(owner, accepted, packed):
    headers = {"Accept-Encoding": accepted} if accepted else {"Accept-Encoding": ""}
    plain = owner.request("GET", "/openapi.json")
    answer = owner.request("GET", "/openapi.json", headers)
    assert (answer.headers["Content-Encoding"] == "gzip") == packed
    assert answer.headers["Vary"] == "Accept-Encoding"
    body = gzip.decompress(answer.body) if packed else answer.body
    assert body == plain.body
    assert int(answer.headers["Content-Length"]) == len(answer.body)
    if packed:
        assert len(answer.body) < len(body) / 3


def test_small_answers_and_heads(owner):
    small = owner.request("GET", "/health/live", {"Accept-Encoding": "gzip"})
    assert "Content-Encoding" not in small.headers and "Vary" not in small.headers
    head = owner.request("HEAD", "/openapi.json", {"Accept-Encoding": "gzip"})
    assert head.body == b""


# ---- proxies ----

def test_the_client_behind_a_trusted_proxy(own_server):
    server = own_server(DAGY_TRUSTED_PROXIES="127.0.0.1,10.0.0.0/8", DAGY_RATE_LIMIT_PER_MINUTE=1,
                        DAGY_RATE_LIMIT_BURST=2)
    client = Client(server)
    chain = lambda address: {"X-Forwarded-For": f"{address}, 10.1.1.1"}
    for address in ("192.0.2.1", "192.0.2.2", "2001:db8::1"):
        statuses = [client.request("GET", "/me", chain(address)).status for _ in range(3)]
        assert statuses == [401, 401, 429], address
    # What a client claims of itself counts for nothing: the proxy's own entry is the last one.
    lied = {"X-Forwarded-For": "198.51.100.7, 192.0.2.1, 10.1.1.1"}
    assert client.request("GET", "/me", lied).status == 429
    token = client.call("POST /auth/login", 200, body={
        "email": servers.OWNER, "password": servers.PASSWORD}, headers=chain("192.0.2.9")).json
    assert token["access_token"]
    ips = server.database.rows("SELECT ip FROM audit_log WHERE action = 'auth.login'")
    assert [tuple(row) for row in ips] == [("192.0.2.9",)]


@pytest.mark.parametrize("entry", ["localhost", "10.0.0.0/33", "1.2.3.4;5.6.7.8"])
def test_what_is_no_proxy(tmp_path, entry):
    refused_start(tmp_path, "DAGY_TRUSTED_PROXIES", DAGY_TRUSTED_PROXIES=entry)


def refused_start(directory, *words, **settings):
    done = subprocess.run([servers.BINARY, "serve"], capture_output=True, text=True,
                          env=servers.environment(directory / "data", **settings),
                          timeout=servers.START_SECONDS)
    assert done.returncode == 2, done.stderr
    for word in words:
        assert word in done.stderr


# ---- TLS ----

def make_certificate(directory, name="server"):
    certificate, key = directory / f"{name}.pem", directory / f"{name}.key"
    subprocess.run(["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256",
                    "-nodes", "-days", "2", "-subj", "/CN=localhost",
                    "-addext", "subjectAltName=DNS:localhost,IP:127.0.0.1",
                    "-keyout", key, "-out", certificate], check=True, capture_output=True)
    return certificate, key


class TlsClient(Client):
    def request(self, method, target, headers=None, body=None):
        context = ssl.create_default_context(cafile=self.server.certificate)
        connection = http.client.HTTPSConnection("127.0.0.1", self.server.port, context=context, timeout=60)
        try:
            connection.request(method, target, body=body, headers=headers or {})
            return Answer(connection.getresponse())
        finally:
            connection.close()

    def with_token(self, token):
        return TlsClient(self.server, token, self.document)


@pytest.fixture(scope="module")
def tls(tmp_path_factory):
    directory = tmp_path_factory.mktemp("tls")
    certificate, key = make_certificate(directory)
    server = servers.Server(directory, DAGY_TLS_CERT_FILE=certificate, DAGY_TLS_KEY_FILE=key)
    server.certificate = str(certificate)
    with server:
        yield server


@pytest.fixture(scope="module")
def tls_owner(tls):
    nobody = TlsClient(tls)
    return nobody.with_token(nobody.login(servers.OWNER, servers.PASSWORD))


def wrapped(server, **versions):
    context = ssl.create_default_context(cafile=server.certificate)
    for name, version in versions.items():
        setattr(context, name, version)
    context.set_alpn_protocols(["h2", "http/1.1"])
    plain = socket.create_connection(("127.0.0.1", server.port), timeout=30)
    return context.wrap_socket(plain, server_hostname="localhost")


def read_answer(stream):
    response = http.client.HTTPResponse(stream)
    response.begin()
    response.read()
    return response


def test_it_is_announced(tls):
    assert tls.greeting[-1].startswith("Dagy ") and "https://localhost:" in tls.greeting[-1]


def test_a_flow_over_tls(tls_owner):
    assert run(tls_owner, [task("a"), task("b")])["status"] == "SUCCEEDED"


def test_large_bodies_and_answers(tls_owner):
    name = register(tls_owner, flow(BIG)).json["flow_name"]
    answer = tls_owner.call("GET /flows/{flow_name}/latest", 200, path={"flow_name": name})
    assert len(answer.json["flow_spec"]["tasks"]) == 1000 and len(answer.body) > 100_000
    too_large = b'{"flow_spec": "' + b"x" * (8 << 20) + b'"}'
    tls_owner.call("POST /flows", 413, raw=too_large)
    tls_owner.call("POST /flows", 422, raw=too_large[:-1000] + b'"}')


@pytest.mark.parametrize("version", [ssl.TLSVersion.TLSv1_2, ssl.TLSVersion.TLSv1_3])
def test_versions_and_protocol(tls, version):
    with wrapped(tls, minimum_version=version, maximum_version=version) as stream:
        assert stream.selected_alpn_protocol() == "http/1.1"
        for _ in range(3):  # on one connection
            stream.sendall(b"GET /health/live HTTP/1.1\r\nHost: x\r\n\r\n")
            assert read_answer(stream).status == 200


def test_old_versions_are_refused(tls):
    done = subprocess.run(["openssl", "s_client", "-connect", f"127.0.0.1:{tls.port}", "-tls1_1",
                           "-cipher", "DEFAULT@SECLEVEL=0"],
                          input=b"", capture_output=True, timeout=30)
    assert done.returncode != 0


def test_pipelined_and_byte_by_byte(tls):
    request = b"GET /health/live HTTP/1.1\r\nHost: x\r\n\r\n"
    with wrapped(tls) as stream:
        stream.sendall(request * 50 + b"GET /health/live HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n")
        received = b"".join(iter(lambda: stream.recv(65536), b""))
        assert received.count(b"HTTP/1.1 200") == 51
    with wrapped(tls) as stream:
        for byte in request:
            stream.sendall(bytes([byte]))
        assert read_answer(stream).status == 200


def test_a_reader_that_is_slow(tls, tls_owner):
    """The answer is longer than what the sockets hold; it comes whole when it is read at last."""
    body = tls_owner.request("GET", "/openapi.json").body
    requests = 60
    with wrapped(tls) as stream:
        sender = threading.Thread(target=stream.sendall, args=(
            b"GET /openapi.json HTTP/1.1\r\nHost: x\r\n\r\n" * requests
            + b"GET /health/live HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n",))
        sender.start()
        assert TlsClient(tls).request("GET", "/health/live").status == 200  # others are served
        received = b"".join(iter(lambda: stream.recv(65536), b""))
        sender.join()
        assert received.count(body) == requests


def test_a_live_stream(tls, tls_owner):
    shell = [task("slow", "shell", {"command": "for i in 1 2 3; do echo line $i; sleep 0.1; done"})]
    name = register(tls_owner, flow(shell)).json["flow_name"]
    run_id = tls_owner.call("POST /runs", 202, body={"flow_name": name}).json["run_id"]
    answer = tls_owner.request("GET", f"/runs/{run_id}/events", {"Authorization": "Bearer " + tls_owner.token})
    assert b"line 3" in answer.body and answer.headers["Content-Type"].startswith("text/event-stream")


def test_what_is_no_tls(tls):
    for sent in (b"GET /health HTTP/1.1\r\nHost: x\r\n\r\n", b"\x16\x03\x01\xff\xff" + b"x" * 70_000, b"\0" * 10):
        with socket.create_connection(("127.0.0.1", tls.port), timeout=30) as stream:
            try:
                stream.sendall(sent)
                stream.shutdown(socket.SHUT_WR)
                assert b"HTTP" not in b"".join(iter(lambda: stream.recv(4096), b""))
            except OSError:
                pass  # it was cut off
    assert TlsClient(tls).request("GET", "/health/live").status == 200


def test_connections_that_break(tls):
    """In the middle of the handshake, of a request and of an answer, many at a time."""
    def break_off(step):
        plain = socket.create_connection(("127.0.0.1", tls.port), timeout=30)
        if step == 0:
            plain.sendall(b"\x16\x03\x01\x02\x00\x01\x00")
            return plain.close()
        context = ssl.create_default_context(cafile=tls.certificate)
        stream = context.wrap_socket(plain, server_hostname="localhost")
        stream.sendall(b"GET /openapi.json HTTP/1.1\r\nHost: x\r\n" + (b"\r\n" if step == 2 else b""))
        stream.close()

    threads = [threading.Thread(target=break_off, args=(i % 3,)) for i in range(60)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert TlsClient(tls).request("GET", "/health/live").status == 200


def test_files_that_do_not_fit(tmp_path):
    certificate, key = make_certificate(tmp_path)
    _, other = make_certificate(tmp_path, "other")
    absent = tmp_path / "absent"
    garbage = tmp_path / "garbage"
    garbage.write_text("not PEM")
    for first, second in ((certificate, other), (absent, key), (certificate, absent), (garbage, key),
                          (certificate, garbage), (key, certificate)):
        refused_start(tmp_path, "DAGY_TLS_CERT_FILE", DAGY_TLS_CERT_FILE=first, DAGY_TLS_KEY_FILE=second)
    refused_start(tmp_path, "both or none", DAGY_TLS_CERT_FILE=certificate)
    refused_start(tmp_path, "both or none", DAGY_TLS_KEY_FILE=key)
