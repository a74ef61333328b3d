"""An actor-style supervised runtime for streaming LLM sessions on trio."""

__version__ = "0.1.0"
