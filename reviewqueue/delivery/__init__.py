"""Answers out: reading items, and waiting for their resolution."""
