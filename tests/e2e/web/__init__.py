"""A package for pytest: its server and its browser end with its last test."""
