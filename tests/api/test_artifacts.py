"""Uploads of artifacts: parts, signed URLs, what makes them whole, and every refusal."""

import hashlib
import re
import threading

import pytest

from artifacts import (ABORT, COMPLETE, INITIATE, PUT, address, complete, description, initiate,
                       named, put, put_all, upload)
from test_recovery import kill, sign_in

DATA = b"".join(number.to_bytes(4, "big") for number in range(2560))
GIB = 1 << 30


def etag_of(data):
    return f'"{hashlib.sha256(data).hexdigest()}"'


@pytest.mark.parametrize("part_size, count", [(4096, 3), (10240, 1), (10, 1024), (8 << 20, 1)])
def test_parts_become_an_artifact(owner, nobody, part_size, count):
    begun = initiate(owner, DATA, part_size=part_size)
    digest = hashlib.sha256(DATA).hexdigest()
    assert begun["artifact_uri"] == "dagy://artifacts/" + digest
    assert [part["part_number"] for part in begun["parts"]] == list(range(1, count + 1))
    whole = complete(owner, begun, put_all(nobody, begun, DATA)).json
    assert whole == {"artifact_uri": begun["artifact_uri"], "size_bytes": len(DATA), "etag": f'"{digest}"'}


def test_five_mebibytes_a_part_unless_said_otherwise(owner):
    begun = initiate(owner, DATA, size_bytes=5 * GIB)
    assert begun["part_size"] == 5 << 20 and len(begun["parts"]) == 1024
    owner.call(ABORT, 204, body=named(begun))


def test_a_real_part_of_eight_mebibytes(owner, nobody):
    data = b"\0" * (8 << 20) + b"end"
    assert upload(owner, data, part_size=8 << 20)


@pytest.mark.parametrize("changes, status, paths", [
    ({"size_bytes": 5 * GIB + 1}, 413, {"/size_bytes"}),
    ({"size_bytes": (1 << 63) - 1, "part_size": 8 << 20}, 413, {"/size_bytes"}),
    ({"size_bytes": 0}, 422, {"/size_bytes"}),
    ({"size_bytes": -1}, 422, {"/size_bytes"}),
    ({"size_bytes": 1.5}, 422, {"/size_bytes"}),
    ({"size_bytes": None}, 422, {"/size_bytes"}),
    ({"part_size": 0}, 422, {"/part_size"}),
    ({"part_size": (8 << 20) + 1}, 422, {"/part_size"}),
    ({"size_bytes": 1025, "part_size": 1}, 422, {"/part_size"}),
    ({"sha256": "A" * 64}, 422, {"/sha256"}),
    ({"sha256": "a" * 63}, 422, {"/sha256"}),
    ({"sha256": None}, 422, {"/sha256"}),
    ({"filename": ""}, 422, {"/filename"}),
    ({"filename": "a" * 256}, 422, {"/filename"}),
    ({"content_type": ""}, 422, {"/content_type"}),
    ({"unknown": 1}, 422, {"/unknown"}),
])
def test_what_cannot_begin(owner, changes, status, paths):
    assert owner.call(INITIATE, status, body=description(DATA, **changes)).error_paths == paths


def test_an_answer_has_the_hash_of_its_part(owner, nobody):
    begun = initiate(owner, DATA, part_size=4096)
    answer = put(nobody, begun["parts"][1]["url"], DATA[4096:8192])
    assert answer.headers["ETag"] == etag_of(DATA[4096:8192])
    put(nobody, begun["parts"][1]["url"], b"x" * 4096)  # it may be sent again
    put(nobody, begun["parts"][2]["url"], DATA[8192:])


def test_a_part_has_its_length(owner, nobody):
    begun = initiate(owner, DATA, part_size=4096)
    first, last = begun["parts"][0]["url"], begun["parts"][2]["url"]
    put(nobody, first, b"x" * 4097, 413)
    put(nobody, first, b"x" * 4095, 422)
    put(nobody, first, b"", 422)
    put(nobody, last, b"x" * 4096, 413)
    put(nobody, last, b"x" * (len(DATA) - 8192 - 1), 422)
    assert complete(owner, begun, [{"part_number": n, "etag": "x"} for n in (1, 2, 3)], 422)


def changed(text):
    return ("1" if text[0] == "0" else "0") + text[1:]


def test_what_is_signed_cannot_be_changed(owner, nobody):
    begun = initiate(owner, DATA, part_size=4096)
    other = initiate(owner, DATA, part_size=4096)
    path, query = address(begun["parts"][0]["url"])
    tampered = [
        (path | {"part_number": "2"}, query),
        (path | {"part_number": "01"}, query),
        (path | {"part_number": "0"}, query),
        (path | {"part_number": "-1"}, query),
        (path | {"part_number": "x"}, query),
        (path | {"upload_id": other["upload_id"]}, query),
        (path | {"upload_id": "up_no"}, query),
        (path, query | {"expires": str(int(query["expires"]) + 1)}),
        (path, query | {"signature": changed(query["signature"])}),
        (path, query | {"signature": query["signature"].upper()}),
        (path, query | {"signature": query["signature"][:-1]}),
        (path, query | {"signature": query["signature"] + "0"}),
        (path, {"expires": query["expires"]}),
        (path, {"signature": query["signature"]}),
        (path, None),
    ]
    for place, signed in tampered:
        nobody.call(PUT, 403, path=place, query=signed, raw=DATA[:4096])
    nobody.call(PUT, 400, path=path, query=query | {"expires": "x"}, raw=DATA[:4096])
    nobody.call(PUT, 400, path=path, query=query | {"more": "1"}, raw=DATA[:4096])
    nobody.call(PUT, 200, path=path, query=query, raw=DATA[:4096])


def test_a_token_is_no_signature(owner):
    begun = initiate(owner, DATA)
    path, _ = address(begun["parts"][0]["url"])
    owner.call(PUT, 403, path=path, raw=DATA)


def test_an_upload_has_its_time(house, owner, nobody):
    begun = initiate(owner, DATA)
    house.server.database.execute(
        "UPDATE artifact_uploads SET expires_at = 1 WHERE upload_id = ?", (begun["upload_id"],))
    put(nobody, begun["parts"][0]["url"], DATA, 404)
    complete(owner, begun, [{"part_number": 1, "etag": etag_of(DATA)}], 404)
    owner.call(ABORT, 404, body=named(begun))


def test_many_may_send_the_same_part(owner, nobody):
    begun = initiate(owner, DATA, part_size=8 << 20)
    url = begun["parts"][0]["url"]
    statuses = []
    threads = [threading.Thread(target=lambda: statuses.append(put(nobody, url, DATA).status)) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert statuses == [200] * 8
    complete(owner, begun, [{"part_number": 1, "etag": etag_of(DATA)}])


def test_only_what_was_sent_becomes_whole(owner, nobody):
    begun = initiate(owner, DATA, part_size=4096)
    parts = put_all(nobody, begun, DATA)
    first, second, third = parts
    assert complete(owner, begun, parts[:2], 422).error_paths == {"/parts"}
    assert complete(owner, begun, parts + [third], 422).error_paths == {"/parts"}
    assert complete(owner, begun, [], 422).error_paths == {"/parts"}
    assert complete(owner, begun, [second, first, third], 422).error_paths == {"/parts/0/part_number"}
    assert complete(owner, begun, [first, first, third], 422).error_paths == {"/parts/1/part_number"}
    wrong = [first, second | {"etag": first["etag"]}, third]
    assert complete(owner, begun, wrong, 422).error_paths == {"/parts/1/etag"}
    bare = [part | {"etag": part["etag"].strip('"')} for part in parts]
    complete(owner, begun, bare)


def test_a_part_that_is_missing(owner, nobody):
    begun = initiate(owner, DATA, part_size=4096)
    for part, data in ((0, DATA[:4096]), (2, DATA[8192:])):
        put(nobody, begun["parts"][part]["url"], data)
    claimed = [{"part_number": 1, "etag": etag_of(DATA[:4096])}, {"part_number": 2, "etag": "x"},
               {"part_number": 3, "etag": etag_of(DATA[8192:])}]
    assert complete(owner, begun, claimed, 422).error_paths == {"/parts/1/part_number"}


def test_the_whole_has_its_hash(owner, nobody):
    begun = initiate(owner, DATA, sha256="0" * 64)
    answer = complete(owner, begun, put_all(nobody, begun, DATA), 422)
    assert answer.error_paths == {"/parts"}
    assert hashlib.sha256(DATA).hexdigest() in answer.detail
    owner.call(ABORT, 204, body=named(begun))


def test_an_upload_ends_once(owner, nobody):
    begun = initiate(owner, DATA)
    parts = put_all(nobody, begun, DATA)
    complete(owner, begun, parts)
    complete(owner, begun, parts, 404)
    put(nobody, begun["parts"][0]["url"], DATA, 404)
    owner.call(ABORT, 404, body=named(begun))


def test_one_of_many_completes(owner, nobody):
    begun = initiate(owner, DATA, part_size=100)
    parts = put_all(nobody, begun, DATA)
    statuses = []

    def finish():
        statuses.append(complete(owner, begun, parts, (200, 404)).status)
    threads = [threading.Thread(target=finish) for _ in range(6)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(statuses) == [200] + [404] * 5


def test_the_same_again_is_the_same_artifact(owner):
    assert upload(owner, DATA, part_size=1000) == upload(owner, DATA, part_size=77)


def test_an_aborted_upload_takes_no_part(owner, nobody):
    begun = initiate(owner, DATA)
    parts = put_all(nobody, begun, DATA)
    owner.call(ABORT, 204, body=named(begun))
    put(nobody, begun["parts"][0]["url"], DATA, 404)
    complete(owner, begun, parts, 404)
    owner.call(ABORT, 404, body=named(begun))


def test_an_upload_is_of_its_organization_and_key(owner, stranger, nobody):
    begun = initiate(owner, DATA)
    parts = put_all(nobody, begun, DATA)
    complete(stranger, begun, parts, 404)
    stranger.call(ABORT, 404, body=named(begun))
    complete(owner, begun | {"key": "artifacts/other"}, parts, 404)
    owner.call(ABORT, 404, body=named(begun | {"key": "x"}))
    complete(owner, begun, parts)


def test_two_organizations_have_one_of_their_own(owner, stranger):
    assert upload(owner, DATA + b"both") == upload(stranger, DATA + b"both")


@pytest.mark.parametrize("body", [{}, {"upload_id": "x"}, {"upload_id": 1, "key": "x", "parts": []},
                                  {"upload_id": "x", "key": "y", "parts": [{"part_number": 0, "etag": "x"}]},
                                  {"upload_id": "x", "key": "y", "parts": [{"part_number": 1}]}])
def test_unreadable_ends(owner, body):
    owner.call(COMPLETE, 422, body=body)
    if body.get("upload_id") != "x" or "key" not in body:
        owner.call(ABORT, 422, body={name: body[name] for name in body if name != "parts"})


def test_a_crash_loses_no_part_that_was_answered(own_server):
    server = own_server()
    client = sign_in(server)
    begun = initiate(client, DATA, part_size=4096)
    parts = put_all(client.with_token(None), begun, DATA)[:2]
    kill(server)
    server.start()
    client = sign_in(server)
    last = put(client.with_token(None), begun["parts"][2]["url"], DATA[8192:])
    complete(client, begun, [*parts, {"part_number": 3, "etag": last.headers["ETag"]}])
    kill(server)
    server.start()
    assert upload(sign_in(server), DATA) == begun["artifact_uri"]


def test_every_step_is_on_record(house, owner, nobody):
    begun = initiate(owner, DATA + b"recorded")
    complete(owner, begun, put_all(nobody, begun, DATA + b"recorded"))
    other = initiate(owner, DATA)
    owner.call(ABORT, 204, body=named(other))
    rows = house.server.database.rows(
        "SELECT action, resource_id FROM audit_log WHERE resource_type IN ('upload', 'artifact')")
    assert {("artifact.initiate", begun["upload_id"]), ("artifact.complete", begun["artifact_uri"]),
            ("artifact.abort", other["upload_id"])} <= {tuple(row) for row in rows}


def test_urls_are_below_the_address(owner):
    begun = initiate(owner, DATA)
    assert re.fullmatch(r"/artifacts/parts/up_\w+/1\?expires=\d+&signature=[0-9a-f]{64}",
                        begun["parts"][0]["url"])
