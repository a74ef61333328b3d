"""`no_leaks`: whatever outlives a block is named."""

import os
import socket
import subprocess
import sys
import threading

import pytest
import trio

from streamd.testing import no_leaks


async def test_a_block_that_leaves_nothing_passes() -> None:
    """Tasks, sockets, threads and processes that end inside it, or lived before it, are none of its business."""
    before = socket.socket()
    async with no_leaks():
        async with trio.open_nursery() as nursery:
            nursery.start_soon(trio.sleep, 0)
        socket.socket().close()
        await trio.to_thread.run_sync(len, "a")
        done = await trio.run_process([sys.executable, "-c", ""], stdin=subprocess.DEVNULL)
        assert done.returncode == 0
    before.close()


async def test_a_task_that_is_left_is_named() -> None:
    """By its name."""
    async with trio.open_nursery() as nursery:
        with pytest.raises(AssertionError, match=r"tasks \['.*sleep_forever'\]"):
            async with no_leaks():
                nursery.start_soon(trio.sleep_forever)
        nursery.cancel_scope.cancel()


async def test_a_socket_that_is_left_is_named() -> None:
    """By its number, and on Linux by what it is."""
    left: list[socket.socket] = []
    with pytest.raises(
        AssertionError, match="descriptors .*socket" if sys.platform == "linux" else "descriptors"
    ):
        async with no_leaks():
            left.append(socket.socket())
    left[0].close()


async def test_a_thread_that_is_left_is_named() -> None:
    """Those that trio keeps for itself are not."""
    end = threading.Event()
    thread = threading.Thread(target=end.wait, name="forgotten")
    with pytest.raises(AssertionError, match=r"threads \['forgotten'\]"):
        async with no_leaks():
            await trio.to_thread.run_sync(len, "a")
            thread.start()
    end.set()
    thread.join()


async def test_a_process_that_is_left_is_named() -> None:
    """Where the system tells of them."""
    children: list[subprocess.Popen[bytes]] = []

    def start() -> None:
        command = [sys.executable, "-c", "input()"]
        children.append(subprocess.Popen(command, stdin=subprocess.PIPE, close_fds=True))

    with pytest.raises(AssertionError, match=r"child processes|descriptors"):
        async with no_leaks():
            start()
    children[0].kill()
    children[0].wait()
    assert children[0].stdin is not None
    children[0].stdin.close()


async def test_an_exception_of_the_block_passes() -> None:
    """As it is: what it left is not looked at."""
    with pytest.raises(ZeroDivisionError):
        async with no_leaks():
            raise ZeroDivisionError


async def test_what_ends_soon_after_is_no_leak() -> None:
    """A task that takes some passes of the scheduler to end."""

    async def slow() -> None:
        for _ in range(50):
            await trio.lowlevel.checkpoint()

    async with trio.open_nursery() as nursery, no_leaks():
        nursery.start_soon(slow)


async def test_a_file_under_the_number_of_another_is_left() -> None:
    """One that was there before is closed, and one is opened that gets its number."""
    number, kept = os.open(__file__, os.O_RDONLY), list[int]()
    with pytest.raises(AssertionError, match=rf"descriptors \['{number}"):
        async with no_leaks():
            os.close(number)
            kept.append(os.open(os.devnull, os.O_RDONLY))
            assert kept == [number]
    os.close(number)
