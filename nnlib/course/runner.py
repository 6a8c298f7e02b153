"""The program inside the sandbox: runs a submission's cells, lets each exercise's probe look, sends what it saw.

It knows no answer and no point. The outside sends one line of JSON, the job, and one line with an exercise's cases when
that probe is about to run; it gets lines that begin with the job's mark. A probe runs in a fork, so what it does, or
what is done to it, ends with it. What a submission does to this process it does to its own answers.
"""

import functools
import json
import mmap
import os
import resource
import select
import signal
import sys

JOB, RECORDS = os.dup(0), os.dup(1)
ANSWERED = 42  # how a fork ends that has sent its answer


def limit(kind, soft, hard=None):
    have = resource.getrlimit(kind)[1]
    hard = soft if hard is None else hard
    if have != resource.RLIM_INFINITY:
        soft, hard = min(soft, have), min(hard, have)
    resource.setrlimit(kind, (soft, hard))


def more_time(seconds):
    """Let the kernel end this process after so many CPU seconds from now, whatever it catches."""
    usage = resource.getrusage(resource.RUSAGE_SELF)
    limit(
        resource.RLIMIT_CPU,
        int(usage.ru_utime + usage.ru_stime + seconds + 1),
        resource.RLIM_INFINITY,
    )


def send(kind, name="", text=""):
    data = (MARK + json.dumps([kind, name, text]) + "\n").encode()
    while data:
        data = data[os.write(RECORDS, data) :]


def receive():
    data = b""
    while not data.endswith(b"\n"):
        more = os.read(JOB, 1 << 16)
        if not more:
            os._exit(1)
        data += more
    return data.decode()


def python(source, name):
    """Compile a cell; magics, shell lines and `name?` are taken out where it is no Python with them."""
    try:
        return compile(source, name, "exec")
    except SyntaxError:
        lines = source.split("\n")
        first = next((line.strip() for line in lines if line.strip()), "")
        if first.startswith("%%"):
            if first.split()[0] not in ("%%time", "%%timeit", "%%capture", "%%prun"):
                return compile("", name, "exec")  # another language
            lines[lines.index(next(line for line in lines if line.strip()))] = ""
        for i, line in enumerate(lines):
            text = line.strip()
            if text[:1] in ("%", "!", "?") or (text.endswith("?") and "#" not in text):
                lines[i] = line[: len(line) - len(line.lstrip())] + "pass"
        return compile("\n".join(lines), name, "exec")


def said(error, name):
    """NameError: what it says (line 3)."""
    trace, line = error.__traceback__, getattr(error, "lineno", None)
    while trace:
        if trace.tb_frame.f_code.co_filename == name:
            line = trace.tb_lineno
        trace = trace.tb_next
    text = ": ".join(filter(None, [type(error).__name__, str(error)[:300]]))
    return text + (f" (line {line})" if line else "")


def alone():
    """End what a cell or probe left running: it would take the room and the time of what comes next."""
    if os.getpid() != PID:
        os._exit(0)  # a copy of this process that a cell made
    if job["jailed"]:
        try:
            os.kill(-1, signal.SIGKILL)  # all but this one; the namespace holds no one else's
        except ProcessLookupError:
            pass
        try:
            while True:
                os.waitpid(-1, 0)
        except ChildProcessError:
            pass


def cell(step, names):
    name, text = step["name"], step["source"]
    linecache.cache[name] = (len(text), None, text.splitlines(True), name)  # for inspect.getsource
    problem = ""
    try:
        exec(python(text, name), names)
    except BaseException as error:  # SystemExit and KeyboardInterrupt are a submission's too
        try:
            problem = said(error, name)
        except BaseException:
            problem = "an exception that cannot be shown"
    alone()
    if problem:
        send("problem", step["name"], problem)
    plt = sys.modules.get("matplotlib.pyplot")
    if plt is not None:
        plt.close("all")  # as the notebook does after each cell


def in_parts(probe, late, board):
    """The probe, with the name of the part that is tried on the board, and without those that came too late before."""

    def attempt(part, value):
        if part in late:
            raise TimeoutError("no answer within the limits of time and memory")
        board[:] = part.encode()[: len(board)].ljust(len(board), b"\0")
        return value() if callable(value) else value

    def wrapped(my, *case):
        found = probe(my, *case)
        if not isinstance(found, dict):
            return found
        return {part: functools.partial(attempt, str(part), value) for part, value in found.items()}

    return wrapped


def look(step, names, seconds):
    """Run a probe in a fork, which may compute for `seconds` and take twice as long.

    Where a part of it does not come back, it is left out and the others are tried again: half an answer is one.
    """
    send("ask", step["name"])
    cases = [tuple(case) for case in probe_module.loads(receive())]
    late: list = []
    board = mmap.mmap(-1, 256)  # shared with the fork
    while True:
        send("begin", step["name"])
        more_time(seconds)
        board[:] = bytes(len(board))
        child = os.fork()
        if child == 0:
            try:
                more_time(seconds)
                environment = {**vars(probe_module), "np": numpy, "nn": nnlib}
                exec(step["source"], environment)
                outcomes = probe_module.run(in_parts(environment["probe"], late, board), names, cases)
                send("answer", step["name"], probe_module.dumps(outcomes))
                os._exit(ANSWERED)
            finally:
                os._exit(1)
        if not select.select([os.pidfd_open(child)], [], [], 2 * seconds)[0]:
            os.kill(child, signal.SIGKILL)
        _, status = os.waitpid(child, 0)
        alone()
        part = board[:].rstrip(b"\0").decode(errors="replace")
        if os.waitstatus_to_exitcode(status) == ANSWERED or not part or part in late:
            return send("looked", step["name"])
        late.append(part)
        send("late", step["name"], part)


job = json.loads(receive())
MARK, PID = job["mark"], os.getpid()
null = os.open(os.devnull, os.O_RDWR)
for fd in (0, 1, 2):
    os.dup2(null, fd)  # whatever a submission prints, in C too, goes nowhere
sys.path += os.environ.pop("NNLIB_PATH").split(os.pathsep)
for kind, value in job["limits"].items():
    limit(getattr(resource, "RLIMIT_" + kind), value)

import builtins  # noqa: E402
import linecache  # noqa: E402
import types  # noqa: E402

import numpy  # noqa: E402

import nnlib  # noqa: E402
from nnlib.course import probe as probe_module  # noqa: E402
from nnlib.course.check import check  # noqa: E402

main = sys.modules["__main__"] = types.ModuleType("__main__")
names = vars(main)
names["__builtins__"] = builtins
names["display"] = names["get_ipython"] = check  # here it does nothing, whatever it is asked
os.nice(10)  # the machine is for those who wait
for step in job["steps"]:
    send("begin", step["name"])
    if step["probe"]:
        look(step, names, job["seconds"])
    else:
        more_time(job["seconds"])
        cell(step, names)
send("done")
os._exit(0)  # no atexit, no waiting for threads
