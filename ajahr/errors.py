"""The errors a user can cause. Commands print them as one line and exit with code 2, without a traceback."""

from __future__ import annotations


class UserError(Exception):
    """Something the user can mend. The message is one line: the cause, then the mend."""


class MissingAsset(UserError):
    """A file that cannot be shipped (weights, a body model, a dataset) is not where it was looked for."""
