"""Fixtures that tests of several folders share."""

import signal

from tests.support.local import local_server as local_server

# What is started in the background may have Ctrl-C ignored, and leaves it so to all it starts: tests send it.
signal.signal(signal.SIGINT, signal.default_int_handler)
