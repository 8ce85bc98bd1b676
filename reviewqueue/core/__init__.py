"""What is not about reviewing: database, access, audit trail, background work, HTTP."""
