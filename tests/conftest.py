"""Fixtures that tests of several folders share."""

from tests.support.local import local_server as local_server
