"""What the server must bear from the network."""
