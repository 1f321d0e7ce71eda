"""Live: C in, bytecode out, in a process of its own."""

import signal
import subprocess
import sys

import msgpack
import pytest

from chaperone.agent.trace.bytecode import Bytecode, relinked

pytestmark = pytest.mark.kernel
COMMAND = [sys.executable, "-I", "-m", "chaperone.agent.trace.compiler"]
TEXT = """
BPF_HASH(first, u32, u64, 10);
BPF_ARRAY(second, u32, 20);
int both(void *ctx) {
  u32 zero = 0;
  u32 *one = second.lookup(&zero);
  if (one) first.delete(one);
  return SIX;
}
"""


def test_a_program_names_its_maps_by_number() -> None:
    done = subprocess.run(COMMAND, input=msgpack.packb((TEXT, {"SIX": 6})), capture_output=True, check=True)
    made = Bytecode.unpacked(done.stdout)
    assert [(shape.name, shape.key_size, shape.value_size, shape.entries) for shape in made.maps] == [
        ("first", 4, 8, 10),
        ("second", 4, 4, 20),
    ]
    assert relinked(made.programs["both"], {0: 0, 1: 1}) == made.programs["both"]
    with pytest.raises(KeyError):
        relinked(made.programs["both"], {0: 0})


@pytest.mark.parametrize("part", [0, 100])
def test_who_was_killed_while_he_asked_is_told_nothing(part: int) -> None:
    asked = msgpack.packb((TEXT, {"SIX": 6}))[:part]
    done = subprocess.run(COMMAND, input=asked, capture_output=True, check=False)
    assert (done.returncode, done.stdout, done.stderr) == (1, b"", b"")


def test_who_is_gone_before_the_answer_is_no_error() -> None:
    with subprocess.Popen(COMMAND, stdin=-1, stdout=-1, stderr=-1) as process:
        assert process.stdin and process.stdout and process.stderr
        process.stdout.close()
        process.stdin.write(msgpack.packb((TEXT, {"SIX": 6})))
        process.stdin.close()
        assert process.wait(60) == -signal.SIGPIPE
        assert process.stderr.read() == b""


def test_what_does_not_compile_says_where() -> None:
    done = subprocess.run(
        COMMAND, input=msgpack.packb(('#line 7 "broken.c"\nint f(void) { return nothing; }\n', {})), capture_output=True, check=False
    )
    assert done.returncode == 1
    assert b"broken.c:7" in done.stderr
    assert done.stdout == b""
