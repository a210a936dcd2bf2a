"""What `lstm-serve` can be told to do: a file for each command, its options and its work.

Each of them is imported for every command line, so what takes long to import is imported where it
is used: a health check every few seconds imports no server.
"""
