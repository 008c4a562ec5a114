"""What keeps the repository itself in order; nothing that runs in production."""
