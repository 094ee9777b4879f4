"""``python -m kpcli``."""

from kpcli.cli.app import main

if __name__ == "__main__":
    main()
