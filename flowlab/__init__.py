"""FlowLab: explore normalizing flows and find anomalies. Importing it loads neither torch nor a plot library."""

__version__ = "0.1.0"
