"""Sessions: texts that go on. What a session is, and where sessions are kept."""
