"""The dialect of OpenAI's API, with vLLM's names for what goes beyond it: everything below /v1."""
