"""What runs: the cores, the command line, and what holds both to the model."""


def __getattr__(name: str) -> str:
    """`__version__`, looked up when it is asked for: whoever embeds a core has no use for it."""
    if name == "__version__":
        from importlib.metadata import version

        return version("holdover")
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
