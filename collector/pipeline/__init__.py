"""The only package that knows all the others: records in, masked rows out."""

from chaperone.collector.pipeline.gate import Gate
from chaperone.collector.pipeline.records import Pipeline

__all__ = ["Gate", "Pipeline"]
