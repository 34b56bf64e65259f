"""One person's browser window on the demo's page, used as a person would."""

import re
from importlib import resources
from typing import Any, Literal

from playwright.sync_api import ConsoleMessage, Page, expect

from voice import demo

Scheme = Literal["light", "dark"]
SCHEMES: tuple[Scheme, ...] = ("light", "dark")
AXE = resources.files("axe_playwright_python").joinpath("axe.min.js")

# What LiveKit's client says whenever a server lets go of it.
LET_GO = (
    "could not createOffer with closed peer connection",
    "DataChannel error",
    "Abort connection attempt due to user initiated disconnect",
    "data channel '[A-Z_]+' closed unexpectedly",
)
# And what the browser says when it then asks where to go, and is told that it is nowhere.
PUT_OUT = "status of 404"


class Window:
    """alice's, bob's or carol's."""

    def __init__(self, page: Page, url: str) -> None:
        self.page, self.url = page, url
        self.name = ""
        self.faults: list[str] = []
        self._borne = list(LET_GO)
        page.set_default_timeout(10_000)
        page.on("console", self._said)
        page.on("pageerror", lambda error: self.faults.append(f"a script failed: {error}"))

    def _said(self, message: ConsoleMessage) -> None:
        if message.type in ("error", "warning"):
            self.faults.append(f"{message.type}: {message.text}")

    def bears(self, *faults: str) -> "Window":
        """What the test provokes, as regular expressions; no other fault is borne."""
        self._borne += faults
        return self

    def assert_well(self) -> None:
        """The page has said nothing in the console but what is borne, and no script has failed."""
        borne = re.compile("|".join(self._borne))
        left = [fault for fault in self.faults if not borne.search(fault)]
        assert not left, f"{self.name}: {left}"

    def violations(self) -> list[str]:
        """What axe has to say against the page as it is now, in light and in dark."""
        self.ask(AXE.read_text() + "; null")
        return [
            f"{scheme}: {rule['id']}: {node['html'][:150]} {node['failureSummary'][:300]}"
            for scheme in SCHEMES
            for rule in self._in_colours(scheme)
            for node in rule["nodes"]
        ]

    def _in_colours(self, scheme: Scheme) -> list[dict[str, Any]]:
        self.page.emulate_media(color_scheme=scheme, reduced_motion="reduce")
        found: list[dict[str, Any]] = self.ask("axe.run().then(result => result.violations)")
        return found

    def sign_in(self, name: str) -> "Window":
        self.page.goto(self.url)
        return self.be(name)

    def be(self, name: str) -> "Window":
        """Sign in on the page as it is."""
        self.name = name
        self.page.get_by_role("button", name=re.compile(f"^{name}")).click()
        expect(self.page.locator("#guild")).to_have_text("Demo guild")
        return self

    def join(self, channel: str, *, talk: bool = True) -> "Window":
        self.choose(channel)
        self.is_in(channel)
        if talk:
            self.press("Unmute")
            expect(self.control("Mute")).to_be_visible()
        return self

    def choose(self, channel: str) -> None:
        self.channel(channel).click()

    def channel(self, name: str) -> Any:
        """Its button on the side."""
        return self.page.get_by_role("navigation").get_by_role(
            "button", name=re.compile(f"^{name}")
        )

    def control(self, name: str) -> Any:
        return self.page.get_by_role("region", name="Your voice").get_by_role(
            "button", name=name, exact=True
        )

    def press(self, name: str) -> None:
        self.control(name).click()

    def is_in(self, channel: str, *, within: float = 10) -> None:
        self.until(f"fluxerVoice.state.at === 'in' && {self._place(channel)}", within=within)

    def _place(self, channel: str) -> str:
        return f"document.getElementById('place').textContent === '{channel}'"

    def until(self, true: str, *, within: float = 10) -> None:
        """Until a JavaScript expression is true."""
        self.page.wait_for_function(f"() => {true}", timeout=within * 1000, polling=50)

    def ask(self, expression: str) -> Any:
        return self.page.evaluate(expression)

    @property
    def id(self) -> int:
        return next(pk for pk, name in demo.PEOPLE.items() if name == self.name.lower())

    @property
    def server(self) -> str:
        return str(self.ask("fluxerVoice.state.serverId"))

    def listen(self) -> None:
        """Forget what was heard until now."""
        self.ask("ears.reset()")

    def listen_again(self) -> None:
        """Forget who was heard until now; the longest silence is kept."""
        self.ask("ears.again(); null")

    def hears(self, other: "Window", *, within: float = 10) -> None:
        """Half a second of the other's voice, since `listen`."""
        self.until(f"ears.heard[{other.id}] > 0.5", within=within)

    def sees(self, other: "Window", *, within: float = 15) -> None:
        """Pictures of the other, since `listen`."""
        self.until(f"ears.frames[{other.id}] > 5", within=within)

    def film(self, other: "Window", begin: float, end: float) -> tuple[set[int], float]:
        """The heights of the other's pictures that were decoded here between two moments in
        milliseconds, and how many frames a second."""
        frames = [
            (height, frames)
            for at, who, height, frames in self.ask("ears.film")
            if who == str(other.id) and begin <= at < end
        ]
        seconds = (end - begin) / 1000
        return {height for height, _ in frames}, sum(count for _, count in frames) / seconds

    @property
    def silence(self) -> float:
        """Seconds of the longest silence since `listen`."""
        return float(self.ask("ears.silence()")) / 1000

    @property
    def touches(self) -> int:
        """How often the page was clicked or typed at."""
        return int(self.ask("ears.touches"))

    def plays(self) -> bool:
        """Every voice that is there comes out of the loudspeaker: no click is waited for."""
        voices = self.ask("[...document.querySelectorAll('audio')].map(a => a.paused || a.muted)")
        return (
            bool(voices) and not any(voices) and bool(self.ask("fluxerVoice.room.canPlaybackAudio"))
        )

    def notice(self) -> Any:
        return self.page.locator("#notices")

    def tile(self, name: str) -> Any:
        return self.page.locator("#tiles li.tile").filter(has_text=name)

    def in_list(self, name: str) -> Any:
        return self.page.locator("#channels ul li").filter(has_text=name)

    def moderate(self, name: str) -> Any:
        """The menu of somebody."""
        self.in_list(name).get_by_role("button", name=f"Moderate {name}").click()
        return self.page.get_by_role("dialog", name=name)

    def close(self) -> None:
        self.page.context.close()
