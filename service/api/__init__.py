"""The HTTP room: one file for each resource. HTTP types stop here."""
