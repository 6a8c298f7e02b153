#!/usr/bin/env python3
"""Set up the workbook and open it. Needs Python 3.11 or newer, nothing else.

    python3 start.py                       open JupyterLab where you stopped, at first on lesson 00
    python3 start.py --lesson 04           open that lesson
    python3 start.py --no-browser          print the address instead of opening a browser
    python3 start.py --fresh               make .venv anew first
    python3 start.py test [arguments]      run all tests; the arguments go to pytest
    python3 start.py submit 02 --student NAME      pack your answers for the instructor
    python3 start.py grade [arguments]     grade a class (docs/grading.md); --help says how
    python3 start.py mark COURSE           mark the questions that a person reads, in the browser
    python3 start.py release DIR           make what a class gets

The first run makes .venv beside this file and installs into it, which takes a few minutes and a network.
A stamp in .venv remembers what for, so the next start needs neither pip nor a network. Everything stays
in this folder: delete .venv and nothing is left. Your notebooks are in work/ and are never overwritten.
"""

# Any Python must be able to read this file, to be told that it is too old: so no f-strings, no annotations.
from __future__ import print_function

import sys

if sys.version_info < (3, 11):
    sys.exit(
        "start.py: this is Python %d.%d, and the workbook needs 3.11 or newer. Get one from https://www.python.org"
        " and start with it: python3.13 start.py (on Windows: py -3.13 start.py)." % sys.version_info[:2]
    )

import argparse
import functools
import hashlib
import importlib.util
import json
import os
import re
import shutil
import subprocess
import threading
import time
from urllib.parse import quote

ROOT = os.path.dirname(os.path.realpath(__file__))
VENV = os.path.join(ROOT, ".venv")
OLD = VENV + ".old"  # the one that --fresh replaces, until the new one stands
STAMP = os.path.join(VENV, "start.json")
WINDOWS = os.name == "nt"
THIS = "%d.%d" % sys.version_info[:2]

ENV = dict(os.environ, PIP_DISABLE_PIP_VERSION_CHECK="1", PIP_USER="0", JUPYTER_PREFER_ENV_PATH="1")
for _name in ("PYTHONHOME", "PYTHONPATH", "PIP_TARGET", "PIP_PREFIX", "MPLBACKEND"):
    ENV.pop(_name, None)  # would send imports, packages or figures elsewhere
for _name in ("OMP", "OPENBLAS", "MKL", "NUMEXPR", "VECLIB_MAXIMUM"):
    # For kernels and test workers: two processes at default threads are 15 times slower.
    ENV.setdefault(_name + "_NUM_THREADS", "1")

QUIET = {"fetchNews": "false", "checkForUpdates": False}  # JupyterLab would ask a newcomer about its news

CAUSES = {  # what pip or the system says: what it means, and what to do
    r"No space left|Errno 28\b|not enough space|quota exceeded": "the disk is full, or the folder for"
    " temporary files is. Free about 2 GB and run this again.",
    r"Read-only file system|Permission denied|Access is denied|Errno (13|30)\b": "%s cannot be written"
    " to. Copy the workbook to a folder of yours and start it there." % ROOT,
    r"NewConnectionError|NameResolution|name resolution|Name or service|getaddrinfo|unreachable|Proxy"
    r"Error|SSLError|Connection (refused|reset|aborted)|timed out|Timeout": "nothing can be downloaded. The"
    " first start needs a network: connect (behind a proxy, set HTTPS_PROXY) and run this again.",
}


class Problem(Exception):
    """What went wrong and how to mend it, in one line."""


def explain(text, otherwise):
    """Return as a Problem what a message means, or else what it says."""
    return Problem(next((CAUSES[key] for key in CAUSES if re.search(key, text, re.I)), otherwise))


def python():
    return os.path.join(VENV, "Scripts", "python.exe") if WINDOWS else os.path.join(VENV, "bin", "python")


def run_long(title, command):
    """Run a command that takes long, with a line that shows it is alive; raise Problem if it fails."""
    begin, lines, screen = time.monotonic(), [""], sys.stdout.isatty()
    pipes = {"stdin": subprocess.DEVNULL, "stdout": subprocess.PIPE, "stderr": subprocess.STDOUT}
    process = subprocess.Popen(command, cwd=ROOT, env=ENV, encoding="utf-8", errors="replace", **pipes)

    def show(now, end):
        text = "%s, %d s  %s" % (title, time.monotonic() - begin, now)
        width = shutil.get_terminal_size().columns - 1
        print("\r" + text[:width].ljust(width) if screen else text[:100], end=end, flush=True)

    def read():
        with process.stdout:
            for line in process.stdout:
                lines.append(line.strip())

    reader = threading.Thread(target=read, daemon=True)
    reader.start()
    try:
        while process.poll() is None:
            show(lines[-1], "" if screen else "\n")
            try:
                process.wait(0.5 if screen else 10)
            except subprocess.TimeoutExpired:
                pass
    finally:
        process.kill()
        reader.join(5)
    show("failed" if process.returncode else "done", "\n")
    if process.returncode:
        errors = [line for line in lines if re.match("error", line, re.I)] or lines
        raise explain("\n".join(lines), "%s failed: %s" % (title, errors[-1]))


# ---------------------------------------------------------------- the environment


def wanted(extras):
    """Return what the stamp must say: made for this pyproject.toml, this Python, this place, these extras."""
    with open(os.path.join(ROOT, "pyproject.toml"), "rb") as file:
        digest = hashlib.sha256(file.read()).hexdigest()
    return {"pyproject": digest, "python": THIS, "path": ROOT, "extras": sorted(extras)}


def read_stamp():
    try:
        with open(STAMP, encoding="utf-8") as file:
            stamp = json.load(file)
        return stamp if set(stamp) == set(wanted(())) else {}
    except (OSError, ValueError, TypeError):
        return {}


def write_stamp(extras):
    with open(STAMP + ".new", "w", encoding="utf-8") as file:
        json.dump(wanted(extras), file)
    os.replace(STAMP + ".new", STAMP)


def check(stamp):
    """Raise Problem unless the .venv that is there can be used by this Python, in this place."""
    ask = [python(), "-c", "import pip, sys; print('%d.%d' % sys.version_info[:2])"]
    try:
        version = subprocess.check_output(ask, env=ENV, stderr=subprocess.DEVNULL, text=True).strip()
    except (OSError, subprocess.CalledProcessError):
        version = None
    anew = ("py" if WINDOWS else "python3") + " start.py --fresh"
    if version is None:
        raise Problem(".venv is broken: its Python or its pip does not start. Make it anew: " + anew)
    if version != THIS:
        raise Problem(".venv is for Python %s, and this is %s. Start with %s, or: %s" % (version, THIS, version, anew))
    if stamp.get("path", ROOT) != ROOT:
        raise Problem(".venv was made in %s and cannot be moved. Make it anew: %s" % (stamp["path"], anew))


def environment(extras, fresh=False):
    """Make sure that .venv holds these extras; where the stamp says so, there is nothing to do."""
    stamp = read_stamp()
    half_made = stamp and not stamp["extras"]  # left by a run that was killed
    if os.path.lexists(VENV) and not fresh and not half_made:
        check(stamp)
        extras = set(extras).union(stamp.get("extras", ()))
        if stamp != wanted(extras):
            install(extras)
        return
    if not (importlib.util.find_spec("ensurepip") and importlib.util.find_spec("venv")):
        fix = "Debian and Ubuntu: sudo apt install python%s-venv; elsewhere: Python from https://www.python.org"
        raise Problem("this Python lacks venv and ensurepip. " + fix % THIS)
    if os.path.lexists(VENV):
        shutil.rmtree(OLD, ignore_errors=True)
        os.rename(VENV, OLD)
    try:
        os.mkdir(VENV)
        write_stamp(())
        base = getattr(sys, "_base_executable", None) or sys.executable  # not the one in .venv
        run_long("Making .venv", [base, "-m", "venv", VENV])
        install(extras)
    except BaseException:
        shutil.rmtree(VENV, ignore_errors=True)
        if os.path.lexists(OLD):
            os.rename(OLD, VENV)
        raise
    shutil.rmtree(OLD, ignore_errors=True)


def install(extras):
    """Install the workbook, editable: updates of its files need no installation. The stamp comes last."""
    target = ".[%s]" % ",".join(sorted(extras))
    run_long("Installing", [python(), "-m", "pip", "install", "--no-input", "--editable", target])
    settings = os.path.join(VENV, "share", "jupyter", "lab", "settings")
    os.makedirs(settings, exist_ok=True)
    with open(os.path.join(settings, "overrides.json"), "w") as file:
        json.dump({"@jupyterlab/apputils-extension:notification": QUIET}, file)
    write_stamp(extras)


# ---------------------------------------------------------------- the commands


def follow(command, folder=ROOT):
    """Run a command in the foreground; return its status. Ctrl-C is for it: JupyterLab asks back."""
    process = subprocess.Popen(command, cwd=folder, env=ENV)
    while True:
        try:
            return process.wait()
        except KeyboardInterrupt:
            pass


def learn(arguments):
    """Open JupyterLab on the learner's copy of a lesson."""
    raw = argparse.RawDescriptionHelpFormatter
    parser = argparse.ArgumentParser("start.py", description=__doc__, formatter_class=raw)
    parser.add_argument("--lesson", metavar="NN", help="the lesson to open (default: where you stopped)")
    parser.add_argument("--no-browser", action="store_true", help="print the address, open nothing")
    parser.add_argument("--fresh", action="store_true", help="make .venv anew")
    options = parser.parse_args(arguments)
    environment({"course"}, options.fresh)
    opening = [python(), "-m", "nnlib.course.work", "open"] + ([options.lesson] if options.lesson else [])
    opened = subprocess.run(opening, cwd=ROOT, env=ENV, stdout=subprocess.PIPE, encoding="utf-8")
    if opened.returncode:
        return opened.returncode  # it has said why
    place = os.path.relpath(opened.stdout.splitlines()[-1], ROOT).replace(os.sep, "/")
    return follow(jupyter(place, options.no_browser))


def jupyter(place, no_browser=False):
    """Return the command that opens a notebook in a JupyterLab that asks nothing of the network."""
    command = [python(), "-m", "jupyterlab", "--log-level=ERROR", "--ServerApp.root_dir=" + ROOT]
    command += ["--LabApp.default_url=/lab/tree/" + quote(place), "--LabApp.news_url=None"]
    command += ["--LabApp.check_for_updates_class=jupyterlab.NeverCheckForUpdate"]
    command += ["--LabApp.extension_manager=readonly"]  # the other one lists what PyPI has
    as_root = hasattr(os, "geteuid") and os.geteuid() == 0  # in a container, say
    return command + ["--no-browser"] * no_browser + ["--allow-root"] * as_root


def test(arguments):
    """Run the tests; a worker takes whole files, because the cells of a notebook share a kernel."""
    environment({"course", "test"})
    workers = str(min(4, os.cpu_count() or 1))
    return follow([python(), "-m", "pytest", "-n", workers, "--dist=loadfile", "--durations=10"] + arguments)


TOOLS = {  # a word: the module of nnlib.course, what it needs
    "submit": ("submit", {"course"}),
    "release": ("release", {"course"}),
    "grade": ("grade", {"course", "grade"}),
    "mark": ("formgrader", {"course", "grade"}),
}


def tool(name, arguments):
    """Run a tool of the course; paths mean what they mean where the command was given."""
    module, extras = TOOLS[name]
    if any(word.startswith("--scheduler") for word in arguments):
        extras = extras | {"cluster"}
    environment(extras)
    return follow([python(), "-m", "nnlib.course." + module] + arguments, os.getcwd())


COMMANDS = {"learn": learn, "test": test}
COMMANDS.update({name: functools.partial(tool, name) for name in TOOLS})


def main(arguments):
    command = arguments.pop(0) if arguments and arguments[0] in COMMANDS else "learn"
    try:
        return COMMANDS[command](arguments)
    except (Problem, OSError) as error:
        problem = error if isinstance(error, Problem) else explain(str(error), str(error))
        print("start.py: %s" % problem, file=sys.stderr)
    except KeyboardInterrupt:
        print("\nstart.py: stopped; nothing half-made is left.", file=sys.stderr)
    return 1


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
