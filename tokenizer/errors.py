"""The errors a user can cause here. `ajahr.cli` prints them as one line, like its own."""

from __future__ import annotations


class InputError(ValueError):
    """Something the user can mend. The message is one line: the cause, then the mend."""
