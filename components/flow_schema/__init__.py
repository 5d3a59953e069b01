"""FlowSchema: the schemas of frames and windows, made from the configuration."""
