"""Becomes the program that it is told, as the user it is told, and ends when its parent does. Run by its path:

    python launch.py SIGNAL PARENT UID GID PROGRAM [ARGUMENT ...]

A program of its own, since code between fork and exec is not safe in a process with threads: gRPC starts its own anew
there, and aborts when it finds their files closed.
"""

import ctypes
import os
import signal
import sys

PR_SET_PDEATHSIG = 1
SAME = -1


def main(number: int, parent: int, uid: int, gid: int, argv: list[str]) -> None:
    libc = ctypes.CDLL(None)
    if uid != SAME:
        os.setgroups([])
        os.setgid(gid)
        os.setuid(uid)
    if sys.platform == "linux":
        libc.prctl(PR_SET_PDEATHSIG, number)  # behind the change of user, which would undo it
    if os.getppid() != parent:
        sys.exit("the parent has ended")
    for ignored in (signal.SIGPIPE, signal.SIGXFSZ):  # by Python, and by what it becomes if nobody undid it
        signal.signal(ignored, signal.SIG_DFL)
    os.execvp(argv[0], argv)  # noqa: S606 # a program with its arguments, and no shell


if __name__ == "__main__":
    told = [int(one) for one in sys.argv[1:5]]
    main(told[0], told[1], told[2], told[3], sys.argv[5:])
