"""How an output is asked for where a server does not hold the model to a schema by itself."""

from __future__ import annotations

from ._conversation import encode_json
from .messages import Context, Options, OutputSpec, ToolSpec

__all__ = ["answer_choice", "answer_tool", "schema_instruction"]


def answer_tool(output: OutputSpec) -> ToolSpec:
    """The tool whose arguments are the output; nothing runs it."""
    return ToolSpec(
        output.name, "Gives the final answer. Call it once, with the whole answer.", output.schema
    )


def answer_choice(context: Context, options: Options, output: OutputSpec) -> str:
    """The tool choice that makes the model give its output: that tool, or any where there are others.

    The name of one of the others stands.
    """
    if not context.tools or options.tool_choice == "none":
        return output.name
    return "required" if options.tool_choice in {None, "auto"} else str(options.tool_choice)


def schema_instruction(provider: str, output: OutputSpec) -> str:
    """What a model is told that is not shown the schema. Raises `ConfigError` for a schema that is no JSON."""
    schema = encode_json(provider, output.schema).decode()
    return f"Answer with JSON alone, without a code fence, that fits this JSON schema:\n{schema}"
