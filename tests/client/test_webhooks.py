"""Webhooks are verified as the Standard Webhooks library signs them."""

from __future__ import annotations

import base64
import json
from datetime import UTC, datetime, timedelta

import pytest
from reviewqueue_client import BadSignature, Misconfigured, verify_webhook

Webhook = pytest.importorskip("standardwebhooks").Webhook

SECRET = "whsec_" + base64.b64encode(bytes(range(32))).decode()
OTHER = "whsec_" + base64.b64encode(bytes(range(1, 33))).decode()
BODY = json.dumps({"type": "item.resolved", "data": {"item": "01a1", "text": "Größe"}}, ensure_ascii=False).encode()


def signed(body: bytes = BODY, secret: str = SECRET, age: float = 0) -> dict[str, str]:
    moment = datetime.now(UTC) - timedelta(seconds=age)
    return {
        "webhook-id": "msg_1", "webhook-timestamp": str(int(moment.timestamp())),
        "webhook-signature": Webhook(secret).sign("msg_1", moment, body.decode()),
    }  # fmt: skip


def test_what_the_library_signs_is_accepted():
    assert verify_webhook(BODY, signed(), SECRET)["data"]["text"] == "Größe"
    loud = {name.title(): value for name, value in signed().items()}
    assert verify_webhook(BODY, loud, SECRET)["type"] == "item.resolved"
    assert verify_webhook(BODY, signed(), SECRET.removeprefix("whsec_"))


def test_secrets_are_exchanged_without_a_gap():
    assert verify_webhook(BODY, signed(), [OTHER, SECRET])
    both = signed()
    both["webhook-signature"] = f"v1a,abc {signed(secret=OTHER)['webhook-signature']} {both['webhook-signature']}"
    assert verify_webhook(BODY, both, SECRET)
    with pytest.raises(BadSignature):
        verify_webhook(BODY, signed(), [OTHER])


@pytest.mark.parametrize("place", [0, len(BODY) // 2, len(BODY) - 1])
def test_a_body_that_was_changed_is_refused(place):
    changed = bytearray(BODY)
    changed[place] ^= 1
    with pytest.raises(BadSignature, match="No signature"):
        verify_webhook(bytes(changed), signed(), SECRET)


@pytest.mark.parametrize(
    "change",
    [{"webhook-id": "msg_2"}, {"webhook-timestamp": str(int(datetime.now(UTC).timestamp()) - 60)},
     {"webhook-signature": "v1,"}, {"webhook-signature": "v1,???"}, {"webhook-signature": "v1,ümlaut"},
     {"webhook-signature": "none"}, {"webhook-id": ""}, {"webhook-signature": ""}, {"webhook-timestamp": "soon"},
     {"webhook-timestamp": "-1"}, {"webhook-timestamp": "9" * 5000}, {"webhook-timestamp": "１７００００００００"},
     {"webhook-id": "msg_1\udcff"}],
    # Not the values: one is the time of collection, which differs from process to process.
    ids=range(13),
)  # fmt: skip
def test_headers_that_were_changed_are_refused(change):
    with pytest.raises(BadSignature):
        verify_webhook(BODY, {**signed(), **change}, SECRET)


def test_another_version_of_signature_counts_for_nothing():
    headers = signed()
    headers["webhook-signature"] = headers["webhook-signature"].replace("v1,", "v2,")
    with pytest.raises(BadSignature):
        verify_webhook(BODY, headers, SECRET)


def test_old_and_future_ones_are_refused():
    assert verify_webhook(BODY, signed(age=290), SECRET)
    for age in (310, -310):
        with pytest.raises(BadSignature, match="seconds old"):
            verify_webhook(BODY, signed(age=age), SECRET)
    assert verify_webhook(BODY, signed(age=310), SECRET, tolerance=600)


def test_a_missing_header_is_named():
    for name in signed():
        headers = signed()
        del headers[name]
        with pytest.raises(BadSignature, match=name):
            verify_webhook(BODY, headers, SECRET)


def test_what_is_no_secret_is_a_mistake_of_ours():
    for wrong in ("", "whsec_", "whsec_???", []):
        with pytest.raises(Misconfigured):
            verify_webhook(BODY, signed(), wrong)
    with pytest.raises(TypeError, match="bytes"):
        verify_webhook(BODY.decode(), signed(), SECRET)


def test_a_signed_body_that_is_no_event_is_refused():
    with pytest.raises(BadSignature, match="object"):
        verify_webhook(b"[]", signed(b"[]"), SECRET)
