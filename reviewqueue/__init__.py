"""reviewqueue: a human-in-the-loop review queue."""

__version__ = "0.1.0"
