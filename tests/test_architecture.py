"""The house: imports point one way, each table has one writer, and no module has two nouns."""

import ast
from collections.abc import Iterator
from functools import cache
from pathlib import Path

import pytest

HERE = Path(__file__).resolve().parent.parent
APPS = ("fluxer", "regions", "voice")
LONGEST = 250  # lines; a module that passes 200 has two nouns
LONG = {
    "fluxer.settings": "one list of variables",
}

# What is put together at the top, and what only the top may import.
ROOT = {
    f"fluxer.{name}"
    for name in (
        "apps", "authentication", "checks", "errands", "health", "jwks", "metrics", "pages",
        "schema", "serve", "service", "settings", "sign_in", "throttling", "urls", "wsgi",
    )
}  # fmt: skip
# Doors in the root that those below go through: the base of the /service views, which knows who
# the back end is, and the application that tasks are sent with.
DOORS = {
    "fluxer.service": ("viewsets", "serializers", "urls", "service", "batch"),
    "fluxer.authentication": ("viewsets", "service"),
    "fluxer.celery": ("queue",),
}
LAYERS = ("base", "directory", "regions", "voice", "root")


@cache
def modules() -> dict[str, ast.Module]:
    """Every module of the product, parsed."""
    found = {}
    for app in APPS:
        for path in sorted((HERE / app).rglob("*.py")):
            if "migrations" not in path.parts:
                parts = path.relative_to(HERE).with_suffix("").parts
                found[".".join(parts).removesuffix(".__init__")] = ast.parse(path.read_text())
    return found


def imports(name: str) -> Iterator[str]:
    """The product's modules that a module imports, wherever in it the import stands."""
    for node in ast.walk(modules()[name]):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names if alias.name.split(".")[0] in APPS)
        elif isinstance(node, ast.ImportFrom) and (node.module or "").split(".")[0] in APPS:
            assert node.level == 0, f"{name}: say in full what is imported"
            for alias in node.names:
                inner = f"{node.module}.{alias.name}"
                yield inner if inner in modules() else str(node.module)


def layer(name: str) -> str:
    if name in ROOT or name == "fluxer.celery" or name.startswith("fluxer.local"):
        return "root"
    if name.startswith("fluxer.directory"):
        return "directory"
    if name == "fluxer" or name.startswith("fluxer."):
        return "base"
    return name.split(".")[0]


def is_door(name: str, imported: str) -> bool:
    return name.rpartition(".")[2] in DOORS.get(imported, ())


def test_imports_point_one_way():
    """base ← directory ← regions ← voice ← the root, which may import all."""
    wrong = [
        f"{name} imports {imported}"
        for name in modules()
        for imported in imports(name)
        if LAYERS.index(layer(imported)) > LAYERS.index(layer(name))
        and not is_door(name, imported)
        and name != "fluxer"  # makes Celery's application known to Django
    ]

    assert wrong == []


def test_no_module_imports_in_a_circle():
    rest = {name: set(imports(name)) - {name} for name in modules()}
    while free := [name for name, needed in rest.items() if not needed & rest.keys()]:
        for name in free:
            del rest[name]

    assert sorted(rest) == []


@pytest.mark.parametrize("name", ["voice.rooms", "voice.grants", "fluxer.directory.permissions"])
def test_pure_modules_have_no_tables_and_no_clock(name: str):
    names = {node.id for node in ast.walk(modules()[name]) if isinstance(node, ast.Name)}
    attributes = {
        node.attr for node in ast.walk(modules()[name]) if isinstance(node, ast.Attribute)
    }

    assert not {"objects", "cursor", "now"} & attributes
    assert not {"settings", "timezone", "connection"} & names
    kinds = {"fluxer.directory.models"}  # ChannelType is a list of numbers
    tables = {module for module in imports(name) if module.endswith("models")}
    assert tables <= kinds


def test_access_is_decided_without_tables():
    for name in ("voice.access", "regions.selection", "regions.places"):
        attributes = {n.attr for n in ast.walk(modules()[name]) if isinstance(n, ast.Attribute)}
        assert not {"objects", "cursor", "now"} & attributes, name


def reaches(name: str) -> set[str]:
    """All that a module imports, and what that imports."""
    found: set[str] = set()
    waiting = [name]
    while waiting:
        for imported in imports(waiting.pop()):
            if imported not in found:
                found.add(imported)
                waiting.append(imported)
    return found


CALLS_LIVEKIT = {
    "create_room", "delete_room", "list_participants", "list_rooms", "remove_participant",
    "update_participant", "together", "probe_all",
}  # fmt: skip


def calls(name: str) -> set[str]:
    """The verbs of the door to LiveKit that a module names."""
    found: set[str] = set()
    for node in ast.walk(modules()[name]):
        if isinstance(node, ast.ImportFrom) and (node.module or "").startswith("fluxer.livekit"):
            found |= {alias.name for alias in node.names} & CALLS_LIVEKIT
        elif (
            isinstance(node, ast.Attribute)
            and isinstance(node.value, ast.Name)
            and node.value.id == "livekit"
        ):
            found |= {node.attr} & CALLS_LIVEKIT
    return found


@pytest.mark.parametrize(
    "name", ["voice.states", "voice.pins", "voice.due", "voice.access", "voice.look"]
)
def test_those_who_hold_the_lock_do_not_speak_to_livekit(name: str):
    below = {m for m in modules() if m == name or m.startswith(f"{name}.")}
    below |= {reached for module in below for reached in reaches(module)}

    speaking = sorted(m for m in below if calls(m) and not m.startswith("fluxer.livekit"))
    assert speaking == []


def test_one_module_imports_the_sdk():
    """Others read LiveKit's messages; none but the door opens a connection."""
    for name, tree in modules().items():
        for node in ast.walk(tree):
            if isinstance(node, ast.ImportFrom | ast.Import):
                module = getattr(node, "module", None) or node.names[0].name
                if not name.startswith("fluxer.l"):
                    assert not module.startswith(("livekit.api", "aiohttp")), name


VIEWS = (".viewsets", ".urls", ".service")


def test_nobody_looks_at_the_views():
    wrong = [
        f"{name} imports {imported}"
        for name in modules()
        for imported in imports(name)
        if imported.endswith((".viewsets", ".urls")) and not name.endswith(VIEWS)
    ]

    assert wrong == []


# Each table has one writer

WRITES = {
    "bulk_create", "bulk_update", "create", "delete", "get_or_create", "save", "update",
    "update_or_create",
}  # fmt: skip
WRITERS = {
    "RoomPin": ("voice.pins",),
    "VoiceState": ("voice.states",),
    "EndedConnection": ("voice.states",),
    "DueRoom": ("voice.due",),
    "AuditEntry": ("voice.audit",),
    "Heartbeat": ("voice.heartbeats",),
    "Region": ("regions.regions", "regions.admin"),
    "Server": ("regions.servers", "regions.health", "regions.admin"),
    "User": ("fluxer.directory",),
    "Guild": ("fluxer.directory",),
    "Role": ("fluxer.directory",),
    # What voice decides of them is written by voice.
    "Member": ("fluxer.directory", "voice.moderation"),
    "Channel": ("fluxer.directory", "voice.channels"),
    # Drained by who acts on them.
    "RightsChange": ("fluxer.directory.changes", "voice.rights"),
}
HEALTH = {
    "failures", "down_since", "failing_since", "suspect_until", "probed_at", "probe_ms",
    "last_error", "webhook_at",
}  # fmt: skip


class Writes(ast.NodeVisitor):
    """Finds the calls that write rows: through a manager, or on what came out of one."""

    def __init__(self) -> None:
        self.found: list[tuple[str, ast.Call]] = []
        self._known: dict[str, str] = {}

    def visit_FunctionDef(self, node: ast.FunctionDef) -> None:
        before, self._known = self._known, dict(self._known)
        for argument in (*node.args.args, *node.args.kwonlyargs):
            if argument.annotation is not None:
                self._learn(argument.arg, argument.annotation)
        self.generic_visit(node)
        self._known = before

    def visit_Assign(self, node: ast.Assign) -> None:
        self.generic_visit(node)
        for target in node.targets:
            if isinstance(target, ast.Name):
                self._learn(target.id, node.value)

    def visit_For(self, node: ast.For) -> None:
        if isinstance(node.target, ast.Name):
            self._learn(node.target.id, node.iter)
        self.generic_visit(node)

    def visit_Call(self, node: ast.Call) -> None:
        if isinstance(node.func, ast.Attribute) and node.func.attr in WRITES:
            table = self._table(node.func.value)
            if table is not None:
                self.found.append((table, node))
        self.generic_visit(node)

    def _learn(self, name: str, value: ast.expr) -> None:
        table = self._table(value)
        self._known.pop(name, None)
        if table is not None:
            self._known[name] = table

    def _table(self, node: ast.expr) -> str | None:
        """The table that an expression has to do with."""
        names = (n.id for n in ast.walk(node) if isinstance(n, ast.Name))
        tables = [name if name in WRITERS else self._known.get(name) for name in names]
        return next((table for table in tables if table), None)


def writes(name: str) -> list[tuple[str, ast.Call]]:
    visitor = Writes()
    visitor.visit(modules()[name])
    return visitor.found


def test_each_table_has_one_writer():
    wrong = [
        f"{name}:{call.lineno} writes {table}"
        for name in modules()
        for table, call in writes(name)
        if not name.startswith(WRITERS[table])
    ]

    assert wrong == []


def test_it_would_be_seen():
    """What the test above finds, in the forms that it could take."""
    seen = {(name, table) for name in modules() for table, _ in writes(name)}

    assert ("voice.pins", "RoomPin") in seen  # RoomPin.objects.filter(…).update(…)
    assert ("voice.states.seats", "VoiceState") in seen  # a new one is saved
    assert ("voice.states.endings", "EndedConnection") in seen


@pytest.mark.parametrize(
    "table", ["roompin", "voicestate", "endedconnection", "dueroom", "heartbeat"]
)
def test_sql_by_hand_has_one_writer_too(table: str):
    owner = {name.lower(): owners for name, owners in WRITERS.items()}[table]
    verbs = (f"into voice_{table}", f"update voice_{table}", f"from voice_{table}")
    for name, tree in modules().items():
        for node in ast.walk(tree):
            if isinstance(node, ast.Constant) and isinstance(node.value, str):
                text = " ".join(node.value.lower().split())
                is_write = any(verb in text for verb in verbs[:2]) or f"delete {verbs[2]}" in text
                assert not is_write or name.startswith(owner), name


def test_health_is_written_by_one_module():
    wrong = [
        f"{name}:{call.lineno} writes {', '.join(sorted(written))}"
        for name in modules()
        for table, call in writes(name)
        if table == "Server"
        and name != "regions.health"
        and (written := HEALTH & {keyword.arg or "" for keyword in call.keywords})
    ]

    assert wrong == []


def test_pins_and_states_have_no_listeners():
    """A listener turns one conditional DELETE into a race."""
    from django.apps import apps
    from django.db.models import signals

    for table in ("RoomPin", "VoiceState"):
        model = apps.get_model("voice", table)
        for signal in (signals.pre_delete, signals.post_delete):
            assert not signal.has_listeners(model), table


# Size and names


def test_no_module_has_two_nouns():
    long = {
        name: length
        for name in modules()
        if (length := len(source(name).splitlines())) > LONGEST and name not in LONG
    }

    assert long == {}


def source(name: str) -> str:
    path = HERE / name.replace(".", "/")
    return (path / "__init__.py" if path.is_dir() else path.with_suffix(".py")).read_text()


def test_no_module_is_a_drawer():
    drawers = {"utils", "util", "helpers", "services", "common", "misc", "lib"}
    in_base = {name for name in modules() if name.startswith("fluxer.local.")}

    assert [n for n in modules() if drawers & set(n.split(".")) and n not in in_base] == []


def test_every_module_says_what_it_promises():
    silent = [
        name
        for name, tree in modules().items()
        if tree.body and not ast.get_docstring(tree) and not name.endswith((".apps", "__main__"))
    ]

    assert [name for name in silent if ".management" not in name] == []
