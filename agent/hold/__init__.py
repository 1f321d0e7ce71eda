"""Holding a thread at its TLS call: ptrace, orders, deadlines. It performs what it is told and decides nothing."""
