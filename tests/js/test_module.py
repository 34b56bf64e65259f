"""The browser client's module in Node's own test runner: a test here is a file there."""

import subprocess
from pathlib import Path

import pytest
from playwright._impl._driver import compute_driver_executable

NODE, _ = compute_driver_executable()  # Playwright brings one; none has to be installed
FILES = sorted(Path(__file__).parent.glob("*.test.js"))


@pytest.mark.parametrize("file", FILES, ids=lambda file: file.name)
def test_in_node(file: Path) -> None:
    command = [NODE, "--test", "--test-reporter=spec", str(file)]
    done = subprocess.run(command, capture_output=True, text=True, timeout=60, check=False)
    assert done.returncode == 0, done.stdout + done.stderr


def test_there_are_files() -> None:
    assert FILES
