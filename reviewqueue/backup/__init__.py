"""Everything that an installation is, in one folder; and an installation again from such a folder."""
