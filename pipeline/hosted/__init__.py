"""Pictures that providers make elsewhere: who can be asked, and asking them. Nothing here is imported before it is
needed, and no provider's package unless that provider is asked."""
