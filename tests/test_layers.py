"""The import contracts hold, and every source file has its test at the mirrored place."""

import ast
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).parents[1]
PACKAGES = ("agent", "collector", "proto")


def sources() -> list[Path]:
    found = [path for package in PACKAGES for path in (ROOT / package).rglob("*.py")]
    return sorted(path.relative_to(ROOT) for path in found if "_pb2" not in path.name)


def has_behaviour(path: Path) -> bool:
    """Whether a module does anything: functions, or methods other than a repr."""
    tree = ast.parse((ROOT / path).read_text())
    functions = [node.name for node in ast.walk(tree) if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef)]
    is_protocol = any(isinstance(node, ast.ClassDef) and any(getattr(b, "id", "") == "Protocol" for b in node.bases) for node in tree.body)
    return bool(set(functions) - {"__repr__"}) and not is_protocol


def test_the_import_contracts_hold() -> None:
    linter = Path(sys.executable).with_name("lint-imports")
    done = subprocess.run([linter], cwd=ROOT, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr


def test_who_asks_no_api_server_does_not_wait_for_its_client_to_load() -> None:
    program = "import sys, chaperone.{0}.__main__; print(*sorted({{'kubernetes_asyncio', 'aiohttp', 'jsonschema'}} & set(sys.modules)))"
    for package in ("agent", "collector"):
        done = subprocess.run([sys.executable, "-c", program.format(package)], capture_output=True, text=True, check=True)
        assert done.stdout.split() == [], package


def test_every_module_with_behaviour_has_a_test_at_its_mirror() -> None:
    exempt = {"__init__.py", "__main__.py"}
    wanted = [p.parent / f"test_{p.name}" for p in sources() if p.name not in exempt and has_behaviour(p)]
    missing = [str(path) for path in wanted if not (ROOT / "tests" / path).exists()]
    assert missing == []


def test_every_mirrored_test_has_a_module() -> None:
    tests = [path.relative_to(ROOT / "tests") for package in PACKAGES for path in (ROOT / "tests" / package).rglob("test_*.py")]
    orphans = [str(t) for t in tests if not (ROOT / t.parent / t.name.removeprefix("test_")).exists() and not (ROOT / t.parent).is_file()]
    assert [o for o in orphans if not o.rpartition("/")[2].startswith(("test_live_", "test_truth"))] == []


def test_only_mask_makes_masked_values() -> None:
    makers = {"MaskedCall", "MaskedBody", "MaskedPiece", "MaskedExchange", "MaskedProcess", "MaskedUser", "Masked", "MaskedText"}
    found = []
    for path in sources():
        if path.parts[:2] == ("collector", "mask"):
            continue
        for node in ast.walk(ast.parse((ROOT / path).read_text())):
            if isinstance(node, ast.Call) and (getattr(node.func, "id", None) or getattr(node.func, "attr", None)) in makers:
                found.append(f"{path}:{node.lineno}")
    assert found == []
