"""Where flows may call: public addresses, and what DAGY_HTTP_ALLOW names; whatever stands in a URL,
a redirect or an answer of the DNS."""

import subprocess
import time

import pytest

import network
import server as servers
from flows import flow, logs, register, run, task, task_of

INNER_URLS = [
    "http://127.0.0.1/", "http://localhost/", "http://127.1/", "http://2130706433/", "http://0177.0.0.1/",
    "http://017700000001/", "http://0x7f.0.0.1/", "http://0x7f000001/", "http://0/",
    "http://0.0.0.0/", "http://[::]/", "http://[::1]/", "http://[::ffff:127.0.0.1]/", "http://[::ffff:7f00:1]/",
    "http://[0:0:0:0:0:ffff:a9fe:a9fe]/", "http://[64:ff9b::7f00:1]/", "http://[2002:7f00:1::]/",
    "http://[2001:0:7f00:1::]/", "http://[fd12::1]/", "http://[fe80::1]/", "http://[fe80::1%251]/",
    "http://[ff02::1]/", "http://[::127.0.0.1]/", "http://10.1.2.3/", "http://172.16.9.9/", "http://192.168.7.7/",
    "http://100.64.0.1/", "http://169.254.169.254/latest/meta-data/", "http://2852039166/", "http://[fd00:ec2::254]/",
    "http://100.100.100.200/", "http://168.63.129.16/", "http://192.0.0.192/", "http://224.0.0.1/",
    "http://255.255.255.255/", "http://240.0.0.1/", "http://198.18.0.1/", "http://203.0.113.1/",
    "http://inner.test/", "http://inner6.test/", "http://metadata.test/", "http://mapped.test/",
]


def names_of(world):
    world.names.names.update({
        "inner.test": [["127.0.0.1"]], "inner6.test": [["::1"]], "metadata.test": [["169.254.169.254"]],
        "mapped.test": [["::ffff:127.0.0.1"]], "named.test": [["10.1.2.3"]],
        "turns.test": [[network.PUBLIC], ["127.0.0.1"]], "both.test": [["127.0.0.1", network.PUBLIC]],
        "closed.test": [[network.PUBLIC_2, "127.0.0.1"]]})


def call(client, url, **config):
    """The only task run of a flow that calls `url`."""
    view = run(client, [task("call", "http", {"url": url, **config})])
    return task_of(view, "call")


def error_of(ended):
    assert ended["status"] == "FAILED", ended
    return ended["error"]


def test_public_addresses_are_called(world, owner):
    world.public.answer("/", body=b"welcome")
    for url in ("http://public.test/", f"http://{network.PUBLIC}/", f"http://[{network.PUBLIC_6}]/"):
        ended = call(owner, url)
        assert ended["status"] == "SUCCEEDED", ended
        assert ended["output"]["body"] == "welcome"
    assert world.inner.connections == 0  # where the environment has its proxy


def test_inner_addresses_are_not(world, owner):
    names_of(world)
    register(owner, spec := flow([task(f"t{i}", "http", {"url": url}) for i, url in enumerate(INNER_URLS)],
                                 fail_fast=False))
    view = owner.call("POST /runs", 200, body={"flow_name": spec["name"], "wait_seconds": 60}).json
    wrong = {}
    for i, url in enumerate(INNER_URLS):
        ended = task_of(view, f"t{i}")
        if ended["status"] != "FAILED" or ended["error"]["kind"] != "forbidden_address":
            wrong[url] = ended
    assert not wrong
    assert world.inner.connections == 0 and world.inner.requests == []


def test_a_name_that_looks_like_an_address(world, owner):
    assert error_of(call(owner, "http://127.0.0.1./"))["kind"] == "connection"
    assert world.inner.connections == 0


def test_the_error_names_address_and_setting(world, owner):
    names_of(world)
    error = error_of(call(owner, "http://metadata.test/latest?token=secret"))
    assert "metadata.test is at 169.254.169.254" in error["message"]
    assert "DAGY_HTTP_ALLOW" in error["message"] and "secret" not in error["message"]


def test_what_is_allowed_is_called_and_nothing_beside_it(world, owner):
    names_of(world)
    world.allowed.answer("/", body=b"in")
    world.inner.answer("/", body=b"named")
    assert call(owner, "http://127.0.0.1:8081/")["status"] == "SUCCEEDED"
    assert call(owner, "http://2130706433:8081/")["status"] == "SUCCEEDED"  # the same
    assert call(owner, "http://localhost:8081/")["status"] == "SUCCEEDED"  # is there
    assert call(owner, "http://named.test/")["output"]["body"] == "named"
    before = world.inner.connections
    for url in ("http://127.0.0.1/", "http://10.1.2.3/", "http://127.0.0.1:8082/", "http://named.test:81/"):
        assert error_of(call(owner, url))["kind"] == "forbidden_address", url
    assert world.inner.connections == before


@pytest.mark.parametrize("target", ["http://127.0.0.1/", "http://[::1]/", "http://inner.test/", "//2130706433/",
                                    "http://169.254.169.254/latest"])
@pytest.mark.parametrize("status", [301, 307])
def test_redirects_are_checked_again(world, owner, target, status):
    names_of(world)
    world.public.answer("/", status, {"Location": target})
    assert error_of(call(owner, "http://public.test/"))["kind"] == "forbidden_address"
    assert world.inner.connections == 0


def test_pages_are_checked_again(world, owner):
    world.public.answer("/", 200, {"Link": '<http://169.254.169.254/>; rel="next"'}, b"[1]")
    assert error_of(call(owner, "http://public.test/", paginate={"by": "link"}))["kind"] == "forbidden_address"
    assert world.inner.connections == 0


def test_a_name_that_changes_its_address(world, owner):
    """DNS rebinding: public when it is asked first, the server's own machine from then on."""
    names_of(world)
    world.public.routes["/"] = lambda request: (200, {"Connection": "close"}, b"")
    first = call(owner, "http://turns.test/")
    assert first["status"] == "SUCCEEDED"
    deadline = time.monotonic() + 30  # the client remembers an address for 5 s
    while world.names.asked["turns.test", 1] == 1 and time.monotonic() < deadline:
        later = call(owner, "http://turns.test/")
        time.sleep(1)
    assert error_of(later)["kind"] == "forbidden_address"
    assert world.inner.connections == 0


def test_a_name_with_several_addresses(world, owner):
    """Only the public one of them is used, the others are no way out when it does not answer, and then
    the error tells of the public one."""
    names_of(world)
    world.public.answer("/", body=b"the public one")
    assert call(owner, "http://both.test/")["output"]["body"] == "the public one"
    assert error_of(call(owner, "http://closed.test:81/"))["kind"] == "connection"
    assert world.inner.connections == 0


@pytest.mark.parametrize("url, rule", [
    ("ftp://public.test/", "must be an http or https URL"), ("file:///etc/passwd", "must be an http or https URL"),
    ("gopher://127.0.0.1:25/", "must be an http or https URL"), ("http://user:password@public.test/", "user or a password"),
    ("http://@public.test/", "user or a password"), ("http://:@public.test/", "user or a password"),
    ("http://b\u00fccher.test/", "ASCII"), ("http://\u2460\u2461\u2466.0.0.1/", "ASCII"), ("http://%ff/", "must"),
    ("http://", "must be a URL"), ("public.test", "must be a URL"),
    ("http://public.test:99999/", "must be a URL"), ("http://public.test:0/", "must be a URL"),
    ("http://a b/", "must be a URL"), ("http://[::1/", "must be a URL"), ("http://public.test/\r\nHost: x", "must be a URL"),
    ("http://" + "a" * 9000, "8192 bytes")])
def test_what_is_no_url(world, owner, url, rule):
    answer = register(owner, flow([task("call", "http", {"url": url})]), 422)
    assert answer.error_paths == {"/flow_spec/tasks/0/config/url"}
    assert rule in str(answer.json["errors"])


def test_a_url_from_a_template_is_checked_when_the_task_starts(world, owner):
    view = run(owner, [task("call", "http", {"url": "{{ parameters.url }}"})],
               parameters=[{"name": "url", "type": "string", "default": "file:///etc/passwd"}])
    error = error_of(task_of(view, "call"))
    assert error == {"kind": "invalid_config", "message": "/config/url: must be an http or https URL"}


# ---- TLS ----

def test_certificates_are_checked(world, owner):
    world.secure.answer("/", body=b"safe")
    assert call(owner, "https://public.test/")["output"]["body"] == "safe"
    world.names.names["other.test"] = [[network.PUBLIC]]
    assert error_of(call(owner, "https://other.test/"))["kind"] == "tls"  # another name
    assert len(world.secure.requests) == 1


def test_an_unknown_authority_is_not_trusted(world, tmp_path):
    with servers.Server(tmp_path) as own:
        owner = type(world.client)(own)
        owner = owner.with_token(owner.login(servers.OWNER, servers.PASSWORD))
        assert error_of(call(owner, "https://public.test/"))["kind"] == "tls"
    assert world.secure.requests == []


def test_nothing_leads_from_https_to_http(world, owner):
    world.secure.answer("/", 302, {"Location": "http://public.test/"})
    error = error_of(call(owner, "https://public.test/"))
    assert error["kind"] == "redirect" and "from https to http" in error["message"]
    assert world.public.connections == 0


# ---- settings ----

@pytest.mark.parametrize("value", ["localhost", "localhost:", "localhost:0", "localhost:65536", ":80", "::1:80",
                                   "http://localhost:80", "localhost:80/path", "a b:80", "localhost:80;x:80",
                                   "user@localhost:80"])
def test_what_dagy_http_allow_refuses(tmp_path, value):
    done = subprocess.run([servers.BINARY, "serve"], env=servers.environment(tmp_path / "data", DAGY_HTTP_ALLOW=value),
                          capture_output=True, text=True, timeout=30)
    assert done.returncode != 0
    assert "DAGY_HTTP_ALLOW" in done.stderr and "is not a host and a port" in done.stderr


def test_a_file_of_authorities_must_be_there(tmp_path):
    settings = servers.environment(tmp_path / "data", DAGY_HTTP_CA_FILE=tmp_path / "none.pem")
    done = subprocess.run([servers.BINARY, "serve"], env=settings, capture_output=True, text=True, timeout=30)
    assert done.returncode != 0 and "DAGY_HTTP_CA_FILE" in done.stderr


def test_no_secret_is_in_the_log(world, owner):
    world.public.answer("/a", 302, {"Location": "http://public.test/b?signature=hidden"})
    world.public.answer("/b", body=b"done")
    view = run(owner, [task("call", "http", {"url": "http://public.test/a", "query": {"api_key": "hidden"},
                                             "auth": {"type": "bearer", "token": "hidden"}})])
    lines = [line["message"] for line in logs(owner, view["run_id"])]
    assert [line.rsplit(",", 1)[0] for line in lines] == ["GET http://public.test/a: status 302, 0 bytes",
                                                           "GET http://public.test/b: status 200, 4 bytes"]
    assert "hidden" not in world.server.log()
