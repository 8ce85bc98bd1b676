"""How an item ends: resolutions, their revisions, and who may set them off."""
