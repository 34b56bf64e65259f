"""What the domain refused, for people."""

from fluxer.errors import FluxerError, InvalidFormBody


def faults(refusal: FluxerError) -> list[tuple[str, str]]:
    """Fields and sentences; no field where the whole was refused."""
    if isinstance(refusal, InvalidFormBody):
        return [(fault["path"], fault["message"]) for fault in refusal.errors]
    return [("", refusal.message)]


def sentence(refusal: FluxerError) -> str:
    """The same in one line."""
    return "; ".join(f"{field}: {said}" if field else said for field, said in faults(refusal))
