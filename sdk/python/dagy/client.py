"""A client of the REST API on urllib: every method is one or few calls, answers are dicts as they
come. DagyError for every refusal, and for no answer (status 0)."""

import http.client
import json
import time
import urllib.error
import urllib.parse
import urllib.request
import uuid
from typing import Any, Dict, Iterator, Mapping, Optional

from .artifact import LocalArtifact
from .errors import DagyError
from .upload import upload

RETRIES_MAX = 5  # of answers 429 and 503
RETRY_SECONDS_MAX = 60.0
HELD_SECONDS = 30  # that `run` lets one request wait for the end
FINAL = ("SUCCEEDED", "FAILED", "CANCELLED")


class _SameHost(urllib.request.HTTPRedirectHandler):
    """Follows redirects within one origin only: the token must not reach another."""

    def redirect_request(self, req: Any, fp: Any, code: int, msg: str, headers: Any,
                         newurl: str) -> Any:
        if _origin(newurl) != _origin(req.full_url):
            raise DagyError(code, f"{req.full_url} redirects to another server, {newurl}; "
                            "give that address if it is the right one")
        return super().redirect_request(req, fp, code, msg, headers, newurl)


def _origin(url: str) -> Any:
    parts = urllib.parse.urlsplit(url)
    port = parts.port or {"http": 80, "https": 443}.get(parts.scheme)
    return parts.scheme, parts.hostname, port


def _refusal(status: int, body: bytes) -> DagyError:
    try:
        answer = json.loads(body)
        return DagyError(status, str(answer["detail"]), answer.get("errors"))
    except (ValueError, KeyError, TypeError, AttributeError):
        return DagyError(status, body[:500].decode("utf-8", "replace") or "an empty answer")


class DagyClient:
    """Calls with one identity. `token` is an access token or an API key.

    `timeout_seconds` is how long an answer may take, beyond what a call itself waits for. Answers
    429 and 503 are waited out as Retry-After says, five times and a minute each at most.
    """

    def __init__(self, url: str = "http://localhost:8000", token: Optional[str] = None,
                 timeout_seconds: float = 60.0) -> None:
        parts = urllib.parse.urlsplit(url)
        if parts.scheme not in ("http", "https") or not parts.hostname:
            raise ValueError(f"not the address of a server: {url!r}; it begins with http:// or "
                             "https://")
        self.url = url.rstrip("/")
        self.token = token
        self.timeout_seconds = timeout_seconds
        # No proxy of the environment would be asked for localhost, and none should see the token.
        self._opener = urllib.request.build_opener(_SameHost, urllib.request.ProxyHandler({}))

    # ---- calls ----

    def call(self, method: str, path: str, body: Optional[Mapping[str, Any]] = None, *,
             query: Optional[Mapping[str, Any]] = None, idempotency_key: Optional[str] = None,
             wait_seconds: float = 0) -> Any:
        """One call of any route; `path` is quoted already. The answer's JSON, None if empty."""
        headers = {"Accept": "application/json"}
        if body is not None:
            headers["Content-Type"] = "application/json"
        if idempotency_key is not None:
            headers["Idempotency-Key"] = idempotency_key
        given = {name: value for name, value in (query or {}).items() if value is not None}
        target = self.url + path + ("?" + urllib.parse.urlencode(given) if given else "")
        data = None if body is None else json.dumps(body, allow_nan=False).encode()
        answer, _ = self.exchange(method, target, data, headers, wait_seconds)
        if not answer:
            return None
        try:
            return json.loads(answer)
        except ValueError:
            raise DagyError(0, f"{method} {target} did not answer in JSON: is this a Dagy server?"
                            ) from None

    def exchange(self, method: str, target: str, data: Optional[bytes], headers: Dict[str, str],
                 wait_seconds: float = 0) -> Any:
        """(body, headers) of one request. The token goes to the client's own server only."""
        if self.token and _origin(target) == _origin(self.url):
            headers = {**headers, "Authorization": "Bearer " + self.token}
        for attempt in range(RETRIES_MAX + 1):
            request = urllib.request.Request(target, data, headers, method=method)
            try:
                with self._opener.open(request,
                                       timeout=self.timeout_seconds + wait_seconds) as answer:
                    return answer.read(), answer.headers
            except urllib.error.HTTPError as error:
                with error:
                    body = error.read()
                if error.code not in (429, 503) or attempt == RETRIES_MAX:
                    raise _refusal(error.code, body) from None
                time.sleep(_retry_seconds(error.headers.get("Retry-After"), attempt))
            except (OSError, http.client.HTTPException) as error:
                reason = getattr(error, "reason", None) or error
                raise DagyError(0, f"no answer from {self.url}: {reason}") from None
        raise AssertionError("unreachable")

    def pages(self, path: str, **query: Any) -> Iterator[Dict[str, Any]]:
        """Every item of a list, page by page."""
        while True:
            page = self.call("GET", path, query=query)
            yield from page["items"]
            if page["next_token"] is None:
                return
            query["next_token"] = page["next_token"]

    # ---- who calls ----

    def login(self, email: str, password: str, org_id: Optional[str] = None) -> Dict[str, Any]:
        """Takes a token for the calls to come: {"access_token", "token_type", "expires_at"}."""
        body = {"email": email, "password": password, **({"org_id": org_id} if org_id else {})}
        answer = self.call("POST", "/auth/login", body)
        self.token = answer["access_token"]
        return answer

    # ---- flows ----

    def register(self, flow_spec: Mapping[str, Any], *, artifact: Optional[LocalArtifact] = None,
                 deployment_name: Optional[str] = None, **more: Any) -> Dict[str, Any]:
        """Uploads the artifact, if any, and registers the FlowSpec: the flow version.

        `more` are further members of POST /flows (namespace, tags, execution_mode).
        """
        body: Dict[str, Any] = {"flow_spec": flow_spec, **more}
        if artifact is not None:
            body["artifact_uri"] = upload(self, artifact)
        if deployment_name is not None:
            body["deployment_name"] = deployment_name
        return self.call("POST", "/flows", body)

    def deploy(self, flow_name: str, deployment_name: str, *, flow_version: Optional[str] = None,
               **more: Any) -> Dict[str, Any]:
        """Binds a deployment to a registered version, the newest unless it is named."""
        body = {"deployment_name": deployment_name, **more}
        if flow_version is not None:
            body["flow_version"] = flow_version
        return self.call("POST", f"/flows/{quoted(flow_name)}/deploy", body)

    def flows(self, **query: Any) -> Iterator[Dict[str, Any]]:
        """Of all flows, newest first."""
        return self.pages("/flows", **query)

    # ---- runs ----

    def trigger(self, flow_name: Optional[str] = None,
                parameters: Optional[Mapping[str, Any]] = None, *,
                deployment_name: Optional[str] = None, idempotency_key: Optional[str] = None,
                **more: Any) -> Dict[str, Any]:
        """Starts a run: {"run_id", "run_slug", "status"}. `more` are members of POST /runs.

        With the same `idempotency_key` the same run is answered, so the call may be repeated;
        without one each call starts another run.
        """
        body: Dict[str, Any] = {"parameters": dict(parameters or {}), **more}
        if flow_name is not None:
            body["flow_name"] = flow_name
        if deployment_name is not None:
            body["deployment_name"] = deployment_name
        # A key in any case: a repeated request, after a 503, is the same call.
        return self.call("POST", "/runs", body, idempotency_key=idempotency_key or uuid.uuid4().hex,
                         wait_seconds=more.get("wait_seconds") or 0)

    def run(self, flow_name: Optional[str] = None,
            parameters: Optional[Mapping[str, Any]] = None, *,
            timeout_seconds: Optional[float] = None, **more: Any) -> Dict[str, Any]:
        """Starts a run and waits for its end, as `wait` does."""
        if timeout_seconds is None or timeout_seconds >= 1:  # the server's own wait is the quickest
            more.setdefault("wait_seconds", int(min(timeout_seconds or HELD_SECONDS, HELD_SECONDS)))
        started = self.trigger(flow_name, parameters, **more)
        return self.wait(started["run_id"], timeout_seconds=timeout_seconds)

    def get(self, run_id: str) -> Dict[str, Any]:
        """The run with its task runs."""
        return self.call("GET", f"/runs/{quoted(run_id)}")

    def wait(self, run_id: str, *, timeout_seconds: Optional[float] = None) -> Dict[str, Any]:
        """The run once it has ended, hooks too. TimeoutError when it has not by then."""
        deadline = None if timeout_seconds is None else time.monotonic() + timeout_seconds
        pause = 0.05
        while True:
            run = self.get(run_id)
            if run["status"] in FINAL and run["finished_at"] is not None:
                return run
            if deadline is not None and time.monotonic() >= deadline:
                raise TimeoutError(f"run {run_id} is {run['status']} after {timeout_seconds} s")
            left = pause if deadline is None else deadline - time.monotonic()
            time.sleep(max(0.0, min(pause, left)))
            pause = min(pause * 1.5, 2.0)

    def cancel(self, run_id: str, reason: Optional[str] = None) -> Dict[str, Any]:
        """DagyError 409 when it has ended already."""
        return self.call("POST", f"/runs/{quoted(run_id)}/cancel",
                         {"reason": reason} if reason is not None else {})

    def runs(self, **query: Any) -> Iterator[Dict[str, Any]]:
        """Of all runs, newest first; `query`: flow_name, deployment_name, status, since, limit."""
        return self.pages("/runs", **query)

    def logs(self, run_id: str, **query: Any) -> Iterator[Dict[str, Any]]:
        """Of all lines so far: {"seq", "timestamp", "level", "message", "task_run_id"}."""
        return self.pages(f"/runs/{quoted(run_id)}/logs", **query)

    def task_runs(self, run_id: str, **query: Any) -> Iterator[Dict[str, Any]]:
        """All task runs, also of runs with more than GET /runs/{run_id} carries."""
        return self.pages(f"/runs/{quoted(run_id)}/tasks", **query)


def quoted(name: str) -> str:
    """A name as one part of a path."""
    return urllib.parse.quote(name, safe="")


def _retry_seconds(header: Optional[str], attempt: int) -> float:
    is_seconds = header is not None and header.strip().isdecimal()  # it may also be a date
    seconds = float(header or 0) if is_seconds else 2.0 ** attempt
    return min(seconds, RETRY_SECONDS_MAX)
