"""`python -m holdover`: the command line, where no `holdover` is on the path.

What stands in this folder is installed in `holdover` itself.  That has no `__init__.py`: it is a
namespace package, and model, proofs and reference are what it has.
"""

from holdover.reference.cli import main

if __name__ == "__main__":
    main(prog_name="holdover")
