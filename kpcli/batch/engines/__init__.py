"""Who does the chunks of a run: this process, several, or a Ray cluster; same results."""
