"""Exports into a bucket of S3: written in parts, seen whole, read in ranges, cleared away."""

from __future__ import annotations

import dataclasses
import hashlib
import json
import urllib.request

import boto3
import pytest
from moto.server import ThreadedMotoServer

from reviewqueue.feedback import storage
from tests.desk_steps import decide, submit
from tests.feedback.test_exports import _export, _text

pytestmark = pytest.mark.parametrize("database", ["sqlite"], indirect=True)


@pytest.fixture
def bucket(app, monkeypatch):
    server = ThreadedMotoServer(port=0, verbose=False)
    server.start()
    host, port = server.get_host_and_port()
    for name, value in {
        "AWS_ENDPOINT_URL": f"http://{host}:{port}", "AWS_ACCESS_KEY_ID": "k", "AWS_SECRET_ACCESS_KEY": "s",
        "AWS_DEFAULT_REGION": "us-east-1", "AWS_EC2_METADATA_DISABLED": "true",
    }.items():  # fmt: skip
        monkeypatch.setenv(name, value)
    # What servers of one process keep is shared.
    urllib.request.urlopen(urllib.request.Request(f"http://{host}:{port}/moto-api/reset", method="POST")).close()
    client = boto3.client("s3", endpoint_url=f"http://{host}:{port}", region_name="us-east-1")
    client.create_bucket(Bucket="labels")
    settings = dataclasses.replace(app.config["SETTINGS"], exports_url="s3://labels/site")
    app.config["SETTINGS"] = settings
    yield client
    import s3fs

    s3fs.S3FileSystem.clear_instance_cache()
    server.stop()


def _keys(bucket):
    return sorted(one["Key"].rpartition("/")[2] for one in bucket.list_objects_v2(Bucket="labels").get("Contents", ()))


def test_an_export_is_written_to_a_bucket_and_read_from_it(client, cast, app, bucket, monkeypatch):
    monkeypatch.setattr(storage, "PART", 5 << 20)
    for number in range(2):
        submit(client, cast, number=number, external_id=f"i{number}", input={"text": "x" * 700_000, "n": number})
        decide(client, cast.alice, verdict="approve")
    export = _export(client, cast, app)
    assert export["state"] == "ready", export["error"]
    data = _text(client, cast, export)
    assert hashlib.sha256(data).hexdigest() == export["files"][0]["sha256"]
    assert [json.loads(line)["external_id"] for line in data.splitlines()] == ["i0", "i1"]
    assert _keys(bucket) == ["feedback-00000-of-00001.jsonl", "manifest.json", "members-00000-of-00001.txt"]
    path = f"/api/v1/exports/{export['id']}/files/feedback-00000-of-00001.jsonl"
    with client.get(path, headers={**cast.anna.bearer, "Range": "bytes=10-19"}) as part:
        assert (part.status_code, part.data) == (206, data[10:20])
    since = _export(client, cast, app, since_version=1)
    assert (since["changes"]["unchanged"], _text(client, cast, since)) == (2, b"")
    with app.app_context():
        storage.remove(export["id"])
    assert client.get(path, headers=cast.anna.bearer).status_code == 404


def test_a_file_of_many_parts_is_seen_only_when_it_is_whole(app, bucket, monkeypatch):
    monkeypatch.setattr(storage, "PART", 5 << 20)
    export_id = "01a1fc00-0000-7000-8000-000000000001"
    with app.app_context():
        with storage.writing(export_id, "feedback.jsonl") as file:
            for _ in range(12):
                file.write(b"x" * (1 << 20))
            assert _keys(bucket) == []
            file.publish()
        assert storage.digest(export_id, ["feedback.jsonl"]) == file.sha256
        with storage.writing(export_id, "other.jsonl") as other:
            other.write(b"y" * (6 << 20))
        assert _keys(bucket) == ["feedback.jsonl"]
        assert bucket.list_multipart_uploads(Bucket="labels").get("Uploads", []) == []
