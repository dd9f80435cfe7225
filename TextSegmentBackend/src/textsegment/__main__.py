"""Entry point of ``python -m textsegment``, the command line."""

from textsegment.cli.main import main

if __name__ == "__main__":
    main()
