"""People decide: claims, drafts, decisions, and the desk they do it at."""
