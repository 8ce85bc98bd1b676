"""Who did what, provably: seal, checkpoint, verify, export, erase, the auditor's pages."""
