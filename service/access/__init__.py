"""API keys: whose a request is, and how much its name may ask for. Knows nothing of HTTP."""
