"""Where records come in: the gRPC endpoint and capture files."""
