"""`make storm`: a minute of everything at once; ends with the number of disagreements."""

import argparse
import random
import sys
import tempfile
from contextlib import ExitStack
from pathlib import Path

from tests import services


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m tests.storm", description=__doc__)
    parser.add_argument("--seconds", type=float, default=60)
    parser.add_argument("--rate", type=float, default=200, help="actions a second, at most")
    parser.add_argument("--threads", type=int, default=24)
    parser.add_argument("--seed", type=int, default=random.randrange(10**6))
    parser.add_argument("--logs", type=Path, help="keep the product's logs in this directory")
    wish = parser.parse_args()
    with ExitStack() as stack:
        services.start_django(stack)
        directory = wish.logs or Path(
            stack.enter_context(tempfile.TemporaryDirectory(prefix="fluxer-storm-"))
        )
        directory.mkdir(parents=True, exist_ok=True)
        from tests.storm.run import storm

        result = storm(
            seconds=wish.seconds,
            rate=wish.rate,
            threads=wish.threads,
            seed=wish.seed,
            directory=directory,
        )
    print(f"seed {wish.seed}\n{result}")
    return 1 if result.wrong else 0


if __name__ == "__main__":
    sys.exit(main())
