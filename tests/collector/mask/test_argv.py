import pytest

from chaperone.collector.mask.argv import argv_spans
from chaperone.collector.mask.fingerprint import Fingerprint
from chaperone.collector.mask.text import Texts

TEXTS = Texts(Fingerprint(b"k" * 32))
SECRET = "Zq7x Wv3&p'L\"m9k"


def masked(*argv: str) -> list[str]:
    encoded = [argument.encode() for argument in argv]
    return [TEXTS.replaced(argument, spans).decode() for argument, spans in zip(encoded, argv_spans(TEXTS, encoded), strict=True)]


@pytest.mark.parametrize(
    "argv",
    [
        ("tool", f"--token={SECRET}"),
        ("tool", "--password", SECRET),
        ("tool", "-password", SECRET, "--verbose"),
        ("env", f"DB_PASSWORD={SECRET}", "tool"),
        ("mysql", "-u", "root", f"-p{SECRET}", "shop"),
        ("/usr/bin/mysqldump", f"-p{SECRET}"),
        ("mongosh", "-p", SECRET),
        ("redis-cli", "-a", SECRET),
        ("curl", "-u", f"bob:{SECRET}", "https://h/"),
        ("helm", "registry", "login", "-p", SECRET),
        ("kubectl", "create", "secret", "generic", "x", f"--from-literal=user={SECRET}"),
        ("kubectl", "create", "secret", "generic", "x", "--from-literal", f"user={SECRET}"),
        ("kubectl", "config", "set-credentials", "x", f"--token={SECRET}"),
    ],
)
def test_a_secret_argument_is_replaced_to_its_end(argv: tuple[str, ...]) -> None:
    assert SECRET not in "\0".join(masked(*argv))
    assert "m9k" not in "\0".join(masked(*argv))


@pytest.mark.parametrize(
    "argument",
    [
        "Authorization: Bearer Zq7xWv3pLm9k",
        "https://bob:Zq7xWv3pLm9k@h/",
        "mysql -pZq7xWv3pLm9k",
        "PGPASSWORD=Zq7xWv3pLm9k psql",
        "X-Api-Key: Zq7xWv3pLm9k",
    ],
)
def test_an_argument_is_text_too(argument: str) -> None:
    assert "Zq7x" not in masked("sh", "-c", argument)[2]


@pytest.mark.parametrize(
    "argv",
    [
        ("mkdir", "-p", "/var/lib/x"),
        ("kubectl", "get", "secrets", "-o", "yaml"),
        ("kubectl", "create", "token", "agent", "--duration=1h"),
        ("mysql", "-p", "shop"),
        ("docker", "run", "-p", "8080:80", "web"),
        ("tool", "--password", "--verbose"),
        ("tool", "--token-file=/run/token", "--password-file", "/run/p"),
        ("tool", "--password=$(DB_PASSWORD)"),
    ],
)
def test_innocent_command_lines_stay(argv: tuple[str, ...]) -> None:
    assert masked(*argv) == list(argv)


def test_flags_stay_readable() -> None:
    assert masked("tool", "--token=abc")[1].startswith("--token=~masked-3-")
    assert masked("curl", "-u", "bob:abc")[2].startswith("bob:~masked-3-")


def test_no_arguments_are_no_spans() -> None:
    assert argv_spans(TEXTS, []) == []
