"""OTP-style supervision for trio: ordered starts and stops, restarts within limits, nothing left behind."""

from ._actor import Actor as Actor
from ._actor_ref import ActorRef as ActorRef
from ._context import ChildContext as ChildContext
from ._context import current_child as current_child
from ._dynamic import DynamicSupervisor as DynamicSupervisor
from ._errors import ActorDown as ActorDown
from ._errors import AlreadyRunning as AlreadyRunning
from ._errors import CallingSelf as CallingSelf
from ._errors import ChildExists as ChildExists
from ._errors import ChildFailure as ChildFailure
from ._errors import ChildReturned as ChildReturned
from ._errors import ChildRunning as ChildRunning
from ._errors import ChildStartError as ChildStartError
from ._errors import ChildStopError as ChildStopError
from ._errors import InvalidSpec as InvalidSpec
from ._errors import LeakedCancellation as LeakedCancellation
from ._errors import MailboxFull as MailboxFull
from ._errors import MaxChildrenReached as MaxChildrenReached
from ._errors import NameTaken as NameTaken
from ._errors import NotRunning as NotRunning
from ._errors import RestartLimitExceeded as RestartLimitExceeded
from ._errors import RestartPending as RestartPending
from ._errors import SupervisionError as SupervisionError
from ._errors import UnknownChild as UnknownChild
from ._errors import UnknownName as UnknownName
from ._errors import WouldDeadlock as WouldDeadlock
from ._events import ChildExited as ChildExited
from ._events import ChildRestarting as ChildRestarting
from ._events import ChildStarted as ChildStarted
from ._events import ChildStarting as ChildStarting
from ._events import ChildStopping as ChildStopping
from ._events import ChildStuck as ChildStuck
from ._events import Event as Event
from ._events import Observer as Observer
from ._events import SupervisorStopped as SupervisorStopped
from ._events import SupervisorStopping as SupervisorStopping
from ._exits import Exit as Exit
from ._exits import ExitKind as ExitKind
from ._handle import TaskCancelled as TaskCancelled
from ._handle import TaskHandle as TaskHandle
from ._mailbox import MailboxStatistics as MailboxStatistics
from ._open import SupervisorOptions as SupervisorOptions
from ._open import open_dynamic_supervisor as open_dynamic_supervisor
from ._open import open_supervisor as open_supervisor
from ._past import PastError as PastError
from ._published import Watchable as Watchable
from ._ref import ChildRef as ChildRef
from ._registry import Registry as Registry
from ._render import render as render
from ._reply import Reply as Reply
from ._ring import EventLog as EventLog
from ._slots import ChildInfo as ChildInfo
from ._slots import ChildState as ChildState
from ._slots import Counts as Counts
from ._snapshot import AnySupervisor as AnySupervisor
from ._snapshot import snapshot as snapshot
from ._spec import AutoShutdown as AutoShutdown
from ._spec import Backoff as Backoff
from ._spec import ChildKind as ChildKind
from ._spec import ChildSpec as ChildSpec
from ._spec import Ready as Ready
from ._spec import Restart as Restart
from ._spec import RestartLimit as RestartLimit
from ._spec import Strategy as Strategy
from ._supervisor import Supervisor as Supervisor
from ._tasks import TaskSupervisor as TaskSupervisor
from ._tasks import open_task_supervisor as open_task_supervisor
from ._tree import Branch as Branch
from ._tree import BranchKind as BranchKind
from ._tree import ChannelFill as ChannelFill
from ._tree import Frame as Frame
from ._tree import Tree as Tree
from ._tree import TreeKind as TreeKind
from ._tree import TreeState as TreeState

__all__ = [
    "Actor",
    "ActorDown",
    "ActorRef",
    "AlreadyRunning",
    "AnySupervisor",
    "AutoShutdown",
    "Backoff",
    "Branch",
    "BranchKind",
    "CallingSelf",
    "ChannelFill",
    "ChildContext",
    "ChildExists",
    "ChildExited",
    "ChildFailure",
    "ChildInfo",
    "ChildKind",
    "ChildRef",
    "ChildRestarting",
    "ChildReturned",
    "ChildRunning",
    "ChildSpec",
    "ChildStartError",
    "ChildStarted",
    "ChildStarting",
    "ChildState",
    "ChildStopError",
    "ChildStopping",
    "ChildStuck",
    "Counts",
    "DynamicSupervisor",
    "Event",
    "EventLog",
    "Exit",
    "ExitKind",
    "Frame",
    "InvalidSpec",
    "LeakedCancellation",
    "MailboxFull",
    "MailboxStatistics",
    "MaxChildrenReached",
    "NameTaken",
    "NotRunning",
    "Observer",
    "PastError",
    "Ready",
    "Registry",
    "Reply",
    "Restart",
    "RestartLimit",
    "RestartLimitExceeded",
    "RestartPending",
    "Strategy",
    "SupervisionError",
    "Supervisor",
    "SupervisorOptions",
    "SupervisorStopped",
    "SupervisorStopping",
    "TaskCancelled",
    "TaskHandle",
    "TaskSupervisor",
    "Tree",
    "TreeKind",
    "TreeState",
    "UnknownChild",
    "UnknownName",
    "Watchable",
    "WouldDeadlock",
    "current_child",
    "open_dynamic_supervisor",
    "open_supervisor",
    "open_task_supervisor",
    "render",
    "snapshot",
]
