"""The table of what a secret looks like in text, and which names promise one.

RE2 over bytes (Latin-1): linear in the text whatever it is. Group 1, or the first of several that took part, is what is
replaced; without groups all of it. No pattern matches over a NUL, so texts can be joined by NULs and searched at once.
Where in doubt a pattern takes too much rather than too little.
"""

import base64
from dataclasses import dataclass

import re2


@dataclass(frozen=True, slots=True)
class Pattern:
    """One way a secret shows."""

    name: str
    expression: bytes


# A name that ends so promises a secret: DB_PASSWORD, clientSecret, aws_secret_access_key, x-api-key.
NAMES = (
    rb"(?:password|passwd|passphrase|passcode|secret|token|credentials?|connection[ _.-]?string|secret[_-]?id"
    rb"|[_.-](?:pass|pwd|creds?)|(?:db|user|my|root|admin)(?:pass|pwd)|\.dockercfg|\.?dockerconfigjson|_auth"
    rb"|(?:api|access|secret|private|encryption|signing|signature|master|account|shared|shared[_-]?access|storage|session|ssh|hmac|jwt|license"
    rb"|service|auth|certificate|cookie|client)[ _.-]?key(?:[_.-]?(?:base|data))?)"
)
_EQUALS = rb"""\\*["']?[ \t]*(?:=>|:=|=|:|%3[ADad]|\\u003[ad])[ \t]*"""
_VALUE = rb"""(?:\\+"([^"\0]*?)\\+"|"((?:[^"\\\0]|\\[^\0])*)"|'([^'\0]*)'|\\+"([^"\0\s]+)|["']?([^\s\0"'&{\[][^\s\0"'&]*))"""
_PRIVATE_KEY = rb"-----BEGIN [A-Z0-9 ]*PRIVATE KEY(?: BLOCK)?-----"


def _anywhere_in_base64(text: bytes) -> bytes:
    """The base64 characters that `text` makes for sure, at each of the three alignments."""
    encoded = (base64.b64encode(bytes(shift) + text)[-(-shift * 8 // 6) : (shift + len(text)) * 8 // 6] for shift in range(3))
    return b"|".join(re2.escape(part) for part in encoded)


WRAPPED = b"|".join(map(_anywhere_in_base64, (b"PRIVATE KEY-----", b"password", b"PASSWORD", b"Password", b"eyJhbGciOi", b"Bearer ey")))
HEX = b"|".join(text.hex().encode() for text in (b"PRIVATE KEY", b"password", b"PASSWORD", b"eyJhbGci", b"earer "))

PATTERNS = (
    Pattern("private-key", _PRIVATE_KEY + rb"([^\0]*?)(?:-----END|\0|\z)"),
    Pattern("private-key-base64", rb"LS0tLS1CRUdJTi[A-Za-z0-9+/]*(?:" + _anywhere_in_base64(b"PRIVATE KEY") + rb")[A-Za-z0-9+/=\s]*"),
    Pattern("jwt", rb"ey(?:J|Ai|og|0K)[A-Za-z0-9_-]{6,}=*\.[A-Za-z0-9_-]{6,}=*(?:\.[A-Za-z0-9_-]*){0,3}"),
    Pattern("wrapped", rb"[A-Za-z0-9+/_-]*(?:" + WRAPPED + rb")[A-Za-z0-9+/_-]*={0,2}|\bZXlK[A-Za-z0-9+/_-]{24,}={0,2}"),
    Pattern("hex", rb"(?i)(?:[0-9a-f]{2})*(?:" + HEX + rb")[0-9a-f]*"),
    Pattern("packed", rb"\b(?:H4sI|SDRzS)[A-Za-z0-9+/_-]{24,}={0,2}"),  # gzip in base64, once or twice: a helm release
    Pattern("aws-key", rb"\b(?:AKIA|ASIA|ABIA|ACCA)[A-Z0-9]{16}\b"),
    Pattern("aws-eks", rb"k8s-aws-v1\.[A-Za-z0-9_=-]{10,}"),
    Pattern("github", rb"\b(?:gh[pousr]_[A-Za-z0-9]{16,}|github_pat_[A-Za-z0-9_]{16,})"),
    Pattern("gitlab", rb"\bgl(?:pat|dt|rt|cbt|ptt|ft|agent|soat)-[A-Za-z0-9_.-]{16,}"),
    Pattern("slack", rb"\bx(?:ox[a-z]|app)-[A-Za-z0-9-]{10,}|hooks\.slack\.com/(?:services|workflows|triggers)/([A-Za-z0-9/_-]+)"),
    Pattern("google", rb"\bAIza[A-Za-z0-9_-]{30,}|\bya29\.[A-Za-z0-9_.-]{16,}|\bGOCSPX-[A-Za-z0-9_-]{16,}"),
    Pattern("stripe", rb"\b[rs]k_(?:live|test)_[A-Za-z0-9]{16,}|\bwhsec_[A-Za-z0-9]{16,}"),
    Pattern("model-api", rb"\bsk-[A-Za-z0-9_-]{20,}|\b(?:hf|gsk|r8|pplx|xai|nvapi)[_-][A-Za-z0-9_-]{24,}"),
    Pattern("registry", rb"\bnpm_[A-Za-z0-9]{30,}|\bpypi-[A-Za-z0-9_-]{40,}|\bdckr_pat_[A-Za-z0-9_-]{16,}|\bdo[opr]_v1_[a-f0-9]{32,}"),
    Pattern("vault", rb"\bhv[sbr]\.[A-Za-z0-9_-]{16,}|\bSG\.[A-Za-z0-9_-]{16,}\.[A-Za-z0-9_-]{16,}|AGE-SECRET-KEY-1[0-9A-Z]{40,}"),
    Pattern("azure", rb"(?i)\b(?:AccountKey|SharedAccessKey|sig)=([A-Za-z0-9+/%]{20,}={0,2})"),
    Pattern("bearer", rb"(?i)\bbearer[ \t]+([A-Za-z0-9._~+/-]{16,}=*)"),
    Pattern("authorization", rb"""(?i)authorization\\*["']?[ \t]*[:=][ \t]*\\*["']?(?:[a-z]+[ \t]+)?([^\s\0"',;\\{\[]{3,})"""),
    Pattern("docker-auth", rb"""(?i)\\*"auth\\*"[ \t]*:[ \t]*\\*"([^"\\\0]+)"""),
    Pattern("cookie", rb"""(?im)\b(?:set-)?cookie:[ \t]*([^\r\n\0"']+)"""),
    Pattern("url-password", rb"""(?i)\b[a-z][a-z0-9+.-]*://(?:[^\s/:\0"'<>@]*:([^\s/\0"'<>]+)|([^\s/:\0"'<>@]{16,}))@"""),
    Pattern("line", rb"(?im)(?:^|[\r\0])[ \t]*(?:export[ \t]+|set[ \t]+|-[ \t]+)?[\"']?[\w./-]*" + NAMES + _EQUALS + rb"([^\r\n\0]+)"),
    Pattern("assignment", rb"(?i)" + NAMES + _EQUALS + _VALUE),
    Pattern("block", rb"(?i)" + NAMES + rb"[\"']?[ \t]*:[ \t]*[|>][0-9+-]*[ \t]*\r?\n((?:[ \t]+[^\n\0]*\n?)+)"),
    Pattern("flag", rb"""(?i)(?:^|[\s"'\0])--?[\w.-]*""" + NAMES + rb"""[ \t]+(?:"([^"\0]*)"|'([^'\0]*)'|([^\s\0"'-][^\s\0"']*))"""),
    Pattern("named", rb"""(?i)"name"\s*:\s*"[^"\0]*""" + NAMES + rb'"\s*,\s*"value"\s*:\s*"((?:[^"\\\0]|\\[^\0])*)'),
    Pattern("named-nested", rb"""(?i)"name\\+"\s*:\s*\\+"[^"\0]*""" + NAMES + rb'\\+"\s*,\s*\\+"value\\+"\s*:\s*\\+"([^"\0]*?)\\+"'),
    Pattern("named-yaml", rb"""(?i)name:[ \t]*["']?[\w.-]*""" + NAMES + rb"""["']?[ \t]*\r?\n[ \t]*value:[ \t]*([^\r\n\0]+)"""),
    Pattern("mysql", rb"""\b(?:mysql\w*|mariadb[\w-]*|sshpass)\b(?:[ \t]+[^\s\0|;&]+)*?[ \t]+-p[ \t]?["']?([^\s\0"']+)"""),
    Pattern("redis", rb"""\bredis-cli\b(?:[ \t]+[^\s\0|;&]+)*?[ \t]+-a[ \t]+["']?([^\s\0"']+)"""),
    Pattern(
        "user", rb"\b(?:curl|wget|http)\b(?:[ \t]+[^\s\0|;&]+)*?[ \t]+(?:-u|--user|--proxy-user)[ \t=]*[\"']?[^\s\0:\"']*:([^\s\0\"']+)"
    ),
    Pattern("pass-phrase", rb"\b-?pass(?:in|out)?[ \t=]+pass:([^\s\0\"']+)"),
    Pattern("xml", rb"(?i)<[\w:.-]*" + NAMES + rb"(?:[ \t][^<>\0]*)?>([^<>\0]+)</"),
    Pattern("netrc", rb"\blogin\s+[^\s\0]+\s+password\s+([^\s\0]+)"),
    Pattern("password-hash", rb"\$(?:1|2[abxy]?|5|6|7|y|gy|apr1|argon2\w*|scrypt|pbkdf2[\w-]*)\$[A-Za-z0-9./$=,+-]{16,}"),
    Pattern("quoted-input", rb"json parse error: [^\0\n]*?\(([0-9a-f]{16,})|error found in #[0-9]+ byte of \.\.\.\|([^\0]+)"),
)

_OPTIONS = re2.Options()
_OPTIONS.encoding = re2.Options.Encoding.LATIN1
_OPTIONS.max_mem = 64 << 20
_OPTIONS.log_errors = False


def compiled(expression: bytes) -> "re2._Regexp":
    """A pattern over bytes."""
    return re2.compile(expression, options=_OPTIONS)


def matches_any(patterns: tuple[Pattern, ...]) -> "re2._Regexp":
    """One pattern that matches where any of these does: the cheap question asked first."""
    never_capture = re2.Options()
    for name in re2.Options.NAMES:
        setattr(never_capture, name, getattr(_OPTIONS, name))
    never_capture.never_capture = True
    return re2.compile(b"|".join(b"(?:" + pattern.expression + b")" for pattern in patterns), options=never_capture)


SECRET_NAME = compiled(rb"(?i)[\w./ -]*(?:" + NAMES + rb"|authorization|cookie)")
# Values that are no secret although their name promises one: references, placeholders, settings.
INNOCUOUS = compiled(
    rb"""(?i:true|false|null|nil|none|undefined|<[^<>\0]*>|\*+|\[redacted\])|\$[A-Z_][A-Z0-9_]*|\$\{[A-Z_][A-Z0-9_]*\}|\$\([A-Z_][A-Z0-9_]*\)"""
    rb"""|[|>][0-9+-]*|[{\[(]+|""|''|\\*"""
)
