"""The version of this library, and how it names itself to servers."""

__all__ = ["USER_AGENT", "__version__"]

__version__ = "0.1.0"
USER_AGENT = f"streamd/{__version__}"
