"""What `chaperone run` is made of: who runs CMD, in which cgroup, what is probed, how the terminal stays CMD's."""
