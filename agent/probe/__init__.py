"""Which TLS functions a file has, where they are, and the probes on them."""
