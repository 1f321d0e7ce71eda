"""CEL conditions: compiled once, against the words' types; evaluated to yes, no or unknown.

cel-expr-python (the C++ implementation) because it checks names and types when it compiles and has a budget of iterations and of
nesting; common-expression-language is faster with small values, but finds a misspelt word only when a call comes, and
`l.all(a, l.all(b, …))` over 3,000 items kept it busy for 6 s. Each word is one variable with a dotted name.
"""

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

from cel_expr_python import cel

from chaperone.collector.rules.guards import Guard, guards
from chaperone.collector.rules.words import WORDS, UnknownError

LIMIT = 8192  # characters of one condition, macros put in
_TOKEN = re.compile(
    r'''[rRbB]{0,2}("""(?:\\.|[^\\])*?"""|\'\'\'(?:\\.|[^\\])*?\'\'\'|"(?:\\.|[^"\\\n])*"|'(?:\\.|[^'\\\n])*')|//[^\n]*|\.?[A-Za-z_][\w.]*'''
)
_TYPES = {
    "string": cel.Type.STRING,
    "int": cel.Type.INT,
    "bool": cel.Type.BOOL,
    "list(string)": cel.Type.List(cel.Type.STRING),
    "dyn": cel.Type.DYN,
}
_TEXTS = frozenset(name for name, word in WORDS.items() if word.type == "string")
_ENVIRONMENT = cel.NewEnv(variables={name: _TYPES[word.type] for name, word in WORDS.items()})
Read = Callable[[str], Any]


class ConditionError(ValueError):
    """A condition that can't be compiled; the message says why and what was expected."""


@dataclass(frozen=True, slots=True)
class Condition:
    """`words`: those it mentions, in order of appearance. `guards`: what rules it out without asking CEL. `texts`: all literal ones, in
    their quotes."""

    text: str
    words: tuple[str, ...]
    program: Any = field(repr=False, compare=False)
    guards: tuple[Guard, ...] = field(default=(), repr=False, compare=False)
    texts: frozenset[str] = field(default=frozenset(), repr=False, compare=False)


@dataclass(frozen=True, slots=True)
class Answer:
    """`holds` is None when the words in `unknown` would have to be known."""

    holds: bool | None
    unknown: tuple[str, ...] = ()


NO = Answer(False)


def compiled(text: str, macros: Mapping[str, str]) -> Condition:
    """A condition with macros and lists put in. ConditionError when it is none."""
    whole = expanded(text, macros)
    try:
        program = _ENVIRONMENT.compile(whole)
        kind = program.return_type().name()
    except (RuntimeError, UnicodeError) as error:
        raise ConditionError(_reason(str(error))) from None
    if kind not in ("BOOL", "DYN"):
        raise ConditionError(f"expected a condition that is true or false, found one of type {kind}")
    texts = frozenset(token[1] for token in _TOKEN.finditer(whole) if token[1])
    return Condition(text, _words(whole), program, guards(whole, _TEXTS), texts)


def expanded(text: str, macros: Mapping[str, str]) -> str:
    """Names of macros and lists replaced by what they stand for; texts and comments stay."""
    whole = _TOKEN.sub(lambda found: macros.get(found[0], found[0]), text)
    if len(whole) > LIMIT:
        raise ConditionError(f"expected at most {LIMIT} characters, found {len(whole)} with macros put in")
    return whole


def answer(condition: Condition, read: Read) -> Answer:
    """Does it hold? A key that an object lacks means no; any other trouble means unknown."""
    if any(_excludes(guard, read) for guard in condition.guards):
        return NO
    values, unknown = _values(condition.words, read)
    try:
        found = condition.program.eval(_ENVIRONMENT.Activation(values))
        value = found.value()
    except (RuntimeError, UnicodeError, OverflowError, TypeError):
        return Answer(None, condition.words)
    if isinstance(value, bool):
        return Answer(value)
    if not unknown and str(value).startswith("NOT_FOUND"):
        return Answer(False)
    return Answer(None, unknown or condition.words)


def _excludes(guard: Guard, read: Read) -> bool:
    """Does it have another value than it must? Unknown excludes nothing."""
    try:
        return _clean(read(guard[0])) not in guard[1]
    except UnknownError:
        return False


def _values(words: tuple[str, ...], read: Read) -> tuple[dict[str, Any], tuple[str, ...]]:
    values, unknown = {}, []
    for name in words:
        try:
            values[name] = _clean(read(name))
        except UnknownError:
            unknown.append(name)
    return values, tuple(unknown)


def _clean(value: Any) -> Any:
    """Text that was no UTF-8 on the wire has lone surrogates, which CEL has not."""
    if isinstance(value, str):
        return value.encode(errors="replace").decode()
    return [_clean(item) for item in value] if isinstance(value, list) else value


def _words(whole: str) -> tuple[str, ...]:
    """A token such as call.body.spec.x begins with a word; a token that begins with a dot is a field of something else."""
    found = [".".join(token[0].split(".")[:2]) for token in _TOKEN.finditer(whole)]
    return tuple(dict.fromkeys(name for name in found if name in WORDS))


def _reason(error: str) -> str:
    line = error.partition("\n")[0].removeprefix("INVALID_ARGUMENT: ").removeprefix("ERROR: ")
    line = line.removeprefix("<input>:").replace(" (in container '')", "")
    if "undeclared reference" in line:
        line += f"; words are {', '.join(sorted({name.partition('.')[0] for name in WORDS}))}: see chaperone rules words"
    return f"expected a CEL condition, found at {line[:300]}"
