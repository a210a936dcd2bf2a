"""Sessions in an SQLite database: a file, or in memory."""
