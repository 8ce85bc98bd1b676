"""Decisions: checked, made, repeated, taken back."""
