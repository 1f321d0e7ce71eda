"""How results leave: a table, JSON, JSON lines or YAML on stdout; colours only on a terminal."""

import json
import os
import sys
from collections.abc import Iterable
from enum import StrEnum
from typing import Any

import typer
import yaml


class Form(StrEnum):
    """What `-o` takes for rows."""

    TABLE = "table"
    JSON = "json"
    JSONL = "jsonl"
    YAML = "yaml"


def is_coloured() -> bool:
    """Is stdout a terminal that wants colours (https://no-color.org)?"""
    return sys.stdout.isatty() and not os.environ.get("NO_COLOR") and os.environ.get("TERM") != "dumb"


def say(lines: Iterable[str]) -> None:
    """Print lines."""
    for line in lines:
        typer.echo(line)


def documents(found: Iterable[dict[str, Any]], form: Form) -> None:
    """Print documents as JSON (one array), JSON lines or YAML. Controls are escaped by each of them."""
    if form is Form.JSONL:
        say(json.dumps(document) for document in found)
    elif form is Form.YAML:
        typer.echo(yaml.safe_dump(list(found), sort_keys=False, allow_unicode=False), nl=False)
    else:
        typer.echo(json.dumps(list(found), indent=2))


def document(found: dict[str, Any], form: Form) -> None:
    """Print one document, not an array of one."""
    if form is Form.YAML:
        typer.echo(yaml.safe_dump(found, sort_keys=False, allow_unicode=False), nl=False)
    else:
        typer.echo(json.dumps(found, indent=None if form is Form.JSONL else 2))
