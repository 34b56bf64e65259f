"""`make run`: everything that is not configured elsewhere, in one terminal, until Ctrl-C."""

import json
import shutil
import signal
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Mapping, Sequence
from contextlib import ExitStack
from pathlib import Path

from fluxer.local import commands, leftovers
from fluxer.local.configuration import PROJECT, Configuration
from fluxer.local.errors import LocalError
from fluxer.local.livekit_binary import binary
from fluxer.local.place import Place
from fluxer.local.ports import HOST, require_free
from fluxer.local.processes import Service, stop_together
from fluxer.local.services import REGIONS, Services
from fluxer.local.state import State, password
from fluxer.local.terminal import Terminal, banner, ignore_signals, say, stop_on_signals

POLITE = ((signal.SIGTERM, 6.0),)


def run() -> None:
    """Run until a signal; LocalError when something cannot start, or ends by itself."""
    stop_on_signals()
    configuration = Configuration.read()
    place = configuration.place
    with place.held() as ours:
        if not ours:
            raise LocalError(
                f"make run is already running in {place.root}: stop it first, or start a second "
                "copy with another RUN_DIR and a PORT that is 10 away."
            )
        try:
            with ExitStack() as stack:
                try:
                    _run(configuration, place, stack)
                finally:
                    ignore_signals()
        except KeyboardInterrupt:
            say("Stopped.")


def _run(configuration: Configuration, place: Place, stack: ExitStack) -> None:
    if ended := leftovers.end_all(place.pids):
        say(f"The last run was killed: ended what it left ({', '.join(ended)}).")
    require_free(
        configuration.ports,
        postgres=not configuration.has("DATABASE_URL"),
        redis=not configuration.has("REDIS_URL"),
        livekit_servers=len(REGIONS) if configuration.wants_livekit else 0,
    )
    shutil.rmtree(place.metrics, ignore_errors=True)
    state = State(place.state)
    services = Services(place, state, stack)
    ports = configuration.ports
    if configuration.wants_livekit:
        binary()  # may take minutes: before anything runs
    say("Starting.")
    services.start_databases(configuration, postgres=ports.postgres, redis=ports.redis)
    if configuration.wants_livekit:
        services.start_livekit(ports)
    environment = configuration.completed(state, services.addresses)
    staff_password = state.once("staff_password", password)
    prepared = _prepare(place, environment, staff_password, regions=configuration.wants_livekit)
    started = _start(place, environment, ports.web, stack)
    place.tell(services.addresses)
    say(banner(port=ports.web, place=place, prepared=prepared, password=staff_password))
    _watch([*services.running, *started])


def _prepare(
    place: Place, environment: Mapping[str, str], staff_password: str, *, regions: bool
) -> dict[str, str]:
    """Tables, staff, regions and demo; LocalError with the last line of what went wrong."""
    log = place.logs / "prepare.log"
    file = [str(place.root / "regions.yaml")] if regions else []
    with log.open("w") as errors:
        done = subprocess.run(
            [sys.executable, "-m", "fluxer.local.prepare", *file],
            env={**environment, "DJANGO_SUPERUSER_PASSWORD": staff_password},
            cwd=PROJECT, stdout=subprocess.PIPE, stderr=errors, text=True, check=False,
        )  # fmt: skip
    if done.returncode:
        why = (log.read_text().strip() or "no message").splitlines()[-1]
        raise LocalError(
            f"The service could not be made ready ({why}): look into {log}, remove the cause, "
            "and start again."
        )
    said: dict[str, str] = json.loads(done.stdout.splitlines()[-1])
    return said


def _start(
    place: Place, environment: Mapping[str, str], port: int, stack: ExitStack
) -> list[Service]:
    """Web, worker and beat; returns when the web server answers."""
    lines: dict[str, Sequence[str | Path]] = {
        "web": commands.web(port),
        "worker": commands.worker(),
        "beat": commands.beat(place),
    }
    terminal = Terminal(list(lines))
    started: list[Service] = []
    stack.callback(stop_together, started)
    for name, command in lines.items():
        started.append(
            Service(
                name,
                command,
                log=place.logs / f"{name}.log",
                pids=place.pids,
                farewell=POLITE,
                environment=environment,
                echo=terminal.echo(name),
            )
        )
    started[0].wait_until(lambda: _answers(f"http://{HOST}:{port}/healthz"))
    return started


def _watch(services: list[Service]) -> None:
    """Return never; LocalError when one of them has ended without being told to."""
    while True:
        for service in services:
            if not service.runs():
                raise LocalError(
                    f"{service.name} has ended by itself ({service.last_words()}), so everything "
                    f"was stopped: look into {service.log}, and start again."
                )
        time.sleep(0.3)


def _answers(url: str) -> bool:
    try:
        with urllib.request.urlopen(url, timeout=2) as answer:  # noqa: S310
            return bool(answer.status == 200)
    except (urllib.error.URLError, OSError):
        return False
