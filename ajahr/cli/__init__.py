"""The `ajahr` command. One file per subcommand, imported when it is called."""
