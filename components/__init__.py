"""Components of the pipeline.

The artifact types are importable from here (`components.FlowReport`): a container's entry point
looks them up by that name. They are loaded at first use: the pure modules come without TFX.
"""

_ARTIFACTS = ("FlowCounters", "FlowReport")


def __getattr__(name: str) -> type:
    if name in _ARTIFACTS:
        from components import artifacts

        return getattr(artifacts, name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
