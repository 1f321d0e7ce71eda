"""The way to the collector: batches, bounded memory, the uplink."""
