"""Who they are: people, service tokens, sessions, membership; fills the current actor."""
