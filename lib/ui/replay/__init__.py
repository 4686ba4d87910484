"""The parts of the replay page: what really happened in a stored session, and what each model was really shown."""
