"""Run somebody else's Python where it can do no harm: bubblewrap, an empty folder, limits.

A child sees the interpreter, its packages and nnlib's public part, read-only; one empty folder that it may write to, of
limited size; no network, no environment, no other process, no home. It talks through a pair of pipes, and when its
`Child` is closed, every process that it started is gone. docs/grading.md says what is defended, and what is not.

There are two ways, and `Sandbox.find` finds out by running it: as root, bubblewrap without a user namespace and
setpriv to a user number of its own (the limit on processes binds no root inside a namespace); as anybody else, with a
user namespace. Where that does not run, it raises, unless it is told to trust.
"""

from __future__ import annotations

import contextlib
import itertools
import os
import platform
import re
import select
import shutil
import signal
import struct
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from . import CourseError

__all__ = ["Broken", "Child", "Limits", "Sandbox"]

PACKAGE = Path(__file__).resolve().parents[1]
PUBLIC = ["__init__.py", "probe.py"]  # of nnlib/course; the rest judges, answers (tape) or is the instructor's
CHECK = '''"""The instant checks say nothing here: the answers are judged outside."""


class _Quiet:
    def __call__(self, *args, **options):
        return self

    __getattr__ = lambda self, name: self if not name.startswith("_") else object.__getattribute__(self, name)
    __repr__ = lambda self: ""


check = hint = hidden = progress = reset = _Quiet()


def __getattr__(name):
    if name.startswith("__"):
        raise AttributeError(name)
    return check
'''
THREADS = ("OPENBLAS", "OMP", "MKL", "NUMEXPR", "VECLIB_MAXIMUM")


class Broken(Exception):
    """The child is over a limit (`args[0]` says which), or its pipe is closed."""


@dataclass(frozen=True)
class Limits:
    """What one child may use. Seconds, bytes, numbers of processes."""

    cell: float = 10  # CPU seconds for one cell or one probe: independent of what else the machine does
    wall: float = 120  # seconds for all of it, waiting included
    memory: int = 2 << 30  # of one process; all together may hold half as much again
    disk: int = 64 << 20
    output: int = 16 << 20  # what may come through the pipe
    processes: int = 32


# ---------------------------------------------------------------- system calls that no lesson needs

# name: (x86_64, aarch64). Namespaces would bring back privileges and memory without limits; memfd is memory that no
# limit counts; a socket of some families (vsock) leaves a network namespace.
DENIED = {
    "unshare": (272, 97), "setns": (308, 268), "mount": (165, 40), "umount2": (166, 39), "pivot_root": (155, 41),
    "chroot": (161, 51), "open_tree": (428, 428), "move_mount": (429, 429), "fsopen": (430, 430),
    "mount_setattr": (442, 442), "ptrace": (101, 117), "process_vm_readv": (310, 270), "process_vm_writev": (311, 271),
    "memfd_create": (319, 279), "memfd_secret": (447, 447), "add_key": (248, 217), "request_key": (249, 218),
    "keyctl": (250, 219), "bpf": (321, 280), "perf_event_open": (298, 241), "userfaultfd": (323, 282),
    "io_uring_setup": (425, 425), "socket": (41, 198),
}  # fmt: skip
CLONE, CLONE3 = (56, 220), 435
NEW_NAMESPACE = 0x7E020000  # every CLONE_NEW… flag
ARCH = {"x86_64": (0xC000003E, 0), "aarch64": (0xC00000B7, 1)}


def seccomp(machine: str = platform.machine()) -> bytes | None:
    """Return the filter as the kernel wants it (BPF), or None for a processor whose numbers are not known here."""
    if machine not in ARCH:
        return None
    arch, column = ARCH[machine]
    load, equal, above, any_bit, give = 0x20, 0x15, 0x35, 0x45, 0x06
    allow, kill, eperm, enosys = 0x7FFF0000, 0x80000000, 0x00050001, 0x00050026
    code = [(load, 0, 0, 4), (equal, 1, 0, arch), (give, 0, 0, kill), (load, 0, 0, 0)]
    code += [
        (above, 0, 1, 0x40000000),
        (give, 0, 0, kill),
    ]  # x32: the same calls under other numbers
    for numbers in DENIED.values():
        code += [(equal, 0, 1, numbers[column]), (give, 0, 0, eperm)]
    code += [
        (equal, 0, 1, CLONE3),
        (give, 0, 0, enosys),
    ]  # its flags lie in memory; libc then takes clone
    code += [
        (equal, 0, 3, CLONE[column]),
        (load, 0, 0, 16),
        (any_bit, 0, 1, NEW_NAMESPACE),
        (give, 0, 0, eperm),
    ]
    code += [(give, 0, 0, allow)]
    return b"".join(struct.pack("=HBBI", *line) for line in code)


# ---------------------------------------------------------------- what the child sees


def make_view(folder: Path) -> Path:
    """Write what a submission may import of nnlib, compiled, and the runner, into `folder`; return it."""
    import compileall

    target = folder / "nnlib"
    ignored = shutil.ignore_patterns("__pycache__", "course")
    shutil.copytree(PACKAGE, target, ignore=ignored)
    (target / "course").mkdir()
    for name in PUBLIC:
        if (source := PACKAGE / "course" / name).exists():
            shutil.copy(source, target / "course" / name)
    (target / "course" / "check.py").write_text(CHECK, encoding="utf-8")
    shutil.copy(PACKAGE / "course" / "runner.py", folder / "runner.py")
    fonts = folder / "fonts"
    fonts.mkdir()
    for listed in font_lists():
        shutil.copy(listed, fonts)
    compileall.compile_dir(folder, quiet=2, stripdir=str(folder), prependdir="/view")
    for path in [folder, *folder.rglob("*")]:
        path.chmod(0o755 if path.is_dir() else 0o644)
    return folder


def font_lists() -> list[Path]:
    """matplotlib's list of fonts, made now if need be: making it takes each child a second."""
    try:
        import matplotlib.font_manager

        return sorted(Path(matplotlib.get_cachedir()).glob("fontlist-*.json"))
    except ImportError:
        return []


def site_folders() -> list[Path]:
    """The folders that this interpreter's packages lie in."""
    folders = [Path(p).resolve() for p in sys.path if Path(p).name in ("site-packages", "dist-packages")]
    return list(dict.fromkeys(folder for folder in folders if folder.is_dir()))


ENVIRONMENT = {
    "HOME": "/box", "TMPDIR": "/box", "LANG": "C.UTF-8", "MPLBACKEND": "agg", "MPLCONFIGDIR": "/mpl",
    "PYTHONHASHSEED": "0", **{f"{name}_NUM_THREADS": "1" for name in THREADS},
}  # fmt: skip


class Sandbox:
    """A way to run children; `find` it once, `start` many. A context manager, which removes its files."""

    _users = itertools.count(os.getpid() * 1000 % 1_000_000_000)

    def __init__(self, way: str, limits: Limits | None = None, view: Path | None = None) -> None:
        self.way, self.limits = way, limits or Limits()
        self._folder: tempfile.TemporaryDirectory[str] | None = None
        if view is None:
            self._folder = tempfile.TemporaryDirectory(prefix="nnlib-grade-", ignore_cleanup_errors=True)
            view = make_view(Path(self._folder.name) / "view")
        self.view = view
        self.python = Path(getattr(sys, "_base_executable", None) or sys.executable).resolve()

    def __enter__(self) -> Sandbox:
        return self

    def __exit__(self, *_: object) -> None:
        if self._folder:
            self._folder.cleanup()

    def __reduce__(self) -> tuple[Any, ...]:
        return Sandbox, (
            self.way,
            self.limits,
            self.view,
        )  # in another process, which does not own the files

    @classmethod
    def find(cls, trust: bool = False, limits: Limits | None = None) -> Sandbox:
        """Return the way for this user, having run it. Raises CourseError, with what went wrong, if it does not run."""
        if sys.platform != "linux":
            raise CourseError("a class is graded on Linux, whose sandbox this needs; elsewhere, in a virtual machine.")
        root = os.geteuid() == 0  # never by a user namespace: inside one, the limit on processes binds no root
        sandbox = cls("root" if root else "user", limits)
        problem = sandbox.problem()
        if not problem:
            return sandbox
        sandbox.__exit__()
        if trust:
            return cls("trust", limits)
        other = "run this as an ordinary user" if root else "allow user namespaces for bwrap, or run this as root"
        raise CourseError(
            f"no sandbox can be had here ({problem}). Submissions are other people's programs. Install bubblewrap "
            f"(Debian, Ubuntu: apt install bubblewrap); if it is there, {other}. If you trust every submission as your "
            "own code, say --trust."
        )

    def problem(self) -> str:
        """Run a child that looks around; return what is wrong with this way, or ''."""
        try:
            with self.start(["-c", LOOK_AROUND]) as child:
                said = b"".join(iter(lambda: child.read(time.monotonic() + 20), b"")).decode(errors="replace")
                child.process.wait(5)
                errors = child.errors()
        except (OSError, Broken, subprocess.TimeoutExpired) as error:
            return str(error) or type(error).__name__
        return "" if said == "fine" else (said or errors or "nothing was answered").strip().splitlines()[-1]

    @contextlib.contextmanager
    def start(self, arguments: Sequence[str] = ("/view/runner.py",)) -> Iterator[Child]:
        """Start Python with these arguments; the child's stdin and stdout are the pipes of the `Child`."""
        with contextlib.ExitStack() as stack:
            errors = stack.enter_context(tempfile.TemporaryFile())
            options: dict[str, Any] = {"cwd": "/", "pass_fds": []}
            if self.way == "trust":
                box = stack.enter_context(tempfile.TemporaryDirectory(ignore_cleanup_errors=True))
                places = {"/view": str(self.view), "/box": box, "/mpl": str(self.view / "fonts")}
                swap = re.compile("|".join(places))
                turn = lambda text: swap.sub(lambda match: places[match[0]], text)
                command = [str(self.python), "-ISB", *map(turn, arguments)]
                options = {"cwd": box, "env": {k: turn(v) for k, v in self.environment().items()}}
            else:
                bwrap = shutil.which("bwrap")
                if bwrap is None:
                    raise OSError("bwrap is not installed")
                words = self._bubblewrap()
                if program := seccomp():
                    words += ["--seccomp", str(self._readable(stack, program, options))]
                listed = "".join(word + "\0" for word in words).encode()
                fd = self._readable(stack, listed, options)
                command = [
                    bwrap,
                    "--args",
                    str(fd),
                    *self._become(),
                    str(self.python),
                    "-ISB",
                    *arguments,
                ]
                options["env"] = {}
            process = subprocess.Popen(
                command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=errors, bufsize=0,
                start_new_session=True, **options,
            )  # fmt: skip
            child = Child(process, errors, self.limits)
            try:
                yield child
            finally:
                child.close()

    def environment(self) -> dict[str, str]:
        if self.way == "trust":
            sites = [str(folder) for folder in site_folders()]
        else:
            sites = [f"/site{number}" for number in range(len(site_folders()))]
        return ENVIRONMENT | {"NNLIB_PATH": os.pathsep.join(["/view", *sites])}

    @staticmethod
    def _readable(stack: contextlib.ExitStack, data: bytes, options: dict[str, Any]) -> int:
        file = stack.enter_context(tempfile.TemporaryFile())  # not in the arguments, where all processes could read it
        file.write(data)
        file.seek(0)
        options["pass_fds"].append(file.fileno())
        return file.fileno()

    def _become(self) -> list[str]:
        """The command that gives up root for a user of this child's own; its processes are counted by themselves."""
        if self.way != "root":
            return []
        user = str(1_000_000_000 + next(self._users) % 1_000_000_000)
        return ["/usr/bin/setpriv", "--reuid", user, "--regid", user, "--clear-groups", "--no-new-privs",
                "--bounding-set=-all", "--inh-caps=-all"]  # fmt: skip

    def _bubblewrap(self) -> list[str]:
        words = ["--unshare-pid", "--unshare-net", "--unshare-ipc", "--unshare-uts", "--hostname", "box",
                 "--unshare-cgroup-try", "--die-with-parent", "--new-session", "--clearenv"]  # fmt: skip
        if self.way == "user":
            words += ["--unshare-user", "--uid", "65534", "--gid", "65534"]
        for name, value in self.environment().items():
            words += ["--setenv", name, value]
        base, version = (
            Path(sys.base_prefix).resolve(),
            f"python{sys.version_info[0]}.{sys.version_info[1]}",
        )
        for name in sorted(
            {
                *map(str, self.python.parents),
                *map(str, (base / "lib" / version).parents),
                "/usr/bin",
                "/etc",
                "/dev",
            }
        ):
            if name != "/" and not name.startswith("/usr/lib"):
                words += [
                    "--perms",
                    "0711",
                    "--dir",
                    name,
                ]  # else as private as where they come from
        for name in ("/usr/lib", "/usr/lib32", "/usr/lib64", "/lib", "/lib32", "/lib64"):
            if os.path.islink(name):
                words += ["--symlink", os.readlink(name), name]
            elif os.path.isdir(name):
                words += ["--ro-bind", name, name]
        words += ["--ro-bind-try", "/etc/ld.so.cache", "/etc/ld.so.cache"]
        if self.way == "root":
            setpriv = shutil.which("setpriv")
            if setpriv is None:
                raise OSError("setpriv (package util-linux) is not installed")
            words += ["--ro-bind", os.path.realpath(setpriv), "/usr/bin/setpriv"]
        # The interpreter: the program, its standard library, a shared libpython beside it; not what else is there.
        words += ["--ro-bind", str(self.python), str(self.python)]
        for library in [base / "lib" / version, *(base / "lib").glob("libpython*")]:
            if not library.is_relative_to("/usr/lib"):
                words += ["--ro-bind", str(library), str(library)]
        for number, folder in enumerate(site_folders()):
            words += ["--ro-bind", str(folder), f"/site{number}"]
            if (folder / "nnlib").is_dir():  # installed, with everything that judges
                words += hide(f"/site{number}/nnlib")
        if (base / "lib" / version / "site-packages").is_dir():
            words += hide(str(base / "lib" / version / "site-packages"))
        words += ["--ro-bind", str(self.view), "/view"]
        for device in ("null", "zero", "random", "urandom"):
            words += ["--dev-bind", f"/dev/{device}", f"/dev/{device}"]
        words += ["--perms", "0777", "--size", str(1 << 20), "--tmpfs", "/mpl"]
        for font in sorted((self.view / "fonts").iterdir()):
            words += ["--ro-bind", str(font), f"/mpl/{font.name}"]
        words += [
            "--perms",
            "0777",
            "--size",
            str(self.limits.disk),
            "--tmpfs",
            "/box",
            "--chdir",
            "/box",
        ]
        return [*words, "--remount-ro", "/"]


def hide(folder: str) -> list[str]:
    return ["--tmpfs", folder, "--remount-ro", folder]


LOOK_AROUND = """
import os, resource, sys
for path in ("/x", "/view/x", "/dev/x", "/usr/lib/x"):
    try:
        open(path, "w")
    except OSError:
        continue
    sys.exit(print(path, "can be written to", end=""))
open("/box/x", "w").write("x")
open("/dev/null", "w").write("x")
if os.getuid() == 0 or os.path.exists("/proc/self") or os.path.exists("/etc/passwd"):
    sys.exit(print("the child sees or may too much", end=""))
resource.setrlimit(resource.RLIMIT_NPROC, (32, 32))  # an old kernel counts what the user runs outside, too
if os.fork() == 0:
    os._exit(0)
os.wait()
print("fine", end="")
"""


# ---------------------------------------------------------------- a running child


class Child:
    """A started child: `send` and `read` its pipes; `close` ends all of its processes."""

    def __init__(self, process: subprocess.Popen[bytes], errors: Any, limits: Limits) -> None:
        self.process, self.limits, self._errors, self._left = process, limits, errors, limits.output
        self._wall, self._look = time.monotonic() + limits.wall, 0.0

    def send(self, data: bytes) -> None:
        """Write to the child, which may not read: raises Broken when it does not within the limit."""
        assert self.process.stdin is not None
        fd, view = self.process.stdin.fileno(), memoryview(data)
        os.set_blocking(fd, False)
        while view:
            if not select.select([], [fd], [], max(0, self._wall - time.monotonic()))[1]:
                raise Broken("it read nothing")
            try:
                view = view[os.write(fd, view) :]
            except BlockingIOError:
                continue
            except OSError:
                raise Broken("it ended") from None

    def read(self, until: float) -> bytes:
        """Return what came, b"" at the end. Raises Broken at a limit: the time `until`, the wall, output, memory."""
        assert self.process.stdout is not None
        until = min(until, self._wall)
        while True:
            now = time.monotonic()
            if now >= until:
                raise Broken("time limit")
            if now >= self._look:  # whether it talks or not
                self._look = now + 0.25
                if resident(self.process.pid) > self.limits.memory * 1.5:
                    raise Broken("memory limit")
            if select.select([self.process.stdout], [], [], min(0.25, until - now))[0]:
                break
        data = os.read(self.process.stdout.fileno(), 1 << 16)
        self._left -= len(data)
        if self._left < 0:
            raise Broken("output limit")
        return data

    def errors(self) -> str:
        """The beginning of what was written to stderr before the runner closed it."""
        self._errors.seek(0)
        return str(self._errors.read(2000).decode(errors="replace"))

    def close(self) -> None:
        """Kill the child. With its first process, the kernel ends all others of its process namespace."""
        with contextlib.suppress(ProcessLookupError):
            os.killpg(self.process.pid, signal.SIGKILL)
        for pipe in (self.process.stdin, self.process.stdout):
            with contextlib.suppress(OSError):
                pipe.close()  # type: ignore[union-attr]
        self.process.wait()


def resident(pid: int) -> int:
    """Bytes of memory held by a process and all its descendants; 0 where /proc does not tell."""
    total, ahead = 0, [pid]
    while ahead:
        pid = ahead.pop()
        with contextlib.suppress(OSError, ValueError, IndexError):
            total += int(Path(f"/proc/{pid}/statm").read_text().split()[1]) * os.sysconf("SC_PAGE_SIZE")
            for thread in os.listdir(f"/proc/{pid}/task"):
                ahead += map(int, Path(f"/proc/{pid}/task/{thread}/children").read_text().split())
    return total
