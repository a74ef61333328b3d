"""A short, harmless quotation of bytes that came from outside."""

__all__ = ["excerpt"]


def excerpt(data: bytes, limit: int = 200) -> str:
    """The beginning of `data` as one line of printable text, of at most `limit` characters.

    Bytes that are no UTF-8 become U+FFFD; control characters, line ends and terminal escapes become spaces.
    """
    text = data[: 4 * limit].decode("utf-8", "replace")
    clean = " ".join("".join(char if char.isprintable() else " " for char in text).split())
    cut = len(clean) > limit or len(data) > 4 * limit
    return clean[: limit - 1] + "…" if cut else clean
