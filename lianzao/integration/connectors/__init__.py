"""Connectors: each reads one foreign system's files or messages and brings them in through mapping files.

Every module here is a connector and offers `load(by, folder, *, as_of, dry_run, say) -> bool`: true when a file could
not be taken at all. Rows that are left out are listed with their reasons.
"""
