"""Load on a running server, and what its clients see of it.

It may share the machine with what it measures, so it is one thread of bare sockets with a parser in
C (httptools, the one that the server reads with): no HTTP client, and no JSON is parsed.
"""
