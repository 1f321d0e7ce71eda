"""What is governed: cgroups, processes and sessions."""
