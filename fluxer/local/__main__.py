"""`python -m fluxer.local run` and `python -m fluxer.local manage COMMAND…`."""

import sys

from fluxer.local.errors import LocalError
from fluxer.local.manage import manage
from fluxer.local.run import run


def main(verb: str = "run", *arguments: str) -> int:
    """The exit code; what keeps it from working is one sentence on stderr, and 1."""
    try:
        if verb == "manage":
            return manage(arguments)
        if verb != "run" or arguments:
            raise LocalError("Say run, or manage and a command.")
        run()
    except LocalError as problem:
        print(problem, file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        return 130
    return 0


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:]))
