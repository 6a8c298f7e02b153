"""The sandbox holds: what a child can see, write, reach, use up and leave behind, in both ways of starting it."""

from __future__ import annotations

import os
import shutil
import socket
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest

from nnlib.course import CourseError
from nnlib.course.sandbox import DENIED, Broken, Limits, Sandbox, resident, seccomp

ROOT = Path(__file__).resolve().parents[1]
LIMITS = Limits(cell=1, wall=30, memory=1 << 30, disk=8 << 20, output=1 << 20, processes=16)
needs_bwrap = pytest.mark.skipif(shutil.which("bwrap") is None, reason="bubblewrap is not installed")


FORKS = """
import os, resource, time
resource.setrlimit(resource.RLIMIT_NPROC, (16, 16))
made = 0
try:
    for _ in range(COUNT):
        if os.fork() == 0:
            os.setsid()
            time.sleep(60)
            os._exit(0)
        made += 1
except OSError:
    pass
print(made, os.getuid(), flush=True)
os._exit(0)
"""
STUBBORN = """
import os, signal, time
for number in range(1, 65):
    try:
        signal.signal(number, signal.SIG_IGN)
    except (OSError, ValueError):
        pass
os.fork()
if os.fork() == 0:
    os.setsid()
print('up', flush=True)
while True:
    time.sleep(1)
"""
CALLS = """
import ctypes
libc = ctypes.CDLL(None, use_errno=True)
bad = []
for number in NUMBERS:
    ctypes.set_errno(0)
    if (libc.syscall(number, -1, -1, -1, -1, -1, -1), ctypes.get_errno()) != (-1, 1):
        bad.append(number)
print(bad)
"""
HOG = """
import os, time
for _ in range(3):
    if os.fork() == 0:
        break
keep = b'x' * (600 << 20)
time.sleep(60)
"""
WALK = """
import os
print(os.environ)
for folder, folders, files in os.walk('/'):
    seen = [name for name in folders + files if name.startswith(('lesson_02', '02-a-line', 'tape.', 'region_map.p'))]
    print(*seen, end=' ')
"""
AS_NOBODY = """
import sys, time
from nnlib.course.sandbox import Sandbox
with Sandbox.find() as box, box.start(['-c', sys.argv[1]]) as child:
    print(box.way, child.read(time.monotonic() + 20).decode())
"""


def works(way: str) -> str:
    """Why this way cannot be tried here, or ''."""
    if shutil.which("bwrap") is None:
        return "bubblewrap is not installed"
    if way == "root" and os.geteuid() != 0:
        return "only root can try root's way"
    with Sandbox(way, LIMITS) as sandbox:
        return sandbox.problem()


@pytest.fixture(scope="module", params=["root", "user"])
def box(request: pytest.FixtureRequest) -> Iterator[Sandbox]:
    if why := works(request.param):
        pytest.skip(why)
    with Sandbox(request.param, LIMITS) as sandbox:
        yield sandbox


def tell(box: Sandbox, program: str, seconds: float = 20) -> str:
    """Run a program in the sandbox; return what it printed."""
    with box.start(["-c", program]) as child:
        said = b"".join(iter(lambda: child.read(time.monotonic() + seconds), b""))
        child.process.wait(10)
        assert not child.errors(), child.errors()
    return said.decode()


def attempt(box: Sandbox, statement: str) -> str:
    """Say which exception a statement ends in, or 'done'."""
    return tell(box, f"import os, socket\ntry:\n    {statement}\nexcept OSError as error:\n"
                     "    print(type(error).__name__)\nelse:\n    print('done')").strip()  # fmt: skip


def test_something_runs(box: Sandbox) -> None:
    assert tell(box, "print(1 + 1)") == "2\n"


@pytest.mark.parametrize(
    "path",
    ["/x", "/view/x", "/view/runner.py", "/dev/x", "/usr/lib/x", "/site0/x", "/tmp/x", "/mpl/../x"],
)
def test_nothing_can_be_written_outside_its_folder(box: Sandbox, path: str) -> None:
    assert attempt(box, f"open({path!r}, 'w')") in (
        "OSError",
        "PermissionError",
        "FileNotFoundError",
    )
    assert attempt(box, "open('/box/x', 'w').write('x')") == "done"


def test_its_folder_is_empty_and_small(box: Sandbox) -> None:
    assert tell(box, "import os; print(os.listdir('.'))") == "[]\n"
    assert attempt(box, "open('x', 'wb').write(bytes(9 << 20))") == "OSError"


def test_it_sees_neither_the_course_nor_the_home_nor_the_environment(
    box: Sandbox, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("SECRET_OF_THE_INSTRUCTOR", "canary")
    seen = tell(box, WALK)
    assert "canary" not in seen
    assert set(seen.splitlines()[1].split()) == {"region_map.py"}  # the walk did walk
    for path in (
        ROOT,
        ROOT / "solutions",
        ROOT / "tests",
        Path.home(),
        Path(box.view),
        "/proc/self",
        "/etc/passwd",
        "/sys",
        "/run",
    ):
        inside = attempt(box, f"os.listdir({str(path)!r})")
        if str(path) not in sys.base_prefix:  # the interpreter may lie in a home: nothing else of it is there
            assert inside in ("FileNotFoundError", "NotADirectoryError", "PermissionError"), path


def test_the_view_holds_nothing_that_judges(box: Sandbox) -> None:
    names = {path.relative_to(box.view).as_posix() for path in box.view.rglob("*.py")}
    assert {name for name in names if name.startswith("nnlib/course/")} == {
        f"nnlib/course/{name}.py" for name in ("__init__", "check", "probe")
    }
    assert "nnlib/conv.py" in names and "runner.py" in names


def test_an_installed_nnlib_is_hidden(box: Sandbox, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    tmp_path.chmod(0o755)
    site = tmp_path / "site-packages"
    (site / "nnlib" / "course").mkdir(parents=True)
    (site / "nnlib" / "course" / "answers.py").write_text("canary = 1")
    (site / "other.py").write_text("here = 1")
    monkeypatch.setattr(sys, "path", [str(site)])
    assert tell(box, "import os; print(os.path.exists('/site0/other.py'), os.listdir('/site0/nnlib'))") == "True []\n"


def test_there_is_no_network(box: Sandbox) -> None:
    with socket.create_server(("127.0.0.1", 0)) as server:
        port = server.getsockname()[1]
        assert attempt(box, f"socket.create_connection(('127.0.0.1', {port}), 2)") == "PermissionError"
        socket.create_connection(("127.0.0.1", port), 2).close()  # from here it can be reached


def test_without_the_filter_there_is_no_network_either(box: Sandbox, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("nnlib.course.sandbox.seccomp", lambda: None)
    with socket.create_server(("127.0.0.1", 0)) as server:
        port = server.getsockname()[1]
        assert attempt(box, f"socket.create_connection(('127.0.0.1', {port}), 2)") in (
            "ConnectionRefusedError",
            "OSError",
        )


def test_no_privileges_and_no_new_namespace(box: Sandbox) -> None:
    program = (
        "import ctypes, os\nlibc = ctypes.CDLL(None, use_errno=True)\n"
        "print(os.getuid() != 0, libc.unshare(0x10000000), ctypes.get_errno(), libc.prctl(39, 0, 0, 0, 0))"
    )
    assert tell(box, program) == "True -1 1 1\n"  # EPERM; no_new_privs is on


@pytest.mark.skipif(seccomp() is None, reason="no filter for this processor")
def test_denied_calls_fail_and_others_do_not(box: Sandbox) -> None:
    column = {"x86_64": 0, "aarch64": 1}[os.uname().machine]
    numbers = [numbers[column] for numbers in DENIED.values()]
    assert tell(box, CALLS.replace("NUMBERS", repr(numbers))) == "[]\n"
    assert (
        tell(
            box,
            "import threading; t = threading.Thread(target=print, args=['thread']); t.start(); t.join()",
        )
        == "thread\n"
    )


def test_processes_are_limited_and_none_is_left(box: Sandbox) -> None:
    mark = f"mark{time.time_ns()}"
    # Inside a user namespace the limit binds no root: that is why root has a way of its own.
    count = 15 if box.way == "user" and os.geteuid() == 0 else 100
    assert 10 <= int(tell(box, f"'{mark}'" + FORKS.replace("COUNT", str(count))).split()[0]) <= 15
    assert mark not in commands()


def commands() -> str:
    found = []
    for path in Path("/proc").glob("[0-9]*/cmdline"):
        try:
            found.append(path.read_bytes().decode(errors="replace"))
        except OSError:
            continue
    return "\n".join(found)


def test_closing_ends_everything(box: Sandbox) -> None:
    mark = f"mark{time.time_ns()}"
    with box.start(["-c", f"'{mark}'{STUBBORN}"]) as child:
        assert child.read(time.monotonic() + 20).startswith(b"up")
        assert mark in commands() and resident(child.process.pid) > 1 << 20
    deadline = time.monotonic() + 5
    while mark in commands() and time.monotonic() < deadline:
        time.sleep(0.05)
    assert mark not in commands()


def test_memory_of_all_processes_together_is_watched(box: Sandbox) -> None:
    with box.start(["-c", HOG]) as child, pytest.raises(Broken, match="memory limit"):
        child.read(time.monotonic() + 25)


def test_output_and_time_are_limited(box: Sandbox) -> None:
    with pytest.raises(Broken, match="output limit"):
        tell(box, "while True: print('x' * 10000)")
    with (
        box.start(["-c", "import time; time.sleep(60)"]) as child,
        pytest.raises(Broken, match="time limit"),
    ):
        child.read(time.monotonic() + 0.3)


def test_a_child_that_reads_nothing_does_not_hold_us(box: Sandbox) -> None:
    small = Sandbox(box.way, Limits(wall=1), box.view)
    with (
        small.start(["-c", "import time; time.sleep(60)"]) as child,
        pytest.raises(Broken, match="read nothing"),
    ):
        child.send(bytes(1 << 22))


def test_many_at_once(box: Sandbox) -> None:
    said: list[str] = []
    threads = [threading.Thread(target=lambda n=n: said.append(tell(box, f"print({n})"))) for n in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(said) == [f"{n}\n" for n in range(4)]


# ---------------------------------------------------------------- finding a way


def test_without_bubblewrap_it_refuses(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(shutil, "which", lambda name: None)
    with pytest.raises(CourseError, match=r"bwrap is not installed.*apt install bubblewrap.*--trust"):
        Sandbox.find()
    with Sandbox.find(trust=True) as sandbox:
        assert sandbox.way == "trust"
        assert tell(sandbox, "print(2)") == "2\n"


def test_elsewhere_than_on_linux_it_says_so(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "platform", "darwin")
    with pytest.raises(CourseError, match="on Linux"):
        Sandbox.find(trust=True)


@needs_bwrap
def test_a_bubblewrap_that_does_not_run_is_found_out(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    fake = tmp_path / "bwrap"
    fake.write_text("#!/bin/sh\necho 'bwrap: setting up uid map: Permission denied' >&2\nexit 1\n")
    fake.chmod(0o755)
    monkeypatch.setenv("PATH", f"{tmp_path}{os.pathsep}{os.environ['PATH']}")
    with pytest.raises(CourseError, match="setting up uid map: Permission denied"):
        Sandbox.find()


@needs_bwrap
def test_a_sandbox_with_a_hole_is_found_out(monkeypatch: pytest.MonkeyPatch) -> None:
    words = Sandbox._bubblewrap
    monkeypatch.setattr(Sandbox, "_bubblewrap", lambda self: words(self)[:-2])  # without --remount-ro /
    with Sandbox("user", LIMITS) as sandbox:
        if "can be written to" not in (problem := sandbox.problem()):
            pytest.skip(problem)


@pytest.mark.skipif(not hasattr(os, "geteuid") or os.geteuid() != 0, reason="only root can become an ordinary user")
@needs_bwrap
def test_an_ordinary_user_gets_one_too() -> None:
    """As nobody: a user namespace, and a limit on processes that binds."""
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        shutil.copytree(ROOT / "nnlib", folder / "nnlib", ignore=shutil.ignore_patterns("__pycache__"))
        for path in [folder, *folder.rglob("*")]:
            path.chmod(0o755 if path.is_dir() else 0o644)
        folder.chmod(0o777)
        nobody = "setpriv --reuid 65534 --regid 65534 --clear-groups /bin/sh -c".split()
        become = [*nobody, 'exec "$@"', "sh"]  # setpriv itself may still look into root's folders
        paths = os.pathsep.join([name, str(Path(np.__file__).parents[1])])
        env = {"PYTHONPATH": paths, "PATH": os.environ["PATH"], "MPLCONFIGDIR": name}

        def run(*words: str) -> subprocess.CompletedProcess[str]:
            return subprocess.run([*become, *words], capture_output=True, text=True, cwd="/", timeout=60, env=env)

        for python in (os.path.realpath(sys.executable), "/usr/bin/python3"):
            if run(python, "-Bc", "import numpy").returncode == 0:
                break
        else:
            pytest.skip("no Python with NumPy that an ordinary user may run")
        done = run(python, "-Bc", AS_NOBODY, FORKS.replace("COUNT", "100"))
        refused = "no sandbox can be had" in done.stderr and "bwrap: " in done.stderr
        if refused and ("uid map" in done.stderr or "namespace" in done.stderr):
            pytest.skip(done.stderr.splitlines()[-1])
        way, made, user = done.stdout.split() or [done.stderr, "0", ""]
        assert (way, user) == ("user", "65534")
        assert 10 <= int(made) <= 15
