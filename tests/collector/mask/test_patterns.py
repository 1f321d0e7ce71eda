import pytest

from chaperone.collector.mask.patterns import INNOCUOUS, PATTERNS, SECRET_NAME, compiled, matches_any

PROMISING = """
    password DB_PASSWORD clientSecret aws_secret_access_key x-api-key accessToken PGPASSWORD MYSQL_PWD db_pass id_token SECRET_KEY_BASE
    client-key-data .dockerconfigjson sshPrivateKey spring.datasource.password authorization Cookie OPENAI_API_KEY
"""
OTHERS = """
    secretName tokenSecretName passwordFile PWD OLDPWD key name tokens maxTokens serviceAccountName token-auth-file secrets continue
    resourceVersion path tls.crt certificate-authority-data pod-template-hash imagePullSecrets expirationSeconds
"""


def test_every_pattern_has_a_name_of_its_own_and_compiles() -> None:
    assert len({pattern.name for pattern in PATTERNS}) == len(PATTERNS)
    for pattern in PATTERNS:
        assert compiled(pattern.expression).programsize > 0


def test_no_pattern_matches_over_a_nul_into_the_next_text() -> None:
    texts = (b"-----BEGIN PRIVATE KEY-----\nMIIE", b"password:", b"--token", b'"name": "DB_PASSWORD",', b"mysql", b"kind: Secret")
    for pattern in PATTERNS:
        for text in texts:
            for match in compiled(pattern.expression).finditer(text + b"\0innocent words"):
                assert b"innocent" not in match.group(), pattern.name


def test_the_question_to_all_patterns_is_that_to_each() -> None:
    text = b"nothing here but DB_PASSWORD=hunter2"
    assert matches_any(PATTERNS).search(text)
    assert not matches_any(PATTERNS).search(b"nothing here at all, mkdir -p /var/run/secrets")


@pytest.mark.parametrize(
    "name",
    PROMISING.split(),
)
def test_names_that_promise_a_secret(name: str) -> None:
    assert SECRET_NAME.fullmatch(name.encode())


@pytest.mark.parametrize(
    "name",
    OTHERS.split(),
)
def test_names_that_do_not(name: str) -> None:
    assert not SECRET_NAME.fullmatch(name.encode())


@pytest.mark.parametrize("value", ["true", "null", "$(DB_PASSWORD)", "${DB_PASSWORD}", "$DB_PASSWORD", "<none>", "*****", "|-"])
def test_values_that_are_no_secret_whatever_their_name(value: str) -> None:
    assert INNOCUOUS.fullmatch(value.encode())
    assert not INNOCUOUS.fullmatch(value.encode() + b"x9")
