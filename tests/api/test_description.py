"""/openapi.json, /docs, /health, /health/live."""

import json
import re
import subprocess

import jsonschema
import pytest

import server as servers
from client import UNLIMITED, Client

COMMITTED = servers.REPOSITORY / "docs" / "api" / "openapi.json"


@pytest.fixture(scope="module")
def document(nobody):
    return nobody.call("GET /openapi.json", 200).json


def operations(document):
    for path, item in document["paths"].items():
        for method, operation in item.items():
            yield f"{method.upper()} {path}", operation


def test_it_is_what_the_program_prints_and_what_is_committed(nobody):
    served = nobody.call("GET /openapi.json", 200).body
    printed = subprocess.run([servers.BINARY, "openapi"], capture_output=True, check=True).stdout
    assert served == printed == COMMITTED.read_bytes()


def test_basics(document, house):
    assert document["openapi"] == "3.1.0"
    assert document["info"]["version"] == house.server.version
    assert [each["url"] for each in document["servers"]] == [
        "http://localhost:8000", "http://localhost:8000/app"]
    tags = {tag["name"] for tag in document["tags"]}
    names = []
    for route, operation in operations(document):
        names.append(operation["operationId"])
        assert set(operation["tags"]) <= tags and operation["summary"], route
    assert len(names) == len(set(names))


def test_path_parameters_are_declared(document):
    for route, operation in operations(document):
        declared = [each["name"] for each in operation["parameters"] if each["in"] == "path"]
        assert declared == re.findall(r"{(\w+)}", route), route


def test_every_schema_is_a_schema_and_every_reference_leads_somewhere(document):
    for name, schema in document["components"]["schemas"].items():
        jsonschema.Draft202012Validator.check_schema(schema)
        if schema.get("type") == "object":
            assert schema["additionalProperties"] is False, name
    references = re.findall(r'"\$ref": ?"([^"]+)"', json.dumps(document))
    known = {"#/components/schemas/" + name for name in document["components"]["schemas"]}
    assert set(references) == known


def test_common_answers_are_documented(document):
    for route, operation in operations(document):
        answers = operation["responses"]
        assert "500" in answers and "503" in answers, route
        assert ("401" in answers) == (operation["security"] != [] or "login" in route), route
        is_for_people = route in ("POST /auth/logout", "POST /auth/password")
        is_signed = "signature" in [each["name"] for each in operation["parameters"]]
        assert ("403" in answers) == ("x-permission" in operation or is_for_people or is_signed), route
        path = route.split()[1]
        assert ("429" in answers) == (path not in UNLIMITED), route


def test_later_fields_are_nowhere(document):
    text = json.dumps(document["components"]["schemas"]["FlowSpec"])
    for word in ("pool", "docker", "requirements", "secret", "variable"):
        assert f'"{word}"' not in text
    run_request = document["components"]["schemas"]["RunRequest"]["properties"]
    assert sorted(run_request) == ["deployment_name", "environment_id", "execution_mode", "flow_name",
                                   "flow_version", "parameters", "priority", "wait_seconds"]


def test_the_reference_page_needs_nothing_else(nobody):
    answer = nobody.call("GET /docs", 200)
    page = answer.body.decode()
    assert answer.headers["Content-Type"] == "text/html; charset=utf-8"
    assert "default-src 'none'" in answer.headers["Content-Security-Policy"]
    assert not re.search(r"<script|<link|<img|src=|@import|https?://(?!localhost)", page)
    for route, operation in operations(nobody.document.document):
        assert route.split()[1] in page and operation["summary"] in page


def test_health(nobody, house):
    health = nobody.call("GET /health", 200).json
    assert health["version"] == house.server.version
    components = {each["name"]: each for each in health["components"]}
    assert set(components) == {"store", "objects", "engine", "isolation"}
    isolation = components.pop("isolation")  # what it is, is the machine's: see tests/isolation
    assert health["status"] == isolation["status"] != "unhealthy"
    assert all(each["status"] == "healthy" and each["message"] is None
               for each in components.values())


def test_liveness(nobody, house):
    live = nobody.call("GET /health/live", 200).json
    assert live == {"status": "ok", "version": house.server.version}


def test_health_ignores_credentials(house):
    for token in ("garbage", "dagy_at_unknown"):
        house.nobody.with_token(token).call("GET /health", 200)


@pytest.mark.sqlite_only("its objects are files")
def test_objects_that_cannot_be_written(own_server):
    server = own_server()
    client = Client(server)
    objects = server.data_dir / "objects"
    objects.rename(server.data_dir / "moved")
    health = client.call("GET /health", 503).json
    assert health["status"] == "unhealthy"
    message = {each["name"]: each["message"] for each in health["components"]}["objects"]
    assert message
    client.call("GET /health/live", 200)
    (server.data_dir / "moved").rename(objects)
    client.call("GET /health", 200)
