"""`make weave`: many orders of events, one after another; ends with how many went wrong."""

import argparse
import logging
import random
import sys
import time
from contextlib import ExitStack

from tests import services


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m tests.weave", description=__doc__)
    parser.add_argument("--seed", type=int, help="the first one; alone, it shows what was done")
    parser.add_argument("--seeds", type=int, help="so many, one after another: 30, 1 with --seed")
    parser.add_argument("--steps", type=int, default=150, help="acts of each, before all rest")
    wish = parser.parse_args()
    first = random.randrange(10**6) if wish.seed is None else wish.seed
    count = wish.seeds or (30 if wish.seed is None else 1)
    with ExitStack() as stack:
        services.start_django(stack)
        from django.core.management import call_command

        from tests.weave.run import weave

        logging.disable(logging.ERROR)  # of the product: it is told of much that goes wrong
        wrong, began = [], time.monotonic()
        for seed in range(first, first + count):
            result = weave(seed=seed, steps=wish.steps)
            print("\n".join(result.log) if count == 1 and not result.wrong else result, flush=True)
            wrong += [seed] if result.wrong else []
            call_command("flush", verbosity=0, interactive=False)
        took = time.monotonic() - began
    print(f"{count} seeds in {took:.0f} s, with disagreements: {len(wrong)} {wrong or ''}".rstrip())
    return 1 if wrong else 0


if __name__ == "__main__":
    sys.exit(main())
