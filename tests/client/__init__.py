"""The Python client, mostly against the real application without sockets."""
