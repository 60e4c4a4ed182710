"""Uploading artifacts as a client does."""

import hashlib
import io
import urllib.parse
import zipfile

BYTES = {"Content-Type": "application/octet-stream"}
PUT = "PUT /artifacts/parts/{upload_id}/{part_number}"
INITIATE = "POST /artifacts/multipart/initiate"
COMPLETE = "POST /artifacts/multipart/complete"
ABORT = "POST /artifacts/multipart/abort"


def zip_of(files):
    """The bytes of a ZIP of these texts by their names."""
    made = io.BytesIO()
    with zipfile.ZipFile(made, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, text in files.items():
            archive.writestr(name, text)
    return made.getvalue()


def description(data, **changes):
    return {"filename": "flow.zip", "size_bytes": len(data),
            "sha256": hashlib.sha256(data).hexdigest(), **changes}


def initiate(client, data, **changes):
    return client.call(INITIATE, 201, body=description(data, **changes)).json


def pieces(data, size):
    return [data[at:at + size] for at in range(0, len(data), size)]


def address(url):
    """The values of path and query in a part's URL."""
    parsed = urllib.parse.urlsplit(url)
    *_, upload_id, part_number = parsed.path.split("/")
    return {"upload_id": upload_id, "part_number": part_number}, dict(urllib.parse.parse_qsl(parsed.query))


def put(client, url, data, status=200):
    path, query = address(url)
    return client.call(PUT, status, path=path, query=query, raw=data, headers=BYTES)


def put_all(client, upload, data):
    """What `complete` wants to know of the parts."""
    return [{"part_number": part["part_number"], "etag": put(client, part["url"], piece).headers["ETag"]}
            for part, piece in zip(upload["parts"], pieces(data, upload["part_size"]), strict=True)]


def named(upload, **more):
    return {"upload_id": upload["upload_id"], "key": upload["key"], **more}


def complete(client, upload, parts, status=200):
    return client.call(COMPLETE, status, body=named(upload, parts=parts))


def upload(client, data, **changes):
    """The URI of an artifact of these bytes."""
    begun = initiate(client, data, **changes)
    parts = put_all(client.with_token(None), begun, data)
    return complete(client, begun, parts).json["artifact_uri"]


def upload_files(client, files):
    return upload(client, zip_of(files))
