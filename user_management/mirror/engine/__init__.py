"""What every resource shares: its declaration, the fold that decides, the statements that store and read."""
