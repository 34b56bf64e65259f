"""What keeps a local copy from running, in one sentence that says what to do."""


class LocalError(Exception):
    """Shown as it is, without a traceback; exit code 1."""
