import json
import subprocess
import sys

from chaperone.collector.store.embedded import literal


def test_literals_escape_what_the_engine_unescapes() -> None:
    assert literal("a\\b\tc\nd\re\0f") == "a\\\\b\\tc\\nd\\re\\0f"
    assert literal(["it's", "\\"]) == "['it\\'s','\\\\']"
    assert literal(7) == 7


def test_opening_a_database_imports_neither_pyarrow_nor_pandas(tmp_path: object) -> None:
    code = (
        "import json, sys; from pathlib import Path; from chaperone.collector.store.embedded import Embedded;"
        "Embedded(Path(sys.argv[1]) / 'c').close();"
        "print(json.dumps([name for name in ('pyarrow', 'pandas', 'numpy') if name in sys.modules]))"
    )
    done = subprocess.run([sys.executable, "-c", code, str(tmp_path)], capture_output=True, text=True, check=True, timeout=60)
    assert json.loads(done.stdout) == []
