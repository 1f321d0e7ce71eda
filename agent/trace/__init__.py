"""The kernel side: loads the BPF programs and turns their raw records into values."""
