"""A program that becomes another one, tied to its parent: `tether.py SIGNAL PARENT USER COMMAND…`

Run as a script between fork and exec, so that the parent may have threads. On Linux the command
gets the signal when its parent dies, even by kill -9; elsewhere the next run ends what is left.
"""

import ctypes
import os
import sys

_PR_SET_PDEATHSIG = 1


def main(sign: str, parent: str, user: str, *command: str) -> None:
    """USER is a number, or empty for no change."""
    library = ctypes.CDLL(None) if sys.platform == "linux" else None
    if user:
        os.setgroups([])
        os.setgid(int(user))
        os.setuid(int(user))
    if library is not None:
        library.prctl(_PR_SET_PDEATHSIG, int(sign), 0, 0, 0)  # a change of user clears it
    if os.getppid() != int(parent):  # it died before we were tied
        sys.exit(1)
    os.execvp(command[0], command)  # noqa: S606


if __name__ == "__main__":
    main(*sys.argv[1:])
