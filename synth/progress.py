"""Progress of long work, as `ajahr` shows it."""

from ajahr.progress import Progress

__all__ = ["Progress"]
