"""`make manage`: Django's command line, with the environment of `make run`."""

import subprocess
import sys
from collections.abc import Sequence
from contextlib import ExitStack

from fluxer.local import leftovers
from fluxer.local.configuration import PROJECT, Configuration
from fluxer.local.ports import free_port
from fluxer.local.services import Services
from fluxer.local.state import State
from fluxer.local.terminal import ignore_signals, stop_on_signals


def manage(arguments: Sequence[str]) -> int:
    """Use the database of the copy that runs; when none does, start it for the duration."""
    configuration = Configuration.read()
    place = configuration.place
    with place.held() as ours, ExitStack() as stack:
        state = State(place.state)
        if not ours:
            return _call(configuration.completed(state, place.told()), arguments)
        stop_on_signals()
        leftovers.end_all(place.pids)
        try:
            services = Services(place, state, stack)
            services.start_databases(configuration, postgres=free_port(), redis=free_port())
            place.tell(services.addresses)
            return _call(configuration.completed(state, services.addresses), arguments)
        finally:
            ignore_signals()


def _call(environment: dict[str, str], arguments: Sequence[str]) -> int:
    command = [sys.executable, str(PROJECT / "manage.py"), *arguments]
    return subprocess.run(command, env=environment, check=False).returncode
