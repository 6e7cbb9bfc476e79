"""Links as the network tests have them, and the processor too."""

from tests.net.conftest import first_of_all, links, privileged

__all__ = ["first_of_all", "links", "privileged"]
