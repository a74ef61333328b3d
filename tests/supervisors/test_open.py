"""open_supervisor: what the block's end does to the children, and what leaves the block."""

from typing import Any

import pytest
import trio
from trio.testing import wait_all_tasks_blocked

from streamd.supervisors import (
    ChildSpec,
    ChildStartError,
    ChildStopError,
    InvalidSpec,
    RestartLimit,
    RestartLimitExceeded,
    open_supervisor,
)
from streamd.supervisors._open import serve


async def test_the_body_begins_when_all_are_ready(diary: Any) -> None:
    """The block gives the running supervisor, and its end is an orderly shutdown."""
    async with open_supervisor(diary.child("a"), diary.child("b"), name="top") as supervisor:
        assert diary.take() == ["+a1", "+b1"]
        assert supervisor.path == "top"
    assert diary == ["-b1", "-a1"]


async def test_bad_options_are_refused_at_the_call() -> None:
    """Nothing has been opened then."""
    with pytest.raises(InvalidSpec):
        open_supervisor(cancel_grace=-1)


async def test_an_error_of_the_body_leaves_bare(diary: Any, autojump_clock: Any) -> None:
    """The very exception comes out, with no group around it, after an orderly stop with full grace."""
    error = KeyError("mine")
    with pytest.raises(KeyError) as caught:
        async with open_supervisor(diary.child("a"), diary.graceful("b", needs=2)):
            raise error
    assert caught.value is error
    assert diary == ["+a1", "+b", "done b", "-b", "-a1"]


async def test_a_group_of_the_body_leaves_as_it_is() -> None:
    """A group is not unwrapped further."""
    group = ExceptionGroup("mine", [KeyError("x")])
    with pytest.raises(ExceptionGroup) as caught:
        async with open_supervisor():
            raise group
    assert caught.value is group


async def test_the_body_ends_before_the_children_do(diary: Any, autojump_clock: Any) -> None:
    """When the block is cancelled, the children serve the body's cleanup to its end."""
    with trio.move_on_after(1) as scope:
        async with open_supervisor(diary.child("a"), diary.child("b")):
            try:
                await trio.sleep_forever()
            finally:
                with trio.CancelScope(shield=True):
                    await trio.sleep(1)
                diary.append("body")
    assert scope.cancelled_caught
    assert diary == ["+a1", "+b1", "body", "-b1", "-a1"]


async def test_a_failed_start_never_enters_the_body() -> None:
    """ChildStartError comes bare."""

    async def bad(*, task_status: Any) -> None:
        raise OSError

    with pytest.raises(ChildStartError):
        async with open_supervisor(ChildSpec(id="a", run=bad)):
            raise AssertionError("entered")


async def test_a_cancellation_during_the_start(diary: Any, autojump_clock: Any) -> None:
    """What has started is stopped, what is starting is cancelled and joined."""

    async def hang(*, task_status: Any) -> None:
        diary.append("+hang")
        try:
            await trio.sleep_forever()
        finally:
            diary.append("-hang")

    with trio.move_on_after(1) as scope:
        async with open_supervisor(diary.child("a"), ChildSpec(id="b", run=hang)):
            raise AssertionError("entered")
    assert scope.cancelled_caught
    assert diary == ["+a1", "+hang", "-hang", "-a1"]


async def test_a_failure_cancels_the_body_and_is_raised_bare(diary: Any, autojump_clock: Any) -> None:
    """The body learns by its cancellation, its caller by the error."""
    with pytest.raises(RestartLimitExceeded):
        async with open_supervisor(diary.child("a", crash_after=1), restarts=RestartLimit(0)):
            try:
                await trio.sleep_forever()
            finally:
                diary.append("body")
    assert diary == ["+a1", "-a1", "body"]


async def test_both_failures_come_as_a_group(diary: Any, autojump_clock: Any) -> None:
    """Only if the body and the supervisor both failed is there a group, of exactly the two."""
    with pytest.raises(ExceptionGroup) as caught:
        async with open_supervisor(diary.child("a", crash_after=1), restarts=RestartLimit(0)):
            try:
                await trio.sleep_forever()
            finally:
                raise KeyError("mine")
    body, failure = caught.value.exceptions
    assert (type(body), type(failure)) == (KeyError, RestartLimitExceeded)


async def test_a_failure_is_raised_though_the_block_is_cancelled(autojump_clock: Any) -> None:
    """An error of a child that is stopped replaces the Cancelled."""

    async def dirty(*, task_status: Any) -> None:
        task_status.started()
        try:
            await trio.sleep_forever()
        finally:
            raise ArithmeticError

    with pytest.raises(ChildStopError), trio.move_on_after(1):
        async with open_supervisor(ChildSpec(id="a", run=dirty)):
            await trio.sleep_forever()


async def test_a_timeout_cuts_the_stop_short(diary: Any, autojump_clock: Any) -> None:
    """A cancellation while the block stops leaves each child cancel_grace, here nothing."""
    with trio.move_on_after(1) as scope:
        async with open_supervisor(diary.graceful("a", needs=9, shutdown=60)):
            pass
    assert scope.cancelled_caught
    assert trio.current_time() == 1
    assert diary == ["+a", "-a"]


async def test_a_timeout_during_the_stop_does_not_hide_the_bodys_error(
    diary: Any, autojump_clock: Any
) -> None:
    """The body's own error goes first, and the stop is hurried."""
    with pytest.raises(KeyError), trio.move_on_after(1):
        async with open_supervisor(diary.graceful("a", needs=9, shutdown=60)):
            raise KeyError
    assert trio.current_time() == 1


async def test_the_body_goes_on_when_the_supervisor_stops_by_itself(autojump_clock: Any) -> None:
    """auto_shutdown ends the children, not the body, which can wait for that."""
    main = ChildSpec(id="main", run=trio.sleep, args=(1,), restart="transient", significant=True)
    async with open_supervisor(main, auto_shutdown="any") as supervisor:
        await supervisor.wait_stopped()
        assert trio.current_time() == 1
        await trio.sleep(1)


async def test_waiting_for_the_stop_is_not_asking_for_it(diary: Any, autojump_clock: Any) -> None:
    """wait_stopped can be cancelled and does nothing to the children."""
    async with open_supervisor(diary.child("a")) as supervisor:
        with trio.move_on_after(1):
            await supervisor.wait_stopped()
        await wait_all_tasks_blocked()
        assert diary == ["+a1"]


async def test_inside_a_child_the_block_is_part_of_its_tree(autojump_clock: Any) -> None:
    """The path tells where the supervisor is, and the child's stop ends it in order."""
    paths: list[str] = []

    async def run(*, task_status: Any) -> None:
        async with open_supervisor(name="inner") as inner:
            paths.append(inner.path)
            task_status.started()
            await trio.sleep_forever()

    async with open_supervisor(ChildSpec(id="a", run=run), name="top"):
        pass
    assert paths == ["top/a/inner"]


class Brief:
    """What runs beside a body, and is ready and over before that is told of either."""

    def __init__(self, error: Exception | None) -> None:
        self.error = error

    async def run(self, *, task_status: trio.TaskStatus[Any]) -> None:
        """Be ready, and end."""
        task_status.started(self)
        if self.error is not None:
            raise self.error

    def request_shutdown(self, reason: str | None = None) -> None:
        """It has ended."""


@pytest.mark.parametrize("error", [None, ValueError("too soon")])
async def test_ready_and_over_in_one_step(error: Exception | None, autojump_clock: Any) -> None:
    """The body is told of both, and the end is not waited for again."""
    with trio.fail_after(5):
        if error is None:
            async with serve(Brief(error)):
                pass
        else:
            with pytest.raises(ValueError, match="too soon"):
                async with serve(Brief(error)):
                    pytest.fail("the body began")
