import base64
from itertools import pairwise

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from chaperone.collector.mask.fingerprint import Fingerprint
from chaperone.collector.mask.text import Texts

TEXTS = Texts(Fingerprint(b"k" * 32))
JWT = "eyJhbGciOiJSUzI1NiIsImtpZCI6IngifQ.eyJzdWIiOiJzeXN0ZW06c2VydmljZWFjY291bnQifQ.GO_2R4rh8KufMBcmL0kdTKJO9dFM3T0"
SECRET = "Zq7xWv3pLm9k"

SHOWN = {
    "assignment": f"password={SECRET}",
    "colon": f"the token: {SECRET} was used",
    "prefixed": f"PGPASSWORD={SECRET} psql -h db",
    "exported": f"export DB_PASSWORD='{SECRET} {SECRET}'",
    "line": f"user: bob\npassword: {SECRET} {SECRET}\nhost: x",
    "quoted": f'{{"user":"bob","password": "{SECRET} {SECRET}","host":"x"}}',
    "nested": f'{{"log":"{{\\"password\\":\\"{SECRET} {SECRET}\\"}}"}}',
    "single quotes": f"{{'api_key': '{SECRET}'}}",
    "env list": f'[{{"name": "DB_PASSWORD",\n  "value": "{SECRET}"}}]',
    "env list in a string": f'"[{{\\"name\\":\\"DB_PASSWORD\\",\\"value\\":\\"{SECRET}\\"}}]"',
    "env list in YAML": f"- name: DB_PASSWORD\n  value: {SECRET}\n",
    "block": f"password: |\n  {SECRET}\n  {SECRET}\n",
    "flag": f"tool --password {SECRET} --x",
    "quoted flag": f'tool --token "{SECRET} {SECRET}" --x',
    "mysql": f"mysql -h db -u root -p{SECRET} shop",
    "redis": f"redis-cli -h r -a {SECRET} ping",
    "curl user": f"curl -s -u bob:{SECRET} https://h/",
    "openssl": f"openssl rsa -passin pass:{SECRET} -in x",
    "header": f'curl -H "Authorization: Bearer {SECRET}" https://h/',
    "basic": f"Authorization: Basic {SECRET}",
    "cookie": f"Cookie: session={SECRET}; b=c",
    "bearer": f"sent Bearer {SECRET}{SECRET}",
    "URL": f"postgres://bob:{SECRET}@db:5432/shop",
    "URL with @ in it": f"postgres://bob:{SECRET}@{SECRET}@db/shop",
    "token in URL": f"https://{SECRET}{SECRET}@git.example/x",
    "connection string": f"Server=x;Password={SECRET};",
    "docker config": f'{{"auths":{{"r.io":{{"auth":"{SECRET}"}}}}}}',
    "JWT": f"got {JWT}, thanks",
    "PEM": f"-----BEGIN RSA PRIVATE KEY-----\n{SECRET}\n{SECRET}\n-----END RSA PRIVATE KEY-----\n",
    "PEM cut off": f"-----BEGIN PRIVATE KEY-----\n{SECRET}\n{SECRET}",
    "AWS": "id AKIAIOSFODNN7EXAMPLE here",
    "GitHub": f"ghp_{SECRET}{SECRET}{SECRET}",
    "Slack": f"xoxb-{SECRET}-{SECRET}",
    "Google": f"AIza{SECRET}{SECRET}{SECRET}",
    "EKS": f"k8s-aws-v1.{SECRET}{SECRET}",
    "model API": f"sk-proj-{SECRET}{SECRET}",
    "manifest": f"apiVersion: v1\ndata:\n  user: {SECRET}\nkind: Secret\nmetadata:\n  name: x\n",
    "JSON manifest": f'{{"apiVersion":"v1","data":{{"user":"{SECRET}"}},"kind":"Secret"}}',
    "context of an error": f'json: error found in #10 byte of ...|value":"{SECRET}|..., bigger context',
    "escaped": f"GET /login%3Fpassword%3D{SECRET}",
    "escaped in JSON": f"x\\u0026token\\u003d{SECRET}",
    "XML": f"<server><password>{SECRET} {SECRET}</password></server>",
    "netrc": f"machine git.example login bob password {SECRET}",
    "password hash": f"root:$6$salt$Zq7xWv3p{SECRET}{SECRET}:19000:0:99999:7:::",
    "manifest whose kind is still to come": f'{{\n  "apiVersion": "v1",\n  "data": {{\n    "user": "{SECRET}",\n',
    "YAML manifest whose kind is still to come": f"apiVersion: v1\ndata:\n  user: {SECRET}\n",
    "wrapped by readline": f"$ export TOKEN={SECRET[:5]} \r{SECRET[5:]}\r\n",
    "rubbed out": f"$ export TOKEN={SECRET[:5]}x\b \b{SECRET[5:]}y\b\x1b[K\r\n",
    "escapes": f"\x1b[1mpass\x1b[0mword=\x1b[31m{SECRET[:4]}\x1b[0m{SECRET[4:]}\x1b[0m ok",
}


@pytest.mark.parametrize("text", SHOWN.values(), ids=SHOWN.keys())
def test_a_secret_is_found(text: str) -> None:
    masked = TEXTS.mask_text(text)
    assert "~masked-" in masked
    for part in (SECRET, SECRET[:4] + "\x1b", SECRET[5:], JWT, JWT.split(".")[2], "AKIAIOSFODNN7EXAMPLE"):
        assert part not in masked


@pytest.mark.parametrize("text", SHOWN.values(), ids=SHOWN.keys())
def test_masking_twice_is_masking_once(text: str) -> None:
    assert TEXTS.mask_text(TEXTS.mask_text(text)) == TEXTS.mask_text(text)


@pytest.mark.parametrize(
    "text",
    [
        "PWD=/root\nHOME=/root\nPATH=/usr/bin\n",
        "mkdir -p /var/run/secrets/kubernetes.io/serviceaccount",
        'secrets "web" is forbidden: User "nobody" cannot list resource "secrets" in API group "" in the namespace "default"',
        "MountVolume.SetUp failed for volume kube-api-access: token path not found",
        "docker-pullable://registry.example:5000/web@sha256:" + "ab" * 32,
        "registry.example:5000/web:1.2.3@sha256:" + "0123456789abcdef" * 4,
        "web-7d4b9c5f6-x2x9k.17a8b9c0d1e2f3a4",
        "bearer authentication is required, basic authentication is off",
        "--authorization-mode=Node,RBAC --service-account-private-key-file=/etc/k.pem --token-auth-file=/etc/t.csv",
        "password: $(DB_PASSWORD)",
        "-----BEGIN CERTIFICATE-----\nMIIB\n-----END CERTIFICATE-----\n",
        "http://10.0.0.1:8080/metrics?x=y@z",
        "38bd2035-99c7-41fa-88ae-73b703b26edd",
    ],
)
def test_innocent_text_stays(text: str) -> None:
    assert TEXTS.mask_text(text) == text


def test_text_without_a_secret_is_the_same_object() -> None:
    text = b"nothing to see"
    assert TEXTS.mask(text) is text


def test_a_wrapped_token_is_found_in_base64_of_any_alignment_and_in_hex() -> None:
    for prefix in ("", "x", "xy"):
        encoded = base64.b64encode((prefix + "password=" + SECRET).encode()).decode()
        assert encoded not in TEXTS.mask_text(f"data {encoded} end")
    encoded = f"password={SECRET}".encode().hex()
    assert encoded not in TEXTS.mask_text(f"data {encoded} end")


@given(st.lists(st.sampled_from([*SHOWN.values(), "innocent", "a: b", "\x1b[1mbold\x1b[0m", "nul \0 inside"]), max_size=6))
@settings(max_examples=60)
def test_many_texts_at_once_give_the_same_as_each_alone(texts: list[str]) -> None:
    alone = {text for text in texts if TEXTS.mask_text(text) != text}
    assert alone <= TEXTS.hits(texts)
    assert "innocent" not in TEXTS.hits(texts)


@given(st.binary(max_size=300))
@settings(max_examples=200)
def test_any_bytes_are_taken_and_spans_are_in_order(data: bytes) -> None:
    spans = TEXTS.spans(data)
    assert all(0 <= start < stop <= len(data) for start, stop in spans)
    assert all(before[1] <= after[0] for before, after in pairwise(spans))
