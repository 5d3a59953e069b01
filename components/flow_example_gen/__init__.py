"""FlowExampleGen: flow records in, one flow frame per interval out."""
