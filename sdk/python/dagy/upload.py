"""Brings an artifact to the server: initiate, one PUT for each part, complete; abort on failure."""

import hashlib
import urllib.parse
from typing import TYPE_CHECKING, Any, Dict, List

from .artifact import LocalArtifact
from .errors import DagyError

if TYPE_CHECKING:
    from .client import DagyClient

PART_BYTES = 8 << 20
CONTENT_TYPE = "application/zip"


def upload(client: "DagyClient", artifact: LocalArtifact, filename: str = "artifact.zip") -> str:
    """Its artifact_uri. DagyError when the server refuses, or has other bytes than were sent."""
    started = client.call("POST", "/artifacts/multipart/initiate", {
        "filename": filename, "size_bytes": len(artifact.data), "content_type": CONTENT_TYPE,
        "sha256": artifact.sha256, "part_size": PART_BYTES})
    place = {"upload_id": started["upload_id"], "key": started["key"]}
    try:
        parts = _put_parts(client, artifact.data, started)
        done = client.call("POST", "/artifacts/multipart/complete", {**place, "parts": parts})
    except BaseException:
        try:
            client.call("POST", "/artifacts/multipart/abort", place)
        except DagyError:
            pass  # the first failure is the one to tell; what is left expires
        raise
    return done["artifact_uri"]


def _put_parts(client: "DagyClient", data: bytes, started: Dict[str, Any]) -> List[Dict[str, Any]]:
    size, found = started["part_size"], []
    for part in sorted(started["parts"], key=lambda each: each["part_number"]):
        piece = data[(part["part_number"] - 1) * size:part["part_number"] * size]
        is_absolute = urllib.parse.urlsplit(part["url"]).scheme != ""
        target = part["url"] if is_absolute else f"{client.url}/{part['url'].lstrip('/')}"
        _, headers = client.exchange("PUT", target, piece,
                                     {"Content-Type": "application/octet-stream"})
        expected = f'"{hashlib.sha256(piece).hexdigest()}"'
        etag = headers.get("ETag", expected)
        # Another kind of storage has other ETags; one of ours that differs is damage.
        if len(etag) == len(expected) and etag != expected:
            raise DagyError(0, f"part {part['part_number']} of the artifact arrived damaged")
        found.append({"part_number": part["part_number"], "etag": etag})
    return found
