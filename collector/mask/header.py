"""Secrets in header fields: by name where the name says what it is, else as text. Nearly all fields repeat, so answers are kept."""

from collections.abc import Callable

from chaperone.collector.mask.fingerprint import Fingerprint, is_masked
from chaperone.collector.mask.masked import MaskedHeader, MaskedText
from chaperone.collector.mask.patterns import SECRET_NAME, compiled
from chaperone.collector.mask.text import Texts
from chaperone.collector.mask.url import mask_url
from chaperone.collector.wire.events import Header

KEPT = 1024  # answers; forgotten all at once when there are more
LONGEST_KEPT = 8192  # bytes of a value

_SCHEME = compiled(rb"(?is)\s*([A-Za-z][\w-]*)[ \t]+(\S.*)")
_AUDIT_ID = compiled(rb"[0-9a-fA-F]{8}(?:-[0-9a-fA-F]{4}){3}-[0-9a-fA-F]{12}")
_BEARER_PROTOCOL = compiled(rb"(?i)base64url\.bearer\.authorization\.k8s\.io\.([^,\s]+)")


class Headers:
    """Masks header fields under one key."""

    def __init__(self, texts: Texts, fingerprint: Fingerprint) -> None:
        self._texts = texts
        self._fingerprint = fingerprint
        self._answers: dict[Header, MaskedHeader] = {}
        self._by_name: dict[str, Callable[[str], str]] = {
            **dict.fromkeys(("authorization", "proxy-authorization", "x-authorization", "x-forwarded-authorization"), self._authorization),
            **dict.fromkeys(("cookie", "set-cookie"), fingerprint.mask_text),
            **dict.fromkeys((":path", "location", "content-location", "referer"), self._url),
            "sec-websocket-protocol": self.protocols,
        }

    def forget(self) -> None:
        """Answers given so far may be out of date: something more is known to be secret."""
        self._answers.clear()

    def mask(self, headers: tuple[Header, ...]) -> tuple[MaskedHeader, ...]:
        """The fields in their order."""
        answers = self._answers
        return tuple([answers.get(header) or self._answer(header) for header in headers])

    def protocols(self, value: str) -> str:
        """A browser's bearer token hides among the subprotocols (apiserver pkg/authentication/request/websocket)."""
        encoded = value.encode("utf-8", "surrogatepass")
        tokens = [match.span(1) for match in _BEARER_PROTOCOL.finditer(encoded) if not is_masked(match.group(1))]
        return self._texts.replaced(encoded, tokens).decode("utf-8", "surrogatepass") if tokens else self._texts.mask_text(value)

    def _answer(self, header: Header) -> MaskedHeader:
        name, value = header
        answer = None if name is None else MaskedText(self._texts.mask_text(name)), None if value is None else self._value(name, value)
        if len(self._answers) >= KEPT:
            self._answers.clear()
        if value is None or len(value) <= LONGEST_KEPT:
            self._answers[header] = answer
        return answer

    def _value(self, name: str | None, value: str) -> MaskedText:
        return MaskedText(self._unnamed(value) if name is None else self._rule(name.lower())(value))

    def _rule(self, name: str) -> Callable[[str], str]:
        if rule := self._by_name.get(name):
            return rule
        if name.startswith("x-remote-") or SECRET_NAME.fullmatch(name.encode("utf-8", "surrogatepass")):
            return self._fingerprint.mask_text
        return self._texts.mask_text

    def _authorization(self, value: str) -> str:
        """The scheme stays: it says what kind of credential it was."""
        encoded = value.encode("utf-8", "surrogatepass")
        if (parts := _SCHEME.fullmatch(encoded)) is None:
            return self._fingerprint.mask_text(value)
        scheme, credential = parts.groups()
        return f"{scheme.decode()} {self._fingerprint.mask(credential).decode()}"

    def _url(self, value: str) -> str:
        return mask_url(self._texts, value)

    def _unnamed(self, value: str) -> str:
        """A name that a table joined late does not know could be `authorization`; only an audit id is surely harmless."""
        return value if _AUDIT_ID.fullmatch(value.encode("utf-8", "surrogatepass")) else self._fingerprint.mask_text(value)
