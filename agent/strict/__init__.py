"""`record: strict`: a workload that is held, or ended, rather than left to do what can't be recorded."""
