"""Includes become one text that still knows its files."""

from pathlib import Path

from chaperone.agent.trace.flatten import flatten


def test_each_file_is_inlined_once_and_lines_keep_their_numbers(tmp_path: Path) -> None:
    (tmp_path / "all.c").write_text('#include <system.h>\n#include "a.h"\n#include "b.h"\nint last;\n')
    (tmp_path / "a.h").write_text("int a;\n")
    (tmp_path / "b.h").write_text('#include "a.h"\nint b;\n')
    assert flatten("all.c", tmp_path) == (
        '#line 1 "all.c"\n#include <system.h>\n'
        '#line 1 "a.h"\nint a;\n#line 3 "all.c"\n'
        '#line 1 "b.h"\n\nint b;\n#line 4 "all.c"\n'
        "int last;\n"
    )


def test_our_programs_become_one_text() -> None:
    text = flatten("chaperone.c")
    assert '#include "' not in text
    for source in ("event.h", "maps.h", "read.h", "filter.h", "copy.h", "openssl.c", "go.c", "process.c"):
        assert f'#line 1 "{source}"\n' in text
