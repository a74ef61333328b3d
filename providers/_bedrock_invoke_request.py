"""A conversation as the body of Bedrock's InvokeModelWithResponseStream, in the words of the model that is asked.

docs.aws.amazon.com/bedrock/latest/userguide/model-parameters.html
"""

from __future__ import annotations

from typing import Literal

from ._anthropic_request import anthropic_body
from ._bedrock_converse_request import converse_fields
from ._conversation import check_conversation, encode_json
from ._quirks import AnthropicQuirks, ConverseQuirks, InvokeQuirks
from .errors import ConfigError
from .messages import Context, File, Image, Options

__all__ = ["invoke_body"]

_VERSION = "bedrock-2023-05-31"
_MAKERS: dict[str, Literal["anthropic", "nova"]] = {"anthropic.": "anthropic", "amazon.nova": "nova"}


_NO_QUIRKS = InvokeQuirks()


def invoke_body(
    provider: str, context: Context, options: Options, quirks: InvokeQuirks = _NO_QUIRKS
) -> bytes:
    """The JSON body that asks for one streamed turn: Anthropic's or Nova's own.

    Raises:
        ConfigError: For a model of another maker, and for what the model's wire cannot carry: on Bedrock Anthropic's
            take images and files as data alone, and Nova's no documents.
    """
    check_conversation(provider, context, options, also={"user": (File,)})
    maker = quirks.model or _maker(options.model)
    given = [part for message in context.messages for part in message.content]
    if maker == "anthropic":
        if any(isinstance(part, Image | File) and part.data is None for part in given):
            raise ConfigError(
                f"{provider}: Anthropic's models take an image or a file as `data` only, on Bedrock"
            )
        own = AnthropicQuirks(output=quirks.output, version=_VERSION, stream=False)
        return anthropic_body(provider, context, options, own)
    if maker == "nova":
        if any(isinstance(part, File) and _is_document(part) for part in given):
            raise ConfigError(
                f"{provider}: Nova takes documents only by Converse: use the provider 'bedrock'"
            )
        fields = converse_fields(provider, context, options, ConverseQuirks(output="tool"))
        return encode_json(provider, {"schemaVersion": "messages-v1", **fields})
    raise ConfigError(
        f"{provider}: it is not known how the model {options.model!r} is asked: use the provider 'bedrock', or say by "
        "`InvokeQuirks(model=...)` whose words it takes"
    )


def _maker(model: str) -> Literal["anthropic", "nova"] | None:
    for mark, maker in _MAKERS.items():
        if mark in model:
            return maker
    return None if "." in model.rpartition("/")[2] else "anthropic"


def _is_document(file: File) -> bool:
    return not file.media_type.startswith(("video/", "audio/"))
