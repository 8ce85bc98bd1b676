"""Operations on many items at once: looked at, confirmed, worked off."""
