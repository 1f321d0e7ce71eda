"""Ending what a collector orders to end outside of any hold: connections, processes, workloads."""
