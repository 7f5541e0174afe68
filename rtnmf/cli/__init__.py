"""The command `rtnmf`: one file per command."""
