"""The studio that runs already, in another process of this machine: the same names as `Studio` has, over HTTP."""
