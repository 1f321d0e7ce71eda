"""Secrets in command lines, argument by argument: `--token=…`, `--password x`, `-pX`, `curl -u user:…`, `DB_PASSWORD=…`."""

from collections.abc import Sequence

from chaperone.collector.mask.patterns import INNOCUOUS, SECRET_NAME, compiled
from chaperone.collector.mask.text import Span, Texts

_FLAG = compiled(rb"--?[A-Za-z][\w.-]*")
_NAMED = compiled(rb"(?s)(?:--?)?([\w./,\[\]-]+?)=(.+)")
_LITERAL = compiled(rb"(?s)--from-literal(?:=[^=]*)?=(.+)")

# Program → the short option whose value is a password, glued to it or the next argument.
_SHORT = {
    **dict.fromkeys((b"mysql", b"mysqldump", b"mysqladmin", b"mysqlimport", b"mysqlshow", b"mariadb", b"mariadb-dump"), b"-p"),
    **dict.fromkeys((b"sshpass", b"mongo", b"mongosh", b"mongodump", b"mongorestore"), b"-p"),
    **dict.fromkeys((b"redis-cli", b"valkey-cli"), b"-a"),
    **dict.fromkeys((b"ldapsearch", b"ldapmodify", b"ldapadd"), b"-w"),
    **dict.fromkeys((b"sqlcmd", b"bcp", b"isql"), b"-P"),
    **dict.fromkeys((b"docker", b"podman", b"helm", b"oras", b"skopeo", b"crane", b"buildah"), b"-p"),
}
_GLUED_ONLY = frozenset((b"mysql", b"mysqldump", b"mysqladmin", b"mysqlimport", b"mysqlshow", b"mariadb", b"mariadb-dump"))
_USER = frozenset((b"curl", b"wget", b"http", b"https", b"xh", b"httpie"))
_USER_FLAGS = frozenset((b"-u", b"--user", b"--proxy-user", b"-U", b"-a", b"--auth"))
_LOGIN = frozenset((b"docker", b"podman", b"helm", b"oras", b"skopeo", b"crane", b"buildah"))


def argv_spans(texts: Texts, argv: Sequence[bytes]) -> list[list[Span]]:
    """For each argument where its secrets are."""
    if "arguments" in texts.off:
        return [texts.spans(argument) for argument in argv]
    program = argv[0].rpartition(b"/")[2] if argv else b""
    return [_argument_spans(texts, program, argv, index) for index in range(len(argv))]


def _argument_spans(texts: Texts, program: bytes, argv: Sequence[bytes], index: int) -> list[Span]:
    argument, before = argv[index], argv[index - 1] if index else b""
    start = _secret_start(program, before, argument, argv)
    if start is not None and start < len(argument) and not INNOCUOUS.fullmatch(argument[start:]):
        return [(start, len(argument))]
    return texts.spans(argument)


def _secret_start(program: bytes, before: bytes, argument: bytes, argv: Sequence[bytes]) -> int | None:
    """Where an argument that ends in a secret has it begin; None for any other."""
    if literal := _LITERAL.fullmatch(argument):
        return int(literal.start(1))
    if (named := _NAMED.fullmatch(argument)) and SECRET_NAME.fullmatch(named.group(1)):
        return int(named.start(2))
    if before == b"--from-literal":
        return argument.find(b"=") + 1
    if _FLAG.fullmatch(before) and SECRET_NAME.fullmatch(before) and not argument.startswith(b"-"):
        return 0
    if program in _USER and before in _USER_FLAGS:
        return argument.find(b":") + 1
    return _short_option(program, before, argument, argv)


def _short_option(program: bytes, before: bytes, argument: bytes, argv: Sequence[bytes]) -> int | None:
    short = _SHORT.get(program)
    if short is None or (program in _LOGIN and b"login" not in argv):
        return None
    if argument.startswith(short) and len(argument) > len(short):
        return len(short)
    return 0 if before == short and program not in _GLUED_ONLY else None
