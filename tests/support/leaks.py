"""Seeing to it that a block leaves nothing behind: what `streamd.testing` gives everybody."""

from streamd.testing._leaks import no_leaks as no_leaks
from streamd.testing._leaks import open_fds as open_fds
from streamd.testing._leaks import tasks as tasks

__all__ = ["no_leaks", "open_fds", "tasks"]
