import pytest

from chaperone.collector.mask import header
from chaperone.collector.mask.fingerprint import Fingerprint
from chaperone.collector.mask.header import Headers
from chaperone.collector.mask.text import Texts

FINGERPRINT = Fingerprint(b"k" * 32)
SECRET = "Zq7xWv3p"


def headers() -> Headers:
    return Headers(Texts(FINGERPRINT), FINGERPRINT)


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("authorization", f"Bearer {SECRET}"),
        ("Authorization", f"Basic {SECRET}"),
        ("authorization", SECRET),
        ("authorization", f"AWS4-HMAC-SHA256 Credential=x, Signature={SECRET}"),
        ("proxy-authorization", f"Basic {SECRET}"),
        ("cookie", f"a=b; session={SECRET}"),
        ("set-cookie", f"session={SECRET}; HttpOnly"),
        ("x-remote-user", SECRET),
        ("X-Remote-Extra-Token", SECRET),
        ("x-api-key", SECRET),
        ("x-auth-token", SECRET),
        ("sec-websocket-protocol", f"v4.channel.k8s.io, base64url.bearer.authorization.k8s.io.{SECRET}"),
        ("location", f"https://h/x?token={SECRET}"),
        ("x-anything", f"password={SECRET}"),
        (None, SECRET),
    ],
)
def test_a_credential_is_replaced(name: str | None, value: str) -> None:
    masked = headers().mask(((name, value),))
    assert SECRET not in str(masked)
    assert headers().mask(masked) == masked


def test_what_kind_of_credential_it_was_stays() -> None:
    assert headers().mask((("authorization", "Bearer abc"),)) == (("authorization", "Bearer " + FINGERPRINT.mask_text("abc")),)
    protocols = headers().mask((("sec-websocket-protocol", "base64url.bearer.authorization.k8s.io.abc,v5.channel.k8s.io"),))
    assert protocols[0][1] == f"base64url.bearer.authorization.k8s.io.{FINGERPRINT.mask_text('abc')},v5.channel.k8s.io"


def test_what_a_late_table_does_not_know_stays_unknown_and_is_never_shown() -> None:
    audit_id = "38bd2035-99c7-41fa-88ae-73b703b26edd"
    assert headers().mask(((None, None), ("x", None), (None, audit_id))) == ((None, None), ("x", None), (None, audit_id))


def test_ordinary_headers_stay() -> None:
    fields = (
        ("accept", "application/json;as=Table;v=v1;g=meta.k8s.io,application/json"),
        ("user-agent", "kubectl/v1.37.1 (linux/amd64) kubernetes/0000000"),
        ("kubectl-command", "kubectl create secret"),
        ("www-authenticate", 'Basic realm="x"'),
        ("etag", '"0123456789abcdef0123456789abcdef"'),
        ("date", "Mon, 23 Nov 2026 09:31:16 GMT"),
        ("sec-websocket-protocol", "v5.channel.k8s.io,v4.channel.k8s.io"),
        ("warning", '299 - "v1 ComponentStatus is deprecated in v1.19+"'),
        ("impersonate-user", "nobody"),
    )
    assert headers().mask(fields) == fields


def test_answers_are_kept_within_a_limit(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(header, "KEPT", 3)
    masker = headers()
    for number in range(10):
        masker.mask((("date", str(number)),))
    assert len(masker._answers) <= 3
