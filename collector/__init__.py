"""The half that understands and decides, and touches no kernel."""
