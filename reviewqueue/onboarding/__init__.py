"""The first run: a queue from a template or from a table, a trial item, people and a token."""
