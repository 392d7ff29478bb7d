"""The report of a problem: this machine and this studio on a page that anybody may read."""
