"""This server's own dialect of HTTP: one file for each resource."""
