"""The desk: a claim as a page with a form, and what comes back from it."""
