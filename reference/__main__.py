"""`python -m holdover.reference`: the command line, where no `holdover` is on the path."""

from holdover.reference.cli import main

if __name__ == "__main__":
    main(prog_name="holdover")
