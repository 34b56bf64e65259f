"""Chromium for tests, as the machine has it: `python -m tests.browser` installs it where it can.

Debian's package; Playwright's own download of browsers is not needed.
"""

import os
import shutil
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from playwright.sync_api import Browser, Error, Page, sync_playwright

FLAGS = (
    "--headless=new",
    "--no-sandbox",
    "--disable-gpu",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    "--no-first-run",
)
HOW = "Install it (Debian, Ubuntu: apt-get install chromium), or leave out the tests that need it."


class NoBrowser(Exception):
    """There is none; the text says what to do."""


def path() -> str:
    """Of Chromium, or NoBrowser."""
    for name in ("chromium", "chromium-browser", "google-chrome"):
        found = shutil.which(name)
        if found:
            return found
    raise NoBrowser(f"The browser tests need Chromium, and there is none. {HOW}")


@contextmanager
def chromium() -> Iterator[Browser]:
    """A browser that asks nobody but the pages it is sent to."""
    executable = path()
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=executable, args=list(FLAGS))
        yield browser
        browser.close()


def picture(page: Page, **how: Any) -> None:
    """Take a picture of the page. On a busy machine Chromium may say that it cannot: once more,
    then, and only then."""
    for is_last in (False, False, True):
        try:
            page.screenshot(**how)
            return
        except Error as error:
            if is_last or "Unable to capture screenshot" not in str(error):
                raise


def install() -> str:
    """The path of Chromium, installed if need be. NoBrowser where we may not, or it fails."""
    try:
        return path()
    except NoBrowser:
        if os.geteuid() != 0 or not Path("/etc/debian_version").exists():
            raise
    print("Installing Chromium for the browser tests (a minute or two, once).", file=sys.stderr)
    quietly = {**os.environ, "DEBIAN_FRONTEND": "noninteractive"}
    apt = ("apt-get", "-qq", "-o", "Dpkg::Use-Pty=0")
    wanted = ("install", "--yes", "--no-install-recommends", "chromium")
    for command in ((*apt, "update"), (*apt, *wanted)):
        done = subprocess.run(command, env=quietly, capture_output=True, text=True, check=False)
    if done.returncode != 0:
        last = (done.stderr.strip().splitlines() or ["no reason given"])[-1]
        raise NoBrowser(f"Chromium could not be installed: {last}. {HOW}")
    return path()


if __name__ == "__main__":
    try:
        install()
    except NoBrowser as problem:
        print(problem, file=sys.stderr)  # the tests that need it will say so, too
