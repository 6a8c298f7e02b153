"""Start the workbook where there is no network, as a learner on a train: the lesson must open all the same.

Runs itself again in a network namespace of its own (Linux), where nothing but this machine can be reached.
"""

import fcntl
import os
import re
import shutil
import signal
import socket
import struct
import subprocess
import sys
import time
import urllib.request

ROOT = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))
FRESH = ["unshare", "--net"] if os.geteuid() == 0 else ["unshare", "--map-root-user", "--net"]


def loopback_up() -> None:
    with socket.socket() as any_socket:  # SIOCSIFFLAGS, IFF_UP | IFF_RUNNING
        fcntl.ioctl(any_socket, 0x8914, struct.pack("16sh14x", b"lo", 0x1 | 0x40))


def check() -> None:
    loopback_up()
    try:
        socket.create_connection(("192.0.2.1", 9), timeout=2)
    except OSError as error:
        print("no network here:", error)
    else:
        raise SystemExit("the network can be reached: this would show nothing")
    begin = time.monotonic()
    command = [sys.executable, "start.py", "--no-browser", "--lesson", "00"]
    process = subprocess.Popen(
        command, cwd=ROOT, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, start_new_session=True
    )
    signal.alarm(90)  # a start that says nothing ends this program
    try:
        assert process.stdout is not None
        for line in process.stdout:
            print(line, end="")
            assert "Installing" not in line, "pip was called"
            if address := re.search(r"http://127\S*/lab/tree/(work/00\S*)\?(token=\w+)", line):
                break
        else:
            raise SystemExit("start.py ended without an address")
        server = address[0].split("/lab/")[0]
        port = int(server.rpartition(":")[2])
        while True:  # the address is printed a moment before the server listens; the alarm ends this
            try:
                socket.create_connection(("127.0.0.1", port), timeout=5).close()
                break
            except ConnectionRefusedError:
                time.sleep(0.1)
        for page in (f"lab/tree/{address[1]}", f"api/contents/{address[1]}"):
            with urllib.request.urlopen(f"{server}/{page}?{address[2]}", timeout=30) as answer:
                print(answer.status, page, len(answer.read()), "bytes")
        print(f"lesson 00 is there without a network, {time.monotonic() - begin:.1f} s after the command")
    finally:
        os.killpg(process.pid, signal.SIGTERM)
        process.wait(30)


if __name__ == "__main__":
    if sys.argv[1:] == ["inside"]:
        check()
    elif not shutil.which("unshare") or subprocess.run([*FRESH, "true"], check=False).returncode:
        sys.exit("offline: no network namespace can be made here (util-linux's unshare), so this is not checked")
    else:
        sys.exit(subprocess.run([*FRESH, sys.executable, __file__, "inside"], check=False).returncode)
