"""The dialect of KServe and Triton, the Open Inference Protocol: everything below /v2."""
