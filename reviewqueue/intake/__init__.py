"""Items in: submission, idempotency, and what is prepared for the reviewer."""
