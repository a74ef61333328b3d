"""The fixtures that every folder of tests may use."""

from tests.support.local import local_server as local_server
