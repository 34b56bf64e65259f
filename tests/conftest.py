"""What every test may ask for."""

pytest_plugins = ["tests.livekit.fixtures", "tests.voice.stage"]
