"""Which pods there are on this node, which of their containers are governed, and whose cgroup is whose."""
