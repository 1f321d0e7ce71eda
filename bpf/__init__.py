"""The BPF programs, as sources: compiled on the node by bcc."""
