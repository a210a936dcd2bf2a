"""uvicorn, with what it leaves open: bounds on connections, draining, a watch over the engines."""
