"""Every recording of real clients, masked: the planted password and all tokens are gone, and little else is."""

import re
from functools import cache

import pytest
from support.masking import leaves, survivors
from support.recordings import names, recording, reports

from chaperone.collector.kube.call import Call, Form, NotKubernetes
from chaperone.collector.mask.masked import MaskedBody, MaskedCall, MaskedExchange
from chaperone.collector.mask.masker import Masker

PASSWORD = b"s3cr3t-Pa55w0rd"
JWT = re.compile(rb"eyJ[\w-]{10,}\.eyJ[\w-]{10,}[\w.-]*")
BEARER = re.compile(rb"Bearer ([\w.~+/-]{25,}=*)")
MASKED = re.compile(rb'([\w.-]{1,64})\\*"?(?:,\\*"value\\*")?: ?\\*"?\Z')  # the name in front of a stand-in
SECRET_KEYS = {b"password", b"username", b"release", b"token", b"DB_PASSWORD"}  # planted; nothing else in the recordings is secret
# Of an opened helm release: a chart's files may hold anything, and of what the user gave every value is replaced.
RELEASE_KEYS = {b"files", b"templates", b"replicaCount"}

Reports = list[tuple[Call | NotKubernetes, MaskedCall | MaskedExchange]]


@cache
def masked(name: str) -> Reports:
    masker = Masker(b"k" * 32)
    found = reports(recording(name).chunks)
    return [(report, masker.call(report) if isinstance(report, Call) else masker.exchange(report)) for report in found]


def bodies(name: str) -> list[tuple[Call, MaskedBody]]:
    calls = [(call, shown) for call, shown in masked(name) if isinstance(call, Call) and isinstance(shown, MaskedCall)]
    whole = [(call, body) for call, shown in calls for body in (shown.request_body, shown.response_body) if body]
    return whole + [(call, piece.body) for call, shown in calls for piece in shown.pieces]


@pytest.mark.parametrize("name", names())
def test_no_planted_secret_and_no_token_survives(name: str) -> None:
    raw = b"".join(data for _, data, _ in recording(name).chunks)
    wanted = {PASSWORD, *BEARER.findall(raw), *JWT.findall(raw)}
    for _, shown in masked(name):
        assert [secret for secret in wanted if survivors(shown, secret)] == []
        assert [leaf for leaf in leaves(shown) if JWT.search(leaf)] == []


@pytest.mark.parametrize("name", names())
def test_nothing_innocent_is_masked_in_what_was_understood(name: str) -> None:
    """False positives in the bodies of all recordings: none. Bodies replaced as a whole: only those that are no objects."""
    secret = SECRET_KEYS | RELEASE_KEYS if name.startswith("helm-") else SECRET_KEYS
    for call, body in bodies(name):
        if body.data.startswith(b'"~masked-'):
            assert body.form == Form.BINARY
        elif not call.code or call.code < 400:
            *before, _ = body.data.split(b"~masked-")
            assert {found.group(1) if (found := MASKED.search(part[-120:])) else part[-120:] for part in before} <= secret


@pytest.mark.parametrize("name", names())
def test_urls_and_headers_other_than_credentials_stay(name: str) -> None:
    for call, shown in masked(name):
        if not isinstance(call, Call) or not isinstance(shown, MaskedCall):
            continue
        assert shown.request_uri == call.request_uri
        assert shown.response_headers == call.response_headers
        assert [a for a, b in zip(call.request_headers, shown.request_headers, strict=True) if a != b and a[0] != "authorization"] == []
        assert (shown.user.name, shown.user_agent, shown.info) == (call.user.name, call.user_agent, call.info)


@pytest.mark.parametrize("name", names())
def test_what_has_no_secret_keeps_its_bytes(name: str) -> None:
    for call, shown in masked(name):
        if isinstance(call, Call) and call.response_body and call.response_body.form in (Form.JSON, Form.YAML, Form.TEXT):
            assert isinstance(shown, MaskedCall)
            assert shown.response_body is not None
            assert shown.response_body.masked or shown.response_body.data == call.response_body.data
