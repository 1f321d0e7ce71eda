"""Calls to masked calls: the gate behind which no unmasked value has a name. Pure."""
