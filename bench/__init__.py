"""Paired measurements of the product against a floor. Run `python -m bench --help`."""
