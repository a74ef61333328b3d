"""An actor-style supervised runtime for streaming LLM sessions on trio.

    async with streamd.open_session("anthropic:claude-sonnet-4-6", "Hello") as session:
        async for text in session.text_stream:
            print(text, end="")

The folders behind it: `streamd.providers` builds requests and decodes bytes, without any I/O; `streamd.supervisors`
is OTP-style supervision for trio, of use without any model.
"""

from streamd.providers import CachePoint as CachePoint
from streamd.providers import Chunk as Chunk
from streamd.providers import Citation as Citation
from streamd.providers import File as File
from streamd.providers import Image as Image
from streamd.providers import LogProbs as LogProbs
from streamd.providers import Media as Media
from streamd.providers import Message as Message
from streamd.providers import Metadata as Metadata
from streamd.providers import ModelSpec as ModelSpec
from streamd.providers import Part as Part
from streamd.providers import RedactedThinking as RedactedThinking
from streamd.providers import Refusal as Refusal
from streamd.providers import Reset as Reset
from streamd.providers import ScoredToken as ScoredToken
from streamd.providers import Secret as Secret
from streamd.providers import ServerToolCall as ServerToolCall
from streamd.providers import ServerToolResult as ServerToolResult
from streamd.providers import Stop as Stop
from streamd.providers import StopReason as StopReason
from streamd.providers import Text as Text
from streamd.providers import Thinking as Thinking
from streamd.providers import TokenLogProb as TokenLogProb
from streamd.providers import ToolCall as ToolCall
from streamd.providers import ToolCallDelta as ToolCallDelta
from streamd.providers import ToolResult as ToolResult
from streamd.providers import Usage as Usage

from ._cost import Cost as Cost
from ._cost import cost as cost
from ._http import HTTPClient as HTTPClient
from ._http_events import HTTPData as HTTPData
from ._http_events import HTTPDone as HTTPDone
from ._http_events import HTTPEvent as HTTPEvent
from ._http_events import HTTPFailure as HTTPFailure
from ._http_events import HTTPHeaders as HTTPHeaders
from ._http_events import HTTPStatus as HTTPStatus
from ._http_transport import HTTPTransport as HTTPTransport
from ._local_server import LocalServer as LocalServer
from ._local_server import open_local_server as open_local_server
from ._open import open_session as open_session
from ._open import stream as stream
from ._open_stream_server import open_stream_server as open_stream_server
from ._output_partial import PartialStream as PartialStream
from ._prompt import Prompt as Prompt
from ._replay import replay as replay
from ._replay_recut import Recut as Recut
from ._request_options import RequestOptions as RequestOptions
from ._response import Response as Response
from ._response import SessionMetadata as SessionMetadata
from ._response import SessionStatistics as SessionStatistics
from ._retry import Retry as Retry
from ._retry_budget import RetryBudget as RetryBudget
from ._runtime import Runtime as Runtime
from ._runtime import RuntimeStatistics as RuntimeStatistics
from ._runtime import open_runtime as open_runtime
from ._runtime_sessions import OnFull as OnFull
from ._session import Session as Session
from ._session_text import TextStream as TextStream
from ._stream_server import StreamServer as StreamServer
from ._stream_server_followed import HTTPTask as HTTPTask
from ._timers import Timeouts as Timeouts
from ._tool_context import ToolContext as ToolContext
from ._toolbox import Approve as Approve
from ._tools import Tool as Tool
from ._tools import tool as tool
from ._turn import Status as Status
from ._version import __version__ as __version__
from .errors import ActorCrashed as ActorCrashed
from .errors import AdmissionError as AdmissionError
from .errors import APIError as APIError
from .errors import AuthenticationError as AuthenticationError
from .errors import BadRequestError as BadRequestError
from .errors import ConfigError as ConfigError
from .errors import ConnectFailed as ConnectFailed
from .errors import ConnectionLost as ConnectionLost
from .errors import EncodingRefused as EncodingRefused
from .errors import EventTooLarge as EventTooLarge
from .errors import MalformedEvent as MalformedEvent
from .errors import ModelUnavailable as ModelUnavailable
from .errors import NotAStream as NotAStream
from .errors import NotFoundError as NotFoundError
from .errors import OutputError as OutputError
from .errors import OverloadedError as OverloadedError
from .errors import Phase as Phase
from .errors import ProtocolViolation as ProtocolViolation
from .errors import QuotaError as QuotaError
from .errors import RateLimitError as RateLimitError
from .errors import RecordingFailed as RecordingFailed
from .errors import RedirectRefused as RedirectRefused
from .errors import RuntimeClosed as RuntimeClosed
from .errors import SequenceGap as SequenceGap
from .errors import ServerError as ServerError
from .errors import SessionExists as SessionExists
from .errors import Stalled as Stalled
from .errors import StreamdError as StreamdError
from .errors import StreamError as StreamError
from .errors import Timer as Timer
from .errors import ToolError as ToolError
from .errors import TooManySessions as TooManySessions
from .errors import TransportError as TransportError
from .errors import Truncated as Truncated

__all__ = [
    "APIError",
    "ActorCrashed",
    "AdmissionError",
    "Approve",
    "AuthenticationError",
    "BadRequestError",
    "CachePoint",
    "Chunk",
    "Citation",
    "ConfigError",
    "ConnectFailed",
    "ConnectionLost",
    "Cost",
    "EncodingRefused",
    "EventTooLarge",
    "File",
    "HTTPClient",
    "HTTPData",
    "HTTPDone",
    "HTTPEvent",
    "HTTPFailure",
    "HTTPHeaders",
    "HTTPStatus",
    "HTTPTask",
    "HTTPTransport",
    "Image",
    "LocalServer",
    "LogProbs",
    "MalformedEvent",
    "Media",
    "Message",
    "Metadata",
    "ModelSpec",
    "ModelUnavailable",
    "NotAStream",
    "NotFoundError",
    "OnFull",
    "OutputError",
    "OverloadedError",
    "Part",
    "PartialStream",
    "Phase",
    "Prompt",
    "ProtocolViolation",
    "QuotaError",
    "RateLimitError",
    "RecordingFailed",
    "Recut",
    "RedactedThinking",
    "RedirectRefused",
    "Refusal",
    "RequestOptions",
    "Reset",
    "Response",
    "Retry",
    "RetryBudget",
    "Runtime",
    "RuntimeClosed",
    "RuntimeStatistics",
    "ScoredToken",
    "Secret",
    "SequenceGap",
    "ServerError",
    "ServerToolCall",
    "ServerToolResult",
    "Session",
    "SessionExists",
    "SessionMetadata",
    "SessionStatistics",
    "Stalled",
    "Status",
    "Stop",
    "StopReason",
    "StreamError",
    "StreamServer",
    "StreamdError",
    "Text",
    "TextStream",
    "Thinking",
    "Timeouts",
    "Timer",
    "TokenLogProb",
    "TooManySessions",
    "Tool",
    "ToolCall",
    "ToolCallDelta",
    "ToolContext",
    "ToolError",
    "ToolResult",
    "TransportError",
    "Truncated",
    "Usage",
    "__version__",
    "cost",
    "open_local_server",
    "open_runtime",
    "open_session",
    "open_stream_server",
    "replay",
    "stream",
    "tool",
]
