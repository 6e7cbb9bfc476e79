"""Links as the network tests have them."""

from tests.net.conftest import links, privileged

__all__ = ["links", "privileged"]
