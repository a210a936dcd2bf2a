"""What a text is, in one pass over it: its characters, its lines, what comes twice."""
