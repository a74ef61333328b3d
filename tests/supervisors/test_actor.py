"""Actors: one message at a time, an answer or an error for every call, fresh state in every incarnation."""

import gc
import math
import threading
import weakref
from collections.abc import Callable
from contextlib import suppress
from typing import Any

import pytest
import trio
from hypothesis import given, settings
from hypothesis import strategies as st

from streamd.supervisors import (
    Actor,
    ActorDown,
    ActorRef,
    AlreadyRunning,
    CallingSelf,
    ChildExited,
    ChildSpec,
    ChildStartError,
    ChildStarting,
    ChildStopError,
    Event,
    InvalidSpec,
    MailboxFull,
    MailboxStatistics,
    Reply,
    RestartLimit,
    current_child,
    open_dynamic_supervisor,
    open_supervisor,
    open_task_supervisor,
    snapshot,
)


class Script(Actor[Any, Any, Any]):
    """Does what its messages say, and writes it in a diary."""

    def __init__(self, diary: list[str], **settings: Any) -> None:
        self.diary = diary
        self.total = 0
        self.kept: list[Reply[Any]] = []
        self.then: Callable[[Script], Any] | None = None
        self.__dict__.update(settings)

    async def handle_call(self, message: Any, reply: Reply[Any]) -> None:
        self.diary.append(f"call {message}")
        match message:
            case "crash":
                raise ValueError("crash")
            case "keep":
                self.kept.append(reply)
            case "drop":
                pass
            case "twice":
                reply(1)
                reply(2)
            case ("sleep", seconds):
                await trio.sleep(seconds)
                self.diary.append(f"sent {reply('slept')}")
            case ("ask", ref, question):
                reply(await ref.call(question))
            case ("tell", ref, news):
                reply(await ref.cast(news))
            case int():
                self.total += message
                reply(self.total)
            case _:
                reply(message)

    async def handle_cast(self, message: Any) -> None:
        self.diary.append(f"cast {message}")
        match message:
            case "crash":
                raise ValueError("crash")
            case ("sleep", seconds):
                await trio.sleep(seconds)
            case ("answer", answer):
                self.diary.append(f"sent {self.kept.pop(0)(answer)}")
            case ("do", function):
                await function(self)
            case _:
                pass

    async def terminate(self, error: Exception | None) -> None:
        self.diary.append(f"terminate {error!r}")


def script(diary: list[str], *, mailbox: int = 64, **settings: Any) -> ActorRef[Any, Any, Any]:
    """The ref of a `Script`."""
    return ActorRef(lambda: Script(diary, **settings), mailbox=mailbox, name="script")


async def outcome(diary: list[str], name: str, function: Any, *args: Any) -> None:
    """Write in the diary what became of a call."""
    try:
        answer = await function(*args)
    except ActorDown as exc:
        diary.append(f"{name} down {exc.exit and exc.exit.kind}")
    except trio.Cancelled:
        diary.append(f"{name} cancelled")
        raise
    else:
        diary.append(f"{name} got {answer}")


# The mailbox


async def test_calls_and_casts_are_handled_in_order(autojump_clock: Any) -> None:
    """One message at a time, in the order they were sent, whoever sent them and how."""
    diary: list[str] = []
    ref = script(diary)
    async with open_supervisor(ref.child_spec("a")):
        ref.cast_nowait(("sleep", 1))
        async with trio.open_nursery() as nursery:
            nursery.start_soon(outcome, diary, "x", ref.call, 2)
            await trio.sleep(0.5)
            await ref.cast("b")
            ref.cast_nowait("c")
            nursery.start_soon(outcome, diary, "y", ref.call, 3)
        answers = [entry for entry in diary if "got" in entry]
        handled = [entry for entry in diary if "got" not in entry]
        assert handled == ["cast ('sleep', 1)", "call 2", "cast b", "cast c", "call 3"]
        assert answers == ["x got 2", "y got 5"]


async def test_a_cast_waits_for_a_place(autojump_clock: Any) -> None:
    """A full mailbox holds the senders back, and lets them in one by one in their order."""
    diary: list[str] = []
    ref = script(diary, mailbox=1)
    async with open_supervisor(ref.child_spec("a")):
        ref.cast_nowait(("sleep", 1))
        await trio.sleep(0.1)
        ref.cast_nowait("b")
        async with trio.open_nursery() as nursery:
            for name in "cde":
                nursery.start_soon(outcome, diary, name, ref.cast, name)
                await trio.sleep(0.1)
            assert ref.statistics() == MailboxStatistics(1, 1, 3, 0)
            assert diary == ["cast ('sleep', 1)"]
        await trio.testing.wait_all_tasks_blocked()
        assert [entry for entry in diary if "got" in entry] == ["c got None", "d got None", "e got None"]
        assert [entry for entry in diary if "cast" in entry] == [
            "cast ('sleep', 1)", "cast b", "cast c", "cast d", "cast e"
        ]  # fmt: skip  # shorter so
        assert trio.current_time() == 1
        assert ref.statistics() == MailboxStatistics(0, 1, 0, 1)


async def test_cast_nowait_raises_when_full(autojump_clock: Any) -> None:
    """Without waiting there is an error, and the message is not sent."""
    diary: list[str] = []
    ref = script(diary, mailbox=2)
    async with open_supervisor(ref.child_spec("a")):
        ref.cast_nowait("x")
        ref.cast_nowait("y")
        with pytest.raises(MailboxFull, match="2 messages wait"):
            ref.cast_nowait("z")
        await trio.testing.wait_all_tasks_blocked()
        assert diary == ["cast x", "cast y"]


async def test_a_sender_that_is_cancelled_outside_takes_its_message_back(autojump_clock: Any) -> None:
    """Call or cast: what never had a place is never handled."""
    diary: list[str] = []
    ref = script(diary, mailbox=1)
    async with open_supervisor(ref.child_spec("a")):
        ref.cast_nowait(("sleep", 9))
        await trio.sleep(0.1)
        ref.cast_nowait("b")
        for send in (ref.call, ref.cast):
            with trio.move_on_after(1) as scope:
                await send("never")
            assert scope.cancelled_caught
        assert ref.statistics().tasks_waiting_send == 0
        assert await ref.call("last") == "last"
        assert diary == ["cast ('sleep', 9)", "cast b", "call last"]


async def test_a_cancelled_sender_sends_nothing(autojump_clock: Any) -> None:
    """In a cancelled scope neither call nor cast leaves anything in the mailbox."""
    diary: list[str] = []
    ref = script(diary)
    async with open_supervisor(ref.child_spec("a")):
        for send in (ref.call, ref.cast):
            with trio.CancelScope() as scope:
                scope.cancel()
                await send("never")
            assert scope.cancelled_caught
        await trio.testing.wait_all_tasks_blocked()
        assert diary == []


async def test_every_send_is_a_checkpoint(autojump_clock: Any) -> None:
    """A sender that never has to wait lets others run all the same."""
    ref = script([])
    async with open_supervisor(ref.child_spec("a")):
        with trio.testing.assert_checkpoints():
            await ref.cast(1)
        with trio.testing.assert_checkpoints():
            await ref.call(1)


async def test_an_actor_with_a_backlog_lets_others_run(autojump_clock: Any) -> None:
    """Handlers that never wait do not keep the scheduler from the other tasks."""
    diary: list[str] = []
    ref = script(diary)

    async def other() -> None:
        for _ in range(3):
            await trio.lowlevel.checkpoint()
            diary.append("other")

    async with open_supervisor(ref.child_spec("a")):
        for number in range(20):
            ref.cast_nowait(number)
        await other()
        assert len(diary) < 10


async def test_the_mailbox_must_hold_something() -> None:
    """A mailbox without a place is refused when the ref is made."""
    for mailbox in (0, -1, math.nan):
        with pytest.raises(InvalidSpec, match="mailbox must be 1 message or more"):
            ActorRef(Script, [], mailbox=mailbox)  # type: ignore[arg-type]  # the mistake is the case


# Calls


async def test_a_callers_timeout_is_its_own(autojump_clock: Any) -> None:
    """`fail_after` bounds the call; the actor ends what it does, its late reply is dropped and tells so."""
    diary: list[str] = []
    ref = script(diary)
    async with open_supervisor(ref.child_spec("a")):
        with pytest.raises(trio.TooSlowError):
            with trio.fail_after(1):
                await ref.call(("sleep", 2))
        assert await ref.call("next") == "next"
        assert diary == ["call ('sleep', 2)", "sent False", "call next"]
        assert trio.current_time() == 2


async def test_a_call_cancelled_in_the_mailbox_is_handled_all_the_same(autojump_clock: Any) -> None:
    """Cancelling a call is not calling it off: as in OTP the message stays."""
    diary: list[str] = []
    ref = script(diary)
    async with open_supervisor(ref.child_spec("a")):
        ref.cast_nowait(("sleep", 2))
        with trio.move_on_after(1):
            await ref.call(7)
        assert await ref.call(1) == 8


async def test_a_reply_may_come_later(autojump_clock: Any) -> None:
    """The actor goes on to other messages, and answers by the kept `Reply`; a caller who left hears nothing."""
    diary: list[str] = []
    ref = script(diary)
    async with open_supervisor(ref.child_spec("a")), trio.open_nursery() as nursery:
        nursery.start_soon(outcome, diary, "x", ref.call, "keep")
        await trio.sleep(1)
        with trio.move_on_after(1):
            await outcome(diary, "y", ref.call, "keep")
        assert await ref.call("between") == "between"
        await ref.cast(("answer", 1))
        await ref.cast(("answer", 2))
        await trio.testing.wait_all_tasks_blocked()
        assert diary == [
            "call keep", "call keep", "y cancelled", "call between",
            "cast ('answer', 1)", "sent True", "cast ('answer', 2)", "sent False", "x got 1",
        ] or diary == [
            "call keep", "call keep", "y cancelled", "call between",
            "cast ('answer', 1)", "sent True", "x got 1", "cast ('answer', 2)", "sent False",
        ]  # fmt: skip  # shorter so


class Clerk(Actor[float, Any, str]):
    """Has its work done by tasks beside it."""

    def __init__(self, tasks: Any) -> None:
        self.tasks = tasks

    async def handle_call(self, message: float, reply: Reply[str]) -> None:
        self.tasks.start_soon(self.work, message, reply)

    @staticmethod
    async def work(seconds: float, reply: Reply[str]) -> None:
        await trio.sleep(seconds)
        if seconds == 3:
            raise ValueError("the task failed")
        reply(f"done after {seconds:g}")


async def test_a_reply_may_be_handed_to_a_task(autojump_clock: Any) -> None:
    """Tasks answer in their own time; one that fails or is cancelled before lets its caller know."""
    diary: list[str] = []
    async with trio.open_nursery() as nursery, open_task_supervisor() as tasks:
        ref = ActorRef(Clerk, tasks)
        async with open_supervisor(ref.child_spec("clerk")):
            for seconds in (2, 1, 3):
                nursery.start_soon(outcome, diary, str(seconds), ref.call, seconds)
                await trio.testing.wait_all_tasks_blocked()
            await trio.sleep(4)
            assert diary == ["1 got done after 1", "2 got done after 2", "3 down None"]


async def test_a_reply_in_a_block_is_answered_by_its_end(autojump_clock: Any) -> None:
    """Leaving `with reply:` without an answer tells the caller, whoever keeps the `Reply` or an error over it."""
    diary: list[str] = []
    kept: list[Any] = []
    ref = script(diary, kept=kept)
    async with open_supervisor(ref.child_spec("a")), trio.open_nursery() as nursery:
        for name in "xy":
            nursery.start_soon(outcome, diary, name, ref.call, "keep")
            await trio.testing.wait_all_tasks_blocked()
        for answers in (0, 1):
            with suppress(ZeroDivisionError), kept[answers] as reply:
                if answers:
                    assert reply("answer")
                raise ZeroDivisionError
            await trio.testing.wait_all_tasks_blocked()
        assert diary[2:] == ["x down None", "y got answer"]
        with pytest.raises(RuntimeError, match="answered twice"):
            kept[0]("too late")


async def test_a_dropped_reply_is_an_error_for_the_caller(autojump_clock: Any) -> None:
    """A handler that forgets the answer does not leave its caller waiting."""
    ref = script([])
    async with open_supervisor(ref.child_spec("a")):
        with pytest.raises(ActorDown, match="gave no reply") as caught:
            await ref.call("drop")
        assert caught.value.exit is None
        assert ref.running


async def test_a_reply_may_be_dropped_in_another_thread(autojump_clock: Any) -> None:
    """A collection happens in whatever thread it likes; the caller is told in its own."""
    diary: list[str] = []
    kept: list[Any] = []
    ref = script(diary, kept=kept)
    async with open_supervisor(ref.child_spec("a")), trio.open_nursery() as nursery:
        nursery.start_soon(outcome, diary, "x", ref.call, "keep")
        await trio.testing.wait_all_tasks_blocked()
        thread = threading.Thread(target=kept.clear)
        thread.start()
        thread.join()
        await trio.sleep(1)
        assert diary == ["call keep", "x down None"]


def test_a_reply_may_be_dropped_after_the_run() -> None:
    """A `Reply` that outlives `trio.run` is collected without a word."""
    kept: list[Any] = []

    async def main() -> None:
        ref = script([], kept=kept)
        async with open_supervisor(ref.child_spec("a")), trio.open_nursery() as nursery:
            nursery.start_soon(outcome, [], "x", ref.call, "keep")
            await trio.testing.wait_all_tasks_blocked()
            nursery.cancel_scope.cancel()

    trio.run(main)
    kept.clear()
    gc.collect()


async def test_a_reply_is_used_once(autojump_clock: Any) -> None:
    """A second answer is a mistake of the actor's: its caller has the first, and the actor crashes."""
    diary: list[str] = []
    events: list[Event] = []
    ref = script(diary)
    async with open_supervisor(ref.child_spec("a"), observer=events.append):
        assert await ref.call("twice") == 1
        await trio.testing.wait_all_tasks_blocked()
        exits = [event.exit.error for event in events if isinstance(event, ChildExited)]
        assert repr(exits) == "[RuntimeError('a call was answered twice')]"


# Down


async def test_no_call_to_an_actor_that_is_not_running() -> None:
    """Before it starts and after it has ended there is an error at once (OTP: `noproc`)."""
    ref = script([])
    for _ in range(2):
        assert not ref.running
        for send in (ref.call, ref.cast):
            with pytest.raises(ActorDown, match="'script' is not running") as caught:
                await send("x")
            assert caught.value.exit is None
        with pytest.raises(ActorDown):
            ref.cast_nowait("x")
        assert ref.statistics() == MailboxStatistics(0, 64, 0, 0)
        ref.request_stop()
        async with open_supervisor(ref.child_spec("a")):
            assert ref.running


async def test_everybody_who_waits_is_told_before_the_restart(autojump_clock: Any) -> None:
    """Callers of the message in hand, of kept replies, in the mailbox and outside of it, then the new start."""
    diary: list[str] = []

    def observer(event: Event) -> None:
        if isinstance(event, ChildStarting):
            diary.append(f"start {event.incarnation}")

    class Loud(Script):
        async def init(self) -> None:
            diary.append(f"init {current_child().incarnation}")

    ref = ActorRef(lambda: Loud(diary), mailbox=2, name="loud")
    async with open_supervisor(ref.child_spec("a"), observer=observer), trio.open_nursery() as nursery:
        nursery.start_soon(outcome, diary, "kept", ref.call, "keep")
        await trio.sleep(1)
        await ref.cast(("sleep", 1))
        await trio.lowlevel.checkpoint()
        for name, message in [("hand", "crash"), ("inside", 1), ("outside", 2)]:
            nursery.start_soon(outcome, diary, name, ref.call, message)
            await trio.sleep(0.1)
        nursery.start_soon(outcome, diary, "cast", ref.cast, 3)
        await trio.sleep(2)
        told, restarted = diary[6:12], diary[12:]
        assert diary[:6] == [
            "start 1", "init 1", "call keep", "cast ('sleep', 1)", "call crash", "terminate ValueError('crash')"
        ]  # fmt: skip  # shorter so
        names = ("cast", "hand", "inside", "kept", "outside")
        assert sorted(told) == [*(f"{name} down failed" for name in names), "start 2"]
        assert restarted == ["init 2"]
        assert await ref.call(5) == 5  # and its state is fresh


async def test_what_ended_the_actor_is_the_cause(autojump_clock: Any) -> None:
    """`ActorDown` says how it ended, and leads to the error; every caller has an exception of its own."""
    ref = script([])
    errors: list[ActorDown] = []

    async def ask() -> None:
        try:
            await ref.call("crash")
        except ActorDown as exc:
            errors.append(exc)

    async with open_supervisor(ref.child_spec("a")), trio.open_nursery() as nursery:
        nursery.start_soon(ask)
        nursery.start_soon(ask)
    assert [str(error) for error in errors] == ["actor 'script' has ended (ValueError: crash)"] * 2
    assert errors[0] is not errors[1]
    for error in errors:
        assert error.exit is not None
        assert error.exit.kind == "failed"
        assert error.__cause__ is error.exit.error
        assert isinstance(error.__cause__, ValueError)


async def test_a_fresh_mailbox_for_every_incarnation(autojump_clock: Any) -> None:
    """What waits behind a message that crashes is dropped: it cannot crash the next incarnation, too."""
    diary: list[str] = []
    ref = script(diary)
    async with open_supervisor(ref.child_spec("a"), restarts=RestartLimit(1)):
        ref.cast_nowait("crash")
        ref.cast_nowait("crash")
        ref.cast_nowait("crash")
        await trio.sleep(1)
        assert ref.running
        assert diary == ["cast crash", "terminate ValueError('crash')"]


async def test_messages_wait_for_init(autojump_clock: Any) -> None:
    """From the first moment of an incarnation there is a mailbox; `init` ends before the actor counts as started."""
    diary: list[str] = []

    class Slow(Script):
        async def init(self) -> None:
            await trio.sleep(1)
            diary.append("ready")

    ref = ActorRef(lambda: Slow(diary))
    async with trio.open_nursery() as nursery:

        async def early() -> None:
            await trio.sleep(0.5)
            await outcome(diary, "early", ref.call, 1)

        nursery.start_soon(early)
        async with open_supervisor(ref.child_spec("a")):
            diary.append("started")
            await trio.sleep(1)
    assert diary[0] == "ready"
    assert sorted(diary[1:4]) == ["call 1", "early got 1", "started"]


async def test_a_failing_init_fails_the_start(autojump_clock: Any) -> None:
    """The start's error is caused by the very exception, callers are told, and `terminate` is not called."""
    diary: list[str] = []

    class Broken(Script):
        async def init(self) -> None:
            await trio.sleep(1)
            raise OSError("no")

    ref = ActorRef(lambda: Broken(diary))
    async with trio.open_nursery() as nursery:

        async def early() -> None:
            await trio.sleep(0.5)
            await outcome(diary, "early", ref.call, 1)

        nursery.start_soon(early)
        with pytest.raises(ChildStartError) as caught:
            async with open_supervisor(ref.child_spec("a")):
                pass
    assert isinstance(caught.value.__cause__, OSError)
    assert diary == ["early down failed"]


async def test_a_hanging_init_is_cancelled_at_once(autojump_clock: Any) -> None:
    """Grace is for what has started: a stop does not wait for an actor that is not ready."""

    class Hangs(Script):
        async def init(self) -> None:
            await trio.sleep_forever()

    ref = ActorRef(lambda: Hangs([]))
    with pytest.raises(ChildStartError):
        async with open_supervisor(ref.child_spec("a", start_timeout=1)):
            pass
    assert trio.current_time() == 1


async def test_one_incarnation_at_a_time(autojump_clock: Any) -> None:
    """A ref stands for one actor: a second one beside it is refused."""
    ref = script([])
    async with open_supervisor(ref.child_spec("a")) as supervisor:
        with pytest.raises(ChildStartError) as caught:
            await supervisor.start_child(ref.child_spec("b"))
        assert isinstance(caught.value.__cause__, AlreadyRunning)
        assert await ref.call(1) == 1


# Calling oneself


async def test_an_actor_cannot_call_itself(autojump_clock: Any) -> None:
    """It would wait for ever; there is an error instead (OTP: `calling_self`)."""
    ref = script([])
    async with open_supervisor(ref.child_spec("a")):
        with pytest.raises(ActorDown) as caught:
            await ref.call(("ask", ref, 1))
        assert repr(caught.value.__cause__) == (
            "CallingSelf('an actor would wait for itself: script -> script')"
        )


async def test_actors_cannot_call_in_a_ring(autojump_clock: Any) -> None:
    """A asks B, B asks C, C asks A: C is told, as it is the one that would close the ring."""
    diary: list[str] = []
    a, b, c = (ActorRef(lambda: Script(diary), name=name) for name in "abc")
    specs = [ref.child_spec(ref.name) for ref in (a, b, c)]
    async with open_supervisor(*specs):
        with pytest.raises(ActorDown) as caught:
            await a.call(("ask", b, ("ask", c, ("ask", a, 1))))
        cause = caught.value.__cause__
        assert isinstance(cause, ActorDown)
        assert isinstance(cause.__cause__, ActorDown)
        assert repr(cause.__cause__.__cause__) == (
            "CallingSelf('an actor would wait for itself: c -> a -> b -> c')"
        )


async def test_actors_may_call_each_other_in_turn(autojump_clock: Any) -> None:
    """Once answered nobody waits any more: the same actors may call the other way round, in the very same step."""
    diary: list[str] = []
    a, b = (ActorRef(lambda: Script(diary), name=name) for name in "ab")

    class Back(Script):
        async def handle_call(self, message: Any, reply: Reply[Any]) -> None:
            reply("first")
            self.diary.append(f"back {await a.call(message)}")

    b = ActorRef(lambda: Back(diary), name="b")
    async with open_supervisor(a.child_spec("a"), b.child_spec("b")):
        assert await a.call(("ask", b, 5)) == "first"
        await trio.testing.wait_all_tasks_blocked()
        assert diary[-1] == "back 5"


async def test_who_waits_for_a_later_reply_may_be_called(autojump_clock: Any) -> None:
    """A call that was put off is answered by others: it is no link of a ring, and its actor may call back."""
    diary: list[str] = []
    kept: list[Any] = []
    a = ActorRef(lambda: Script(diary), name="a")
    b = ActorRef(lambda: Script(diary, kept=kept), name="b")
    async with open_supervisor(a.child_spec("a"), b.child_spec("b")), trio.open_nursery() as nursery:
        nursery.start_soon(outcome, diary, "x", a.call, ("ask", b, "keep"))
        await trio.sleep(1)
        nursery.start_soon(outcome, diary, "y", b.call, ("ask", a, 3))
        await trio.sleep(1)
        kept.pop()("late")
        await trio.sleep(1)
        assert diary[3:] in (["x got late", "call 3", "y got 3"], ["call 3", "x got late", "y got 3"])


async def test_a_task_of_an_actor_may_call_it(autojump_clock: Any) -> None:
    """Only the actor's own task is the actor: tasks it has started may ask it."""
    diary: list[str] = []
    async with trio.open_nursery() as nursery:

        async def begin(actor: Script) -> None:
            nursery.start_soon(outcome, diary, "task", actor.ref.call, 4)

        ref = script(diary)
        async with open_supervisor(ref.child_spec("a")):
            await ref.cast(("do", begin))
            await trio.testing.wait_all_tasks_blocked()
            assert diary[-2:] == ["call 4", "task got 4"]


async def test_an_actor_may_cast_to_itself_while_there_is_a_place(autojump_clock: Any) -> None:
    """With a full mailbox it would wait for itself, and so would an actor it is waiting for."""
    diary: list[str] = []
    ref = script(diary, mailbox=1)
    other = ActorRef(lambda: Script(diary), name="other")

    async def twice(actor: Script) -> None:
        await actor.ref.cast("again")
        with pytest.raises(MailboxFull, match="script -> script"):
            await actor.ref.cast("too much")

    async with open_supervisor(ref.child_spec("a"), other.child_spec("b")):
        await ref.cast(("do", twice))
        await trio.testing.wait_all_tasks_blocked()
        assert diary[1:] == ["cast again"]

        async def ring(actor: Script) -> None:
            await actor.ref.cast("fill")
            with pytest.raises(ActorDown) as caught:
                await other.call(("tell", actor.ref, "x"))
            assert "MailboxFull" in repr(caught.value.__cause__)

        await ref.cast(("do", ring))
        await trio.testing.wait_all_tasks_blocked()
        assert diary[-1] == "cast fill"


async def test_an_actor_that_waits_for_a_place_is_waited_for(autojump_clock: Any) -> None:
    """A waiting cast is a link of the ring as a call is; a cancelled one is none."""
    diary: list[str] = []
    a = ActorRef(lambda: Script(diary), name="a")
    b = ActorRef(lambda: Script(diary), name="b", mailbox=1)

    async def back(actor: Script) -> None:
        await trio.sleep(2)
        with suppress(CallingSelf):
            await a.call(1)
            diary.append("no ring")
        diary.append("back")

    async with open_supervisor(a.child_spec("a"), b.child_spec("b")):
        await b.cast(("do", back))
        await trio.testing.wait_all_tasks_blocked()
        await b.cast("fill")
        assert await a.call(("tell", b, "x")) is None
        assert diary[-3:] == ["back", "cast fill", "cast x"] or "no ring" not in diary

        async def hasty(actor: Script) -> None:
            with trio.move_on_after(1):
                await b.cast("never")

        await b.cast(("do", back))
        await trio.testing.wait_all_tasks_blocked()
        await b.cast("fill")
        await a.cast(("do", hasty))
        await trio.sleep(3)
        assert "no ring" in diary
        assert "cast never" not in diary


# Stopping


async def test_a_stop_ends_the_message_in_hand_and_no_other(autojump_clock: Any) -> None:
    """Within the grace the handler ends and `terminate` runs; those who wait are told how it ended."""
    diary: list[str] = []
    ref = script(diary)
    async with trio.open_nursery() as nursery:
        async with open_supervisor(ref.child_spec("a")):
            nursery.start_soon(outcome, diary, "hand", ref.call, ("sleep", 2))
            await trio.sleep(1)
            nursery.start_soon(outcome, diary, "inside", ref.call, 1)
            await trio.sleep(0.5)
        assert trio.current_time() == 2
    assert diary[:3] == ["call ('sleep', 2)", "sent True", "terminate None"] or "hand got slept" in diary[:3]
    assert [entry for entry in diary if "inside" in entry] == ["inside down stopped"]


async def test_an_idle_actor_stops_at_once(autojump_clock: Any) -> None:
    """The stop request wakes it, and its incarnation counts as stopped rather than cancelled."""
    diary: list[str] = []
    ref = script(diary)
    async with open_supervisor(ref.child_spec("a")) as supervisor:
        exit_ = await supervisor.stop_child("a")
        assert (exit_.kind, diary, trio.current_time()) == ("stopped", ["terminate None"], 0)


async def test_a_handler_that_outlasts_the_grace_is_cancelled(autojump_clock: Any) -> None:
    """After `shutdown` seconds there is no `terminate` either, and callers know it was cancelled."""
    diary: list[str] = []
    ref = script(diary)
    async with trio.open_nursery() as nursery, open_supervisor(ref.child_spec("a", shutdown=3)) as supervisor:
        nursery.start_soon(outcome, diary, "x", ref.call, ("sleep", 9))
        await trio.sleep(1)
        assert (await supervisor.stop_child("a")).kind == "cancelled"
        assert trio.current_time() == 4
        await trio.testing.wait_all_tasks_blocked()
        assert diary == ["call ('sleep', 9)", "x down cancelled"]


async def test_an_actor_may_end_itself(autojump_clock: Any) -> None:
    """`request_stop` from a handler ends it after this message; a transient one is not started again."""
    diary: list[str] = []
    ref = script(diary)

    async def leave(actor: Script) -> None:
        actor.ref.request_stop()
        actor.ref.request_stop()

    async with open_supervisor(ref.child_spec("a", restart="transient")) as supervisor:
        ref.cast_nowait(("do", leave))
        ref.cast_nowait("never")
        await trio.sleep(1)
        assert not ref.running
        assert supervisor.children()[0].state == "stopped"
        assert diary[1:] == ["terminate None"]
        ref = script(diary)
        child = await supervisor.start_child(ref.child_spec("b", restart="transient"))
        ref.request_stop()
        assert (await child.wait()).kind == "returned"


async def test_a_failing_terminate_is_told(autojump_clock: Any) -> None:
    """Its error is that of the stop; after a crash it takes the crash's place and keeps it as its context."""

    class Unclean(Script):
        async def terminate(self, error: Exception | None) -> None:
            raise OSError("unclean")

    ref = ActorRef(lambda: Unclean([]))
    with pytest.raises(ChildStopError) as caught:
        async with open_supervisor(ref.child_spec("a")):
            pass
    assert [repr(failure.error) for failure in caught.value.failures] == ["OSError('unclean')"]
    async with open_supervisor(ref.child_spec("a", restart="temporary")):
        with pytest.raises(ActorDown) as down:
            await ref.call("crash")
        assert repr(down.value.__cause__) == "OSError('unclean')"
        assert down.value.__cause__ is not None
        assert repr(down.value.__cause__.__context__) == "ValueError('crash')"


async def test_a_crash_is_not_replaced_by_a_cancelled_terminate(autojump_clock: Any) -> None:
    """A failure whose clean-up is cancelled stays a failure."""

    class Slow(Script):
        async def terminate(self, error: Exception | None) -> None:
            await trio.sleep_forever()

    ref = ActorRef(lambda: Slow([]))
    async with trio.open_nursery() as nursery:
        diary: list[str] = []
        with pytest.raises(ChildStopError) as caught:
            async with open_supervisor(ref.child_spec("a", shutdown=1)):
                nursery.start_soon(outcome, diary, "x", ref.call, "crash")
                await trio.testing.wait_all_tasks_blocked()
        await trio.testing.wait_all_tasks_blocked()
        assert diary == ["x down failed"]
        assert [repr(failure.error) for failure in caught.value.failures] == ["ValueError('crash')"]


async def test_an_interrupt_in_an_actor(autojump_clock: Any) -> None:
    """A `KeyboardInterrupt` is no crash: callers are told, `terminate` is not called, and it goes on outwards."""
    diary: list[str] = []
    ref = script(diary)

    async def interrupt(actor: Script) -> None:
        raise KeyboardInterrupt

    async with trio.open_nursery() as nursery:
        with pytest.raises(KeyboardInterrupt):
            async with open_supervisor(ref.child_spec("a")):
                nursery.start_soon(outcome, diary, "x", ref.call, "keep")
                await trio.testing.wait_all_tasks_blocked()
                ref.cast_nowait(("do", interrupt))
                await trio.sleep_forever()
    assert (diary[0], diary[2:]) == ("call keep", ["x down failed"])


async def test_actors_that_need_each_other_restart_as_one(autojump_clock: Any) -> None:
    """The crash of one passes on through a call, and is charged once where both are of the group."""
    for strategy in ("one_for_all", "rest_for_one"):
        diary: list[str] = []
        b = ActorRef(lambda diary=diary: Script(diary), name="b")
        a = ActorRef(lambda diary=diary: Script(diary), name="a")
        specs = (b.child_spec("b"), a.child_spec("a"))
        async with open_supervisor(*specs, strategy=strategy, restarts=RestartLimit(1)):  # type: ignore[arg-type]  # drawn text
            await outcome(diary, "x", a.call, ("ask", b, "crash"))
            await trio.sleep(1)
            await outcome(diary, "x", a.call, ("ask", b, 5))
            assert [entry for entry in diary if entry[0] == "x"] == ["x down failed", "x got 5"]


async def test_an_actor_in_a_task_of_a_child(autojump_clock: Any) -> None:
    """Only the child's own task is asked to stop: an actor that a child runs beside itself is cancelled with it."""
    diary: list[str] = []
    ref = script(diary)

    async def run(*, task_status: trio.TaskStatus[None]) -> None:
        async with trio.open_nursery() as nursery:
            await nursery.start(ref.run)
            task_status.started()
            await trio.sleep_forever()

    async with trio.open_nursery() as nursery:
        async with open_supervisor(ChildSpec(id="a", run=run)):
            assert await ref.call(1) == 1
            nursery.start_soon(outcome, diary, "x", ref.call, "keep")
            await trio.testing.wait_all_tasks_blocked()
        assert trio.current_time() == 0
    assert diary[1:] == ["call keep", "x down cancelled"]


async def test_an_actor_in_a_plain_nursery(autojump_clock: Any) -> None:
    """No supervisor is needed: it starts by `nursery.start`, and cancelling it tells its callers."""
    diary: list[str] = []
    ref = script(diary)
    async with trio.open_nursery() as outer:
        async with trio.open_nursery() as nursery:
            assert await nursery.start(ref.run) is ref
            assert await ref.call(1) == 1
            outer.start_soon(outcome, diary, "x", ref.call, "keep")
            await trio.sleep(1)
            nursery.cancel_scope.cancel()
        async with trio.open_nursery() as nursery:
            await nursery.start(ref.run)
            ref.request_stop()
    assert diary == ["call 1", "call keep", "x down cancelled", "terminate None"]


async def test_an_actor_in_a_dynamic_supervisor(autojump_clock: Any) -> None:
    """It is temporary there, its ref is the value of its start, and it stops with grace."""
    diary: list[str] = []
    async with open_dynamic_supervisor() as supervisor:
        refs = [script(diary) for _ in range(3)]
        children = [await supervisor.start_child(ref.child_spec("a")) for ref in refs]
        assert [child.value for child in children] == refs
        assert [await ref.call(1) for ref in refs] == [1, 1, 1]
        with pytest.raises(ActorDown):
            await refs[0].call("crash")
        await trio.testing.wait_all_tasks_blocked()
        assert [ref.running for ref in refs] == [False, True, True]
        assert (await supervisor.stop_child(children[1])).kind == "stopped"
    assert diary[3:] == ["call crash", "terminate ValueError('crash')", "terminate None", "terminate None"]


# What else a gen_server does


async def test_handle_timeout(autojump_clock: Any) -> None:
    """It is called after every span without a message, and not while messages come."""
    diary: list[str] = []

    class Idle(Script):
        idle_timeout = 2.0

        async def handle_timeout(self) -> None:
            self.diary.append(f"idle at {trio.current_time():g}")
            if trio.current_time() > 7:
                self.idle_timeout = math.inf

    ref = ActorRef(lambda: Idle(diary))
    async with open_supervisor(ref.child_spec("a")):
        await trio.sleep(1)
        ref.cast_nowait("x")
        ref.cast_nowait("y")
        await trio.sleep(4.5)
        await ref.cast("z")
        await trio.sleep(90)
    assert diary == ["cast x", "cast y", "idle at 3", "idle at 5", "cast z", "idle at 7.5", "terminate None"]


async def test_a_message_nobody_handles_is_a_crash(autojump_clock: Any) -> None:
    """An actor that takes no calls, casts or timeouts says so when it gets one."""

    class Deaf(Actor[Any, Any, Any]):
        """Handles nothing."""

    class Restless(Actor[Any, Any, Any]):
        """Sets a timeout and forgets it."""

        idle_timeout = 1.0

    events: list[Event] = []
    deaf, restless = ActorRef(Deaf), ActorRef(Restless)
    specs = [ref.child_spec(ref.name, restart="temporary") for ref in (deaf, restless)]
    async with open_supervisor(*specs, observer=events.append) as supervisor:
        with pytest.raises(ActorDown, match=r"Deaf takes no calls, but got 'x'"):
            await deaf.call("x")
        await supervisor.start_child(deaf.child_spec("again", restart="temporary"))
        await deaf.cast("y")
        await trio.sleep(2)
        errors = [str(event.exit.error) for event in events if isinstance(event, ChildExited)]
        assert [error.partition(".<locals>.")[2] for error in errors] == [
            "Deaf takes no calls, but got 'x'", "Deaf takes no casts, but got 'y'",
            "Restless sets idle_timeout but not what to do then",
        ]  # fmt: skip  # shorter so
        async with open_supervisor(deaf.child_spec("calm")):
            pass


async def test_an_actor_knows_where_it_runs(autojump_clock: Any) -> None:
    """`current_child` and `ref` speak of the actor, and the tree shows its mailbox."""
    ref = script([])
    seen: list[Any] = []

    async def look(actor: Script) -> None:
        seen.append((current_child().id, current_child().incarnation, actor.ref is ref))

    async with open_supervisor(ref.child_spec("a")) as supervisor:
        await ref.cast(("do", look))
        await trio.testing.wait_all_tasks_blocked()
        assert seen == [("a", 1, True)]
        assert repr(ref) == "<ActorRef script>"
        ref.cast_nowait(1)
        (fill,) = snapshot(supervisor).children[0].channels
        assert (fill.name, fill.used, fill.size, fill.receiving) == ("mailbox", 1, 64, 0)


# Nothing is kept


async def test_nothing_of_a_finished_actor_is_kept(autojump_clock: Any, caplog: Any) -> None:
    """State, messages and replies go with the incarnation, however it ended, while the ref lives on."""

    class Message:
        """Can be watched."""

    ref = script([])
    for ending in ("stop", "crash", "cancel"):
        gone: list[weakref.ref[Any]] = []

        async def note(actor: Script, gone: list[weakref.ref[Any]] = gone) -> None:
            gone.append(weakref.ref(actor))

        async def tell(send: Any, message: Message) -> None:
            with suppress(ActorDown):
                await send(message)

        async with open_dynamic_supervisor() as supervisor, trio.open_nursery() as nursery:
            child = await supervisor.start_child(ref.child_spec("a", shutdown=1))
            await ref.cast(("do", note))
            await trio.testing.wait_all_tasks_blocked()
            ref.cast_nowait("crash" if ending == "crash" else ("sleep", 9 if ending == "cancel" else 0.5))
            for send in (ref.call, ref.cast):
                message = Message()
                gone.append(weakref.ref(message))
                nursery.start_soon(tell, send, message)
            del message
            await trio.lowlevel.checkpoint()
            if ending != "crash":
                await supervisor.stop_child(child)
            await child.wait()
            del child
            await trio.testing.wait_all_tasks_blocked()
            caplog.clear()
            gc.collect()
            assert [one() for one in gone] == [None, None, None]


async def test_a_task_that_outlives_its_actor_keeps_nothing_of_it(autojump_clock: Any) -> None:
    """A task started by an actor shares its context; messages, callers and the actor's task are free all the same."""

    class Message:
        """Can be watched."""

    ref = script([], mailbox=1)
    gone: list[weakref.ref[Any]] = []
    async with trio.open_nursery() as nursery:

        async def linger(actor: Script) -> None:
            gone.append(weakref.ref(trio.lowlevel.current_task()))
            nursery.start_soon(trio.sleep_forever)
            await trio.sleep(1)

        async def ask(message: Message) -> None:
            with suppress(ActorDown):
                await ref.call(message)

        async with open_supervisor(ref.child_spec("a")):
            ref.cast_nowait(("do", linger))
            await trio.testing.wait_all_tasks_blocked()
            for _ in range(2):  # one inside, one outside
                message = Message()
                gone.append(weakref.ref(message))
                nursery.start_soon(ask, message)
                await trio.testing.wait_all_tasks_blocked()
            del message
        await trio.testing.wait_all_tasks_blocked()
        gc.collect()
        assert [one() for one in gone] == [None, None, None]
        assert len(nursery.child_tasks) == 1
        nursery.cancel_scope.cancel()


async def test_a_child_may_run_actors_one_after_the_other(autojump_clock: Any) -> None:
    """An actor that has ended leaves nothing at the child that ran it, nor takes its later calls for its own."""
    ref = script([])

    async def end(actor: Script) -> None:
        actor.ref.request_stop()

    async def run(*, task_status: trio.TaskStatus[None]) -> None:
        for _ in range(3):
            async with trio.open_nursery() as nursery:
                nursery.start_soon(poke)
                await ref.run()
            with pytest.raises(ActorDown):
                await ref.call("x")
        task_status.started()
        await trio.sleep_forever()

    async def poke() -> None:
        await trio.testing.wait_all_tasks_blocked()
        await ref.cast(("do", end))

    async with open_supervisor(ChildSpec(id="a", run=run)) as supervisor:
        (branch,) = snapshot(supervisor).children
        assert branch.channels == ()
        child = supervisor._run.slots["a"].child  # type: ignore[union-attr]  # it runs
        assert child is not None
        assert not child._on_stop


async def test_an_actor_that_runs_another_stays_itself(autojump_clock: Any) -> None:
    """Once an actor that ran in a handler has ended, the task is the outer actor's again."""
    diary: list[str] = []
    outer = script(diary)

    class Brief(Script):
        async def init(self) -> None:
            self.ref.request_stop()

    inner = ActorRef(lambda: Brief(diary))

    async def embed(actor: Script) -> None:
        await inner.run()
        with pytest.raises(CallingSelf):
            await actor.ref.call(1)
        diary.append("refused")

    async with open_supervisor(outer.child_spec("a")):
        await outer.cast(("do", embed))
        await trio.testing.wait_all_tasks_blocked()
        assert diary[1:] == ["terminate None", "refused"]


async def test_an_error_of_a_call_is_in_no_cycle(autojump_clock: Any) -> None:
    """`ActorDown` is freed with its last reference, whatever it came from."""
    ref = script([])
    gc.disable()
    try:
        async with open_dynamic_supervisor() as supervisor:
            for message in ("drop", "crash", "x"):
                if message == "drop":
                    await supervisor.start_child(ref.child_spec("a"))
                gone: list[weakref.ref[Any]] = []
                try:
                    await ref.call(message)
                except ActorDown as exc:
                    gone.append(weakref.ref(exc))
                assert [one() for one in gone] == [None]
    finally:
        gc.enable()


async def test_a_long_life_keeps_nothing(autojump_clock: Any) -> None:
    """Answered, cancelled and dropped calls leave no trace in a running actor."""
    ref = script([])
    async with open_supervisor(ref.child_spec("a")):
        mailbox = ref._mailbox
        assert mailbox is not None
        for _ in range(50):
            await ref.call("x")
            with suppress(ActorDown):
                await ref.call("drop")
            with trio.move_on_after(1):
                await ref.call(("sleep", 2))
            await ref.cast("y")
        await trio.sleep(5)
        assert (len(mailbox), len(mailbox.calls), mailbox.waits_for) == (0, 0, None)


async def test_no_cycles_are_left_for_the_collector(autojump_clock: Any) -> None:
    """Calls, their errors and the actor itself are freed by reference counts alone."""
    ref = script([])

    async def live() -> None:
        async with open_supervisor(ref.child_spec("a", restart="temporary")):
            for message in ("x", "drop", "crash"):
                with suppress(ActorDown):
                    await ref.call(message)

    await live()
    gc.collect()
    gc.disable()
    try:
        gone: list[weakref.ref[Any]] = []

        async def note(actor: Script) -> None:
            gone.append(weakref.ref(actor))

        async with open_dynamic_supervisor() as supervisor:
            child = await supervisor.start_child(ref.child_spec("a"))
            await ref.cast(("do", note))
            await ref.call("x")
            await supervisor.stop_child(child)
            assert [one() for one in gone] == [None]
    finally:
        gc.enable()


# I15


STEP = st.tuples(
    st.integers(0, 3),  # who
    st.sampled_from(["echo", "echo", "keep", "answer", "drop", "crash", "sleep", "cast"]),
    st.sampled_from([0.0, 0.0, 0.5, 1.0]),  # when, after the step before
    st.sampled_from([None, None, 0.0, 0.5, 1.5]),  # the caller's patience
)


@settings(max_examples=300, deadline=None)
@given(
    steps=st.lists(STEP, max_size=12),
    capacity=st.integers(1, 3),
    limit=st.integers(0, 4),
    ending=st.sampled_from(["leave", "stop", "cancel"]),
    rnd=st.random_module(),
)
def test_each_call_has_one_end(steps: Any, capacity: int, limit: int, ending: str, rnd: object) -> None:
    """I15: a call gets its own answer, `ActorDown`, or its own cancellation; one of them, and in bounded time."""
    ends: dict[int, list[str]] = {}
    settled: dict[int, list[bool]] = {}
    begun: list[tuple[int, int]] = []

    class Subject(Actor[Any, Any, Any]):
        def __init__(self) -> None:
            self.kept: list[tuple[int, Reply[int]]] = []

        async def handle_call(self, message: Any, reply: Reply[int]) -> None:
            number, what = message
            begun.append((number, current_child().incarnation))
            match what:
                case "keep":
                    self.kept.append((number, reply))
                case "crash":
                    raise ValueError(number)
                case "drop":
                    pass
                case "sleep":
                    await trio.sleep(1)
                    settled.setdefault(number, []).append(reply(number))
                case _:
                    settled.setdefault(number, []).append(reply(number))
                    if what == "answer" and self.kept:
                        other, kept = self.kept.pop()
                        settled.setdefault(other, []).append(kept(other))

        async def handle_cast(self, message: Any) -> None:
            await trio.lowlevel.checkpoint()

    ref = ActorRef(Subject, mailbox=capacity)

    async def caller(number: int, what: str, patience: float | None) -> None:
        mine = ends.setdefault(number, [])
        with trio.move_on_after(math.inf if patience is None else patience) as scope:
            try:
                if what == "cast":
                    await ref.cast(number)
                    mine.append("reply")
                else:
                    answer = await ref.call((number, what))
                    mine.append("reply" if answer == number else f"a reply to {answer}")
            except ActorDown:
                mine.append("down")
        if scope.cancelled_caught:
            mine.append("cancelled")

    async def main() -> None:
        async with trio.open_nursery() as nursery:
            with suppress(Exception), trio.CancelScope() as scope:
                async with open_supervisor(
                    ref.child_spec("a", shutdown=0.5), restarts=RestartLimit(limit, per=100)
                ) as supervisor:
                    for number, (_, what, pause, patience) in enumerate(steps):
                        if pause:
                            await trio.sleep(pause)
                        nursery.start_soon(caller, number, what, patience)
                    match ending:
                        case "leave":
                            await trio.sleep(3)
                        case "stop":
                            await supervisor.stop_child("a")
                        case _:
                            scope.cancel()
            nursery.cancel_scope.deadline = trio.current_time() + 30

    trio.run(main, clock=trio.testing.MockClock(autojump_threshold=0))
    assert {number: len(mine) for number, mine in ends.items()} == dict.fromkeys(ends, 1), ends
    for number, (end,) in ends.items():
        what, patience = steps[number][1], steps[number][3]
        assert end in ("reply", "down", "cancelled"), end
        assert end != "cancelled" or patience is not None
        assert end != "reply" or what not in ("drop", "crash")
        if what != "cast":
            # What the actor was told when it answered is what the caller saw.
            assert settled.get(number, [False]) == [end == "reply"], (number, end, settled)
    assert len({number for number, _ in begun}) == len(begun), f"a message was handled twice: {begun}"
    assert [incarnation for _, incarnation in begun] == sorted(incarnation for _, incarnation in begun)
