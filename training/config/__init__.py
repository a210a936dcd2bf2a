"""The config of one published model: what it says (a file for each part), and how it is read.

Every section is frozen and refuses unknown keys, so a misspelt option stops the run instead of
being ignored.
"""
