"""Weather desk: the smallest team, a leader with one member. Copy this folder to begin a team of your own."""
