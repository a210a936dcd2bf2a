"""Whether this machine can train, export, serve and publish: each thing is tried, not asked for."""
