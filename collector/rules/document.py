"""`kind: Policy` documents → frozen values. A file with one mistake is refused whole."""

import re
from collections.abc import Mapping
from dataclasses import dataclass, replace
from enum import StrEnum

from chaperone.collector.nodes import Place, PolicyError, documents
from chaperone.collector.rules.condition import Condition, ConditionError, compiled, expanded
from chaperone.collector.rules.consent import KEYS as CONSENT
from chaperone.collector.rules.consent import Consent, consent
from chaperone.collector.rules.literals import refuse_literals, without_secrets
from chaperone.collector.rules.memory import ENTRIES
from chaperone.collector.rules.message import Message, MessageError, message
from chaperone.collector.rules.selector import EVERYTHING, Selector, selector
from chaperone.collector.rules.spared import Spared, named_by, spares
from chaperone.collector.rules.terms import DEFAULT, Mode, Scan, Terms, effective, terms
from chaperone.collector.rules.terms import KEYS as TERMS
from chaperone.collector.rules.verdict import ACTING, Action, Ends, Enforce, How, Moment, Severity
from chaperone.collector.rules.words import WORDS, first_moment

API_VERSION = "chaperone.dev/v1"
COUNT_LIMIT = ENTRIES
RULE_LIMIT = 2_000
POLICY_KEYS = ("apiVersion", "kind", "metadata", "selector", *TERMS, "spares", "macros", "lists", "rules")
RULE_KEYS = (
    "name", "description", "phase", "when", "count", "countOf", "within", "by", "distinct", "then", "do", "enforce", "severity",
    "mitre", "message", "exceptions", "onUnknown", "kill", "how", *CONSENT,
)  # fmt: skip
TECHNIQUE = r"T[0-9]{4}(\.[0-9]{3})?"
_NAME = "a name of letters, digits and _"


class CountOf(StrEnum):
    """What a window counts."""

    CALLS = "calls"
    OBJECTS = "objects"


class By(StrEnum):
    """Whose events a window counts together."""

    SESSION = "session"
    WORKLOAD = "workload"
    SERVICE_ACCOUNT = "serviceAccount"


class OnUnknown(StrEnum):
    """What an unknown fact does to a condition."""

    MATCH = "match"
    SKIP = "skip"


class PhaseName(StrEnum):
    """When a rule is judged."""

    REQUEST = "request"
    RESPONSE = "response"
    CHANNEL = "channel"
    END = "end"


@dataclass(frozen=True, slots=True)
class Window:
    """`count` within `within_ns`; of different values of the word `distinct`, if there is one."""

    count: int = 1
    count_of: CountOf = CountOf.CALLS
    within_ns: int = 0
    by: By = By.SESSION
    distinct: str = ""


@dataclass(frozen=True, slots=True)
class Then:
    """What must follow, and how soon."""

    when: Condition
    within_ns: int


@dataclass(frozen=True, slots=True)
class Exempt:
    """An exception: whose events the rule leaves alone; patterns with * as known from the API."""

    pod: str = ""
    service_account: str = ""


@dataclass(frozen=True, slots=True)
class Rule:
    """One rule. `line` is where it stands."""

    name: str
    policy: str
    when: Condition
    moment: Moment
    do: Action
    enforce: Enforce
    severity: Severity
    mitre: tuple[str, ...]
    message: Message
    window: Window
    then: Then | None
    exceptions: tuple[Exempt, ...]
    on_unknown: OnUnknown
    line: int
    mode: Mode = Mode.ENFORCE  # the policy's
    scan: bool = False  # whether the policy has secrets looked for in other connections
    consent: Consent | None = None  # of a rule that asks for approval
    ends: Ends = Ends.CONNECTION  # of a rule that kills
    how: How = How.REFUSE  # of a rule that denies
    spares: frozenset[Spared] = frozenset()  # what a rule that has an effect leaves alone

    @property
    def effective(self) -> Enforce:
        """How seriously it is taken under its policy."""
        return effective(self.mode, self.enforce)


@dataclass(frozen=True, slots=True)
class Policy:
    """One document."""

    name: str
    rules: tuple[Rule, ...]
    file: str = ""
    terms: Terms = DEFAULT
    selector: Selector = EVERYTHING  # which sessions it concerns


def policies(text: str, file: str) -> tuple[Policy, ...]:
    """All documents of a file. PolicyError at the first mistake."""
    try:
        found = tuple(_policy(place) for place in documents(text, file))
    except PolicyError as error:
        raise without_secrets(error) from None
    if not found:
        raise PolicyError(file, 1, "", "expected a document of kind: Policy, found none")
    return found


def distinct(groups: list[tuple[Policy, ...]]) -> tuple[Policy, ...]:
    """The policies of several files; PolicyError when a policy's name comes twice."""
    seen: dict[str, str] = {}
    for policy in (policy for group in groups for policy in group):
        if policy.name in seen:
            raise PolicyError(policy.file, 1, "metadata.name", f"expected one policy called {policy.name}, also in {seen[policy.name]}")
        seen[policy.name] = policy.file
    return tuple(policy for group in groups for policy in group)


def _policy(place: Place) -> Policy:
    refuse_literals(place)
    keys = place.mapping(POLICY_KEYS, ("apiVersion", "kind", "metadata", "rules"))
    _fixed(keys["apiVersion"], API_VERSION)
    _fixed(keys["kind"], "Policy")
    name = keys["metadata"].mapping(("name",), ("name",))["name"].text()
    macros, said, spared = _macros(keys), terms(keys), spares(keys.get("spares"))
    rules = tuple(_rule(entry, name, macros, said) for entry in keys["rules"].entries())
    names = [rule.name for rule in rules]
    for entry, rule in zip(keys["rules"].entries(), rules, strict=True):
        if names.count(rule.name) > 1:
            raise entry.error(f"expected each rule's name once, found {rule.name!r} again")
    if len(rules) > RULE_LIMIT:
        raise keys["rules"].error(f"expected at most {RULE_LIMIT} rules, found {len(rules)}")
    chosen = selector(keys["selector"]) if "selector" in keys else EVERYTHING
    return Policy(name, tuple(_under(rule, said, spared) for rule in rules), place.file, said, chosen)


def _under(rule: Rule, said: Terms, spared: frozenset[Spared]) -> Rule:
    conditions = (rule.when, rule.then.when) if rule.then else (rule.when,)
    left = spared - named_by(conditions) if rule.do in ACTING else frozenset()
    return replace(rule, mode=said.mode, scan=said.egress_scan is Scan.ON, spares=left)


def _fixed(place: Place, wanted: str) -> None:
    if place.text() != wanted:
        raise place.error(f"expected {wanted}, found {place.text()[:40]!r}")


def _macros(keys: Mapping[str, Place]) -> dict[str, str]:
    """Lists, then macros, each may use those before it."""
    found: dict[str, str] = {}
    for entry in keys["lists"].entries() if "lists" in keys else []:
        parts = entry.mapping(("name", "items"), ("name", "items"))
        found[_new_name(parts["name"], found)] = f"[{', '.join(_item(item, found) for item in parts['items'].texts())}]"
    for entry in keys["macros"].entries() if "macros" in keys else []:
        parts = entry.mapping(("name", "when"), ("name", "when"))
        name = _new_name(parts["name"], found)
        _condition(parts["when"], found)
        found[name] = f"({expanded(parts['when'].text(), found)}\n)"
    return found


def _item(text: str, known: Mapping[str, str]) -> str:
    """As in Falco, an item that is the name of another list stands for its items."""
    if known.get(text, "").startswith("["):
        return known[text][1:-1]
    escaped = text.encode("unicode_escape").decode().replace('"', '\\"')
    return f'"{escaped}"'


def _new_name(place: Place, known: Mapping[str, str]) -> str:
    name = place.text()
    if not name.isidentifier() or not name.isascii():
        raise place.error(f"expected {_NAME}, found {name[:40]!r}")
    if name in known or name in {word.partition(".")[0] for word in WORDS} | {"has", "in", "true", "false", "null", "size"}:
        raise place.error(f"expected a new name, found {name!r}, which is taken")
    return name


def _rule(place: Place, policy: str, macros: Mapping[str, str], said: Terms) -> Rule:
    keys = place.mapping(RULE_KEYS, ("name", "when", "do"))
    when = _condition(keys["when"], macros)
    do = keys["do"].choice(Action)
    refuses = do in (Action.DENY, Action.APPROVE)
    name = keys["name"].text()
    if "description" in keys:
        keys["description"].text()  # for people; it only has to be a text
    return Rule(
        name=name,
        policy=policy,
        when=when,
        moment=_moment(keys, when, refuses),
        do=do,
        enforce=keys["enforce"].choice(Enforce) if "enforce" in keys else Enforce.OBSERVE,
        severity=keys["severity"].choice(Severity) if "severity" in keys else Severity.MEDIUM,
        mitre=_techniques(keys["mitre"]) if "mitre" in keys else (),
        message=_message(keys["message"]) if "message" in keys else Message(name.replace("{", "").replace("}", "")),
        window=_window(place, keys),
        then=_then(keys["then"], macros) if "then" in keys else None,
        exceptions=tuple(_exception(entry) for entry in keys["exceptions"].entries()) if "exceptions" in keys else (),
        on_unknown=keys["onUnknown"].choice(OnUnknown) if "onUnknown" in keys else (OnUnknown.MATCH if refuses else OnUnknown.SKIP),
        line=place.node.start_mark.line + 1,
        consent=consent(keys, do is Action.APPROVE, said.hold_limit_ns),
        ends=_ends(keys, do),
        how=_how(keys, do),
    )


def _how(keys: Mapping[str, Place], do: Action) -> How:
    if "how" in keys and do is not Action.DENY:
        raise keys["how"].error("expected do: deny beside it")
    return keys["how"].choice(How) if "how" in keys else How.REFUSE


def _techniques(place: Place) -> tuple[str, ...]:
    for entry in place.entries():
        if not re.fullmatch(TECHNIQUE, entry.text()):
            raise entry.error(f"expected ATT&CK techniques such as T1609 or T1552.007, found {entry.text()[:40]!r}")
    return place.texts()


def _ends(keys: Mapping[str, Place], do: Action) -> Ends:
    if "kill" in keys and do is not Action.KILL:
        raise keys["kill"].error("expected do: kill beside it")
    return keys["kill"].choice(Ends) if "kill" in keys else Ends.CONNECTION


def _condition(place: Place, macros: Mapping[str, str]) -> Condition:
    try:
        return compiled(place.text(), macros)
    except ConditionError as error:
        raise place.error(str(error)) from None


def _message(place: Place) -> Message:
    try:
        return message(place.text())
    except MessageError as error:
        raise place.error(str(error)) from None


def _moment(keys: Mapping[str, Place], when: Condition, refuses: bool) -> Moment:
    """The earliest that its words allow, or later if it says so."""
    objects = "countOf" in keys and keys["countOf"].text() == CountOf.OBJECTS
    words = (*when.words, "call.objects") if objects else when.words
    moments = {name: WORDS[name].moment for name in words}
    late = [name for name, moment in moments.items() if moment in (Moment.RESPONSE, Moment.END)]
    if refuses and late:
        raise keys["when"].error(f"expected only words of the request to deny or approve by, found {late[0]}, which the answer tells")
    if late and Moment.CHANNEL in moments.values():
        late = [name for name in late if WORDS[name].moment is Moment.END]
        if late:
            raise keys["when"].error(f"expected words known while a channel is open, found {late[0]}, known at the end")
    earliest = first_moment(words)
    return _said(keys["phase"], earliest, refuses) if "phase" in keys else earliest


def _said(place: Place, earliest: Moment, refuses: bool) -> Moment:
    said = Moment[place.choice(PhaseName).name]
    if said < earliest or (said is not earliest and Moment.CHANNEL in (said, earliest)):
        raise place.error(f"expected {earliest.name.lower()} by the words of its condition, found {said.name.lower()}")
    if refuses and said in (Moment.RESPONSE, Moment.END):
        raise place.error(f"expected request or channel to deny or approve in, found {said.name.lower()}")
    return said


def _window(place: Place, keys: Mapping[str, Place]) -> Window:
    if "count" not in keys:
        stray = [name for name in ("countOf", "within", "by", "distinct") if name in keys]
        if stray and ("then" not in keys or stray != ["by"]):
            raise keys[stray[0]].error("expected count beside it")
        return Window(by=keys["by"].choice(By) if "by" in keys else By.SESSION)
    if "within" not in keys:
        raise place.error("expected the key within beside count, which is missing")
    window = Window(
        keys["count"].number(1, COUNT_LIMIT),
        keys["countOf"].choice(CountOf) if "countOf" in keys else CountOf.CALLS,
        keys["within"].duration_ns(),
        keys["by"].choice(By) if "by" in keys else By.SESSION,
        keys["distinct"].text() if "distinct" in keys else "",
    )
    if window.distinct and (window.distinct not in WORDS or WORDS[window.distinct].type == "dyn"):
        raise keys["distinct"].error(f"expected a word such as call.name, found {window.distinct[:40]!r}")
    return window


def _then(place: Place, macros: Mapping[str, str]) -> Then:
    keys = place.mapping(("when", "within"), ("when", "within"))
    return Then(_condition(keys["when"], macros), keys["within"].duration_ns())


def _exception(place: Place) -> Exempt:
    keys = place.mapping(("pod", "serviceAccount"))
    if not keys:
        raise place.error("expected pod or serviceAccount")
    return Exempt(keys["pod"].text() if "pod" in keys else "", keys["serviceAccount"].text() if "serviceAccount" in keys else "")
