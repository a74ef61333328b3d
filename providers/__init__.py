"""Wire formats of model APIs, without any I/O: requests are built and bytes decoded, nothing is sent."""

from ._auth import Auth as Auth
from ._auth import Bearer as Bearer
from ._auth import KeyHeader as KeyHeader
from ._auth import NoAuth as NoAuth
from ._auth import SigV4 as SigV4
from ._auth import TokenSource as TokenSource
from ._aws_credentials import AWSCredentialSource as AWSCredentialSource
from ._catalog import PROVIDERS as PROVIDERS
from ._catalog import ProviderInfo as ProviderInfo
from ._catalog import known_providers as known_providers
from ._event_machine import EventMachine as EventMachine
from ._fold import Folding as Folding
from ._fold import fold as fold
from ._formats import FORMATS as FORMATS
from ._formats import WireFormat as WireFormat
from ._framing import ServerSentEvent as ServerSentEvent
from ._provider import Decoder as Decoder
from ._provider import HTTPRequest as HTTPRequest
from ._provider import KeepsState as KeepsState
from ._provider import Provider as Provider
from ._provider import Resumable as Resumable
from ._quirks import AnthropicQuirks as AnthropicQuirks
from ._quirks import ChatQuirks as ChatQuirks
from ._quirks import ConverseQuirks as ConverseQuirks
from ._quirks import GeminiQuirks as GeminiQuirks
from ._quirks import InvokeQuirks as InvokeQuirks
from ._quirks import ResponsesQuirks as ResponsesQuirks
from ._redact import redact as redact
from ._redact_error import redact_error as redact_error
from ._resolve import ModelSpec as ModelSpec
from ._resolve import ProviderSpec as ProviderSpec
from ._resolve import resolve as resolve
from ._resolve import resolve_model as resolve_model
from ._row import ProviderRow as ProviderRow
from ._row import Setting as Setting
from ._secret import Secret as Secret
from ._service import Service as Service
from ._sigv4 import AWSCredentials as AWSCredentials
from ._sse import SSEDecoder as SSEDecoder
from ._sse_chunk_decoder import SSEChunkDecoder as SSEChunkDecoder
from ._urls import join_url as join_url
from ._wires import WIRES as WIRES
from .chunks import Chunk as Chunk
from .chunks import Citation as Citation
from .chunks import LogProbs as LogProbs
from .chunks import Media as Media
from .chunks import Metadata as Metadata
from .chunks import RedactedThinking as RedactedThinking
from .chunks import Refusal as Refusal
from .chunks import Reset as Reset
from .chunks import ScoredToken as ScoredToken
from .chunks import ServerToolCall as ServerToolCall
from .chunks import ServerToolResult as ServerToolResult
from .chunks import Stop as Stop
from .chunks import StopReason as StopReason
from .chunks import Text as Text
from .chunks import Thinking as Thinking
from .chunks import TokenLogProb as TokenLogProb
from .chunks import ToolCall as ToolCall
from .chunks import ToolCallDelta as ToolCallDelta
from .chunks import ToolResult as ToolResult
from .chunks import Usage as Usage
from .errors import APIError as APIError
from .errors import AuthenticationError as AuthenticationError
from .errors import BadRequestError as BadRequestError
from .errors import ConfigError as ConfigError
from .errors import EventTooLarge as EventTooLarge
from .errors import MalformedEvent as MalformedEvent
from .errors import NotAStream as NotAStream
from .errors import NotFoundError as NotFoundError
from .errors import OverloadedError as OverloadedError
from .errors import Phase as Phase
from .errors import QuotaError as QuotaError
from .errors import RateLimitError as RateLimitError
from .errors import SequenceGap as SequenceGap
from .errors import ServerError as ServerError
from .errors import StreamdError as StreamdError
from .errors import StreamError as StreamError
from .errors import Truncated as Truncated
from .messages import CachePoint as CachePoint
from .messages import CacheTime as CacheTime
from .messages import Context as Context
from .messages import File as File
from .messages import Image as Image
from .messages import Message as Message
from .messages import Options as Options
from .messages import OutputSpec as OutputSpec
from .messages import Part as Part
from .messages import Role as Role
from .messages import ToolSpec as ToolSpec

__all__ = [
    "FORMATS",
    "PROVIDERS",
    "WIRES",
    "APIError",
    "AWSCredentialSource",
    "AWSCredentials",
    "AnthropicQuirks",
    "Auth",
    "AuthenticationError",
    "BadRequestError",
    "Bearer",
    "CachePoint",
    "CacheTime",
    "ChatQuirks",
    "Chunk",
    "Citation",
    "ConfigError",
    "Context",
    "ConverseQuirks",
    "Decoder",
    "EventMachine",
    "EventTooLarge",
    "File",
    "Folding",
    "GeminiQuirks",
    "HTTPRequest",
    "Image",
    "InvokeQuirks",
    "KeepsState",
    "KeyHeader",
    "LogProbs",
    "MalformedEvent",
    "Media",
    "Message",
    "Metadata",
    "ModelSpec",
    "NoAuth",
    "NotAStream",
    "NotFoundError",
    "Options",
    "OutputSpec",
    "OverloadedError",
    "Part",
    "Phase",
    "Provider",
    "ProviderInfo",
    "ProviderRow",
    "ProviderSpec",
    "QuotaError",
    "RateLimitError",
    "RedactedThinking",
    "Refusal",
    "Reset",
    "ResponsesQuirks",
    "Resumable",
    "Role",
    "SSEChunkDecoder",
    "SSEDecoder",
    "ScoredToken",
    "Secret",
    "SequenceGap",
    "ServerError",
    "ServerSentEvent",
    "ServerToolCall",
    "ServerToolResult",
    "Service",
    "Setting",
    "SigV4",
    "Stop",
    "StopReason",
    "StreamError",
    "StreamdError",
    "Text",
    "Thinking",
    "TokenLogProb",
    "TokenSource",
    "ToolCall",
    "ToolCallDelta",
    "ToolResult",
    "ToolSpec",
    "Truncated",
    "Usage",
    "WireFormat",
    "fold",
    "join_url",
    "known_providers",
    "redact",
    "redact_error",
    "resolve",
    "resolve_model",
]
