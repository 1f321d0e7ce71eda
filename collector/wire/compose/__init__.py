"""From verdicts to what leaves and what is delivered: held bytes cut into units, and parts of an order made of them. Pure."""
