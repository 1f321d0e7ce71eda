"""A first glance at JSON as it was sent: can there be anything to replace? Most bodies answer no at memory speed.

It may say yes too often, never no wrongly: everything that `tree` replaces by place, name or text is asked for here in a looser
form, over the raw bytes with their escapes. An escape that hides a plain letter (RFC 8259 §7) is itself a yes.
"""

from chaperone.collector.mask.patterns import HEX, NAMES, WRAPPED, compiled

_SPACE = rb"(?:\s|\\+[tnr])"
_QUOTE = rb"""\\*(?:["']|u0027)?"""
_NAME = rb"(?:" + NAMES + rb"|authorization|cookie)"
_PROGRAMS = (
    rb"(?:mysql\w*|mariadb[\w-]*|sshpass|mongo\w*|redis-cli|valkey-cli|ldap\w+|sqlcmd|bcp|isql|docker|podman|helm|oras|skopeo|crane|buildah"
    rb"|curl|wget|https?|httpie|xh)"
)
_LOOSE = (
    _NAME
    + _QUOTE
    + _SPACE
    + rb"*(?:[:=]+(?:>|\\u003e)?|%3[ad]|\\+u003[ad])"
    + _SPACE
    + rb"*(?:[^\s{]|\{[^\"}\s])",  # an assignment; a mapping's value that is no mapping
    rb"-[\w.-]*" + _NAME + rb"(?:" + _SPACE + rb'|\\*"\s*,)',  # a flag, its value behind it
    rb'(?:name|key|"1)\\*"' + _SPACE + rb'*:\s*\[?\\*"[^"]*' + _NAME + rb'\\*"',  # {name, value}
    _NAME + rb'\\*"\s*:\s*\{[^{}]*"value\\*"',
    rb'"op"|"binaryData"|--from-literal|name:[ ]*\\*"?[^"]*' + _NAME,
    _PROGRAMS + rb'(?:\\*"\s*,|' + _SPACE + rb")",
    rb"(?:<|\\u003c)[\w:.-]*" + _NAME + rb"[^<>]*(?:>|\\u003e)|password\s|\$(?:[1-7y]|gy|2[abxy]|apr1|argon2|scrypt|pbkdf2)",
    rb"v1\\*\"?,?(?:\s|\\+[tnr])*\\*\"?data",
    rb"pass:|bearer|PRIVATE KEY|parse error: |error found in #|(?:AccountKey|SharedAccessKey|sig)=",
    rb":(?:\\*/){2}[^\s/\"]+@",
    rb"kind" + _QUOTE + _SPACE + rb"*:" + _SPACE + rb"*" + _QUOTE + rb"Secret|last-applied-configuration|\\*\"auth\\*\"",
    rb"\\b| \\r|\\u(?:0008|001b|00(?:2[0-589a-f]|3[0-9abdf]|[4-7][0-9a-f]))|" + HEX,
)
_EXACT = (
    rb"ey(?:J|Ai|og|0K)[A-Za-z0-9_-]{6,}=*\.|ZXlK|LS0tLS1CRUdJTi|H4sI|SDRzS|(?:AKIA|ASIA|ABIA|ACCA)[A-Z0-9]{16}|k8s-aws-v1\.",
    rb"gh[pousr]_|github_pat_|glpat-|gl(?:dt|rt|cbt|ptt|ft|agent|soat)-|xox[a-z]-|xapp-|hooks\.slack|AIza|ya29\.|GOCSPX|[rs]k_(?:live|test)|whsec_",
    rb"sk-[A-Za-z0-9_-]{20}|(?:hf|gsk|r8|pplx|xai|nvapi)[_-][A-Za-z0-9_-]{24}|npm_|pypi-|dckr_pat|do[opr]_v1|hv[sbr]\.|SG\.|AGE-SECRET",
    WRAPPED,
)
_ANY = compiled(rb"(?i:" + b"|".join(_LOOSE) + rb")|" + b"|".join(_EXACT))


def may_hold_secrets(raw: bytes) -> bool:
    """Whether JSON must be looked at closely."""
    return _ANY.search(raw) is not None
