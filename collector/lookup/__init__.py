"""Facts that traffic does not show, asked of the API by the collector itself: single pods, by GET, and nothing else."""
