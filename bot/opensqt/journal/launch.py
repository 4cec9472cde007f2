"""Becomes another program: as an unprivileged user where started by root, and never longer than its parent.

Run as a script, `python -I -S launch.py PARENT_PID DEATH_SIGNAL UID GID CAPABILITY PROGRAM ARGUMENT…`, -1 for none. A
process of its own does what a forked child of a program with threads must not.
"""

import ctypes
import os
import sys

CAP_DAC_OVERRIDE = 1
CAP_DAC_READ_SEARCH = 2
_PR_SET_PDEATHSIG = 1
_PR_SET_KEEPCAPS = 8
_PR_SET_NO_NEW_PRIVS = 38
_PR_CAP_AMBIENT = 47
_PR_CAP_AMBIENT_RAISE = 2
_CAPABILITY_VERSION_3 = 0x20080522

_libc = ctypes.CDLL(None, use_errno=True)


def _checked(result: int) -> None:
    if result != 0:
        raise OSError(ctypes.get_errno(), os.strerror(ctypes.get_errno()))


def _prctl(option: int, *arguments: int) -> None:
    _checked(_libc.prctl(option, *(ctypes.c_ulong(each) for each in (*arguments, 0, 0, 0, 0)[:4])))


def _keep_only(capability: int) -> None:
    """This one capability, also for the program that comes."""
    header = (ctypes.c_uint32 * 2)(_CAPABILITY_VERSION_3, 0)
    mask = 1 << capability
    _checked(_libc.capset(header, (ctypes.c_uint32 * 6)(mask, mask, mask, 0, 0, 0)))
    _prctl(_PR_CAP_AMBIENT, _PR_CAP_AMBIENT_RAISE, capability)


def main(numbers: list[int], command: list[str]) -> None:
    parent, signal, uid, gid, capability = numbers
    if uid >= 0:
        if capability >= 0:
            _prctl(_PR_SET_KEEPCAPS, 1)
        os.setgroups([])
        os.setresgid(gid, gid, gid)
        os.setresuid(uid, uid, uid)
        if capability >= 0:
            _keep_only(capability)
    _prctl(_PR_SET_NO_NEW_PRIVS, 1)
    _prctl(_PR_SET_PDEATHSIG, signal)
    if os.getppid() != parent:
        sys.exit("the parent has gone")
    os.execv(command[0], command)  # noqa: S606 - the very purpose


if __name__ == "__main__":
    main([int(number) for number in sys.argv[1:6]], sys.argv[6:])
