"""The journal in PostgreSQL: what a bot was told and what it was about to do, durable before it is done."""
