"""A client that holds every answer against the served OpenAPI document."""

import http.client
import json
import re
import time
import urllib.parse

import jsonschema

REQUEST_SECONDS = 90
TIMESTAMP = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z")
POINTER = re.compile(r"(/([^~/]|~[01])*)*")
UNLIMITED = ("/health", "/health/live", "/docs", "/openapi.json",
             "/artifacts/parts/{upload_id}/{part_number}")

formats = jsonschema.FormatChecker(formats=())


@formats.checks("date-time")
def _is_timestamp(value):
    return not isinstance(value, str) or TIMESTAMP.fullmatch(value) is not None


class Answer:
    def __init__(self, response):
        self.status = response.status
        self.headers = response.headers
        self.body = response.read()

    @property
    def json(self):
        return json.loads(self.body)

    @property
    def detail(self):
        return self.json["detail"]

    @property
    def error_paths(self):
        return {error["path"] for error in self.json.get("errors", [])}

    def __repr__(self):
        return f"{self.status} {self.body[:2000]!r}"


class Document:
    """The OpenAPI document, ready to check answers of "METHOD /path" routes."""

    def __init__(self, document):
        self.document = document
        self._validators = {}

    def operation(self, route):
        method, path = route.split(" ", 1)
        return self.document["paths"][path][method.lower()]

    def routes(self):
        return [f"{method.upper()} {path}" for path, item in self.document["paths"].items()
                for method in item]

    def check(self, route, answer):
        responses = self.operation(route)["responses"]
        assert str(answer.status) in responses, f"{route} does not document {answer!r}"
        content = responses[str(answer.status)].get("content")
        if content is None:
            assert answer.body == b"", f"{route} documents no body: {answer!r}"
            return
        media_type = answer.headers["Content-Type"].split(";")[0]
        assert media_type in content, f"{route} does not document {media_type}"
        schema = content[media_type].get("schema")
        if schema and media_type == "application/json":
            self._validator(schema).validate(answer.json)

    def _validator(self, schema):
        key = json.dumps(schema)
        if key not in self._validators:
            whole = dict(schema, components=self.document["components"])
            self._validators[key] = jsonschema.Draft202012Validator(whole, format_checker=formats)
        return self._validators[key]


def check_headers(path, answer, is_limited):
    """Rules of every answer, whatever its route."""
    assert answer.headers["X-Request-Id"]
    has_rate = "X-RateLimit-Limit" in answer.headers and "X-RateLimit-Remaining" in answer.headers
    assert has_rate == (is_limited and path not in UNLIMITED), dict(answer.headers)
    if answer.status in (429, 503) and path != "/health":
        assert int(answer.headers["Retry-After"]) >= 1
    if answer.status == 401 and path != "/auth/login":
        assert answer.headers["WWW-Authenticate"] == "Bearer"
    if answer.status >= 400 and answer.body and path != "/health":
        for error in answer.json.get("errors", []):
            assert POINTER.fullmatch(error["path"]), error


class Client:
    """Calls with one identity. `token` None sends no credential."""

    def __init__(self, server, token=None, document=None):
        self.server = server
        self.token = token
        self.is_limited = server.settings.get("DAGY_RATE_LIMIT_PER_MINUTE", "0") != "0"
        self.document = document or Document(self.request("GET", "/openapi.json").json)

    def with_token(self, token):
        return Client(self.server, token, self.document)

    def request(self, method, target, headers=None, body=None):
        """One request as it is; nothing about its answer is checked."""
        connection = http.client.HTTPConnection("127.0.0.1", self.server.port,
                                                timeout=REQUEST_SECONDS)
        try:
            headers = headers or {}
            connection.request(method, target, body=body, headers=headers,
                               encode_chunked="Transfer-Encoding" in headers)
            return Answer(connection.getresponse())
        finally:
            connection.close()

    def call(self, route, status, *, path=None, query=None, body=None, raw=None, headers=None,
             prefix=""):
        """One call of a documented route; the answer must match the document and have `status`, or
        one of them.

        `body` is sent as JSON, `raw` as the bytes they are; `query` is a dict or a string.
        """
        method, template = route.split(" ", 1)
        values = {name: urllib.parse.quote(value, safe="") for name, value in (path or {}).items()}
        target = prefix + template.format(**values)
        if query:
            target += "?" + (query if isinstance(query, str) else urllib.parse.urlencode(query))
        sent = {}
        if self.token is not None:
            sent["Authorization"] = "Bearer " + self.token
        if body is not None:
            raw = json.dumps(body).encode()
        if raw is not None:
            sent["Content-Type"] = "application/json"
        sent.update(headers or {})
        answer = self.request(method, target, sent, raw)
        expected = (status,) if isinstance(status, int) else status
        assert answer.status in expected, f"{route}: {answer!r}"
        check_headers(template, answer, self.is_limited)
        self.document.check(route, answer)
        return answer

    def login(self, email, password, **more):
        body = {"email": email, "password": password, **more}
        return self.call("POST /auth/login", 200, body=body).json["access_token"]

    def pages(self, route, limit, query=None, **more):
        """The items of every page of a list, page by page."""
        query = dict(query or {}, limit=limit)
        while True:
            page = self.call(route, 200, query=query, **more).json
            assert len(page["items"]) <= limit
            yield page["items"]
            if page["next_token"] is None:
                return
            query["next_token"] = page["next_token"]


def eventually(attempt, seconds=30):
    """The first true value of `attempt()`, which may also assert: for what only time can bring about."""
    deadline = time.monotonic() + seconds
    while True:
        try:
            value = attempt()
            if value:
                return value
            assert time.monotonic() < deadline, "it did not come in time"
        except AssertionError:
            if time.monotonic() >= deadline:
                raise
        time.sleep(0.02)
