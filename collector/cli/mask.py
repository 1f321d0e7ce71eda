"""`chaperone mask`: try what is masked on a file, list the built-ins, change a store's fingerprint key."""

import secrets
from pathlib import Path
from typing import Annotated

import typer

from chaperone.collector.cli.ask import StoreOption, directory
from chaperone.collector.cli.failed import CommandError
from chaperone.collector.cli.output import is_coloured, say
from chaperone.collector.cli.show.escape import escape
from chaperone.collector.cli.show.table import table
from chaperone.collector.ingest.masking_file import read_masking
from chaperone.collector.mask.masking import WAYS, Masking
from chaperone.collector.mask.patterns import PATTERNS
from chaperone.collector.mask.why import Trial, Tried
from chaperone.collector.nodes import PolicyError
from chaperone.collector.store.directory import DirectoryError, hold

app = typer.Typer(no_args_is_help=True, help="Masking: what is replaced before anything is kept.", rich_markup_mode=None)
MaskOption = Annotated[
    list[Path] | None, typer.Option("--mask", readable=False, metavar="FILE", help="A file of kind Masking; may be repeated")
]
TYPES = {".json": "application/json", ".yaml": "application/yaml", ".yml": "application/yaml"}
STEP = "chaperone mask list shows the built-ins, docs/masking.md what a file may say"


@app.command(epilog="Example: chaperone mask test deployment.yaml --why")
def test(
    file: Annotated[Path, typer.Argument(metavar="FILE", readable=False, help="JSON, YAML, protobuf or text")],
    mask: MaskOption = None,
    why: Annotated[bool, typer.Option("--why", help="Print what was masked where and by what, not the file")] = False,
) -> None:
    """Print a file as it would be kept."""
    tried = Trial(secrets.token_bytes(32), loaded(mask)).of(data := _bytes(file), _type(file, data))
    say(_reasons(tried) if why else [tried.masked.decode("utf-8", "backslashreplace").removesuffix("\n")])


@app.command("list")
def list_(mask: MaskOption = None) -> None:
    """List the ways to see a secret, those of files too. Each can be switched off by its name."""
    masking = loaded(mask)
    used = {pattern.name for pattern in masking.patterns}
    rows = [[name, "built-in", "off" if name in masking.off else "on", doc] for name, doc in WAYS.items()]
    rows += [[pattern.name, "built-in", "on" if pattern.name in used else "off", "texts that look so"] for pattern in PATTERNS]
    rows += [[pattern.name, "file", "on", "texts that look so"] for pattern in masking.patterns if pattern not in PATTERNS]
    rows += [[field.name, "file", "on", f"this place in every {field.kind or 'object'}"] for field in masking.fields]
    say(table(["NAME", "FROM", "IS", "MASKS"], rows, is_coloured()))


@app.command("rotate-key")
def rotate_key(store: StoreOption = None) -> None:
    """Make fingerprints with a new key from now on. Those that are stored stay; old and new ones can't be compared."""
    place = directory(store)
    if not (place / "version").exists():
        raise CommandError(f"nothing is recorded yet in {place}", "name another store with --store")
    try:
        with hold(place) as held:
            number = held.rotate_key()
    except DirectoryError as error:
        raise CommandError(str(error)) from None
    typer.echo(f"fingerprints are made with key {number} from now on")


def loaded(files: list[Path] | None) -> Masking:
    """What files say; CommandError with file, line and key."""
    try:
        return read_masking(files or [])
    except PolicyError as error:
        raise CommandError(escape(str(error)), STEP) from None


def _type(file: Path, data: bytes) -> str:
    """By its name, else by how it begins."""
    if data.startswith(b"k8s\0"):
        return "application/vnd.kubernetes.protobuf"
    guess = "application/json" if data.lstrip()[:1] in (b"{", b"[") else "text/plain"
    return TYPES.get(file.suffix.lower(), guess)


def _bytes(file: Path) -> bytes:
    try:
        return file.read_bytes()
    except OSError as error:
        raise CommandError(f"{file}: {error.strerror}", "name a file that can be read") from None


def _reasons(tried: Tried) -> list[str]:
    return [f"{escape(reason.place)}: {escape(reason.by)}" for reason in tried.reasons] or ["nothing is masked"]
